package gatehouse

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// outlasting is what may go on after whoever asked for it is gone without a bound beside it, and
// what bounds it or why nothing need. Everything else is context.WithTimeout of it.
var outlasting = map[string]string{
	"connect/assist/open.go":           "the person's browser, which stays",
	"connect/assist/page.go":           "the page of a command, until the command closes it",
	"cmd/gatehouse/listen.go":          "the background work of a half, which it waits for so long and no longer",
	"inbound/health.go":                "a look of the health checks, which bounds itself",
	"mail/mail.go":                     "the values for the log; the queue bounds each delivery",
	"sqldb/pgdraft.go":                 "a transaction whose commit bounds it",
	"sqldb/pgmigrate.go":               "the end of a connection, which waits for nothing",
	"sqldb/readonly.go":                "the end of a connection, which waits for nothing",
	"sqldb/transfer.go":                "the end of a connection, which waits for nothing",
	"sqldb/write.go":                   "a transaction that others share",
	"telemetry/tracing/transaction.go": "the values of a span; nothing is done under it",
	"center/iam/keeper.go":             "undo, which bounds itself",
}

// TestWhatOutlastsItsRequestIsBounded looks for work that goes on although nobody waits for it any
// more, and nothing ends it where a database or a server does not answer.
func TestWhatOutlastsItsRequestIsBounded(t *testing.T) {
	found := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path = filepath.ToSlash(path)
		if d.IsDir() && (path == "bench" || path == "internal" || path == "examples" || strings.HasPrefix(path, ".g") ||
			d.Name() == "node_modules" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		fset := token.NewFileSet()
		parsed, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		bounded := map[ast.Expr]bool{}
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			switch called(call) {
			case "context.WithTimeout", "context.WithDeadline":
				bounded[call.Args[0]] = true
			case "context.WithoutCancel":
				switch {
				case bounded[call]:
				case outlasting[path] != "":
					found[path] = true
				default:
					t.Errorf("%s: what goes on without whoever asked for it has no bound", fset.Position(call.Pos()))
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for path := range outlasting {
		if !found[path] {
			t.Errorf("%s has nothing that goes on without a bound: it needs no line", path)
		}
	}
}

func called(call *ast.CallExpr) string {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	of, ok := selector.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return of.Name + "." + selector.Sel.Name
}
