package webtest

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// Caller sends one request to each route of a half, as somebody who is signed in everywhere.
type Caller struct {
	URL     string
	Cookies []*http.Cookie
	// Parameter is the value of a wildcard of a route.
	Parameter func(route, name string) string
	// Form is sent to every route that takes one; routes pass over what they do not know.
	Form url.Values
	// Change adds to a request what its route needs.
	Change func(route string, r *http.Request)
}

// Answer is what a request got.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

var wildcard = regexp.MustCompile(`\{([a-zA-Z]+)(\.\.\.)?\}`)

// Call sends the request of a route. It keeps no cookies that come back.
func (c Caller) Call(t testing.TB, route string) Answer {
	t.Helper()
	method, path, ok := strings.Cut(route, " ")
	if !ok {
		method, path = http.MethodGet, route
	}
	if path = strings.TrimSuffix(path, "{$}"); !strings.HasPrefix(path, "/") {
		path = "/" // Change knows where it leads
	}
	path = wildcard.ReplaceAllStringFunc(path, func(w string) string {
		return url.PathEscape(c.Parameter(route, wildcard.FindStringSubmatch(w)[1]))
	})
	query := "?" + c.Form.Encode()
	r, err := http.NewRequestWithContext(context.Background(), method, c.URL+path+query, http.NoBody)
	if method == http.MethodPost {
		r, err = http.NewRequestWithContext(
			context.Background(), method, c.URL+path, strings.NewReader(c.Form.Encode()),
		)
	}
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, cookie := range c.Cookies {
		r.AddCookie(cookie)
	}
	c.Change(route, r)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	if err != nil {
		t.Fatalf("%s: %v", route, err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s: %v", route, err)
	}
	return Answer{res.StatusCode, res.Header, string(body)}
}

// SentAway says whether an answer leads somebody to a page of a sign-in.
func (a Answer) SentAway() bool { return strings.Contains(a.Header.Get("Location"), "login") }

// Later says what is wrong with an answer that asks to come back later; "" is good. A page has
// words for people and a reference, and one that was read loads itself again.
func (a Answer) Later(route, want string) string {
	switch {
	case a.Status != http.StatusServiceUnavailable:
		return "the status is not 503"
	case a.Header.Get("Retry-After") == "":
		return "it has no Retry-After"
	case !strings.Contains(a.Body, want):
		return "it does not say " + want
	case !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html"):
		return ""
	case !strings.Contains(a.Body, a.Header.Get("X-Request-Id")):
		return "it has no reference"
	case strings.HasPrefix(route, "GET ") != (a.Header.Get("Refresh") != ""):
		return "it loads itself again, or should"
	}
	return ""
}

// Wrong says what is wrong with an answer in an outage of which a part still works; "" is good.
// healthy is what the request gets at other times.
func (a Answer) Wrong(route, want string, healthy Answer) string {
	switch {
	case a.Status == http.StatusServiceUnavailable:
		return a.Later(route, want)
	case a.Status >= http.StatusBadRequest && a.Status != healthy.Status:
		return "it says that something else is wrong"
	case a.SentAway() && !healthy.SentAway():
		return "it says that nobody is signed in"
	}
	return ""
}
