package gatehouse

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/gatehouse-id/gatehouse/"

// mayImport lists, for each package, which of our packages it may import. The first pattern that
// matches wins. docs/architecture.md says why.
var mayImport = []struct{ pkg, imports string }{
	{".", ""},
	{"cmd/*", "*"},
	{"bench", "*"}, {"bench/soak", "*"},
	{"center/centertest", "audit authn center center/store sqldb"},
	{"tenant/tenanttest", "audit authn tenant"},
	{"demo", "adminapi audit authn center connect graph tenant"},
	{"center/store", "audit center names sqldb"},
	{"tenant/store", "audit names sqldb tenant"},
	{"center/scimserver", "audit center scim"},
	{
		"center/server", "awsapi center center/adminserver center/awsdoor center/broker center/console " +
			"center/identitystore center/idpmetadata center/portal center/scimserver center/signin center/sso center/ssoadmin center/ssooidc " +
			"center/sts outbound web",
	},
	{
		"tenant/server", "tenant tenant/admincenter tenant/graphserver tenant/login tenant/oauth tenant/samlidp " +
			"tenant/syncjobs web",
	},
	{"center/awsdoor", "audit awsapi center center/broker"},
	{"center/identitystore", "awsapi center center/awsdoor"},
	{"center/ssoadmin", "awsapi center center/awsdoor"},
	{"center/sso", "audit awsapi center web"},
	{"center/ssooidc", "audit authn center web"},
	{"center/sts", "awsapi"},
	{"center/signin", "audit authn center saml web"},
	{"center/portal", "audit authn center saml web"},
	{"center/console", "audit authn center center/iam center/idpmetadata names saml web"},
	{"center/adminserver", "adminapi awsapi center center/awsdoor center/iam center/idpmetadata names"},
	{"center/idpmetadata", "audit center outbound saml"},
	{"center/broker", "authn center saml"},
	{"center/organizations", "center"},
	{"center/iam", "center center/broker saml"},
	{"tenant/graphserver", "audit authn graph provisioning provisioning/mapping saml tenant web"},
	{"tenant/oauth", "audit authn tenant web"},
	{"tenant/samlidp", "audit saml tenant web"},
	{"tenant/login", "audit tenant web"},
	{"tenant/admincenter", "audit authn provisioning provisioning/mapping saml tenant web"},
	{"tenant/mirror", "audit graph tenant"},
	{"tenant/syncjobs", "audit outbound provisioning provisioning/mapping scim tenant"},
	{"center", "audit authn names"},
	{"tenant", "audit authn names outbound provisioning/mapping"},
	{"provisioning", "names provisioning/mapping scim"},
	{"provisioning/mapping", ""},
	{"connect", "adminapi graph saml scim"},
	{"dirsync", "audit graph provisioning provisioning/mapping scim tenant tenant/mirror tenant/syncjobs"},
	{"scim", "names"}, {"saml", ""}, {"awsapi", ""}, {"graph", "names"}, {"adminapi", ""}, // wire packages
	// shared packages
	{
		"audit", "",
	}, {"names", ""}, {"authn", ""}, {"sqldb", ""}, {"mail", ""}, {"outbound", ""}, {"sqldb/sqldbtest", ""},
	{"web", "audit"},
}

// forbiddenNames are packages that would say nothing about what is in them.
var forbiddenNames = map[string]bool{
	"util":    true,
	"utils":   true,
	"common":  true,
	"helpers": true,
	"misc":    true,
	"base":    true,
	"shared":  true,
	"types":   true,
	"models":  true,
	"manager": true,
}

const (
	maxFileLines     = 1000
	maxFunctionLines = 160
)

func allowed(t *testing.T, pkg string) (string, bool) {
	t.Helper()
	for _, rule := range mayImport {
		if ok, err := path.Match(rule.pkg, pkg); err != nil {
			t.Fatal(err)
		} else if ok {
			return rule.imports, true
		}
	}
	return "", false
}

// TestTheHouse checks the rules that keep the structure simple: imports point one way, every
// package says what it is for, names mean something, and files and functions stay short.
func TestTheHouse(t *testing.T) {
	documented := map[string]bool{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(file))
		if forbiddenNames[path.Base(pkg)] {
			t.Errorf("%s: the package's name says nothing", pkg)
		}
		fset := token.NewFileSet()
		parsed, err := parser.ParseFile(fset, file, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		isTest := strings.HasSuffix(file, "_test.go")
		documented[pkg] = documented[pkg] || (parsed.Doc != nil && !isTest)
		if lines := fset.File(parsed.Pos()).LineCount(); lines > maxFileLines {
			t.Errorf("%s has %d lines, more than %d", file, lines, maxFileLines)
		}
		if isTest {
			return nil // tests may import everything, and tables are long
		}
		for _, decl := range parsed.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				if n := fset.Position(f.End()).Line - fset.Position(f.Pos()).Line; n > maxFunctionLines {
					t.Errorf("%s: %s has %d lines, more than %d", file, f.Name.Name, n, maxFunctionLines)
				}
			}
		}
		checkImports(t, file, pkg, parsed)
		checkActions(t, file, pkg, parsed)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg, ok := range documented {
		if !ok && pkg != "." {
			t.Errorf("%s has no package comment", pkg)
		}
	}
}

// checkActions fails where an action is made outside the table of who may do what.
func checkActions(t *testing.T, file, pkg string, parsed *ast.File) {
	t.Helper()
	if (pkg != "center" && pkg != "tenant") || path.Base(file) == "actions.go" {
		return
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		var made ast.Expr
		switch n := n.(type) {
		case *ast.CompositeLit:
			made = n.Type
		case *ast.CallExpr:
			made = n.Fun
		}
		if name, ok := made.(*ast.Ident); ok && (name.Name == "Action" || name.Name == "line") {
			t.Errorf("%s makes an action; only %s/actions.go may", file, pkg)
		}
		return true
	})
}

func checkImports(t *testing.T, file, pkg string, parsed *ast.File) {
	t.Helper()
	list, known := allowed(t, pkg)
	if !known {
		t.Errorf("%s is in no rule of mayImport", pkg)
		return
	}
	for _, spec := range parsed.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		ours, ok := strings.CutPrefix(name, module)
		if !ok || list == "*" {
			continue
		}
		fine := false
		for _, a := range strings.Fields(list) {
			fine = fine || a == ours
		}
		if !fine {
			t.Errorf("%s imports %s; its package may import only [%s]", file, ours, list)
		}
	}
}

// TestTheArchitecturePageNamesEveryPackage keeps docs/architecture.md true.
func TestTheArchitecturePageNamesEveryPackage(t *testing.T) {
	page, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range mayImport {
		name := path.Base(rule.pkg)
		if rule.pkg != "." && rule.pkg != "cmd/*" && rule.pkg != "bench" && !strings.Contains(string(page), name+"/") {
			t.Errorf("docs/architecture.md does not show %s", rule.pkg)
		}
	}
}

// TestMigrationsHaveNumbersOfTheirOwn finds two that were made at the same time: an engine would
// refuse to start.
func TestMigrationsHaveNumbersOfTheirOwn(t *testing.T) {
	for _, folder := range []string{"center/store/migrations", "tenant/store/migrations"} {
		for _, engine := range []string{"sqlite", "postgres"} {
			seen := map[string]string{}
			for _, pattern := range []string{"*.sql", engine + "/*.sql"} {
				files, err := filepath.Glob(filepath.Join(folder, pattern))
				if err != nil {
					t.Fatal(err)
				}
				for _, file := range files {
					number, _, _ := strings.Cut(filepath.Base(file), "_")
					if other := seen[number]; other != "" {
						t.Errorf("%s and %s have the same number", other, file)
					}
					seen[number] = file
				}
			}
			if len(seen) == 0 {
				t.Errorf("no migrations in %s", folder)
			}
		}
	}
}
