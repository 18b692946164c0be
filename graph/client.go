package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Client calls Microsoft Graph.
type Client struct {
	BaseURL string       // the Graph root with its version, such as https://graph.microsoft.com/v1.0
	HTTP    *http.Client // adds its own token; see NewClient
}

// NewClient returns a client that signs in with client credentials at tokenURL, once per token's
// life.
func NewClient(ctx context.Context, baseURL, tokenURL, clientID, clientSecret string, base *http.Client) *Client {
	config := clientcredentials.Config{
		ClientID:     clientID,
		ClientSecret: clientSecret,
		TokenURL:     tokenURL,
		Scopes:       []string{"https://graph.microsoft.com/.default"},
		AuthStyle:    oauth2.AuthStyleInParams,
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, staying(base))
	return &Client{BaseURL: strings.TrimRight(baseURL, "/"), HTTP: config.Client(ctx)}
}

// staying is a client that follows no redirect: whoever answers would choose where the client's
// secret or its token goes. (The transport of oauth2 adds the token to every request, also to other
// hosts.)
func staying(base *http.Client) *http.Client {
	client := http.Client{}
	if base != nil {
		client = *base
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// Error is an answer that is no success.
type Error struct {
	Status  int
	Code    string
	Message string
	Request string // the request-id, to be found in the tenant's log
	Method  string // of what was asked
	Path    string // its path, without the query
}

func (e *Error) Error() string {
	return fmt.Sprintf("Microsoft Graph answered %d %s: %s (request %s)", e.Status, e.Code, e.Message, e.Request)
}

// NotFound says whether the error is Graph's 404.
func NotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound
}

const (
	maxTries  = 6        //bound:depth tries of a request to Graph
	maxAnswer = 16 << 20 //bound:body an answer of Graph
)

// Has says whether a link is of this Graph.
func (c *Client) Has(link string) bool { return strings.HasPrefix(link, c.BaseURL+"/") }

// Do sends one request and decodes the answer into out, which may be nil. path begins with a slash,
// or is a whole URL such as a nextLink, which must be of this Graph: the token is sent to no other.
// Throttled requests are sent again after the time that the service asks for.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	address := path
	if strings.HasPrefix(path, "/") {
		address = c.BaseURL + path
	} else if !c.Has(path) {
		return fmt.Errorf("%.100q is not at %s, and the token is not sent elsewhere", path, c.BaseURL)
	}
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("encode a Graph request: %w", err)
		}
	}
	for try := 1; ; try++ {
		wait, err := c.attempt(ctx, method, address, body, out)
		if err == nil || wait == 0 || try == maxTries {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

// attempt sends the request and says how long to wait before it may be sent again; zero: it must
// not be.
func (c *Client) attempt(ctx context.Context, method, address string, body []byte, out any) (time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := staying(c.HTTP).Do(req)
	if err != nil {
		return 0, fmt.Errorf("reach Microsoft Graph: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // a read body has nothing to lose
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return 0, fmt.Errorf("read Microsoft Graph's answer: %w", err)
	}
	if res.StatusCode/100 == 2 {
		if out == nil || len(data) == 0 {
			return 0, nil
		}
		if err := json.Unmarshal(data, out); err != nil {
			return 0, fmt.Errorf("the answer to %s %s is not the JSON that was expected: %w", method, address, err)
		}
		return 0, nil
	}
	failure := &Error{
		Status: res.StatusCode, Request: res.Header.Get("request-id"), Method: method, Path: req.URL.Path,
	}
	var e ErrorBody
	if json.Unmarshal(data, &e) == nil {
		failure.Code, failure.Message = e.Error.Code, e.Error.Message
	}
	return retryAfter(res), failure
}

func retryAfter(res *http.Response) time.Duration {
	if res.StatusCode != http.StatusTooManyRequests && res.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	text := res.Header.Get("Retry-After")
	if s, err := strconv.ParseFloat(text, 64); err == nil && s > 0 {
		return time.Duration(min(s, longestWait.Seconds()) * float64(time.Second))
	}
	if at, err := http.ParseTime(text); err == nil {
		from, err := http.ParseTime(res.Header.Get("Date")) // the two clocks may differ
		if err != nil {
			from = time.Now()
		}
		return min(max(at.Sub(from), time.Second), longestWait)
	}
	return time.Second
}

// longestWait bounds what a Graph asks to wait.
const longestWait = 5 * time.Minute //bound:wait what a Graph asks to wait

// maxPages bounds how many pages All follows: a million objects of 100 a page.
const maxPages = 10_000 //bound:list pages of a list of Graph

// All returns every object of a collection, following its pages.
func All[T any](ctx context.Context, c *Client, path string) ([]T, error) {
	var all []T
	for range maxPages {
		var page Page[T]
		if err := c.Do(ctx, http.MethodGet, path, nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Value...)
		if page.NextLink == "" {
			return all, nil
		}
		path = page.NextLink
	}
	return nil, fmt.Errorf("%s has more than %d pages", path, maxPages)
}

// Filter builds a query string with $filter, and quotes the value as OData does.
func Filter(property, value string) string {
	return "?" + url.Values{"$filter": {property + " eq '" + strings.ReplaceAll(value, "'", "''") + "'"}}.Encode()
}
