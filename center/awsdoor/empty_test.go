package awsdoor_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoStructureIsLeftOutForBeingEmpty reads what the doors write: a structure or a map that is
// set is written although there is nothing in it, since a client tells by it which member of a
// union there is, and botocore refuses a union without one. omitempty would drop it; omitzero drops
// only what is not set.
func TestNoStructureIsLeftOutForBeingEmpty(t *testing.T) {
	t.Parallel()
	members := 0
	for _, door := range []string{
		"identitystore", "ssoadmin", "ssooidc", "orgserver", "accountaccess", "accountaccessruntime", "sso", "sts",
		"awslogin", "adminserver",
	} {
		files, err := filepath.Glob(filepath.Join("..", door, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", door, len(files), err)
		}
		set, parsed := token.NewFileSet(), []*ast.File{}
		structures := map[string]bool{} // the package's own
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			file, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			parsed = append(parsed, file)
			ast.Inspect(file, func(n ast.Node) bool {
				if spec, ok := n.(*ast.TypeSpec); ok {
					_, is := spec.Type.(*ast.StructType)
					structures[spec.Name.Name] = structures[spec.Name.Name] || is
				}
				return true
			})
		}
		for _, file := range parsed {
			ast.Inspect(file, func(n ast.Node) bool {
				field, ok := n.(*ast.Field)
				if !ok || field.Tag == nil || !strings.Contains(field.Tag.Value, "json:") {
					return true
				}
				members++
				if strings.Contains(field.Tag.Value, ",omitempty") && holdsMembers(field.Type, structures) {
					t.Errorf("%s: an empty structure is dropped by omitempty: use omitzero", set.Position(field.Pos()))
				}
				return true
			})
		}
	}
	if members < 200 {
		t.Errorf("only %d members were looked at", members)
	}
}

// holdsMembers says whether a type is written as an object.
func holdsMembers(of ast.Expr, structures map[string]bool) bool {
	switch x := of.(type) {
	case *ast.StarExpr, *ast.MapType, *ast.StructType:
		return true
	case *ast.Ident:
		return structures[x.Name]
	}
	return false
}
