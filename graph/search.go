package graph

import (
	"slices"
	"strings"
	"unicode"

	"github.com/gatehouse-id/gatehouse/names"
)

// Search is a parsed $search.
type Search struct {
	meets      func(map[string]any) bool
	properties []string
}

// Properties are those that it looks at.
func (s Search) Properties() []string { return s.properties }

// Meets says whether an object meets the search.
func (s Search) Meets(object map[string]any) bool { return s.meets(object) }

const (
	maxSearchText  = 1024 //bound:text a search of Graph
	maxSearchDepth = 8    //bound:depth nesting of a search of Graph
)

// searched are the properties in which words are found. Of others, the beginning is compared.
var searched = []string{"displayName", "description"}

// ParseSearch reads a $search: "property:text" clauses with AND, OR and brackets. Source: "Use the
// $search query parameter", on directory objects.
func ParseSearch(text string, of Schema) (Search, error) {
	if len(text) > maxSearchText {
		return Search{}, said("the search is too long")
	}
	tokens, err := searchTokens(text)
	if err != nil {
		return Search{}, err
	}
	p := &searchParser{tokens: tokens, schema: of}
	meets, err := p.or(0)
	if err == nil && p.at < len(p.tokens) {
		err = errSearch
	}
	return Search{meets, p.properties}, err
}

var errSearch = said(`Syntax error: clauses are "property:text", with AND or OR between them`)

// searchTokens cuts a text into brackets, words, and clauses without their quotation marks, before
// which they have one.
func searchTokens(text string) (tokens []string, err error) {
	for i := 0; i < len(text); {
		switch text[i] {
		case ' ':
			i++
		case '(', ')':
			tokens = append(tokens, text[i:i+1])
			i++
		case '"':
			clause := []byte{'"'}
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' && i+1 < len(text) {
					i++
				}
				clause = append(clause, text[i])
			}
			if i >= len(text) {
				return nil, errSearch
			}
			tokens = append(tokens, string(clause))
			i++
		default:
			end := i
			for end < len(text) && strings.IndexByte(` ()"`, text[end]) < 0 {
				end++
			}
			tokens = append(tokens, text[i:end])
			i = end
		}
	}
	return tokens, nil
}

type searchParser struct {
	tokens     []string
	at         int
	schema     Schema
	properties []string
}

type meets = func(map[string]any) bool

func (p *searchParser) or(depth int) (meets, error) {
	return p.joined(depth, "OR", p.and, func(a, b meets, o map[string]any) bool { return a(o) || b(o) })
}

func (p *searchParser) and(depth int) (meets, error) {
	return p.joined(depth, "AND", p.clause, func(a, b meets, o map[string]any) bool { return a(o) && b(o) })
}

func (p *searchParser) joined(
	depth int, word string, next func(int) (meets, error), both func(a, b meets, o map[string]any) bool,
) (meets, error) {
	left, err := next(depth)
	for err == nil && p.at < len(p.tokens) && p.tokens[p.at] == word {
		p.at++
		var right meets
		right, err = next(depth)
		a, b := left, right
		left = func(o map[string]any) bool { return both(a, b, o) }
	}
	return left, err
}

func (p *searchParser) clause(depth int) (meets, error) {
	if p.at == len(p.tokens) || depth > maxSearchDepth {
		return nil, errSearch
	}
	token := p.tokens[p.at]
	p.at++
	if token == "(" {
		m, err := p.or(depth + 1)
		if err == nil && (p.at == len(p.tokens) || p.tokens[p.at] != ")") {
			err = errSearch
		}
		p.at++
		return m, err
	}
	name, value, ok := strings.Cut(strings.TrimPrefix(token, `"`), ":")
	if !ok || token[0] != '"' || strings.TrimSpace(value) == "" {
		return nil, errSearch
	}
	name, property, ok := p.schema.Properties.Find(name)
	if !ok || property.Kind != Text || property.Many {
		return nil, noSuchProperty(name, p.schema.Type)
	}
	p.properties = append(p.properties, name)
	if !slices.Contains(searched, name) {
		value = names.Fold(value)
		return func(o map[string]any) bool {
			text, _ := o[name].(string)
			return strings.HasPrefix(names.Fold(text), value)
		}, nil
	}
	wanted := searchWords(value, false)
	return func(o map[string]any) bool {
		text, _ := o[name].(string)
		return wordsIn(wanted, searchWords(text, true))
	}, nil
}

// wordsIn says whether each of some words begins one of a text's, in any order.
func wordsIn(wanted, words []string) bool {
	return len(words) > 0 && !slices.ContainsFunc(wanted, func(w string) bool {
		return !slices.ContainsFunc(words, func(have string) bool { return strings.HasPrefix(have, w) })
	})
}

// searchWords cuts a text into words where a blank or a symbol stands, where a small letter is
// followed by a capital one, and between letters and digits; joined adds what stands between two
// blanks as one word.
func searchWords(text string, joined bool) (words []string) {
	for _, part := range strings.Fields(text) {
		var whole, word []rune
		before := len(words)
		end := func() {
			if len(word) > 0 {
				words = append(words, names.Fold(strings.ToLower(string(word))))
			}
			word = nil
		}
		for _, r := range part {
			if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
				end()
				continue
			}
			if len(word) > 0 {
				last := word[len(word)-1]
				if unicode.IsDigit(last) != unicode.IsDigit(r) || unicode.IsLower(last) && unicode.IsUpper(r) {
					end()
				}
			}
			word, whole = append(word, r), append(whole, r)
		}
		end()
		if joined && len(words) > before+1 {
			words = append(words, names.Fold(strings.ToLower(string(whole))))
		}
	}
	return words
}
