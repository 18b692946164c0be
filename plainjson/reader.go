// Package plainjson reads and writes JSON as nearly everybody writes it, several times as fast as a
// decoder that goes by types. Whoever uses it has such a decoder too: what is not plain, not known
// or wrong sets Unusual, and is left to that.
//
// It imports nothing of ours.
package plainjson

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Reader reads a text from its beginning to its end. Once Unusual is set, what it returned and
// returns means nothing. Texts are parts of the text that is read, without a copy.
type Reader struct {
	// Unusual is set by what is not plain. Readers set it themselves too, for members that they do
	// not know.
	Unusual bool

	text    string
	at      int
	strange bool // who wrote it is not known to write valid JSON
}

// NewReader reads what an encoder of ours has written.
func NewReader(text string) Reader { return Reader{text: text} }

// NewStrictReader reads what a stranger has sent: texts that JSON forbids are unusual too.
func NewStrictReader(text string) Reader { return Reader{text: text, strange: true} }

// Done says whether the whole text was read, and nothing in it was unusual.
func (r *Reader) Done() bool {
	r.skipBlanks()
	return !r.Unusual && r.at == len(r.text)
}

func (r *Reader) skipBlanks() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\n', '\r', '\t':
			r.at++
		default:
			return
		}
	}
}

// next takes one character when it is the next.
func (r *Reader) next(c byte) bool {
	if r.at < len(r.text) && r.text[r.at] <= ' ' {
		r.skipBlanks()
	}
	if r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

func (r *Reader) want(c byte) {
	if !r.next(c) {
		r.Unusual = true
	}
}

// Object calls member for each member, whose value it must read. Of a stranger's object, a key that
// is there twice is unusual, and so are more than maxKeys.
func (r *Reader) Object(member func(key string)) {
	r.want('{')
	if r.next('}') {
		return
	}
	var keys [maxKeys]string
	for n := 0; !r.Unusual; n++ {
		key := r.Text()
		if r.strange {
			r.Unusual = r.Unusual || n == maxKeys || slices.Contains(keys[:n], key)
			keys[min(n, maxKeys-1)] = key
		}
		r.want(':')
		member(key)
		if !r.next(',') {
			break
		}
	}
	r.want('}')
}

// maxKeys bounds the members of a stranger's object.
const maxKeys = 32 //bound:list the members of an object that is read quickly

// List calls entry for each entry, which it must read.
func (r *Reader) List(entry func()) {
	r.want('[')
	if r.next(']') {
		return
	}
	for !r.Unusual {
		entry()
		if !r.next(',') {
			break
		}
	}
	r.want(']')
}

// Text reads a string.
func (r *Reader) Text() string {
	if !r.next('"') {
		r.Unusual = true
		return ""
	}
	n := strings.IndexByte(r.text[r.at:], '"')
	if n < 0 {
		r.Unusual = true
		return ""
	}
	t := r.text[r.at : r.at+n]
	if strings.IndexByte(t, '\\') >= 0 {
		return r.escaped()
	}
	if r.strange && !valid(t) {
		r.Unusual = true
	}
	r.at += n + 1
	return t
}

// valid is true of what JSON allows between quotes, without escapes.
func valid(t string) bool {
	all := byte(0)
	for i := range len(t) {
		if t[i] < ' ' {
			return false
		}
		all |= t[i]
	}
	return all < utf8.RuneSelf || utf8.ValidString(t)
}

// escaped reads the rest of a text that has escapes, such as the lines of an address.
func (r *Reader) escaped() string {
	from := r.at - 1
	for r.at < len(r.text) && r.text[r.at] != '"' {
		if r.text[r.at] == '\\' {
			r.at++
		}
		r.at++
	}
	r.at++
	t, err := jsontext.AppendUnquote(nil, r.text[from:min(r.at, len(r.text))])
	if err != nil {
		r.Unusual = true
	}
	return string(t)
}

// Skip reads a value of any kind.
func (r *Reader) Skip() {
	d := jsontext.NewDecoder(strings.NewReader(r.text[min(r.at, len(r.text)):]))
	if err := d.SkipValue(); err != nil {
		r.Unusual = true
	}
	r.at += int(d.InputOffset())
}

// Flag reads true or false.
func (r *Reader) Flag() bool {
	r.skipBlanks()
	rest := r.text[min(r.at, len(r.text)):]
	switch {
	case strings.HasPrefix(rest, "true"):
		r.at += 4
		return true
	case strings.HasPrefix(rest, "false"):
		r.at += 5
	default:
		r.Unusual = true
	}
	return false
}

// Number reads a number of up to 18 digits, without a sign or a point.
func (r *Reader) Number() (n int64) {
	r.skipBlanks()
	from := r.at
	for r.at < len(r.text) && r.text[r.at] >= '0' && r.text[r.at] <= '9' && r.at-from < 18 {
		n = n*10 + int64(r.text[r.at]-'0')
		r.at++
	}
	if r.at == from {
		r.Unusual = true
	}
	return n
}

// Time reads a string in the form of RFC 3339.
func (r *Reader) Time() time.Time {
	t, err := time.Parse(time.RFC3339Nano, r.Text())
	if err != nil {
		r.Unusual = true
	}
	return t
}
