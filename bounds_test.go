package gatehouse

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the table of bounds into docs/security.md")

// A bound is a constant with a directive beside it or above it:
//
//	maxForm = 64 << 10 //bound:body of a request to the token endpoint
//
// The first word is the kind, and the rest is what a person reads in the table. A text that ends in
// ", in bytes" is shown as a size. The kind "none" says of a constant whose name looks like a bound
// why it is none.
var boundDirective = regexp.MustCompile(`^//bound:([a-z]+) (.+)$`)

// boundKinds are the kinds and their headings, in the order of the page.
var boundKinds = []struct{ kind, heading string }{
	{"body", "Bodies, headers and messages"},
	{"text", "Names and texts"},
	{"list", "Lists, within one request or one answer"},
	{"depth", "Depth and work"},
	{"rate", "How often, and how many at once"},
	{"queue", "Places, queues and connections"},
	{"rows", "Rows that are kept"},
	{"memory", "What is kept in memory"},
	{"wait", "How long something is waited for"},
	{"life", "How long something is valid or kept"},
}

// looksLikeBound are the names that need a directive. Constants that are durations need one under
// any name.
var looksLikeBound = regexp.MustCompile(
	`^(max|min|Max|Min)[A-Z]|\w(Limit|Timeout|Lifetime|Life|Size|Bytes|Length|Depth|Waits?|Patience|` +
		`Retention|Age|Skew|Leeway|Kept|Interval|Window|Tries|Burst|PerSecond|Places|Budget|Steps|Quota|` +
		`Grace|Lease|Days|Each)$`,
)

// smallLiteral is the largest number that code may compare a length with, or size a channel by,
// without giving it a name.
const smallLiteral = 16

// TestBounds holds docs/security.md to the code: its table of bounds is made of the constants, and
// a bound that has no name, or a name but no directive, fails.
func TestBounds(t *testing.T) {
	h := parseTheHouse(t)
	rows := map[string][]string{}
	for _, pkg := range h.order {
		for _, file := range h.packages[pkg] {
			for _, problem := range h.problems(pkg, file) {
				t.Error(problem)
			}
			for _, b := range h.marked(pkg, file) {
				if b.kind != "none" {
					rows[b.kind] = append(
						rows[b.kind],
						fmt.Sprintf("| %s | %s | `%s` in %s |\n", b.text, b.value, b.name, b.file),
					)
				}
			}
		}
	}
	var table strings.Builder
	for _, k := range boundKinds {
		fmt.Fprintf(
			&table,
			"\n### %s\n\n| what | bound | where |\n|---|---|---|\n%s",
			k.heading,
			strings.Join(rows[k.kind], ""),
		)
	}
	const (
		page  = "docs/security.md"
		begin = "<!-- bounds: go test . -run TestBounds -update -->\n"
		end   = "\n<!-- end of bounds -->\n"
	)
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := bytes.Cut(data, []byte(begin))
	got, after, closed := bytes.Cut(rest, []byte(end))
	if !ok || !closed {
		t.Fatalf("%s lost the comments between which the bounds stand", page)
	}
	if string(got) == table.String() {
		return
	}
	if !*update {
		t.Fatalf("%s does not show the bounds of the code. Run: go test . -run TestBounds -update", page)
	}
	whole := slices.Concat(before, []byte(begin+table.String()+end), after)
	if err := os.WriteFile(page, whole, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestBoundsAreFound shows what the search for unmarked bounds finds.
func TestBoundsAreFound(t *testing.T) {
	for code, found := range map[string]bool{
		`const maxName = 5`:                                                             true,
		`const maxName = 5 //bound:text a name`:                                         false,
		`const maxName = 5 //bound:colour a name`:                                       true,
		"//bound:text a name\nconst maxName = 5":                                        false,
		`const patience = 3 * time.Second`:                                              true,
		`const patience = 3 * time.Second //bound:wait an answer`:                       false,
		`const answer = 42`:                                                             false,
		`func f() { const maxName = 5; _ = maxName }`:                                   true,
		`func f(s string) bool { return len(s) > 256 }`:                                 true,
		`func f(s string) bool { return 1 << 10 < len(s) }`:                             true,
		`func f(s string) bool { n := len(s); return n > 256 }`:                         true,
		`func f(s string) bool { n := len(s); return n > 3 }`:                           false,
		`func f(s string) bool { return len(s) > 3 }`:                                   false,
		`func f(r io.Reader) { io.LimitReader(r, 1024) }`:                               true,
		`func f(r io.Reader) { io.LimitReader(r, wanted) }`:                             true,
		`func f(r io.Reader, n int64) { io.LimitReader(r, n+1) }`:                       false,
		`func f() { http.MaxBytesReader(w, r.Body, 1<<20) }`:                            true,
		`func f() { context.WithTimeout(ctx, 3*time.Second) }`:                          true,
		`func f(d time.Duration) { context.WithTimeout(ctx, d) }`:                       false,
		`var c = http.Client{Timeout: time.Minute}`:                                     true,
		`var c = make(chan int, 256)`:                                                   true,
		`var c = make(chan int, 1)`:                                                     false,
		`var l = web.Limiter{PerSecond: 20, Burst: 40}`:                                 true,
		`const wanted = 7 //bound:body a text` + "\nvar r = io.LimitReader(in, wanted)": false,
	} {
		h := &house{fset: token.NewFileSet(), packages: map[string][]*ast.File{}, checked: map[string]*types.Package{}}
		file, err := parser.ParseFile(
			h.fset,
			"x.go",
			"package x\n\nimport \"time\"\n\n"+strings.Replace(code, "wanted)", "wanted)\n", 1),
			parser.ParseComments,
		)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(code, "r, wanted") {
			other, err := parser.ParseFile(h.fset, "y.go", "package x\n\nconst wanted = 9", parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			h.packages["x"] = append(h.packages["x"], other)
		}
		h.packages["x"] = append(h.packages["x"], file)
		if got := h.problems("x", file); (len(got) > 0) != found {
			t.Errorf("%s: found %q", code, got)
		}
	}
}

// house is the code of all packages, without their tests.
type house struct {
	fset     *token.FileSet
	packages map[string][]*ast.File // by folder
	order    []string
	checked  map[string]*types.Package
}

func parseTheHouse(t *testing.T) *house {
	t.Helper()
	h := &house{fset: token.NewFileSet(), packages: map[string][]*ast.File{}, checked: map[string]*types.Package{}}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			name := d.Name()
			if name == "bench" || name == "testdata" || name == "node_modules" || strings.HasSuffix(name, "test") ||
				name != "." && name[0] == '.' {
				return filepath.SkipDir // measures, and what only tests use
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(h.fset, file, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(file))
		h.packages[pkg] = append(h.packages[pkg], parsed)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range h.packages {
		h.order = append(h.order, pkg)
	}
	slices.Sort(h.order)
	return h
}

// Import makes the house an importer: our own packages are checked for their constants, of time
// only the units are known, and of everything else nothing.
func (h *house) Import(path string) (*types.Package, error) {
	if pkg, ok := h.checked[path]; ok {
		return pkg, nil
	}
	files := h.packages[strings.TrimPrefix(path, module)]
	if path == "time" {
		file, err := parser.ParseFile(h.fset, "time.go", `package time
			type Duration int64
			const ( Nanosecond Duration = 1; Microsecond = 1000 * Nanosecond; Millisecond = 1000 * Microsecond
				Second = 1000 * Millisecond; Minute = 60 * Second; Hour = 60 * Minute )`, 0)
		if err != nil {
			return nil, err
		}
		files = []*ast.File{file}
	}
	h.checked[path] = types.NewPackage(path, path[strings.LastIndex(path, "/")+1:]) // an import in a circle finds this
	conf := types.Config{Importer: h, IgnoreFuncBodies: true, Error: func(error) {}}
	pkg, _ := conf.Check(path, h.fset, files, nil) // what it cannot know is no constant of ours
	h.checked[path] = pkg
	pkg.MarkComplete()
	return pkg, nil
}

type bound struct{ kind, text, value, name, file string }

// marked are the bounds of a file.
func (h *house) marked(pkg string, file *ast.File) []bound {
	var out []bound
	for _, s := range constants(file) {
		m := directive(s)
		for _, name := range s.Names {
			if m == nil || m[1] == "none" {
				continue
			}
			text, size := strings.CutSuffix(m[2], ", in bytes")
			out = append(
				out,
				bound{
					m[1],
					text,
					h.value(pkg, name.Name, size || m[1] == "body"),
					name.Name,
					filepath.ToSlash(h.fset.Position(s.Pos()).Filename),
				},
			)
		}
	}
	return out
}

// value is what a person reads of a constant.
func (h *house) value(pkg, name string, size bool) string {
	checked, _ := h.Import(module + pkg)
	c, ok := checked.Scope().Lookup(name).(*types.Const)
	if !ok {
		return "?"
	}
	n, exact := constant.Int64Val(constant.ToInt(c.Val()))
	switch {
	case !exact:
		return c.Val().String()
	case isDuration(c.Type()):
		return inWords(time.Duration(n))
	case size:
		return inBytes(n)
	}
	return grouped(n)
}

func isDuration(t types.Type) bool { return strings.HasSuffix(t.String(), "time.Duration") }

func inWords(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	for _, u := range []struct {
		d    time.Duration
		name string
	}{
		{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"},
		{time.Millisecond, "millisecond"},
	} {
		if d%u.d == 0 {
			if d == u.d {
				return "1 " + u.name
			}
			return grouped(int64(d/u.d)) + " " + u.name + "s"
		}
	}
	return d.String()
}

func inBytes(n int64) string {
	for i, unit := range []string{"GiB", "MiB", "KiB"} {
		if of := int64(1) << (30 - 10*i); n%of == 0 && n > 0 {
			return grouped(n/of) + " " + unit
		}
	}
	return grouped(n) + " bytes"
}

func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// constants are the constants of a file that stand outside functions.
func constants(file *ast.File) []*ast.ValueSpec {
	var out []*ast.ValueSpec
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			if v, ok := s.(*ast.ValueSpec); ok {
				if v.Doc == nil && len(g.Specs) == 1 {
					v.Doc = g.Doc
				}
				out = append(out, v)
			}
		}
	}
	return out
}

// directive is what a constant's comments say about it: the whole, the kind, the text. nil:
// nothing.
func directive(s *ast.ValueSpec) []string {
	for _, group := range []*ast.CommentGroup{s.Doc, s.Comment} {
		if group == nil {
			continue
		}
		for _, c := range group.List {
			if m := boundDirective.FindStringSubmatch(c.Text); m != nil {
				return m
			}
		}
	}
	return nil
}

// problems are the bounds of a file that stand for nothing on the page.
func (h *house) problems(pkg string, file *ast.File) []string {
	var out []string
	problem := func(at ast.Node, format string, of ...any) {
		out = append(out, fmt.Sprintf("%s: ", h.fset.Position(at.Pos()))+fmt.Sprintf(format, of...))
	}
	const how = "say //bound:KIND what a person reads (bounds_test.go has the kinds), or //bound:none and why it " +
		"is no bound"
	checked, _ := h.Import(module + pkg)
	if pkg == "x" {
		delete(h.checked, module+pkg)
		h.packages[module+pkg] = h.packages[pkg]
		checked, _ = h.Import(pkg)
	}
	for _, s := range constants(file) {
		m := directive(s)
		for _, name := range s.Names {
			c, ok := checked.Scope().Lookup(name.Name).(*types.Const)
			switch {
			case m == nil && ok && c.Val().Kind() != constant.String &&
				(looksLikeBound.MatchString(name.Name) || isDuration(c.Type())):
				problem(name, "%s looks like a bound: %s", name.Name, how)
			case m != nil && m[1] != "none" &&
				!slices.ContainsFunc(boundKinds, func(k struct{ kind, heading string }) bool {
					return k.kind == m[1]
				}):
				problem(name, "%s is a bound of no known kind: %s", name.Name, how)
			}
		}
	}
	named := func(e ast.Expr) bool { return h.named(pkg, file, e) }
	lengths := map[string]bool{} // variables that keep a length, of the function that is looked at
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			clear(lengths)
		case *ast.AssignStmt:
			for i, e := range n.Rhs {
				if name, ok := n.Lhs[min(i, len(n.Lhs)-1)].(*ast.Ident); ok && len(n.Lhs) == len(n.Rhs) && isLength(e) {
					lengths[name.Name] = true
				}
			}
		case *ast.DeclStmt:
			if g, ok := n.Decl.(*ast.GenDecl); ok && g.Tok == token.CONST {
				for _, s := range g.Specs {
					if name := s.(*ast.ValueSpec).Names[0]; looksLikeBound.MatchString(name.Name) {
						problem(
							name, "%s looks like a bound: it belongs outside the function, where it can %s",
							name.Name, how,
						)
					}
				}
			}
		case *ast.CallExpr:
			if e := boundingArgument(n); e != nil && !named(e) {
				problem(e, "a bound without a name: make it a constant, and %s", how)
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && boundingField[key.Name] && !named(n.Value) {
				problem(n, "%s without a name: make it a constant, and %s", key.Name, how)
			}
		case *ast.BinaryExpr:
			if l := comparedLength(n, lengths); l != nil && !small(l) && !named(l) {
				problem(n, "a length is compared with a number: make it a constant, and %s", how)
			}
		}
		return true
	})
	return out
}

// boundingField are the fields of structures that bound something.
var boundingField = map[string]bool{
	"Timeout":              true,
	"PerSecond":            true,
	"Burst":                true,
	"ReadHeaderTimeout":    true,
	"ReadTimeout":          true,
	"WriteTimeout":         true,
	"IdleTimeout":          true,
	"MaxHeaderBytes":       true,
	"MaxConcurrentStreams": true,
}

// boundingArgument is the argument of a call that bounds something, or nil.
func boundingArgument(call *ast.CallExpr) ast.Expr {
	last := func() ast.Expr { return call.Args[len(call.Args)-1] }
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		switch f.Sel.Name {
		case "MaxBytesReader", "LimitReader", "WithTimeout":
			return last()
		}
	case *ast.Ident:
		if f.Name == "make" && len(call.Args) == 2 {
			if _, ok := call.Args[0].(*ast.ChanType); ok && !small(last()) {
				return last()
			}
		}
	}
	return nil
}

// isLength says whether an expression counts what something has.
func isLength(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name == "len"
	case *ast.SelectorExpr:
		return strings.HasPrefix(f.Sel.Name, "RuneCount")
	}
	return false
}

// comparedLength is what a length is compared with, or one of the variables that keep one. nil:
// nothing is compared with a length.
func comparedLength(b *ast.BinaryExpr, kept map[string]bool) ast.Expr {
	isLength := func(e ast.Expr) bool {
		name, ok := e.(*ast.Ident)
		return isLength(e) || ok && kept[name.Name]
	}
	switch b.Op {
	case token.LSS, token.GTR, token.LEQ, token.GEQ:
		if isLength(b.X) {
			return b.Y
		}
		if isLength(b.Y) {
			return b.X
		}
	}
	return nil
}

// small says whether an expression is a small number.
func small(e ast.Expr) bool {
	v, err := types.Eval(token.NewFileSet(), nil, token.NoPos, types.ExprString(e))
	if err != nil || v.Value == nil {
		return false
	}
	n, ok := constant.Int64Val(constant.ToInt(v.Value))
	return ok && n <= smallLiteral
}

// named says whether an expression takes its bound from a constant with a directive, or from
// something that is no constant.
func (h *house) named(pkg string, file *ast.File, e ast.Expr) bool {
	found := false
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if from, ok := n.X.(*ast.Ident); ok {
				if from.Name == "time" {
					return false // a unit
				}
				if other := importedAs(file, from.Name); other != "" {
					found = found || h.isMarked(strings.TrimPrefix(other, module), n.Sel.Name)
					return false
				}
			}
			found = true // a field
			return false
		case *ast.CallExpr:
			if _, conversion := n.Fun.(*ast.Ident); !conversion {
				found = true // what a function returns
			}
		case *ast.Ident:
			found = found || h.isMarked(pkg, n.Name)
		}
		return !found
	})
	return found
}

func importedAs(file *ast.File, name string) string {
	for _, i := range file.Imports {
		path, _ := strconv.Unquote(i.Path.Value)
		if i.Name != nil && i.Name.Name == name || i.Name == nil && path[strings.LastIndex(path, "/")+1:] == name {
			return path
		}
	}
	return ""
}

// isMarked says whether a name is a constant of a package with a directive, or no constant of it.
func (h *house) isMarked(pkg, name string) bool {
	switch name {
	case "int", "int64", "float64":
		return false
	}
	for _, file := range h.packages[pkg] {
		for _, s := range constants(file) {
			if slices.ContainsFunc(s.Names, func(n *ast.Ident) bool { return n.Name == name }) {
				return cmp.Or(directive(s)...) != ""
			}
		}
	}
	return true
}
