package webtest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Office is the pages of one half's administrators, at a URL such as https://center/console.
type Office string

// Enter signs in by the password and returns the page that it leads to.
func (o Office) Enter(t testing.TB, name, password string) (v Visitor, page string) {
	t.Helper()
	v = New(t, nil)
	prefix := string(o)[strings.LastIndex(string(o), "/"):]
	form := url.Values{"username": {name}, "password": {password}, "return": {prefix + "/account"}}
	_, page = v.Send(http.MethodPost, string(o)+"/login", form)
	return v, page
}

// In says whether a visitor is signed in.
func (o Office) In(v Visitor) bool {
	v.T.Helper()
	_, page := v.Send(http.MethodGet, string(o)+"/account", nil)
	return strings.Contains(page, "<h1>Your account</h1>")
}
