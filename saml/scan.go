package saml

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// scan accepts only a small, unambiguous part of XML: what different parsers read differently never
// reaches one. There are elements, attributes, text, comments, the five predefined entities and
// numeric references; names are ASCII with at most one colon. Refused are a DOCTYPE, CDATA
// sections, processing instructions, text around the root, other encodings than UTF-8, and
// everything that is not well-formed. A fuzz test keeps it at least as strict as encoding/xml and
// as a validator of what survives being written again.
//
// Line breaks and tabs in the values of attributes become blanks in data, as XML 1.0 §3.3.3 has it:
// encoding/xml leaves that out, so that it would read, and a signature cover, something else than
// what others read.
func scan(data []byte) error {
	s := scanner{rest: data}
	err := s.document()
	if err == nil {
		return nil
	}
	return fmt.Errorf("line %d: %w", 1+bytes.Count(data[:len(data)-len(s.rest)], []byte("\n")), err)
}

// document reads all of it.
func (s *scanner) document() error {
	if !utf8.Valid(s.rest) {
		return errors.New("only UTF-8 is read")
	}
	if err := s.declaration(); err != nil {
		return err
	}
	var open [][]byte // names of the elements that have begun
	seen := false
	for len(s.rest) > 0 {
		if s.rest[0] != '<' {
			if err := s.text(len(open) > 0); err != nil {
				return err
			}
			continue
		}
		tag, err := s.tag()
		switch {
		case err != nil:
			return err
		case tag.kind == startTag || tag.kind == emptyTag:
			if len(open) == 0 && seen {
				return errors.New("the document must have exactly one root element")
			}
			seen = true
			if tag.kind == startTag {
				open = append(open, tag.name)
			}
			if len(open) > maxDepth {
				return errors.New("the document is nested too deeply")
			}
		case tag.kind == endTag:
			if len(open) == 0 || !bytes.Equal(open[len(open)-1], tag.name) {
				return errMalformed
			}
			open = open[:len(open)-1]
		}
	}
	if !seen {
		return errors.New("the document must have exactly one root element")
	}
	if len(open) > 0 { // as of a download that was cut off
		return errors.New("the document ends before its root element does")
	}
	return nil
}

var errMalformed = errors.New("the document is not well-formed XML")

type tagKind uint8

const (
	comment tagKind = iota
	startTag
	emptyTag
	endTag
)

type scanner struct{ rest []byte }

// consume removes a prefix, if it is there.
func (s *scanner) consume(prefix string) bool {
	if !bytes.HasPrefix(s.rest, []byte(prefix)) {
		return false
	}
	s.rest = s.rest[len(prefix):]
	return true
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// blanks skips white space and says whether there was any.
func (s *scanner) blanks() bool {
	n := 0
	for n < len(s.rest) && blank(s.rest[n]) {
		n++
	}
	s.rest = s.rest[n:]
	return n > 0
}

// declaration reads the XML declaration, which may stand at the very beginning.
func (s *scanner) declaration() error {
	if !s.consume("<?xml") {
		return nil
	}
	// XML 1.0 §2.8. One that does not end soon is none, and is not searched to the end.
	end := bytes.Index(s.rest, []byte("?>"))
	if end < 0 || end > 200 {
		return errMalformed
	}
	inside := scanner{rest: s.rest[:end]}
	s.rest = s.rest[end+2:]
	for n := 0; ; n++ {
		gap := inside.blanks()
		if len(inside.rest) == 0 {
			if n == 0 {
				return errMalformed
			}
			return nil
		}
		a, err := inside.attribute()
		switch {
		case err != nil || !gap:
			return errMalformed
		case n == 0 && a.name == "version" && a.value == "1.0":
		case n == 1 && a.name == "encoding":
			if !strings.EqualFold(a.value, "utf-8") {
				return errors.New("only UTF-8 is read")
			}
		case n > 0 && a.name == "standalone" && (a.value == "yes" || a.value == "no"):
		default:
			return errMalformed
		}
	}
}

// text reads up to the next tag.
func (s *scanner) text(inElement bool) error {
	end := bytes.IndexByte(s.rest, '<')
	if end < 0 {
		end = len(s.rest)
	}
	text := s.rest[:end]
	s.rest = s.rest[end:]
	if !inElement {
		if len(bytes.Trim(text, " \t\r\n")) > 0 {
			return errors.New("text around the root element is not allowed")
		}
		return nil
	}
	// XML 1.0 §2.4; some parsers take it for the end of a section.
	if bytes.Contains(text, []byte("]]>")) {
		return errMalformed
	}
	return characters(text)
}

// characters checks text or an attribute's value: characters that XML allows, and references that
// it knows.
func characters(text []byte) error {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '&':
			end := bytes.IndexByte(text[i:min(len(text), i+12)], ';')
			if end < 0 || !reference(string(text[i+1:i+end])) {
				return errors.New("an entity that is not allowed: write & as &amp;")
			}
			i += end
		case c < ' ' && !blank(c):
			return errMalformed
		case c == 0xEF && i+2 < len(text) && text[i+1] == 0xBF && text[i+2] >= 0xBE: // U+FFFE and U+FFFF
			return errMalformed
		}
	}
	return nil
}

// reference says whether a predefined entity, or a number that stands for a character that XML
// allows, is meant.
func reference(name string) bool {
	switch name {
	case "lt", "gt", "amp", "quot", "apos":
		return true
	}
	digits, ok := strings.CutPrefix(name, "#")
	base := 10
	if hex, is := strings.CutPrefix(digits, "x"); is {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if !ok || err != nil || strings.HasPrefix(digits, "+") {
		return false
	}
	return n == '\t' || n == '\n' || n == '\r' || (n >= 0x20 && n <= 0xD7FF) || (n >= 0xE000 && n <= 0xFFFD) ||
		(n >= 0x10000 && n <= utf8.MaxRune)
}

// tag is a tag, or a comment, which has no name.
type tag struct {
	kind tagKind
	name []byte
}

// tag reads a tag or a comment.
func (s *scanner) tag() (tag, error) {
	switch {
	case s.consume("<!--"):
		// XML 1.0 §2.5: no "--" inside. References are not read in comments, so an "&" is a letter.
		end := bytes.Index(s.rest, []byte("--"))
		if end < 0 || !bytes.HasPrefix(s.rest[end:], []byte("-->")) ||
			characters(bytes.ReplaceAll(s.rest[:end], []byte("&"), nil)) != nil {
			return tag{}, errMalformed
		}
		s.rest = s.rest[end+3:]
		return tag{kind: comment}, nil
	// Canonicalization turns it into text, and readers differ in whether a name that a section
	// begins ends there.
	case s.consume("<![CDATA["):
		return tag{}, errors.New("a CDATA section is not allowed")
	// Entities that read files or multiply (XXE, "billion laughs"), and attributes that have
	// defaults for some parsers only.
	case s.consume("<!"):
		return tag{}, errors.New("a DOCTYPE or another directive is not allowed")
	case s.consume("<?"):
		return tag{}, errors.New("processing instructions are not allowed")
	case s.consume("</"):
		name := s.name()
		if name == nil {
			return tag{}, errMalformed
		}
		s.blanks()
		if !s.consume(">") {
			return tag{}, errMalformed
		}
		return tag{endTag, name}, nil
	}
	s.rest = s.rest[1:]
	// Namespaces in XML 1.0 §3: an element cannot have this prefix, which signers and readers
	// resolve differently.
	name := s.name()
	if name == nil || bytes.HasPrefix(name, []byte("xmlns:")) {
		return tag{}, errMalformed
	}
	for {
		gap := s.blanks()
		switch {
		case s.consume("/>"):
			return tag{emptyTag, name}, nil
		case s.consume(">"):
			return tag{startTag, name}, nil
		case !gap:
			return tag{}, errMalformed
		}
		a, err := s.attribute()
		if err != nil {
			return tag{}, err
		}
		// Namespaces in XML 1.0 §3: no prefix can be taken back. What must not be declared is
		// refused by checkElement, which knows values without references.
		if strings.HasPrefix(a.name, "xmlns:") && a.value == "" {
			return tag{}, errMalformed
		}
	}
}

// name reads a name: ASCII, with at most one colon, which stands between two parts. SAML and XML
// signatures have no others, and Go's encoding/xml writes some of them differently from how it has
// read them (CVE-2020-29509 to -29511), so that a signature would cover another name.
func (s *scanner) name() []byte {
	n := 0
	part := 0
	colons := 0 // part: where the part began that is read
	for ; n < len(s.rest); n++ {
		c := s.rest[n]
		switch {
		case c == '_' || (c|0x20 >= 'a' && c|0x20 <= 'z'):
			continue
		case n > part && (c == '-' || c == '.' || (c >= '0' && c <= '9')):
			continue
		case c == ':' && n > part && colons == 0:
			colons, part = 1, n+1
			continue
		}
		break // out of the loop
	}
	if n == part {
		return nil
	}
	name := s.rest[:n]
	s.rest = s.rest[n:]
	return name
}

// attribute is one of a tag.
type attribute struct{ name, value string }

func (s *scanner) attribute() (attribute, error) {
	raw := s.name()
	if raw == nil {
		return attribute{}, errMalformed
	}
	s.blanks()
	if !s.consume("=") {
		return attribute{}, errMalformed
	}
	s.blanks()
	if len(s.rest) == 0 || (s.rest[0] != '"' && s.rest[0] != '\'') {
		return attribute{}, errMalformed
	}
	end := bytes.IndexByte(s.rest[1:], s.rest[0])
	if end < 0 {
		return attribute{}, errMalformed
	}
	text := s.rest[1 : 1+end]
	s.rest = s.rest[end+2:]
	if bytes.IndexByte(text, '<') >= 0 {
		return attribute{}, errMalformed
	}
	for i, c := range text {
		if blank(c) {
			text[i] = ' '
		}
	}
	return attribute{string(raw), string(text)}, characters(text)
}
