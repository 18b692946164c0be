package awsapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Kind is what kind of value a shape is.
type Kind uint8

// The kinds of shape that service models have.
const (
	Document Kind = iota // any JSON
	String
	Integer
	Number // a double or a timestamp
	Boolean
	Structure
	List
	Map
)

// Shape is what a service model says of a value: its kind and its constraints. A zero bound is
// none. Source: Smithy, "Constraint traits".
type Shape struct {
	Kind      Kind
	Min, Max  int      // of a text's characters, a list's or a map's entries, or a number's value
	Pattern   *Pattern // of a text
	Sensitive bool     // a text that no message repeats
	Enum      []string
	Members   map[string]*Shape // of a structure; others are refused
	Required  []string          // names of members
	Union     bool              // of a structure: it has exactly one of its members
	Of        *Shape            // the values of a list or a map
	Key       *Shape            // the keys of a map
}

// Members are the members of a structure, by name.
type Members = map[string]*Shape

// StructureOf is the shape of a structure.
func StructureOf(m Members, required ...string) *Shape {
	return &Shape{Kind: Structure, Members: m, Required: required}
}

// UnionOf is the shape of a union: a structure that has exactly one of its members. SDKs send one
// without a member for a value that their caller left undefined, and nothing may take that for
// "any".
func UnionOf(m Members) *Shape { return &Shape{Kind: Structure, Members: m, Union: true} }

// ListOf is the shape of a list of so many values.
func ListOf(least, most int, of *Shape) *Shape {
	return &Shape{Kind: List, Min: least, Max: most, Of: of}
}

// TextOf is the shape of a text of so many characters that matches a pattern; an empty one matches
// everything.
func TextOf(least, most int, pattern string) *Shape {
	s := &Shape{Kind: String, Min: least, Max: most}
	if pattern != "" {
		s.Pattern = NewPattern(pattern)
	}
	return s
}

// EnumOf is the shape of a text that is one of some values.
func EnumOf(values ...string) *Shape { return &Shape{Kind: String, Enum: values} }

// Pattern is a regular expression that a text must match whole.
type Pattern struct {
	Text  string // as the model has it, for messages
	Match func(string) bool
}

// NewPattern is a model's pattern. It is compiled when a text comes first, since models have many
// and requests few; a broken one panics then, which the tests of the models find.
func NewPattern(text string) *Pattern {
	re := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?:` + text + `)$`) })
	return &Pattern{text, func(s string) bool { return re().MatchString(s) }}
}

// maxProblems bounds how many violations one answer names.
const maxProblems = 20 //bound:list violations that one answer names

// Check says whether a body has a shape. It fails with a SerializationException when the body is
// not JSON of the right types, or with a ValidationException that names every violation, in AWS's
// words.
func (s *Shape) Check(body []byte) error {
	switch text := bytes.TrimSpace(body); {
	case len(text) == 0:
		body = []byte("{}")
	case string(text) == "null":
		return serialization("the body is not an object")
	}
	c := checker{d: jsontext.NewDecoder(bytes.NewBuffer(body))}
	if err := c.value(s, ""); err != nil {
		return err
	}
	if _, err := c.d.ReadToken(); !errors.Is(err, io.EOF) {
		return serialization("something follows the JSON object")
	}
	if len(c.problems) == 0 {
		return nil
	}
	noun := "validation errors"
	if len(c.problems) == 1 {
		noun = "validation error"
	}
	return &Error{
		Code:    "ValidationException",
		Message: strconv.Itoa(len(c.problems)) + " " + noun + " detected: " + strings.Join(c.problems, "; "),
	}
}

func serialization(message string) error {
	return &Error{Code: "SerializationException", Message: message}
}

// maxNamed bounds the values that a refusal repeats.
const maxNamed = 64 //bound:text a value that the refusal of an AWS request repeats, in bytes

// maxShapeDepth bounds how deep documents are nested.
const maxShapeDepth = 64 //bound:depth nesting of a document in an AWS request

type checker struct {
	d        *jsontext.Decoder
	depth    int
	problems []string
}

// violated notes a violation. Values are named only where they are no secrets, and never whole.
func (c *checker) violated(path, value string, sensitive bool, constraint string) {
	if len(c.problems) >= maxProblems {
		return
	}
	named := "Value"
	if !sensitive && len(value) <= maxNamed {
		named = "Value '" + strings.ToValidUTF8(value, "?") + "'"
	}
	c.problems = append(
		c.problems, fmt.Sprintf("%s at '%s' failed to satisfy constraint: Member must %s", named, path, constraint),
	)
}

func (c *checker) broken(err error) error {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return serialization(fmt.Sprintf("the body is not JSON: %v at byte %d", syntax.Err, syntax.ByteOffset))
	}
	return serialization("the body is not a JSON object of this operation")
}

var kindNames = map[Kind]string{
	String:    "a string",
	Integer:   "an integer",
	Number:    "a number",
	Boolean:   "a boolean",
	Structure: "an object",
	List:      "a list",
	Map:       "an object",
}

// value reads one value.
func (c *checker) value(s *Shape, path string) error {
	if c.depth++; c.depth > maxShapeDepth {
		return serialization("the body is nested too deeply")
	}
	defer func() { c.depth-- }()
	kind := c.d.PeekKind()
	if s == nil || s.Kind == Document {
		return c.skip()
	}
	switch {
	case kind == 'n':
		return c.skip()
	case kind == '"' && s.Kind == String:
		return c.text(s, path)
	case kind == '0' && (s.Kind == Integer || s.Kind == Number):
		return c.number(s, path)
	case (kind == 't' || kind == 'f') && s.Kind == Boolean:
		return c.skip()
	case kind == '{' && (s.Kind == Structure || s.Kind == Map):
		return c.object(s, path)
	case kind == '[' && s.Kind == List:
		return c.list(s, path)
	}
	if kind == 0 { // not JSON at all
		_, err := c.d.ReadToken()
		return c.broken(err)
	}
	return serialization(fmt.Sprintf("%s is not %s", orBody(path), kindNames[s.Kind]))
}

func orBody(path string) string {
	if path == "" {
		return "the body"
	}
	return path
}

func (c *checker) skip() error {
	if err := c.d.SkipValue(); err != nil {
		return c.broken(err)
	}
	return nil
}

func (c *checker) text(s *Shape, path string) error {
	token, err := c.d.ReadToken()
	if err != nil {
		return c.broken(err)
	}
	c.checkText(s, path, token.String())
	return nil
}

func (c *checker) checkText(s *Shape, path, v string) {
	if s.Min > 0 || s.Max > 0 {
		c.checkLength(s, path, v, s.Sensitive, utf8.RuneCountInString(v))
	}
	if s.Pattern != nil && v != "" && !s.Pattern.Match(v) {
		c.violated(path, v, s.Sensitive, "satisfy regular expression pattern: "+s.Pattern.Text)
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, v) {
		c.violated(path, v, s.Sensitive, "satisfy enum value set: ["+strings.Join(s.Enum, ", ")+"]")
	}
}

func (c *checker) checkLength(s *Shape, path, v string, sensitive bool, n int) {
	if n < s.Min {
		c.violated(path, v, sensitive, "have length greater than or equal to "+strconv.Itoa(s.Min))
	}
	if s.Max > 0 && n > s.Max {
		c.violated(path, v, sensitive, "have length less than or equal to "+strconv.Itoa(s.Max))
	}
}

func (c *checker) number(s *Shape, path string) error {
	token, err := c.d.ReadToken()
	if err != nil {
		return c.broken(err)
	}
	text := token.String()
	if s.Kind == Number {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return serialization(path + " is not an integer of 32 bits")
	}
	if s.Min > 0 && n < int64(s.Min) {
		c.violated(path, text, false, "have value greater than or equal to "+strconv.Itoa(s.Min))
	}
	if s.Max > 0 && n > int64(s.Max) {
		c.violated(path, text, false, "have value less than or equal to "+strconv.Itoa(s.Max))
	}
	return nil
}

func (c *checker) object(s *Shape, path string) error {
	if _, err := c.d.ReadToken(); err != nil {
		return c.broken(err)
	}
	var seen [8]string // which of the required members are there
	found := seen[:0]
	n, set := 0, 0
	for c.d.PeekKind() != '}' {
		token, err := c.d.ReadToken()
		if err != nil {
			return c.broken(err)
		}
		name := token.String()
		present := c.d.PeekKind() != 'n'
		n++
		if present {
			set++
		}
		of, at := s.Members[name], ""
		if s.Kind == Map {
			of = s.Of
			c.checkText(s.Key, under(path, "key"), name)
			at = under(path, name+".member")
		} else if of == nil {
			return unknown(under(path, name))
		} else {
			at = under(path, lowerFirst(name))
		}
		if err := c.value(of, at); err != nil {
			return err
		}
		if present && slices.Contains(s.Required, name) {
			found = append(found, name)
		}
	}
	if _, err := c.d.ReadToken(); err != nil {
		return c.broken(err)
	}
	if s.Kind == Map {
		c.checkLength(s, path, "", true, n)
	}
	if s.Union && set != 1 {
		names := strings.Join(slices.Sorted(maps.Keys(s.Members)), ", ")
		c.violated(path, "", true, "have exactly one of the members: "+names)
	}
	for _, name := range s.Required {
		if !slices.Contains(found, name) {
			c.violated(under(path, lowerFirst(name)), "", true, "not be null")
		}
	}
	return nil
}

func (c *checker) list(s *Shape, path string) error {
	if _, err := c.d.ReadToken(); err != nil {
		return c.broken(err)
	}
	n := 0
	for c.d.PeekKind() != ']' {
		n++
		if err := c.value(s.Of, path+"."+strconv.Itoa(n)+".member"); err != nil {
			return err
		}
	}
	if _, err := c.d.ReadToken(); err != nil {
		return c.broken(err)
	}
	c.checkLength(s, path, "", true, n)
	return nil
}

func under(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func lowerFirst(name string) string { return strings.ToLower(name[:1]) + name[1:] }

// missing names a member of the shape that a Go type has no field for; "" for none.
func (s *Shape) missing(t reflect.Type, path string) string {
	if s == nil || s.Kind == Document || t == reflect.TypeFor[jsontext.Value]() {
		return ""
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case (s.Kind == List && t.Kind() == reflect.Slice) || (s.Kind == Map && t.Kind() == reflect.Map):
		return s.Of.missing(t.Elem(), path)
	case s.Kind == Structure && t.Kind() == reflect.Struct:
		fields := map[string]reflect.Type{}
		var others reflect.Type // of members that have no field of their own
		for _, f := range reflect.VisibleFields(t) {
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if options == "embed" && f.Type.Kind() == reflect.Map {
				others = f.Type.Elem()
				continue
			}
			if name == "" {
				name = f.Name
			}
			fields[name] = f.Type
		}
		for _, name := range slices.Sorted(maps.Keys(s.Members)) {
			field, ok := fields[name]
			if ok = ok || (others != nil && s.Members[name].Kind == String); !ok {
				return under(path, name)
			}
			if field == nil {
				field = others
			}
			if missing := s.Members[name].missing(field, under(path, name)); missing != "" {
				return missing
			}
		}
	}
	return ""
}

// unwritten names a field of an answer that holds a structure which would not be written when it is
// there and empty; "" for none. An SDK tells a union's member by its name alone, and a structure
// that is absent from one without members.
func unwritten(t reflect.Type, path string) string {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return unwritten(t.Elem(), path)
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() || t == reflect.TypeFor[Timestamp]() {
			return "" // no structure on the wire
		}
		for i := range t.NumField() {
			f := t.Field(i)
			_, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			pointer := f.Type.Kind() == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct
			if pointer && f.Type.Elem() != reflect.TypeFor[time.Time]() && strings.Contains(options, "omitempty") {
				return under(path, f.Name)
			}
			if name := unwritten(f.Type, under(path, f.Name)); name != "" {
				return name
			}
		}
	}
	return ""
}
