package web_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/web"
)

// TestAnswersInPlainWordsArePagesForBrowsers: whatever the router, a guard or a bound answers,
// somebody who opens a page gets one; a program gets the words.
func TestAnswersInPlainWordsArePagesForBrowsers(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /panics", func(http.ResponseWriter, *http.Request) { panic("a mistake of ours") })
	mux.HandleFunc("GET /says", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `no "<script>"`+strings.Repeat("x", 2000), http.StatusForbidden)
	})
	mux.HandleFunc("GET /data", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"message":"it is &lt;b> gone"}`))
	})
	mux.HandleFunc("GET /xml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`<ErrorResponse><Error><Message>no &lt;b&gt;</Message></Error></ErrorResponse>`))
	})
	mux.HandleFunc("GET /long", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"message":"` + strings.Repeat("x", 1<<20) + `"}`))
	})
	mux.Handle("POST /form", web.Guard("http://example.com", http.NotFoundHandler()))
	handler := web.Middleware(mux, web.Options{
		Log:  slog.New(slog.DiscardHandler),
		Site: web.Site{Product: "A product", Theme: "center", Home: "/start", Desk: "/console/"},
	})
	ask := func(method, path, accept, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Accept", accept)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		handler.ServeHTTP(w, r)
		return w
	}
	const browser = "text/html,application/xhtml+xml,*/*;q=0.8"
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/nothing", "", 404, "There is no page at this address."},
		{"GET", "/console/nothing", "", 404, `href="/console/"`},
		{"DELETE", "/page", "", 405, "It answers GET, HEAD, and your browser sent DELETE."},
		{"GET", "/panics", "", 500, "give an administrator the reference"},
		{"GET", "/says", "", 403, "No &#34;&lt;script&gt;&#34;xxx"},
		{"POST", "/form", strings.Repeat("x", 70<<10), 413, "The form is larger than 64 KiB."},
	} {
		page := ask(c.method, c.path, browser, c.body)
		recorded := c.status != http.StatusNotFound && c.status != http.StatusMethodNotAllowed
		if !strings.HasPrefix(page.Header().Get("Content-Type"), "text/html") || page.Code != c.status ||
			!strings.Contains(page.Body.String(), c.want) || !strings.Contains(page.Body.String(), "A product") ||
			strings.Contains(page.Body.String(), page.Header().Get("X-Request-Id")) != recorded ||
			strings.Count(page.Body.String(), "<h1>") != 1 || page.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("%s %s: %d %v %s", c.method, c.path, page.Code, page.Header(), page.Body)
		}
		words := ask(c.method, c.path, "*/*", c.body)
		if strings.Contains(words.Body.String(), "<html") || words.Code != c.status {
			t.Errorf("%s %s for a program: %d %s", c.method, c.path, words.Code, words.Body)
		}
	}
	// the last is of programs in Java that set none
	for _, accept := range []string{"*/*", "application/json", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"} {
		if w := ask("GET", "/data", accept, ""); w.Body.String() != `{"message":"it is &lt;b> gone"}` || w.Code != 404 {
			t.Errorf("JSON for %s: %d %s", accept, w.Code, w.Body)
		}
	}
	for path, want := range map[string]string{
		"/data": "It answered: It is &amp;lt;b&gt; gone.", "/xml": "It answered: No &lt;b&gt;.",
		"/long": "only programs can read",
	} {
		if w := ask("GET", path, browser, ""); !strings.Contains(w.Body.String(), want) || w.Code != 404 {
			t.Errorf("%s in a browser: %d %s", path, w.Code, w.Body)
		}
	}
	if w := ask("HEAD", "/nothing", browser, ""); w.Code != 404 {
		t.Errorf("HEAD: %d", w.Code)
	}
}
