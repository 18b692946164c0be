package web_test

import (
	"html/template"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gatehouse-id/gatehouse/web"
)

// TestCellsSayWhatTheirColumnIsCalled: a phone shows rows without the head of their table, so each
// value has to bring its word along.
func TestCellsSayWhatTheirColumnIsCalled(t *testing.T) {
	t.Parallel()
	const head = `<table><thead><tr><th><span class="hidden">Choose</span></th><th><a href="?sort=name">User
		name</a></th><th>A &amp; "B"</th></tr></thead><tbody>`
	for what, x := range map[string]struct{ page, want string }{
		"each cell has its column's": {
			head + `<tr><td><input></td><td class="wide"><b>Amara</b></td><td>1</td></tr>`,
			`<tr><td><input></td><td class="wide" data-label="User name"><b>Amara</b></td>` +
				`<td data-label="A &amp; &#34;B&#34;">1</td></tr>`,
		},
		"a row begins at the first column again": {
			head + `<tr><td></td></tr><tr><td></td><td>Ben</td></tr>`,
			`<tr><td></td></tr><tr><td></td><td data-label="User name">Ben</td></tr>`,
		},
		"a cell without anything is empty": {
			head + "<tr><td></td><td>\n  \n</td><td>\n<i> </i>\n</td></tr>",
			`<tr><td></td><td data-label="User name"></td><td data-label="A &amp; &#34;B&#34;">` +
				"\n<i> </i>\n</td></tr>",
		},
		"what spans the table belongs to no column": {
			head + `<tr><td colspan="3">Nobody.</td></tr>`, `<tr><td colspan="3">Nobody.</td></tr>`,
		},
		"another table has columns of its own": {
			head + `<tr></tr></tbody></table><table><thead><tr><th>Key</th></tr></thead><tr><td>a</td><td>b</td></tr>`,
			`<tr><td data-label="Key">a</td><td>b</td></tr>`,
		},
		"what is beside tables stays as it is": {
			head + "</table><p>a  &lt;b\n<textarea>\n<td>\n</td></textarea>",
			"<p>a  &lt;b\n<textarea>\n<td>\n</td></textarea>",
		},
	} {
		pages := web.NewPages(fstest.MapFS{"list.html": {
			Data: []byte(`{{define "content"}}{{.Data}}{{end}}`),
		}}, slog.New(slog.DiscardHandler))
		answer := httptest.NewRecorder()
		pages.Render(answer, 200, "list", web.View{Data: template.HTML(x.page)})
		if got := answer.Body.String(); !strings.Contains(got, x.want) {
			t.Errorf("%s: want %s in\n%s", what, x.want, got)
		}
	}
}
