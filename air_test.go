package gatehouse

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	tabWidth        = 4
	maxCodeWidth    = 120
	maxCommentWidth = 100
	maxValues       = 2 // of one assignment that is no call
	maxNames        = 2 // that one call's results are given, but for a few

	linesPerExcess = 1000 // of the program's code, for each call whose results get more names
)

// oneLiteral is a line that is nothing but one string: an address or a message on the wire that
// nobody can break.
var oneLiteral = regexp.MustCompile("^\\s*(\"(\\\\.|[^\"\\\\])*\"|`[^`]*`),?$")

// TestTheCodeHasAir holds every Go file to lines that fit a window beside another one, and to one
// statement for each value.
func TestTheCodeHasAir(t *testing.T) {
	lines, excess := 0, []string{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") {
			return err
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		checkWidth(t, file, string(source))
		if !strings.HasSuffix(file, "_test.go") {
			lines += strings.Count(string(source), "\n")
			excess = append(excess, manyNames(t, file, source)...)
		}
		return checkAssignments(t, file, source)
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(excess)*linesPerExcess > lines {
		const problem = "%d calls whose results get more than %d names, in %d lines: give some of them structs:\n%s"
		t.Errorf(problem, len(excess), maxNames, lines, strings.Join(excess, "\n"))
	}
}

// manyNames returns the places where the results of one call are given three names or more, not
// counting those that are dropped. A reader has to know what the second and the third are, and a
// caller can mix them up. A small struct with named fields, two functions, or an error that says
// what a boolean would is mostly better. It is not always: strings.Cut and functions like it, such
// as a filter's parser, read well as they are. So there may be a few of them.
func manyNames(t *testing.T, file string, source []byte) (places []string) {
	t.Helper()
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, file, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		a, ok := n.(*ast.AssignStmt)
		if !ok || len(a.Rhs) != 1 {
			return true
		}
		names := 0
		for _, left := range a.Lhs {
			if name, ok := left.(*ast.Ident); !ok || name.Name != "_" {
				names++
			}
		}
		if names > maxNames {
			places = append(places, fset.Position(a.Pos()).String())
		}
		return true
	})
	return places
}

func checkWidth(t *testing.T, file, source string) {
	t.Helper()
	for i, line := range strings.Split(source, "\n") {
		width := utf8.RuneCountInString(line) + (tabWidth-1)*strings.Count(line, "\t")
		limit, what := maxCodeWidth, "line"
		if strings.HasPrefix(strings.TrimSpace(line), "// ") {
			limit, what = maxCommentWidth, "comment"
		}
		if width > limit && !oneLiteral.MatchString(line) {
			t.Errorf("%s:%d: the %s has %d columns, more than %d", file, i+1, what, width, limit)
		}
	}
}

func checkAssignments(t *testing.T, file string, source []byte) error {
	t.Helper()
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, file, source, 0)
	if err != nil {
		return err
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if a, ok := n.(*ast.AssignStmt); ok && len(a.Rhs) > maxValues {
			t.Errorf("%s: %d values in one assignment, more than %d", fset.Position(a.Pos()), len(a.Rhs), maxValues)
		}
		return true
	})
	return nil
}
