package terraform

import (
	"bufio"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// file is one of the files, written block by block: no more than one block is in memory.
type file struct {
	out   *bufio.Writer
	empty bool
	err   error
}

// block writes a block after an empty line.
func (f *file) block(kind string, labels []string, fill func(*body)) {
	written := hclwrite.NewEmptyFile()
	b := written.Body().AppendNewBlock(kind, labels)
	fill(&body{b.Body()})
	f.gap()
	f.write(hclwrite.Format(written.Bytes()))
}

// comment writes lines of comment of at most a hundred characters, before a block or alone.
func (f *file) comment(paragraphs ...string) {
	f.gap()
	for _, p := range paragraphs {
		f.write([]byte(commented(p)))
	}
	f.empty = true // what follows belongs to it
}

// apart says that what comes next does not belong to the comment before it.
func (f *file) apart() { f.empty = false }

func (f *file) gap() {
	if !f.empty {
		f.write([]byte("\n"))
	}
	f.empty = false
}

func (f *file) write(data []byte) {
	if f.err == nil {
		_, f.err = f.out.Write(data)
	}
}

const commentWidth = 98 // characters of a line of comment, without its mark

// commented breaks a text into lines of comment, with those of an item of a list below each other.
// Nothing in the text ends the comment.
func commented(text string) string {
	var b strings.Builder
	mark, line := "#", 0
	for _, word := range strings.Fields(harmless(text)) {
		if line > 0 && line+1+len(word) > commentWidth {
			b.WriteString("\n")
			line = 0
		}
		if line == 0 {
			b.WriteString(mark)
		}
		b.WriteString(" " + word)
		line += 1 + len(word)
		if word == "-" && mark == "#" && b.Len() == len("# -") {
			mark = "#  "
		}
	}
	if line == 0 {
		b.WriteString(mark)
	}
	return b.String() + "\n"
}

// harmless leaves what can be printed: a name may have line feeds, and what editors take for them.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
}

// body is the inside of a block.
type body struct{ *hclwrite.Body }

// text sets an attribute to a text.
func (b *body) text(name, value string) { b.SetAttributeValue(name, cty.StringVal(value)) }

// some sets an attribute to a text, unless it is empty.
func (b *body) some(name, value string) {
	if value != "" {
		b.text(name, value)
	}
}

func (b *body) flag(name string, value bool) { b.SetAttributeValue(name, cty.BoolVal(value)) }

func (b *body) texts(name string, values []string) { b.SetAttributeRaw(name, list(values)) }

// ref sets an attribute to a reference.
func (b *body) ref(name string, to hcl.Traversal) { b.SetAttributeTraversal(name, to) }

// tags sets tags, without those that AWS reserves and no provider manages.
func (b *body) tags(tags map[string]string) {
	var all []hclwrite.ObjectAttrTokens
	for _, key := range SortedKeys(tags) {
		if !strings.HasPrefix(key, "aws:") {
			all = append(all, hclwrite.ObjectAttrTokens{Name: quoted(key), Value: quoted(tags[key])})
		}
	}
	if len(all) > 0 {
		b.SetAttributeRaw("tags", hclwrite.TokensForObject(all))
	}
}

// lifecycle says what Terraform leaves as it is: tags that are not known, and what nobody can make
// again.
func (b *body) lifecycle(tags map[string]string, keep bool) {
	if tags != nil && !keep {
		return
	}
	b.AppendNewline()
	b.block("lifecycle", func(b *body) {
		if keep {
			b.flag("prevent_destroy", true)
		}
		if tags == nil {
			b.SetAttributeRaw("ignore_changes", hclwrite.TokensForTuple([]hclwrite.Tokens{tokensOf(to("tags"))}))
		}
	})
}

func (b *body) block(kind string, fill func(*body)) {
	fill(&body{b.AppendNewBlock(kind, nil).Body()})
}

// SortedKeys are the keys of a map in their order.
func SortedKeys[V any](m map[string]V) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func quoted(text string) hclwrite.Tokens { return hclwrite.TokensForValue(cty.StringVal(text)) }

func list(values []string) hclwrite.Tokens {
	tokens := make([]hclwrite.Tokens, 0, len(values))
	for _, v := range values {
		tokens = append(tokens, quoted(v))
	}
	return hclwrite.TokensForTuple(tokens)
}

// set is a set of texts, one on a line.
func set(values []string) hclwrite.Tokens {
	tokens := make([]hclwrite.Tokens, 0, len(values))
	for _, v := range values {
		tokens = append(tokens, quoted(v))
	}
	return hclwrite.TokensForFunctionCall("toset", lines(tokens))
}

// lines is a list with an element on each line.
func lines(values []hclwrite.Tokens) hclwrite.Tokens {
	out := hclwrite.Tokens{token(hclsyntax.TokenOBrack, "["), newline()}
	for _, v := range values {
		out = append(append(out, v...), token(hclsyntax.TokenComma, ","), newline())
	}
	return append(out, token(hclsyntax.TokenCBrack, "]"))
}

func token(kind hclsyntax.TokenType, text string) *hclwrite.Token {
	return &hclwrite.Token{Type: kind, Bytes: []byte(text)}
}

func newline() *hclwrite.Token { return token(hclsyntax.TokenNewline, "\n") }

// to is a reference, such as to("aws_identitystore_group", "Ops", "group_id").
func to(parts ...string) hcl.Traversal {
	t := hcl.Traversal{hcl.TraverseRoot{Name: parts[0]}}
	for _, p := range parts[1:] {
		t = append(t, hcl.TraverseAttr{Name: p})
	}
	return t
}

// at is a reference to an element by its key.
func at(key string, parts ...string) hcl.Traversal {
	return append(to(parts...), hcl.TraverseIndex{Key: cty.StringVal(key)})
}

func tokensOf(t hcl.Traversal) hclwrite.Tokens { return hclwrite.TokensForTraversal(t) }

// entry is an element of a map: its key, and a value or an object on one line.
type entry struct {
	key    string
	bare   bool // the key without quotation marks, where it is an identifier
	value  hclwrite.Tokens
	fields []field
}

// name is the key as it is written. A word of the language is no bare key.
func (e entry) name() hclwrite.Tokens {
	if e.bare && hclsyntax.ValidIdentifier(e.key) && !slices.Contains(words, e.key) {
		return hclwrite.TokensForIdentifier(e.key)
	}
	return quoted(e.key)
}

var words = []string{"for", "in", "if", "true", "false", "null"}

type field struct {
	name  string
	value hclwrite.Tokens
}

// sortEntries sorts maps by what people read.
func sortEntries(maps ...[]entry) {
	for _, m := range maps {
		slices.SortFunc(m, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	}
}

// entries are the tokens of a map with an entry on each line.
func entries(all []entry) hclwrite.Tokens {
	out := hclwrite.Tokens{token(hclsyntax.TokenOBrace, "{"), newline()}
	for _, e := range all {
		out = append(out, e.name()...)
		out = append(out, token(hclsyntax.TokenEqual, "="))
		out = append(out, e.value...)
		if e.fields != nil {
			out = append(out, token(hclsyntax.TokenOBrace, "{"))
			for i, f := range e.fields {
				if i > 0 {
					out = append(out, token(hclsyntax.TokenComma, ","))
				}
				out = append(out, token(hclsyntax.TokenIdent, f.name), token(hclsyntax.TokenEqual, "="))
				out = append(out, f.value...)
			}
			out = append(out, token(hclsyntax.TokenCBrace, "}"))
		}
		out = append(out, newline())
	}
	return append(out, token(hclsyntax.TokenCBrace, "}"))
}

// policy is a JSON document as an expression: as jsonencode with the members in their order, so
// that people can read and change it. A document that says something that an object of Terraform
// cannot say, such as the same name twice, stays the text that it is.
func policy(document string) hclwrite.Tokens {
	d := jsontext.NewDecoder(strings.NewReader(document))
	value, ok := jsonValue(d)
	if _, err := d.ReadToken(); !ok || err != io.EOF { //nolint:errorlint // that is what it returns
		return quoted(document)
	}
	return hclwrite.TokensForFunctionCall("jsonencode", value)
}

const exactDigits = 15 //bound:none digits of a number that every reader takes for the same

func jsonValue(d *jsontext.Decoder) (hclwrite.Tokens, bool) {
	t, err := d.ReadToken()
	if err != nil {
		return nil, false
	}
	switch t.Kind() {
	case '"':
		return quoted(t.String()), true
	case '0':
		text := t.String()
		digits := strings.TrimPrefix(text, "-")
		if len(digits) > exactDigits || strings.Trim(digits, "0123456789") != "" || text == "-0" {
			return nil, false
		}
		return hclwrite.Tokens{token(hclsyntax.TokenNumberLit, text)}, true
	case 'n', 't', 'f':
		return hclwrite.TokensForIdentifier(t.String()), true
	case '[':
		return jsonArray(d)
	case '{':
		return jsonObject(d)
	}
	return nil, false
}

func jsonArray(d *jsontext.Decoder) (hclwrite.Tokens, bool) {
	var values []hclwrite.Tokens
	for d.PeekKind() != ']' {
		value, ok := jsonValue(d)
		if !ok {
			return nil, false
		}
		values = append(values, value)
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, false
	}
	if len(values) < 2 {
		return hclwrite.TokensForTuple(values), true
	}
	return lines(values), true
}

func jsonObject(d *jsontext.Decoder) (hclwrite.Tokens, bool) {
	var members []entry
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, false
		}
		key := name.String()
		value, ok := jsonValue(d)
		if !ok {
			return nil, false
		}
		members = append(members, entry{key: key, bare: true, value: value})
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, false
	}
	if len(members) == 0 {
		return hclwrite.Tokens{token(hclsyntax.TokenOBrace, "{"), token(hclsyntax.TokenCBrace, "}")}, true
	}
	return entries(members), true
}
