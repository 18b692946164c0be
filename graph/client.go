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
	"slices"
	"strconv"
	"strings"
	"syscall"
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
	return ClientOf(ctx, baseURL, Tokens(ctx, Scope(baseURL), tokenURL, clientID, clientSecret, base), base)
}

// nationalHosts are Graphs that take tokens for themselves only. Source: "Microsoft Graph national
// cloud deployments".
var nationalHosts = []string{"graph.microsoft.us", "dod-graph.microsoft.us", "microsoftgraph.chinacloudapi.cn"}

// Scope is what a token is asked for that the Graph at baseURL takes. Ours take Microsoft's.
func Scope(baseURL string) string {
	host := "graph.microsoft.com"
	if u, err := url.Parse(baseURL); err == nil && slices.Contains(nationalHosts, strings.ToLower(u.Hostname())) {
		host = strings.ToLower(u.Hostname())
	}
	return "https://" + host + "/.default"
}

// Tokens are those that client credentials get at tokenURL for a scope.
func Tokens(
	ctx context.Context, scope, tokenURL, clientID, clientSecret string, base *http.Client,
) oauth2.TokenSource {
	config := clientcredentials.Config{
		ClientID:     clientID,
		ClientSecret: clientSecret,
		TokenURL:     tokenURL,
		Scopes:       []string{scope},
		AuthStyle:    oauth2.AuthStyleInParams,
	}
	return config.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, staying(base)))
}

// ClientOf returns a client that asks with the tokens of a source.
func ClientOf(ctx context.Context, baseURL string, tokens oauth2.TokenSource, base *http.Client) *Client {
	ctx = context.WithValue(ctx, oauth2.HTTPClient, staying(base))
	return &Client{BaseURL: strings.TrimRight(baseURL, "/"), HTTP: oauth2.NewClient(ctx, tokens)}
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

	RetryAfter time.Duration // for how long it asks to be left alone; zero: it does not
}

func (e *Error) Error() string {
	text := strings.TrimSpace(fmt.Sprintf("Microsoft Graph answered %d %s", e.Status, e.Code))
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.Request != "" {
		text += " (request " + e.Request + ")"
	}
	return text
}

// NotFound says whether the error is Graph's 404.
func NotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound
}

// BadRequest says whether the error is Graph's 400.
func BadRequest(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusBadRequest
}

// NoResource says whether the error is Graph's word that an object is not there: a 404 with a code
// of Graph's, of which there are several. Another 404 may be of somebody in between.
func NoResource(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Code == "Request_ResourceNotFound" || (e.Status == http.StatusNotFound && e.Code != "")
}

// Lasting says whether the error is an answer that comes again when the same is asked for again: it
// is about what was asked for, or what whoever asks may see (403, until somebody lets them), not
// about when, or how often.
func Lasting(err error) bool {
	var e *Error
	if !errors.As(err, &e) || e.Status/100 != 4 {
		return false
	}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusConflict,
		http.StatusMisdirectedRequest, http.StatusLocked, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return e.Status != http.StatusNotFound
}

const (
	maxTries  = 6        //bound:depth tries of a request to Graph
	maxLost   = 3        //bound:depth tries of a request to Graph whose answer is lost
	maxAnswer = 16 << 20 //bound:body an answer of Graph
)

// Has says whether a link is of this Graph.
func (c *Client) Has(link string) bool { return strings.HasPrefix(link, c.BaseURL+"/") }

// Do sends one request and decodes the answer into out, which may be nil. path begins with a slash,
// or is a whole URL such as a nextLink, which must be of this Graph: the token is sent to no other.
// Throttled requests are sent again after the time that the service asks for; those that only read,
// also when the answer was lost.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	return c.do(ctx, method, path, in, out, false)
}

// Once is Do for what would be made twice. A service that is unavailable may have carried a request
// out, so it is sent again only when there were too many.
func (c *Client) Once(ctx context.Context, method, path string, in, out any) error {
	return c.do(ctx, method, path, in, out, true)
}

func (c *Client) do(ctx context.Context, method, path string, in, out any, once bool) error {
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
		var answered *Error
		if err == nil || wait == 0 || try == maxTries || (try == maxLost && !errors.As(err, &answered)) {
			return err
		}
		throttled := errors.As(err, &answered) && answered.Status == http.StatusTooManyRequests
		if once && !throttled {
			return err
		}
		if wait == soon {
			wait = time.Second << (try - 1)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

// soon is a wait that the service did not name: a longer one each time.
const soon = time.Duration(-1) //bound:none a mark; its value is no time

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
		var unsigned *SignInError
		if errors.As(err, &unsigned) {
			return 0, unsigned
		}
		return again(ctx, method, err), fmt.Errorf("reach Microsoft Graph: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // a read body has nothing to lose
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return again(ctx, method, err), fmt.Errorf("read Microsoft Graph's answer: %w", err)
	}
	if res.StatusCode/100 != 2 {
		wait, failed := retryAfter(res, method), failure(res, data, method, req.URL.Path)
		failed.RetryAfter = max(wait, 0)
		return wait, failed
	}
	if out == nil || len(data) == 0 {
		return 0, nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		what := WebPage(res.Header.Get("Content-Type"), data)
		if what == "" {
			what = "another: " + err.Error()
		}
		return 0, &NotGraphError{Status: res.StatusCode, What: what, Path: method + " " + req.URL.Path, Err: err}
	}
	return 0, nil
}

// again says whether a request is sent again though its answer was lost: if it only reads.
func again(ctx context.Context, method string, err error) time.Duration {
	lost := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
	if method != http.MethodGet || ctx.Err() != nil || !lost {
		return 0
	}
	return soon
}

// retryAfter is how long a service asks to wait. A gateway that gave up may have passed the request
// on: it is sent again only if it changes nothing. Source: "Microsoft Graph error responses".
func retryAfter(res *http.Response, method string) time.Duration {
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		if method != http.MethodGet {
			return 0
		}
	default:
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
	return soon
}

// longestWait bounds what a Graph asks to wait.
const longestWait = 5 * time.Minute //bound:wait what a Graph asks to wait

// maxPages bounds how many pages All follows: a million objects of 100 a page.
const maxPages = 10_000 //bound:list pages of a list of Graph

// Pages hands each page of a collection to use, in order.
func Pages[T any](ctx context.Context, c *Client, path string, use func([]T)) error {
	first, been := path, Trail{}
	for range maxPages {
		var page Page[T]
		if err := c.Do(ctx, http.MethodGet, path, nil, &page); err != nil {
			return err
		}
		use(page.Value)
		if page.NextLink == "" {
			return nil
		}
		if err := been.Onward(path, page.NextLink); err != nil {
			return err
		}
		path = page.NextLink
	}
	first, _, _ = strings.Cut(first, "?")
	return fmt.Errorf("%s has more than %d pages", first, maxPages)
}

// Trail are the pages of a list that were read.
type Trail map[string]bool

// Onward notes that a page was read, and refuses a next one that was: the list would never end.
func (t Trail) Onward(read, next string) error {
	if t[read] = true; !t[next] {
		return nil
	}
	path, _, _ := strings.Cut(read, "?")
	return fmt.Errorf("%s does not end: Microsoft Graph gave the same page again and again", path)
}

// All returns every object of a collection, following its pages.
func All[T any](ctx context.Context, c *Client, path string) (all []T, err error) {
	err = Pages(ctx, c, path, func(page []T) { all = append(all, page...) })
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Filter builds a query string with $filter, and quotes the value as OData does.
func Filter(property, value string) string {
	return "?" + url.Values{"$filter": {property + " eq '" + strings.ReplaceAll(value, "'", "''") + "'"}}.Encode()
}
