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
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
)

// Client talks to a SCIM service provider.
type Client struct {
	BaseURL string // the tenant URL; a trailing slash and a query string are allowed
	Token   string
	HTTP    *http.Client // http.DefaultClient when nil
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 16 << 20 //bound:body an answer of a SCIM target

// Problem is an answer that is no success: the status, the provider's own words and how long it
// asks to wait.
type Problem struct {
	Status     int
	Detail     string
	RetryAfter time.Duration // zero: not said
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

// Do sends one request. path begins with a slash; in and out may be nil.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	base, err := url.Parse(c.BaseURL)
	if err != nil || base.Host == "" {
		return fmt.Errorf("the tenant URL %q is not a URL", c.BaseURL)
	}
	base.Path, base.RawQuery = strings.TrimRight(base.Path, "/")+path, query.Encode()
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode a SCIM request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	req, err := http.NewRequestWithContext(ctx, method, base.String(), body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	req.Header.Set("Accept", ContentType+", application/json")
	if in != nil {
		req.Header.Set("Content-Type", ContentType)
	}
	res, err := c.client().Do(req)
	if err != nil {
		return &Unanswered{connected.Load(), fmt.Errorf("reach the SCIM endpoint: %w", err)}
	}
	defer res.Body.Close() //nolint:errcheck // a read body has nothing to lose
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return &Unanswered{true, fmt.Errorf("read the SCIM endpoint's answer: %w", err)}
	}
	if res.StatusCode/100 != 2 {
		return problem(res, data)
	}
	if out == nil || len(data) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return &Problem{Status: res.StatusCode, Detail: "the answer is not SCIM JSON"}
	}
	return nil
}

// client follows no redirect: whoever answers would choose where the token, and what is written,
// goes.
func (c *Client) client() *http.Client {
	client := http.Client{}
	if c.HTTP != nil {
		client = *c.HTTP
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
	p := &Problem{Status: res.StatusCode}
	var body struct {
		Detail string `json:"detail"`
	}
	switch {
	case res.StatusCode/100 == 3:
		p.Detail = "redirects are not followed, since the token would go there: give the address that answers"
	case json.Unmarshal(data, &body) == nil:
		p.Detail = words(body.Detail)
	}
	if s, err := strconv.ParseFloat(res.Header.Get("Retry-After"), 64); err == nil && s > 0 {
		p.RetryAfter = time.Duration(min(s, 3600) * float64(time.Second))
	}
	return p
}

// Quote writes a text as a filter value.
func Quote(s string) string {
	data, _ := json.Marshal(s) // strings always encode
	return string(data)
}

// Find returns the resources under path (such as /Users) whose attribute equals value. Members are
// left out.
func (c *Client) Find(ctx context.Context, path, attribute, value string) ([]Resource, error) {
	query := url.Values{"filter": {attribute + " eq " + Quote(value)}}
	if path == "/Groups" {
		query.Set("excludedAttributes", "members")
	}
	var list ListResponse
	err := c.Do(ctx, http.MethodGet, path, query, nil, &list)
	return list.Resources, err
}

// List returns a page of the resources under path, such as /Users, from the start-th on (1 is the
// first). Members are left out.
func (c *Client) List(ctx context.Context, path string, start, count int) (list ListResponse, err error) {
	query := url.Values{"startIndex": {strconv.Itoa(start)}, "count": {strconv.Itoa(count)}}
	if path == "/Groups" {
		query.Set("excludedAttributes", "members")
	}
	err = c.Do(ctx, http.MethodGet, path, query, nil, &list)
	return list, err
}

// Create makes a resource under path and returns it as the provider has it.
func (c *Client) Create(ctx context.Context, path string, r Resource) (Resource, error) {
	var out Resource
	err := c.Do(ctx, http.MethodPost, path, nil, r, &out)
	return out, err
}

// Patch changes the resource at path, such as /Users/ID.
func (c *Client) Patch(ctx context.Context, path string, ops ...Operation) error {
	return c.Do(ctx, http.MethodPatch, path, nil, PatchRequest{Schemas: []string{PatchURN}, Operations: ops}, nil)
}

// Delete removes the resource at path.
func (c *Client) Delete(ctx context.Context, path string) error {
	return c.Do(ctx, http.MethodDelete, path, nil, nil, nil)
}
