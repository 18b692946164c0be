package gatehouse

import (
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/web"
)

// onItsOwn is the opening tag of an element that begins a line: a block, a row, a cell, a field or
// a button. What stands within a sentence (a, code, strong, small, span, br) is not among them.
var onItsOwn = regexp.MustCompile(
	`<(?:html|head|body|header|nav|main|section|div|form|fieldset|legend|details|summary|` +
		`h[1-6]|p|pre|ul|ol|li|dl|dt|dd|table|thead|tbody|tr|th|td|label|input|select|option|` +
		`optgroup|textarea|button|progress|img|noscript)\b`)

// TestPagesCanBeReviewed reads every template: it is indented by two spaces, no line is wide, and
// each element begins a line of its own, a cell as well, so that a change shows what it changes.
func TestPagesCanBeReviewed(t *testing.T) {
	const widest = 160
	pages := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && path != ".") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".html" {
			return nil
		}
		pages++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(text), "\n") {
			if n := utf8.RuneCountInString(line); n > widest {
				t.Errorf("%s:%d has %d columns, more than %d", path, i+1, n, widest)
			}
			if indent := len(line) - len(strings.TrimLeft(line, " \t")); indent%2 != 0 ||
				strings.Contains(line[:indent], "\t") {
				t.Errorf("%s:%d is not indented by two spaces", path, i+1)
			}
			if strings.TrimRight(line, " \t") != line {
				t.Errorf("%s:%d ends with white space", path, i+1)
			}
			if tags := onItsOwn.FindAllString(line, -1); len(tags) > 1 {
				t.Errorf("%s:%d has %s: one element a line", path, i+1, strings.Join(tags, "… "))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if pages < 70 {
		t.Errorf("only %d pages were found", pages)
	}
}

// TestPagesAreWhole shows every page once, with nothing: a page is parsed when it is shown first,
// and a broken one panics then.
func TestPagesAreWhole(t *testing.T) {
	shown := 0
	folders := []string{"web/desk", "demo/pages", "connect/assist/page"}
	for _, half := range []string{"center", "tenant"} {
		more, err := filepath.Glob(half + "/*/pages")
		if err != nil {
			t.Fatal(err)
		}
		folders = append(folders, more...)
	}
	for _, folder := range folders {
		pages := web.NewPages(os.DirFS(folder), slog.New(slog.DiscardHandler))
		files, err := filepath.Glob(folder + "/[^_]*.html")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			page := strings.TrimSuffix(filepath.Base(file), ".html")
			pages.Render(httptest.NewRecorder(), http.StatusOK, page, web.View{})
			shown++
		}
	}
	if shown < 60 {
		t.Errorf("only %d pages were shown", shown)
	}
}
