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
)

// oneLiteral is a line that is nothing but one string: an address or a message on the wire that
// nobody can break.
var oneLiteral = regexp.MustCompile("^\\s*(\"(\\\\.|[^\"\\\\])*\"|`[^`]*`),?$")

// TestTheCodeHasAir holds every Go file to lines that fit a window beside another one, and to one
// statement for each value.
func TestTheCodeHasAir(t *testing.T) {
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") {
			return err
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		checkWidth(t, file, string(source))
		return checkAssignments(t, file, source)
	})
	if err != nil {
		t.Fatal(err)
	}
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
