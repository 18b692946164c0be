package web

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// labelled writes into each cell of a page's tables what its column is called: on a phone a row is
// a card, which the head of the table does not stand above. A cell with nothing in it gets nothing
// in it, so that a card has no empty lines. Templates need not say any of this.
func labelled(page []byte) []byte {
	if !bytes.Contains(page, []byte("<thead")) {
		return page
	}
	c := cards{out: make([]byte, 0, len(page)*9/8)}
	for z := html.NewTokenizer(bytes.NewReader(page)); z.Next() != html.ErrorToken; {
		c.token(z)
	}
	return c.out
}

// cards goes through a page, one table after the other.
type cards struct {
	out     []byte
	columns []string
	column  int              // the next of a row
	heading *strings.Builder // of the column whose head is being read
	hidden  bool             // that head is for those who hear the page: a card needs no word for it
	blank   int              // where a cell begins of which nothing was seen yet; 0: none does
}

func (c *cards) token(z *html.Tokenizer) {
	at := len(c.out)
	c.out = append(c.out, z.Raw()...)
	t := z.Token()
	switch {
	case t.Type == html.TextToken && c.heading != nil:
		c.heading.WriteString(t.Data)
	case t.Type == html.TextToken && strings.TrimSpace(t.Data) == "":
		return // a blank cell may be blank to its end
	case t.Type == html.StartTagToken:
		c.begins(t)
	case t.Type == html.EndTagToken && t.DataAtom == atom.Th && c.heading != nil:
		name := strings.Join(strings.Fields(c.heading.String()), " ")
		if c.hidden {
			name = ""
		}
		c.columns, c.heading = append(c.columns, name), nil
	case t.Type == html.EndTagToken && t.DataAtom == atom.Td && c.blank > 0:
		c.out = append(c.out[:c.blank], c.out[at:]...)
	}
	if t.DataAtom != atom.Td || t.Type != html.StartTagToken {
		c.blank = 0
	}
}

func (c *cards) begins(t html.Token) {
	switch t.DataAtom {
	case atom.Table:
		c.columns = nil
	case atom.Tr:
		c.column = 0
	case atom.Th:
		c.heading, c.hidden = &strings.Builder{}, false
	case atom.Span:
		c.hidden = c.hidden || attributeOf(t, "class") == "hidden"
	case atom.Td:
		if c.column < len(c.columns) && c.columns[c.column] != "" && attributeOf(t, "colspan") == "" {
			c.out = append(c.out[:len(c.out)-1], ` data-label="`+html.EscapeString(c.columns[c.column])+`">`...)
		}
		c.column++
		c.blank = len(c.out)
	default:
	}
}

func attributeOf(t html.Token, key string) string { return attribute(&html.Node{Attr: t.Attr}, key) }
