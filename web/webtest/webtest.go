// Package webtest is a browser without a screen, for tests of pages: it keeps cookies, follows
// redirects, fills forms in, and shows pages as text. It runs no scripts.
//
// It imports nothing of ours.
package webtest

import (
	"context"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// Visitor is somebody with a browser.
type Visitor struct {
	T      testing.TB
	Client *http.Client
}

// New returns a visitor with no cookies, who speaks by transport; nil: as usual.
func New(t testing.TB, transport http.RoundTripper) Visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return Visitor{t, &http.Client{Jar: jar, Transport: transport}}
}

// Page is an answer that has been read to its end.
type Page struct {
	Status int
	URL    *url.URL // where it was found, after redirects
	Header http.Header
	Text   string
}

// Do sends a request and reads the page that it leads to.
func (v Visitor) Do(method, address string, form url.Values, headers ...string) Page {
	v.T.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		v.T.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	res, err := v.Client.Do(r)
	if err != nil {
		v.T.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(res.Body)
	if err != nil {
		v.T.Fatal(err)
	}
	return Page{res.StatusCode, res.Request.URL, res.Header, string(body)}
}

// Send sends a request and returns the status and the text of the page that it leads to.
func (v Visitor) Send(method, address string, form url.Values) (int, string) {
	v.T.Helper()
	page := v.Do(method, address, form)
	return page.Status, page.Text
}

// Get returns the text of a page, which must be there.
func (v Visitor) Get(address string) string {
	v.T.Helper()
	status, page := v.Send(http.MethodGet, address, nil)
	if status != http.StatusOK {
		v.T.Fatalf("GET %s: %d %s", address, status, page)
	}
	return page
}

// IsSure posts a form, is asked whether they are sure, and wants a text on the page that follows
// the answer, which it returns.
func (v Visitor) IsSure(address string, form url.Values, want string) string {
	v.T.Helper()
	v.Does(address, form, `name="sure" value="yes"`)
	answer := url.Values{"sure": {"yes"}}
	maps.Copy(answer, form)
	return v.Does(address, answer, want)
}

// Does posts a form and wants a text on the page that follows, which it returns.
func (v Visitor) Does(address string, form url.Values, want string) string {
	v.T.Helper()
	_, page := v.Send(http.MethodPost, address, form)
	if !strings.Contains(page, want) {
		v.T.Fatalf("POST %s: want %q on %s", address, want, page)
	}
	return page
}

// Stays returns the same visitor, who shows redirects and does not follow them.
func (v Visitor) Stays() Visitor {
	client := *v.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return Visitor{v.T, &client}
}

var (
	forms      = regexp.MustCompile(`(?is)<form\b.*?</form>`)
	formAction = regexp.MustCompile(`(?is)^<form[^>]*\baction="([^"]+)"`)
	inputs     = regexp.MustCompile(`(?is)<input\b[^>]*>`)
	hidden     = regexp.MustCompile(`(?i)\btype="hidden"`)
	inputName  = regexp.MustCompile(`(?i)\bname="([^"]+)"`)
	inputValue = regexp.MustCompile(`(?i)\bvalue="([^"]*)"`)
)

// Hidden returns the hidden fields of a page's forms, as a script or a submit button would send
// them. Of those that have one name it has the last.
func Hidden(page string) url.Values {
	form := hiddenIn(page)
	for name, values := range form {
		form[name] = values[len(values)-1:]
	}
	return form
}

func hiddenIn(page string) url.Values {
	form := url.Values{}
	for _, input := range inputs.FindAllString(page, -1) {
		name := inputName.FindStringSubmatch(input)
		value := inputValue.FindStringSubmatch(input)
		if hidden.MatchString(input) && name != nil && value != nil {
			form.Add(html.UnescapeString(name[1]), html.UnescapeString(value[1]))
		}
	}
	return form
}

// Answer is a yes to the question that a page asks, which it must.
func (v Visitor) Answer(page string) url.Values {
	v.T.Helper()
	_, form := v.Form(page, "sure")
	return form
}

// Form returns the form of a page that has a hidden field, which must be there, for it to be sent
// on.
func (v Visitor) Form(page, field string) (action string, form url.Values) {
	v.T.Helper()
	for _, text := range forms.FindAllString(page, -1) {
		to := formAction.FindStringSubmatch(text)
		if form := hiddenIn(text); to != nil && form.Get(field) != "" {
			return html.UnescapeString(to[1]), form
		}
	}
	v.T.Fatalf("no form with %s: %s", field, page)
	return "", nil
}

// Match returns what a pattern's first group finds on a page, which must be there.
func Match(t testing.TB, page string, pattern *regexp.Regexp) string {
	t.Helper()
	m := pattern.FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("nothing like %s on %s", pattern, page)
	}
	return html.UnescapeString(m[1])
}
