package mapping

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

// function is one function of the language. most is how many arguments it takes at most; -1: any
// number.
type function struct {
	least, most int
	run         func(arguments) (Value, error)
}

// Functions lists the functions of the language.
func Functions() (names []string) {
	for name := range functions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// onText is a function of one text; null stays null.
func onText(most int, f func(text string, a arguments) (string, error)) function {
	return function{1, most, func(a arguments) (Value, error) {
		v, err := a.value(0)
		if err != nil || len(v) == 0 {
			return nil, err
		}
		text, err := f(v.Text(), a)
		return One(text), err
	}}
}

// tests is a function that says something of a value.
func tests(f func(Value) bool) function {
	return function{1, 1, func(a arguments) (Value, error) {
		v, err := a.value(0)
		return boolean(f(v)), err
	}}
}

func present(v Value) bool { return v.Text() != "" }

var functions map[string]function

func init() { // expressions are parsed with the table that the functions are in
	functions = map[string]function{
		"Append": {2, 2, func(a arguments) (Value, error) {
			t, err := a.texts(2)
			if err != nil {
				return nil, err
			}
			if err := a.produce(len(t[0]) + len(t[1])); err != nil {
				return nil, err
			}
			return One(t[0] + t[1]), nil
		}},
		addRoles:          {1, 1, rolesToAdd},
		assertRoles:       {1, 1, rolesToAssert},
		selectUnique:      {2, -1, firstCandidate},
		"BitAnd":          {2, 2, bitAnd},
		"CBool":           tests(Value.isTrue),
		"Coalesce":        {1, -1, coalesce},
		"ConvertToBase64": onText(1, func(s string, _ arguments) (string, error) { return utf16Base64(s), nil }),
		"ConvertToUTF8Hex": onText(1, func(s string, _ arguments) (string, error) {
			return strings.ToUpper(hex.EncodeToString([]byte(s))), nil
		}),
		"Count": {
			1, 1, func(a arguments) (Value, error) { v, err := a.value(0); return One(strconv.Itoa(len(v))), err },
		},
		"CDate":                   onText(1, cDate),
		"DateAdd":                 {3, 3, dateAdd},
		"DateDiff":                {3, 3, dateDiff},
		"DateFromNum":             onText(1, dateFromNum),
		"DefaultDomain":           {0, 0, defaultDomain},
		"FormatDateTime":          {4, 4, formatDateTime},
		"NumFromDate":             onText(1, numFromDate),
		"RandomString":            {5, 6, randomString},
		"CStr":                    {1, 1, func(a arguments) (Value, error) { return a.value(0) }},
		"Guid":                    {0, 0, func(arguments) (Value, error) { return One(guid()), nil }},
		"IgnoreFlowIfNullOrEmpty": {1, 1, ignoreIfEmpty},
		"IIF":                     {3, 3, iif},
		"InStr":                   {2, 4, inStr},
		"IsNull":                  tests(func(v Value) bool { return len(v) == 0 }),
		"IsNullOrEmpty":           tests(func(v Value) bool { return !present(v) }),
		"IsPresent":               tests(present),
		"IsString":                tests(func(v Value) bool { return len(v) == 1 }),
		"Item":                    {2, 2, item},
		"Join":                    {2, -1, join},
		"Left":                    {2, 2, left},
		"Mid":                     {3, 3, mid},
		"NormalizeDiacritics": onText(
			1, func(s string, _ arguments) (string, error) { return normalizeDiacritics(s), nil },
		),
		"Not": tests(func(v Value) bool { return !v.isTrue() }),
		"Now": {
			0, 0, func(arguments) (Value, error) { return dated(time.Now()), nil },
		},
		"PCase":                   onText(2, pCase),
		"Redact":                  {1, 1, func(a arguments) (Value, error) { return a.value(0) }},
		"RemoveDuplicates":        {1, 1, removeDuplicates},
		"Replace":                 {2, 7, replace},
		"SingleAppRoleAssignment": {1, 1, singleRole},
		"Split":                   {2, 2, split},
		"StripSpaces": onText(
			1, func(s string, _ arguments) (string, error) { return strings.ReplaceAll(s, " ", ""), nil },
		),
		"Switch":  {4, -1, switchOn},
		"ToLower": onText(2, func(s string, a arguments) (string, error) { return inCulture(s, a, cases.Lower) }),
		"ToUpper": onText(2, func(s string, a arguments) (string, error) { return inCulture(s, a, cases.Upper) }),
		"Trim":    onText(1, func(s string, _ arguments) (string, error) { return strings.TrimSpace(s), nil }),
		"Word":    {3, 3, word},
	}
}

func bitAnd(a arguments) (Value, error) {
	x, e1 := a.number(0)
	y, e2 := a.number(1)
	return One(strconv.Itoa(x & y)), errors.Join(e1, e2)
}

func coalesce(a arguments) (Value, error) {
	for i := range a.nodes {
		if v, err := a.value(i); err != nil || present(v) {
			return v, err
		}
	}
	return nil, nil
}

func utf16Base64(s string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return base64.StdEncoding.EncodeToString(b)
}

// DefaultDomain is the attribute by which a directory tells its default domain, for the function of
// that name. No attribute of a directory's objects is called so.
const DefaultDomain = "DefaultDomain()"

func defaultDomain(a arguments) (Value, error) {
	v := a.of(DefaultDomain)
	if len(v) == 0 {
		return nil, errors.New("the directory's default domain is not known here")
	}
	return v, nil
}

func guid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func ignoreIfEmpty(a arguments) (Value, error) {
	v, err := a.value(0)
	if !present(v) {
		v = nil
	}
	return v, err
}

func iif(a arguments) (Value, error) {
	condition, err := a.value(0)
	if err != nil {
		return nil, err
	}
	if condition.isTrue() {
		return a.value(1)
	}
	return a.value(2)
}

// inStr counts from 1, and gives 0 where nothing is found.
func inStr(a arguments) (Value, error) {
	t, err := a.texts(4)
	if err != nil {
		return nil, err
	}
	start := 1
	if a.has(2) {
		if start, err = a.number(2); err != nil {
			return nil, err
		}
	}
	text, part := t[0], t[1]
	if t[3] == "vbTextCompare" {
		text, part = strings.ToLower(text), strings.ToLower(part)
	}
	runes := []rune(text)
	from := min(max(start-1, 0), len(runes))
	at := strings.Index(string(runes[from:]), part)
	if at < 0 {
		return One("0"), nil
	}
	return One(strconv.Itoa(from + len([]rune(string(runes[from:])[:at])) + 1)), nil
}

func item(a arguments) (Value, error) {
	v, err := a.value(0)
	if err != nil {
		return nil, err
	}
	n, err := a.number(1)
	if err != nil || n < 1 || n > len(v) {
		return nil, err
	}
	return One(v[n-1]), nil
}

// join leaves out what is empty.
func join(a arguments) (Value, error) {
	separator, err := a.value(0)
	if err != nil {
		return nil, err
	}
	var parts []string
	for i := 1; i < len(a.nodes); i++ {
		v, err := a.value(i)
		if err != nil {
			return nil, err
		}
		for _, text := range v {
			if text != "" {
				parts = append(parts, text)
			}
		}
	}
	size := times(len(separator.Text()), len(parts))
	for _, part := range parts {
		size = min(size, maxText) + len(part)
	}
	if err := a.produce(size); err != nil {
		return nil, err
	}
	return One(strings.Join(parts, separator.Text())), nil
}

func left(a arguments) (Value, error) {
	v, e1 := a.value(0)
	n, e2 := a.number(1)
	if err := errors.Join(e1, e2); err != nil {
		return nil, err
	}
	runes := []rune(v.Text())
	if n < 0 || n > len(runes) {
		n = len(runes)
	}
	return One(string(runes[:n])), nil
}

func mid(a arguments) (Value, error) {
	v, e1 := a.value(0)
	start, e2 := a.number(1)
	length, e3 := a.number(2)
	if err := errors.Join(e1, e2, e3); err != nil {
		return nil, err
	}
	if start < 1 || length < 0 {
		return nil, errors.New("the start must be at least 1, and the length at least 0")
	}
	runes := []rune(v.Text())
	from := min(start-1, len(runes))
	return One(string(runes[from:min(from+min(length, len(runes)), len(runes))])), nil
}

// without are letters that are no combination of a letter and a mark. Source: NormalizeDiacritics.
var without = strings.NewReplacer(
	"æ", "ae", "Æ", "AE", "ø", "oe", "Ø", "OE", "œ", "oe", "Œ", "OE",
	"ß", "ss", "ł", "l", "Ł", "L", "ı", "i", "đ", "d", "Đ", "D",
)

func normalizeDiacritics(s string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(s) {
		if !unicode.Is(unicode.Mn, r) {
			b.WriteRune(r)
		}
	}
	return norm.NFC.String(without.Replace(b.String()))
}

func pCase(s string, a arguments) (string, error) {
	separators, err := a.value(1)
	if err != nil {
		return "", err
	}
	given, inside := runes(separators.Text()), false
	return strings.Map(func(r rune) rune {
		separates := unicode.IsSpace(r) || unicode.IsPunct(r) || unicode.IsSymbol(r) || unicode.IsControl(r)
		if len(separators) > 0 {
			separates = given[r]
		}
		was := inside
		inside = !separates
		switch {
		case separates:
			return r
		case was:
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s), nil
}

// runes is the set of the characters of a text.
func runes(of string) map[rune]bool {
	set := map[rune]bool{}
	for _, r := range of {
		set[r] = true
	}
	return set
}

func removeDuplicates(a arguments) (out Value, err error) {
	v, err := a.value(0)
	seen := make(map[string]bool, len(v))
	for _, text := range v {
		if !seen[text] {
			out = append(out, text)
		}
		seen[text] = true
	}
	return out, err
}

// The arguments of Replace, by their places.
const (
	replaceOld = iota + 1
	replacePattern
	replaceGroup
	replaceValue
	replaceAttribute
	replaceTemplate
)

func replace(a arguments) (Value, error) {
	source, err := a.value(0)
	if err != nil {
		return nil, err
	}
	t, err := a.texts(replaceTemplate + 1)
	if err != nil {
		return nil, err
	}
	if !a.has(replacePattern) {
		switch {
		case !a.has(replaceOld):
			return nil, errors.New("give an old value or a regular expression")
		case len(source) == 0:
			return nil, nil
		case a.has(replaceTemplate):
			return a.replaceText(t[replaceTemplate], t[replaceOld], source.Text())
		}
		return a.replaceText(source.Text(), t[replaceOld], t[replaceValue])
	}
	re, err := a.pattern(t[replacePattern])
	if err != nil {
		return nil, err
	}
	if a.has(replaceAttribute) {
		if present(source) {
			return source, nil
		}
		return a.replaceInGroup(re, t[replaceGroup], t[replaceAttribute], nil)
	}
	if len(source) == 0 {
		return nil, nil
	}
	if a.has(replaceGroup) {
		return a.replaceInGroup(re, t[replaceGroup], source.Text(), &t[replaceValue])
	}
	return a.replaceMatches(re, source.Text(), t[replaceValue])
}

func (a arguments) replaceText(text, old, value string) (Value, error) {
	if err := a.spend(len(text)); err != nil {
		return nil, err
	}
	if err := a.produce(len(text) + times(strings.Count(text, old), max(len(value)-len(old), 0))); err != nil {
		return nil, err
	}
	return One(strings.ReplaceAll(text, old, value)), nil
}

// replaceMatches replaces what a regular expression matches by a template, in which ${name} is what
// a group matched.
func (a arguments) replaceMatches(re *expression, text, template string) (Value, error) {
	matches, err := a.matches(re, text)
	if err != nil {
		return nil, err
	}
	var out []byte
	last := 0
	for _, m := range matches {
		longest := m[1] - m[0]
		if strings.Contains(template, "$_") || strings.Contains(template, "$`") || strings.Contains(template, "$'") {
			longest = len(text)
		}
		if times(strings.Count(template, "$"), longest) > maxBytes { // it is not even tried
			return nil, &BudgetError{"bytes", maxBytes}
		}
		before := len(out)
		out = append(out, text[last:m[0]]...)
		out = re.substitute(out, template, text, m)
		last = m[1]
		if err := a.produce(len(out) - before); err != nil {
			return nil, err
		}
		if err := a.within(len(out)); err != nil {
			return nil, err
		}
	}
	if err := a.produce(len(out) + len(text) - last); err != nil {
		return nil, err
	}
	return One(string(out) + text[last:]), nil
}

// replaceInGroup replaces what a group of a regular expression matches; without a value it gives
// what the group matches first.
func (a arguments) replaceInGroup(re *expression, group, text string, value *string) (Value, error) {
	n, err := re.group(group)
	if err != nil {
		return nil, err
	}
	matches, err := a.matches(re, text)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	last := 0
	for _, m := range matches {
		from, to := m[2*n], m[2*n+1]
		if from < 0 {
			continue
		}
		if value == nil {
			return One(text[from:to]), nil
		}
		if err := a.produce(b.Len() + from - last + len(*value)); err != nil {
			return nil, err
		}
		b.WriteString(text[last:from])
		b.WriteString(*value)
		last = to
	}
	if value == nil {
		return nil, nil
	}
	return One(b.String() + text[last:]), nil
}

func split(a arguments) (out Value, err error) {
	t, err := a.texts(2)
	if err != nil || t[0] == "" {
		return nil, err
	}
	if t[1] == "" {
		return nil, errors.New("the delimiter is empty")
	}
	if err := a.produce(len(t[0]) + strings.Count(t[0], t[1])); err != nil {
		return nil, err
	}
	for part := range strings.SplitSeq(t[0], t[1]) {
		out = append(out, strings.TrimSpace(part))
	}
	return out, nil
}

func switchOn(a arguments) (Value, error) {
	if len(a.nodes)%2 != 0 {
		return nil, errPairs
	}
	source, err := a.value(0)
	if err != nil {
		return nil, err
	}
	for i := 2; i < len(a.nodes); i += 2 {
		key, err := a.value(i)
		if err != nil {
			return nil, err
		}
		if key.Text() == source.Text() {
			return a.value(i + 1)
		}
	}
	return a.value(1)
}

// maxCulture is how long the name of a culture may be. Source: RFC 5646, section 4.4.1.
const maxCulture = 35 //bound:text the name of a culture

func inCulture(s string, a arguments, with func(language.Tag, ...cases.Option) cases.Caser) (string, error) {
	name, err := a.value(1)
	if err != nil {
		return "", err
	}
	tag, err := culture(name.Text())
	if err != nil {
		return "", err
	}
	return with(tag).String(s), nil
}

// culture is the language of a name; without one it is none.
func culture(name string) (tag language.Tag, err error) {
	switch {
	case name == "":
		return language.Und, nil
	case len(name) > maxCulture:
		return tag, fmt.Errorf("a culture has at most %d characters, such as en-US", maxCulture)
	}
	if tag, err = language.Parse(name); err != nil {
		return tag, fmt.Errorf("%q is not a culture, such as en-US", name)
	}
	return tag, nil
}

func word(a arguments) (Value, error) {
	t, err := a.texts(3)
	if err != nil {
		return nil, err
	}
	n, err := a.number(1)
	if err != nil {
		return nil, err
	}
	separators := runes(t[2])
	words := strings.FieldsFunc(t[0], func(r rune) bool { return separators[r] })
	if n < 1 || n > len(words) {
		return One(""), nil
	}
	return One(words[n-1]), nil
}
