package gatehouse

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What stands in a text about tests: their names, and after one or more of them the folders that
// have them, as "in `a` and `b`" or as "(a, b)". A blank line ends what a folder is said of.
var (
	testMention = regexp.MustCompile("`((?:Test|Fuzz)\\w+)`|" +
		"\\bin\\s+((?:`[a-z/]+`(?:,\\s+|\\s+and\\s+)?)+)|\\(([a-z/., ]+)\\)|\\n\\n|\\|\\n")
	between    = regexp.MustCompile(`\band\b`)
	testName   = regexp.MustCompile(`^(Test|Fuzz)[A-Z]`)
	folderName = regexp.MustCompile(`[a-z/]+|\.`)
)

// TestTheTestsOfTheSecurityPageExist: each that the page names, in the folder that it names.
func TestTheTestsOfTheSecurityPageExist(t *testing.T) {
	tests := testsByFolder(t)
	page, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range missingTests(string(page), tests) {
		t.Error(problem)
	}
}

// TestMissingTestsAreFound shows what the search finds.
func TestMissingTestsAreFound(t *testing.T) {
	tests := map[string][]string{"a": {"TestA", "TestBoth"}, "b/c": {"TestC", "TestBoth"}}
	for text, wrong := range map[string]bool{
		"`TestA`, `TestC`":                        false,
		"`TestD`":                                 true,
		"`TestA` in `a`; `TestC` in `b/c`.":       false,
		"`TestC`, `TestA` in `a`.":                true,
		"`TestBoth`\nin `a` and `b/c`.":           false,
		"`TestA` (two nodes), `TestBoth` (a)":     false,
		"`TestA` (b/c)":                           true,
		"`TestC`\n\n`TestA` in `a`":               false,
		"`TestA` in `a` and `b/c`":                true,
		"| it | `TestC` (b/c) |\n| `TestA` (a) |": false,
	} {
		if got := missingTests(text, tests); (len(got) > 0) != wrong {
			t.Errorf("%s: %q", text, got)
		}
	}
}

// missingTests are the tests that a text names and that are not there, or not where it says.
func missingTests(text string, tests map[string][]string) (problems []string) {
	var named []string
	for _, m := range testMention.FindAllStringSubmatch(text, -1) {
		if m[1] != "" {
			named = append(named, m[1])
			continue
		}
		where := between.ReplaceAllString(m[2], " ") + m[3]
		folders := folderName.FindAllString(where, -1)
		if slices.ContainsFunc(folders, func(f string) bool { return tests[f] == nil }) {
			continue // other words
		}
		problems = append(problems, checkNamed(named, folders, tests)...)
		named = nil
	}
	return append(problems, checkNamed(named, nil, tests)...)
}

// checkNamed looks for tests in folders, of which each must have one of them, or anywhere.
func checkNamed(named, folders []string, tests map[string][]string) (problems []string) {
	has := func(folder string) func(string) bool {
		return func(name string) bool { return slices.Contains(tests[folder], name) }
	}
	for _, folder := range folders {
		if len(named) > 0 && !slices.ContainsFunc(named, has(folder)) {
			problems = append(problems, folder+" has none of "+strings.Join(named, ", "))
		}
	}
	if folders == nil {
		for folder := range tests {
			folders = append(folders, folder)
		}
	}
	for _, name := range named {
		if !slices.ContainsFunc(folders, func(folder string) bool { return has(folder)(name) }) {
			problems = append(problems, name+" is not there: the page names it, perhaps in another folder")
		}
	}
	return problems
}

func testsByFolder(t *testing.T) map[string][]string {
	t.Helper()
	tests := map[string][]string{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder := filepath.ToSlash(filepath.Dir(file))
		for _, decl := range parsed.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && testName.MatchString(f.Name.Name) {
				tests[folder] = append(tests[folder], f.Name.Name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}

// TestTheArchitecturePageNamesFilesThatExist keeps the routes of docs/architecture.md walkable. A
// name without a folder is a file of a half or of one of its doors.
func TestTheArchitecturePageNamesFilesThatExist(t *testing.T) {
	page, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`([a-z/]+\\.go)`").FindAllStringSubmatch(string(page), -1)
	if len(names) < 50 {
		t.Fatalf("the page names %d files", len(names))
	}
	for _, name := range names {
		found := 0
		for _, folder := range []string{".", "center", "tenant", "center/*", "tenant/*", "connect"} {
			files, err := filepath.Glob(filepath.Join(folder, name[1]))
			if err != nil {
				t.Fatal(err)
			}
			found += len(files)
		}
		if found == 0 {
			t.Errorf("docs/architecture.md names %s, which does not exist", name[1])
		}
	}
}
