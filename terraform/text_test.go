package terraform

import (
	"bufio"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
	"golang.org/x/text/unicode/norm"
)

// texts are what names, descriptions and policies may have in them.
var texts = []string{
	"", "a", "${x}",
	"$${x}", "$$${x}", "%{if}", "%%{x}", "$", "$$", "${", "%", "a$", `q"'\`, "l\n\r\t", "*/", "/*", "#",
	"//",
	"\u2028\u2029\u0085\u200b\u202e\ufeff\U000e0001", "\x00\x01\x7f", "EOT\nEOT\n<<EOT", "é 日本 👩‍🚀", "e\u0301", "}",
	"\"\n}\nresource",
}

func value(t *testing.T, expression hclwrite.Tokens) cty.Value {
	t.Helper()
	f := hclwrite.NewEmptyFile()
	f.Body().SetAttributeRaw("a", expression)
	parsed, problems := hclsyntax.ParseConfig(hclwrite.Format(f.Bytes()), "x.tf", hcl.InitialPos)
	if problems.HasErrors() {
		t.Fatalf("%s: %v", f.Bytes(), problems)
	}
	v, problems := parsed.Body.(*hclsyntax.Body).Attributes["a"].Expr.Value(&hcl.EvalContext{
		Functions: map[string]function.Function{"jsonencode": stdlib.JSONEncodeFunc},
	})
	if problems.HasErrors() {
		t.Fatalf("%s: %v", f.Bytes(), problems)
	}
	return v
}

func FuzzATextIsReadAsItWasWritten(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) { // no API gives one
			t.Skip()
		}
		want := norm.NFC.String(text) // as Terraform itself keeps texts
		if got := value(t, quoted(text)).AsString(); got != want {
			t.Errorf("%q is read as %q", text, got)
		}
		if got := value(t, entries([]entry{{key: text, value: quoted("v")}})); !got.Type().HasAttribute(want) {
			t.Errorf("the key %q is read as %#v", text, got)
		}
		out := commented(text + " word")
		if tokens, problems := hclsyntax.LexConfig([]byte(out), "x.tf", hcl.InitialPos); problems.HasErrors() {
			t.Errorf("the comment %q: %v", out, problems)
		} else {
			for _, token := range tokens {
				if token.Type != hclsyntax.TokenComment && token.Type != hclsyntax.TokenEOF {
					t.Errorf("the comment %q ends with %q in it", out, token.Bytes)
				}
			}
		}
	})
}

func FuzzAPolicySaysWhatItSaid(f *testing.F) {
	for _, text := range texts {
		quoted, err := json.Marshal(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(`{"for":{"null":[` + string(quoted) + `,1,-20,true,null,{}]},"a b":[[]],` + string(quoted) + `:"x"}`)
	}
	for _, document := range []string{
		`{}`, `[]`, ``, `{`, `{"a":1} `, `{"a":1}x`, `{"a":1,"a":2}`, `{"a":1e400}`, `{"a":1.50}`, `{"a":-0}`,
		`{"a":12345678901234567890}`, `"a"`, `null`,
	} {
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document string) {
		if !utf8.ValidString(document) || document != norm.NFC.String(document) || strings.Contains(document, `\u`) {
			t.Skip()
		}
		got := value(t, policy(document)).AsString()
		if got == document {
			return
		}
		var a, b any
		if err := json.Unmarshal([]byte(got), &a); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(document), &b); err != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("%q says %q, %v", document, got, err)
		}
	})
}

func TestIdentifiersAreSafeUniqueAndStable(t *testing.T) {
	t.Parallel()
	names := append([]string{
		"Operator", "operator", "AWSReadOnlyAccess", "2024", "_", "-", "a.b", "a-b", "a_b", strings.Repeat("x", 32),
		strings.Repeat("long ", 50), "a.b", "for", "count",
	}, texts...)
	all := func() (out []string) {
		i := newIdentifiers()
		for n, name := range names {
			out = append(out, i.of(name, string(rune('a'+n))))
		}
		return out
	}
	first := all()
	seen := map[string]bool{}
	for i, id := range first {
		if !hclsyntax.ValidIdentifier(id) || seen[id] || len(id) > 64 {
			t.Errorf("%q becomes %q", names[i], id)
		}
		seen[id] = true
	}
	if again := all(); !reflect.DeepEqual(first, again) {
		t.Errorf("another export has %q", again)
	}
	if first[0] != "Operator" || first[1] != "operator" {
		t.Errorf("names that are identifiers change: %q", first[:2])
	}
	files := newFileNames(first)
	low := map[string]bool{}
	for _, id := range first {
		name := strings.ToLower(files.of(id))
		if low[name] {
			t.Errorf("two files are %q where case makes no difference", name)
		}
		low[name] = true
	}
}

func TestACommentIsBrokenIntoLines(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	f := &file{out: bufio.NewWriter(&out), empty: true}
	f.comment("one", "", "- "+strings.Repeat("word ", 30))
	if err := f.out.Flush(); err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n") {
		if want := []string{
			"# one", "#", "# - word", "#   word",
		}[i]; !strings.HasPrefix(line, want) || len(line) > 100 {
			t.Errorf("line %d is %q", i, line)
		}
	}
}
