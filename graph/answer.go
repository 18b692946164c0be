package graph

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// SignInError says that there was no token to ask Graph with: nothing was asked.
type SignInError struct {
	Err error
	Say string // what the sign-in answered, on one line
	Do  string // what to do
}

func (e *SignInError) Error() string {
	return strings.TrimRight("the sign-in to the tenant failed: "+e.Say, ". ") + ". " + e.Do
}
func (e *SignInError) Unwrap() error { return e.Err }

// FixedPermissions is why a person who may do everything can be refused. Source: issues on the
// tokens that the Azure CLI gets (Azure/azure-cli#23906, #26471, #33062).
const FixedPermissions = "A token of the Azure CLI's application (--sign-in azure-cli, and browser or device-code " +
	"without --client-id) has the permissions that Microsoft chose, and no role adds to them: sign in by an " +
	"application of your own that has this one"

// NotGraphError is an answer of something else than Graph: a proxy's page, or another address.
type NotGraphError struct {
	Status int
	What   string // what came, in words
	Path   string // what was asked, without the query
	Err    error
}

func (e *NotGraphError) Error() string {
	return fmt.Sprintf(
		"the answer to %s is not the JSON that was expected: it is %s (status %d). Something else than Microsoft "+
			"Graph answers, such as a proxy, or the URL of Graph is another one", e.Path, e.What, e.Status,
	)
}
func (e *NotGraphError) Unwrap() error { return e.Err }

const maxTitle = 80 //bound:text the title of a page that came instead of an answer

var pageTitle = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)

// WebPage describes a web page by its title; "" if the body is none.
func WebPage(contentType string, body []byte) string {
	kind, _, _ := mime.ParseMediaType(contentType)
	text := strings.TrimSpace(string(body[:min(len(body), maxErrorBody)]))
	if kind != "text/html" && !strings.HasPrefix(text, "<") {
		return ""
	}
	m := pageTitle.FindStringSubmatch(text)
	if m == nil {
		return "a web page"
	}
	return fmt.Sprintf("a web page, %q", cut(strings.Join(strings.Fields(m[1]), " "), maxTitle))
}

const maxErrorBody = 64 << 10 //bound:body of an answer that is no success, what is read for its words

func cut(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

// failure is an answer that is no success.
func failure(res *http.Response, body []byte, method, path string) *Error {
	f := &Error{Status: res.StatusCode, Request: res.Header.Get("request-id"), Method: method, Path: path}
	var e ErrorBody
	if json.Unmarshal(body, &e) == nil {
		f.Code, f.Message = e.Error.Code, e.Error.Message
	}
	if f.Code != "" || f.Message != "" {
		return f
	}
	if to, err := url.Parse(res.Header.Get("Location")); err == nil && to.Host != "" && res.StatusCode/100 == 3 {
		f.Message = "it leads to " + to.Scheme + "://" + to.Host + ", which is not followed"
	} else if what := WebPage(res.Header.Get("Content-Type"), body); what != "" {
		f.Message = "it is " + what + ", and no error of Graph's: a proxy may stand between"
	}
	return f
}
