package gatehouse

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
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
	{"cmd/gatehouse/administer", "adminapi outbound saml terminal"},
	{"cmd/gatehouse/complete", "adminapi cmd/gatehouse/administer outbound terminal"},
	{"cmd/gatehouse/oversee", "adminapi authn center/proof cmd/gatehouse/administer outbound terminal"},
	{"cmd/gatehouse/observe", "audit/chain audit/outlet inbound outbound sqldb telemetry/tracing terminal web"},
	{"telemetry", "audit"}, {"telemetry/tracing", ""}, {"deploy", ""}, {"deploy/testcontainers", ""},
	{"tools/deploy", ""},
	{"cmd/gatehouse/upkeep", "adminapi connect connect/aws graph terminal"},
	{
		"cmd/gatehouse/federate", "adminapi cmd/gatehouse/administer cmd/gatehouse/codify cmd/gatehouse/upkeep " +
			"connect connect/assist connect/aws connect/tokenless graph graph/signin outbound provisioning tenant " +
			"terminal",
	},
	{
		"cmd/gatehouse/examine",
		"awsconfig cmd/gatehouse/administer connect connect/aws doctor doctor/gather doctor/repair graph/signin " +
			"outbound terminal",
	},
	{
		"cmd/gatehouse/codify",
		"adminapi cmd/gatehouse/administer cmd/gatehouse/upkeep connect connect/aws outbound terminal terraform",
	},
	{"cmd/gatehouse/prepare", "center outbound tenant terminal"}, {"cmd/gatehouse/ballast", ""},
	{"cmd/gatehouse/access", "adminapi cmd/gatehouse/administer cmd/gatehouse/profiles outbound terminal"},
	{
		"cmd/gatehouse/profiles",
		"adminapi awsconfig awsconfig/signin cmd/gatehouse/administer connect/assist outbound terminal",
	},
	{
		"cmd/gatehouse/rehearse", "adminapi audit awsapi/inventory center center/mirror cmd/gatehouse/administer " +
			"cmd/gatehouse/examine connect/aws demo graph graph/signin outbound tenant tenant/mirror terminal",
	},
	{"cmd/*", "*"},
	{"bench", "*"}, {"bench/cluster", "*"}, {"bench/soak", "*"}, {"examples", "*"}, {"examples/gotest", "*"},
	{
		"gatehousetest", "audit authn center center/server center/store demo internal/keypool mail outbound " +
			"tenant tenant/server tenant/store tenant/syncjobs",
	},
	{
		"center/centertest",
		"adminapi audit audit/audittest authn center center/server center/store outbound refusal scim " +
			"sqldb/sqldbtest web/webtest",
	},
	{
		"tenant/tenanttest",
		"audit audit/audittest authn graph internal/keypool refusal sqldb/sqldbtest tenant tenant/server " +
			"tenant/store tenant/syncjobs web/webtest",
	},
	{"web/webtest", ""},
	{"internal/keypool", ""},
	{"internal/killtest", "adminapi connect graph scim"},
	{
		"internal/awsstandin", "adminapi audit authn awsapi center center/identitystore center/orgserver " +
			"center/server center/ssoadmin center/store center/sts connect demo internal/graphmodel internal/keypool " +
			"outbound tenant tenant/server tenant/store tenant/syncjobs web/webtest",
	},
	{"internal/pairtest", "adminapi center/centertest gatehousetest graph mail scim tenant/tenanttest web/webtest"},
	{"internal/realsp", "sqldb/sqldbtest web/webtest"},
	{"demo", "adminapi audit authn awsconfig center connect graph mail refusal tenant web"},
	{"audit/chain", "audit authn"},
	{"audit/chainsql", "audit audit/chain plainjson sqldb"}, {"audit/outlet", "audit/chain"},
	{"center/cloudtrail", "audit audit/chain center"}, {"tenant/entralogs", "audit audit/chain tenant"},
	{"center/store", "audit audit/chain audit/chainsql center names plainjson refusal sqldb"},
	{"tenant/store", "audit audit/chain audit/chainsql names refusal sqldb tenant"},
	{"center/scimserver", "audit authn center plainjson refusal scim"},
	{
		"center/server", "audit awsapi center center/accountaccess center/accountaccessruntime center/adminserver " +
			"center/awsdoor center/awslogin center/broker " +
			"center/console center/iam center/identitystore center/idpmetadata center/issuerkeys " +
			"center/organizations center/orgserver center/portal center/requestserver center/samlidp " +
			"center/scimserver center/signin center/sso center/ssoadmin center/ssooidc center/sts control mail " +
			"outbound refusal web",
	},
	{
		"tenant/server", "audit awsapi control mail refusal tenant tenant/admincenter tenant/graphserver " +
			"tenant/login tenant/oauth tenant/samlidp tenant/syncjobs web",
	},
	{"center/awsdoor", "audit awsapi center center/broker refusal"},
	{"center/identitystore", "awsapi center center/awsdoor refusal"},
	{"center/orgserver", "awsapi center center/awsdoor refusal"},
	{"center/ssoadmin", "awsapi center center/awsdoor refusal"},
	{"center/sso", "audit awsapi center refusal web"},
	{"center/ssooidc", "audit authn awsapi center center/awsdoor refusal web"},
	{"center/sts", "awsapi center center/awsdoor center/broker refusal"},
	{"center/signin", "audit authn center refusal saml web"},
	{"center/accountaccess", "awsapi center center/awsdoor refusal"},
	{"center/accountaccessruntime", "audit authn awsapi center refusal web"},
	{"center/awslogin", "audit authn center refusal web"},
	{"center/portal", "audit authn awsconfig center names refusal saml web"},
	{"center/samlidp", "audit center refusal saml web"},
	{"center/console", "audit authn center center/iam center/idpmetadata center/proof names refusal saml web"},
	{"center/proof", "adminapi center"},
	{
		"center/adminserver",
		"adminapi audit awsapi center center/awsdoor center/iam center/idpmetadata center/proof names refusal saml",
	},
	{"center/requestserver", "adminapi audit center refusal web"},
	{"center/idpmetadata", "audit center outbound refusal saml"},
	{"center/issuerkeys", "center outbound refusal"},
	{"center/broker", "authn center refusal saml"},
	{"center/organizations", "center"},
	{"center/mirror", "audit awsapi/inventory center refusal"},
	{"center/metrics", "center"},
	{"tenant/metrics", "tenant"},
	{"center/iam", "center center/broker refusal saml"},
	{"tenant/graphserver", "audit authn graph provisioning provisioning/mapping refusal saml tenant web"},
	{"tenant/oauth", "audit authn refusal tenant web"},
	{"tenant/samlidp", "audit refusal saml tenant web"},
	{"tenant/login", "audit refusal tenant web"},
	{"tenant/admincenter", "audit authn names provisioning provisioning/mapping refusal saml tenant web"},
	{"tenant/mirror", "audit graph names refusal tenant"},
	{"tenant/syncjobs", "audit outbound provisioning provisioning/mapping refusal scim tenant"},
	{"center", "audit audit/chain authn awsconfig center/memory names refusal"},
	{"center/memory", ""},
	{"tenant", "audit audit/chain authn names outbound provisioning/mapping refusal"},
	{"provisioning", "names provisioning/mapping scim"},
	{"provisioning/identitystore", "awsapi/inventory provisioning provisioning/mapping scim"},
	{"provisioning/mapping", "names"},
	{"connect", "adminapi graph names provisioning provisioning/mapping saml scim"},
	{"connect/aws", "adminapi awsapi/inventory awsapi/trail connect connect/assist saml scim"},
	{"connect/assist", "authn inbound terminal web"},
	{
		"connect/tokenless",
		"authn connect dirsync graph provisioning provisioning/identitystore sqldb tenant",
	},
	{
		"dirsync",
		"audit graph provisioning provisioning/identitystore provisioning/mapping refusal scim tenant tenant/mirror " +
			"tenant/syncjobs terminal",
	},
	{"terminal", "names"},
	{"control", "audit authn names sqldb"},
	{"datafolder", "authn control sqldb"},
	{"inbound", "audit authn"},
	{"terraform", "awsapi/inventory graph"}, {"internal/terraformtest", ""}, {"internal/graphmodel", ""},
	{"doctor", "adminapi awsapi/trail graph names provisioning/mapping"},
	{"doctor/repair", "adminapi awsapi/inventory doctor graph"},
	{"doctor/gather", "adminapi awsapi/inventory awsapi/trail awsconfig doctor graph saml"},
	{"scim", "names"}, {"saml", ""}, {"awsapi", ""}, {"graph", "names"}, {"adminapi", ""}, // wire packages
	{"graph/signin", "graph"}, {"awsapi/inventory", ""}, {"awsconfig", ""}, {"awsconfig/signin", "awsconfig"},
	{"awsapi/trail", ""},
	// shared packages
	{"audit", ""}, {"audit/audittest", "audit"},
	{"names", ""}, {"plainjson", ""}, {"refusal", ""}, {"authn", ""}, {"sqldb", ""}, {"mail", ""}, {"outbound", ""},
	{"sqldb/sqldbtest", ""},
	{"web", "audit authn names refusal"},
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
	maxFileLines     = 600
	maxFunctionLines = 80

	maxInterfaceMethods = 12
)

// maxLines bounds the commands, without their tests: they keep flags, words, printing and progress.
// What decides or assembles belongs to a package that has a test beside it.
var maxLines = map[string]int{"cmd/gatehouse": 3300, "cmd/gatehouse/administer": 2600}

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
	lines := map[string]int{} // without tests
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
		checkInterfaces(t, file, parsed)
		checkPredeclared(t, fset, parsed)
		if isTest {
			return nil // tests may import everything, and tables are long
		}
		lines[pkg] += fset.File(parsed.Pos()).LineCount()
		for _, decl := range parsed.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				if n := fset.Position(f.End()).Line - fset.Position(f.Pos()).Line; n > maxFunctionLines {
					t.Errorf("%s: %s has %d lines, more than %d", file, f.Name.Name, n, maxFunctionLines)
				}
			}
		}
		checkImports(t, file, pkg, parsed)
		checkActions(t, file, pkg, parsed)
		checkRefusals(t, file, parsed)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg, most := range maxLines {
		if lines[pkg] == 0 || lines[pkg] > most {
			t.Errorf("%s has %d lines, more than %d", pkg, lines[pkg], most)
		}
	}
	for pkg, ok := range documented {
		if !ok && pkg != "." {
			t.Errorf("%s has no package comment", pkg)
		}
	}
}

// checkInterfaces fails where an interface declares many methods itself. A large one is composed of
// small ones, so that a function can say how little it needs.
func checkInterfaces(t *testing.T, file string, parsed *ast.File) {
	t.Helper()
	ast.Inspect(parsed, func(n ast.Node) bool {
		declared, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		of, ok := declared.Type.(*ast.InterfaceType)
		if !ok {
			return true
		}
		methods := 0
		for _, m := range of.Methods.List {
			methods += len(m.Names) // an embedded interface has none
		}
		if methods > maxInterfaceMethods {
			t.Errorf("%s: %s declares %d methods, more than %d", file, declared.Name.Name, methods, maxInterfaceMethods)
		}
		return true
	})
}

// checkPredeclared fails where something has the name of what Go declares everywhere, such as any,
// new or max: below it that name is another thing.
func checkPredeclared(t *testing.T, fset *token.FileSet, parsed *ast.File) {
	t.Helper()
	check := func(names ...*ast.Ident) {
		for _, name := range names {
			if types.Universe.Lookup(name.Name) != nil {
				t.Errorf("%s: %s is the name of something predeclared", fset.Position(name.Pos()), name.Name)
			}
		}
	}
	assigned := func(tok token.Token, targets ...ast.Expr) {
		for _, target := range targets {
			if name, ok := target.(*ast.Ident); ok && tok == token.DEFINE {
				check(name)
			}
		}
	}
	fields := func(lists ...*ast.FieldList) {
		for _, list := range lists {
			if list == nil {
				continue
			}
			for _, f := range list.List {
				check(f.Names...)
			}
		}
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			assigned(n.Tok, n.Lhs...)
		case *ast.RangeStmt:
			assigned(n.Tok, n.Key, n.Value)
		case *ast.ValueSpec:
			check(n.Names...)
		case *ast.TypeSpec:
			check(n.Name)
			fields(n.TypeParams)
		case *ast.FuncType:
			fields(n.TypeParams, n.Params, n.Results)
		case *ast.FuncDecl:
			if fields(n.Recv); n.Recv == nil {
				check(n.Name) // a method is called by its receiver
			}
		}
		return true
	})
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

// checkRefusals fails where a refusal is declared outside the catalogue of its half.
func checkRefusals(t *testing.T, file string, parsed *ast.File) {
	t.Helper()
	if name := filepath.ToSlash(file); name == "center/refusals.go" || name == "tenant/refusals.go" {
		return
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		of := ""
		switch x := selector.X.(type) {
		case *ast.Ident:
			of = x.Name
		case *ast.SelectorExpr:
			of = x.Sel.Name
		}
		if (of == "Refusals" && selector.Sel.Name == "New") || (of == "refusal" && selector.Sel.Name == "Catalogue") {
			t.Errorf("%s declares a refusal; only center/refusals.go and tenant/refusals.go may", file)
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

// TestEveryPackageThatDecidesHasTests: a package with a branch in it has behavior, and a test file
// of its own. What only tests use is tried by them, and what measures is looked at.
func TestEveryPackageThatDecidesHasTests(t *testing.T) {
	decides := map[string]string{} // a file that does
	tested, forTests := map[string]bool{}, map[string]bool{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(file))
		if strings.HasSuffix(file, "_test.go") {
			tested[pkg] = true
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			forTests[pkg] = forTests[pkg] || spec.Path.Value == `"testing"`
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n.(type) {
			case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt, *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.SelectStmt:
				decides[pkg] = file
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg, file := range decides {
		if !tested[pkg] && !forTests[pkg] && !strings.HasPrefix(pkg, "bench") {
			t.Errorf("%s has no test file, and decides something in %s", pkg, file)
		}
	}
}
