package gatehouse

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestWhatAPackageMayImportIsSaidOnce holds three places to each other: the table mayImport, the
// imports that a package really has, and the sentence at the end of its comment.
func TestWhatAPackageMayImportIsSaidOnce(t *testing.T) {
	for _, rule := range mayImport {
		if rule.pkg == "." || rule.imports == "*" {
			continue
		}
		imports, comment := importsOf(t, rule.pkg)
		if listed := strings.Fields(rule.imports); !slices.Equal(listed, imports) {
			t.Errorf("%s imports %q; its line in mayImport has %q", rule.pkg, imports, listed)
		}
		if want := importSentence(imports); !strings.Contains(comment, want) {
			t.Errorf("%s: its comment must end with %q", rule.pkg, want)
		}
	}
}

// importsOf reads a package without its tests: which of our packages it imports, sorted, and its
// comment on one line.
func importsOf(t *testing.T, pkg string) (imports []string, comment string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(pkg, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		comment += strings.Join(strings.Fields(parsed.Doc.Text()), " ")
		for _, spec := range parsed.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if ours, ok := strings.CutPrefix(name, module); ok {
				imports = append(imports, ours)
			}
		}
	}
	slices.Sort(imports)
	return slices.Compact(imports), comment
}

// importSentence is what a package's comment says about its imports.
func importSentence(imports []string) string {
	switch n := len(imports); n {
	case 0:
		return "It imports nothing of ours."
	case 1:
		return "It may import " + imports[0] + "."
	default:
		return "It may import " + strings.Join(imports[:n-1], ", ") + " and " + imports[n-1] + "."
	}
}
