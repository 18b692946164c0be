package scim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
)

// Client talks to a SCIM service provider.
type Client struct {
	BaseURL string // the tenant URL; a trailing slash and a query string are allowed
	Token   string
	HTTP    *http.Client // nil: one whose connections such clients share, and nobody else has
	// Patience ends requests, but for creations, that have no answer while the service answers
	// others; nil: they wait for as long as HTTP lets them.
	Patience *Patience
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 16 << 20 //bound:body an answer of a SCIM target

// Problem is an answer that is no success: the status, the provider's own words and how long it
// asks to wait.
type Problem struct {
	Status     int
	Type       string // the scimType; empty: not said
	Detail     string
	RetryAfter time.Duration // zero: not said
	// Foreign says that the answer has no SCIM error in it (RFC 7644 §3.12): it may be that of a
	// proxy or a gateway, which does not know what the service has.
	Foreign bool
}

func (p *Problem) Error() string {
	return fmt.Sprintf("the SCIM endpoint answered %d %s: %s", p.Status, http.StatusText(p.Status), p.Detail)
}

// Unanswered means that a request has no answer, or only half of one.
type Unanswered struct {
	Sent bool // it may have arrived all the same; false: no connection came about
	Err  error
}

func (u *Unanswered) Error() string { return u.Err.Error() }

// Unwrap returns the connection's error.
func (u *Unanswered) Unwrap() error { return u.Err }

// Do sends one request. path begins with a slash, and its segments are escaped; in and out may be
// nil.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	_, err := c.do(ctx, method, path, query, in, out)
	return err
}

// Item is the path of the resource with an id under path, such as /Users.
func Item(path, id string) string { return path + "/" + url.PathEscape(id) }

// below is the address of an escaped path below that of a service.
func below(base *url.URL, path string) (*url.URL, error) {
	raw := strings.TrimRight(base.EscapedPath(), "/") + path
	plain, err := url.PathUnescape(raw)
	if err != nil {
		return nil, fmt.Errorf("the path %q is not one of a URL: %w", path, err)
	}
	at := *base
	at.Path, at.RawPath = plain, raw
	return &at, nil
}

// encode writes a body. Unlike encoding/json's default, &, < and > stay as they are: a filter in a
// path is text of SCIM, which a service may read without undoing JSON's escapes.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	to := json.NewEncoder(&out)
	to.SetEscapeHTML(false)
	err := to.Encode(v)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// do is Do, and returns where the service says that the resource is.
func (c *Client) do(
	ctx context.Context, method, path string, query url.Values, in, out any,
) (location string, err error) {
	base, err := url.Parse(c.BaseURL)
	if err != nil || base.Host == "" {
		return "", fmt.Errorf("the tenant URL %q is not a URL", c.BaseURL)
	}
	if base, err = below(base, path); err != nil {
		return "", err
	}
	base.RawQuery = query.Encode()
	var body io.Reader
	if in != nil {
		data, err := encode(in)
		if err != nil {
			return "", fmt.Errorf("encode a SCIM request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	ctx, alive, end := c.attend(ctx, method)
	defer end()
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	req, err := http.NewRequestWithContext(ctx, method, base.String(), body)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	req.Header.Set("Accept", ContentType+", application/json")
	if in != nil {
		req.Header.Set("Content-Type", ContentType)
	}
	res, err := c.client().Do(req)
	if err != nil {
		return "", &Unanswered{connected.Load(), lost(ctx, fmt.Errorf("reach the SCIM endpoint: %w", err))}
	}
	defer res.Body.Close() //nolint:errcheck // a read body has nothing to lose
	alive()
	data, err := io.ReadAll(listened{io.LimitReader(res.Body, maxAnswer), alive})
	if err != nil {
		return "", &Unanswered{true, lost(ctx, fmt.Errorf("read the SCIM endpoint's answer: %w", err))}
	}
	if res.StatusCode/100 != 2 {
		return "", problem(res, data)
	}
	location = res.Header.Get("Location")
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return location, nil
	case out == nil && json.Valid(data), out != nil && json.Unmarshal(data, out) == nil:
		return location, nil
	}
	// A page that asks to sign in, or tells of maintenance, comes with status 200 too.
	return location, unread(res.StatusCode, "JSON")
}

// unread means that an answer is called a success, and is not what a SCIM service answers.
func unread(status int, what string) *Problem {
	return &Problem{Status: status, Detail: "the answer is not SCIM " + what, Foreign: true}
}

// shared are the connections of clients that were given none. Those of http.DefaultTransport may be
// closed by anybody while a request begins on one, as each test server does when it ends.
var shared = sync.OnceValue(func() http.RoundTripper {
	if general, ok := http.DefaultTransport.(*http.Transport); ok {
		return general.Clone()
	}
	return http.DefaultTransport
})

// client follows no redirect: whoever answers would choose where the token, and what is written,
// goes.
func (c *Client) client() *http.Client {
	client := http.Client{}
	switch {
	case c.HTTP != nil:
		client = *c.HTTP
	default:
		client.Transport = shared()
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// maxDetail bounds what is kept of a provider's own words, in bytes.
const maxDetail = 1024 //bound:text what a SCIM target says about a failure

// words makes of a provider's own words what can be shown and logged: so much of them, without
// characters that mean something to a terminal.
func words(text string) string {
	text = strings.ToValidUTF8(text[:min(len(text), maxDetail)], "")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}

func problem(res *http.Response, data []byte) error {
	p := &Problem{Status: res.StatusCode, Foreign: true}
	var body struct {
		Schemas []string `json:"schemas"`
		Schema  []string `json:"schema"` // so AWS called it, and still does
		Type    string   `json:"scimType"`
		Detail  string   `json:"detail"`
	}
	err := json.Unmarshal(data, &body)
	for _, schema := range slices.Concat(body.Schemas, body.Schema) {
		p.Foreign = p.Foreign && !strings.EqualFold(schema, ErrorURN)
	}
	switch {
	case res.StatusCode/100 == 3:
		p.Detail = "redirects are not followed, since the token would go there: give the address that answers"
	case err == nil:
		p.Type, p.Detail = words(body.Type), words(body.Detail)
	}
	p.RetryAfter = retryAfter(res.Header)
	return p
}

// longestWait bounds what a service asks to wait.
const longestWait = time.Hour //bound:wait what a SCIM target asks to wait

// retryAfter reads how long an answer asks to wait: seconds, or a date, counted from that of the
// answer, since the two clocks may differ (RFC 9110 §10.2.3). Zero: it does not say.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if s, err := strconv.ParseFloat(text, 64); err == nil {
		return time.Duration(min(max(s, 0), longestWait.Seconds()) * float64(time.Second))
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	from, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		from = time.Now()
	}
	return min(max(at.Sub(from), 0), longestWait)
}

// Quote writes a text as a filter value.
func Quote(s string) string {
	data, _ := encode(s) // strings always encode
	return string(data)
}

// Find returns the resources under path (such as /Users) whose attribute equals value. Members are
// left out.
func (c *Client) Find(ctx context.Context, path, attribute, value string) ([]Resource, error) {
	query := url.Values{"filter": {attribute + " eq " + Quote(value)}}
	if path == "/Groups" {
		query.Set("excludedAttributes", "members")
	}
	list, err := c.Search(ctx, path, query)
	return list.Resources, err
}

// Search asks for the resources under path. What is no list is a Problem: nobody may take it for an
// empty one.
func (c *Client) Search(ctx context.Context, path string, query url.Values) (list ListResponse, err error) {
	if err := c.Do(ctx, http.MethodGet, path, query, nil, &list); err != nil {
		return list, err
	}
	if list.TotalResults == nil && list.Resources == nil {
		return list, unread(http.StatusOK, "list")
	}
	return list, nil
}

// Get reads the resource at path, such as /Users/ID.
func (c *Client) Get(ctx context.Context, path string, query url.Values) (there Resource, err error) {
	if err := c.Do(ctx, http.MethodGet, path, query, nil, &there); err != nil {
		return nil, err
	}
	if there.String("id") == "" { // which every resource has (RFC 7643 §3.1)
		return nil, unread(http.StatusOK, "resource")
	}
	return there, nil
}

// List returns a page of the resources under path, such as /Users, from the start-th on (1 is the
// first). Members are left out.
func (c *Client) List(ctx context.Context, path string, start, count int) (list ListResponse, err error) {
	query := url.Values{"startIndex": {strconv.Itoa(start)}, "count": {strconv.Itoa(count)}}
	if path == "/Groups" {
		query.Set("excludedAttributes", "members")
	}
	return c.Search(ctx, path, query)
}

// Create makes a resource under path and returns it as the provider has it. Of one that answers
// with nothing but the Location (RFC 7644 §3.3), that is the id.
func (c *Client) Create(ctx context.Context, path string, r Resource) (Resource, error) {
	var out Resource
	location, err := c.do(ctx, http.MethodPost, path, nil, r, &out)
	if err != nil || out.String("id") != "" {
		return out, err
	}
	if id := idAt(location, path); id != "" {
		if out == nil {
			out = Resource{}
		}
		out["id"] = id
	}
	return out, nil
}

// idAt is the id in the address of a resource under path; "" for any other address.
func idAt(location, path string) string {
	at, err := url.Parse(location)
	if err != nil {
		return ""
	}
	raw := at.EscapedPath()
	start := strings.LastIndex(raw, path+"/")
	if start < 0 {
		return ""
	}
	id, err := url.PathUnescape(raw[start+len(path)+1:])
	if err != nil || strings.Contains(raw[start+len(path)+1:], "/") {
		return ""
	}
	return id
}

// Patch changes the resource at path, such as /Users/ID.
func (c *Client) Patch(ctx context.Context, path string, ops ...Operation) error {
	return c.Do(ctx, http.MethodPatch, path, nil, PatchRequest{Schemas: []string{PatchURN}, Operations: ops}, nil)
}

// Delete removes the resource at path.
func (c *Client) Delete(ctx context.Context, path string) error {
	return c.Do(ctx, http.MethodDelete, path, nil, nil, nil)
}
