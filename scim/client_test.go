package scim_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/gatehouse-id/gatehouse/scim"
)

// serve answers as a SCIM service does, and returns a client of it.
func serve(t *testing.T, answer http.HandlerFunc) *scim.Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return &scim.Client{BaseURL: server.URL + "/scim/v2/?x=1", Token: "token"}
}

func TestAnAnswerSaysHowLongToWait(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Second)
	date := func(after time.Duration) string { return now.Add(after).Format(http.TimeFormat) }
	for retryAfter, want := range map[string]time.Duration{
		"7":                    7 * time.Second,
		"1.5":                  1500 * time.Millisecond,
		"":                     0,
		"-3":                   0,
		"soon":                 0,
		"999999999":            time.Hour,
		date(30 * time.Second): 30 * time.Second,
		date(-time.Minute):     0,
		date(48 * time.Hour):   time.Hour,
	} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", retryAfter)
			w.Header().Set("Date", date(0))
			w.WriteHeader(http.StatusTooManyRequests)
		})
		var p *scim.Problem
		err := c.Do(context.Background(), http.MethodGet, "/Users", nil, nil, nil)
		if !errors.As(err, &p) || p.RetryAfter != want {
			t.Errorf("%q: %v, want %s", retryAfter, err, want)
		}
	}
}

func TestACreationIsKnownByItsLocation(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ location, body, id string }{
		"a body":                       {"", `{"id":"1"}`, "1"},
		"a body goes first":            {"https://x/scim/v2/Users/2", `{"id":"1"}`, "1"},
		"only a location":              {"https://x/scim/v2/Users/2819c223-7f76", "", "2819c223-7f76"},
		"a relative location":          {"/scim/v2/Users/a%40b%2Fc", "", "a@b/c"},
		"a body without an id":         {"https://x/Users/3", `{"userName":"ada"}`, "3"},
		"a location of something else": {"https://x/scim/v2/Groups/3", "", ""},
		"of all users":                 {"https://x/scim/v2/Users/", "", ""},
		"of something below":           {"https://x/scim/v2/Users/3/photo", "", ""},
		"none":                         {"", "", ""},
	} {
		client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if c.location != "" {
				w.Header().Set("Location", c.location)
			}
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, c.body)
		})
		made, err := client.Create(context.Background(), "/Users", scim.Resource{"userName": "ada"})
		if err != nil || made.String("id") != c.id {
			t.Errorf("%s: %v, %v", name, made, err)
		}
	}
}

// TestTextArrivesAsItIs: a filter is text of SCIM, and an id one segment of a path.
func TestTextArrivesAsItIs(t *testing.T) {
	t.Parallel()
	var said string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		said = fmt.Sprintf("%s %s %s %s", r.Method, r.URL.EscapedPath(), r.URL.Query().Get("filter"), body)
		_, _ = io.WriteString(w, `{"totalResults":0}`)
	})
	ctx := context.Background()
	if _, err := c.Find(ctx, "/Groups", "displayName", `R&D <"x"> \ ü`); err != nil ||
		said != `GET /scim/v2/Groups displayName eq "R&D <\"x\"> \\ ü" ` {
		t.Errorf("%s, %v", said, err)
	}
	err := c.Patch(ctx, scim.Item("/Groups", "a/b?c&d"), scim.Operation{
		Op: "add", Path: "members[value eq " + scim.Quote("<1>") + "]", Value: jsontext.Value(`"R&D"`),
	})
	if want := `PATCH /scim/v2/Groups/a%2Fb%3Fc&d  {"schemas":["` + scim.PatchURN +
		`"],"Operations":[{"op":"add","path":"members[value eq \"<1>\"]","value":"R&D"}]}`; err != nil || said != want {
		t.Errorf("%s, %v; want %s", said, err, want)
	}
}

// TestOnlyAnAnswerOfAServiceCounts: a page of somebody in between is neither a success nor a list
// in which nobody is, whatever its status.
func TestOnlyAnAnswerOfAServiceCounts(t *testing.T) {
	t.Parallel()
	const page = "<!doctype html><title>Sign in</title>"
	ctx := context.Background()
	change := func(c *scim.Client) error { return c.Patch(ctx, "/Users/1") }
	remove := func(c *scim.Client) error { return c.Delete(ctx, "/Users/1") }
	search := func(c *scim.Client) error { _, err := c.Find(ctx, "/Users", "userName", "ada"); return err }
	list := func(c *scim.Client) error { _, err := c.List(ctx, "/Users", 1, 10); return err }
	read := func(c *scim.Client) error { _, err := c.Get(ctx, "/Users/1", nil); return err }
	for name, x := range map[string]struct {
		do     func(*scim.Client) error
		status int
		body   string
		want   int // the status of the problem; 0: it is a success
	}{
		"a change, done":                    {change, http.StatusNoContent, "", 0},
		"a change, done without a word":     {change, http.StatusOK, "", 0},
		"a change, with what it makes":      {change, http.StatusOK, `{"id":"1"}`, 0},
		"a change, and a page":              {change, http.StatusOK, page, 200},
		"a deletion, done":                  {remove, http.StatusNoContent, "", 0},
		"a deletion, and a page":            {remove, http.StatusOK, page, 200},
		"a search that finds nobody":        {search, http.StatusOK, `{"totalResults":0}`, 0},
		"a search without a number":         {search, http.StatusOK, `{"Resources":[]}`, 0},
		"a search, and a page":              {search, http.StatusOK, page, 200},
		"a search, and nothing":             {search, http.StatusOK, "", 200},
		"a search, and no list":             {search, http.StatusOK, `{"message":"welcome"}`, 200},
		"a list, and no list":               {list, http.StatusOK, `{}`, 200},
		"one that is there":                 {read, http.StatusOK, `{"id":"1"}`, 0},
		"one that is there, and is nobody":  {read, http.StatusOK, `{}`, 200},
		"one that is there, without a word": {read, http.StatusOK, "", 200},
		"one that is not there":             {read, http.StatusNotFound, "", 404},
		"one that is not there, and a page": {read, http.StatusNotFound, page, 404},
		"one that is gone":                  {remove, http.StatusGone, "", 410},
	} {
		err := x.do(serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(x.status)
			_, _ = io.WriteString(w, x.body)
		}))
		p := new(scim.Problem)
		if errors.As(err, &p); p.Status != x.want || (err == nil) != (x.want == 0) || p.Foreign == (x.want == 0) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	for body, foreign := range map[string]bool{
		`{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404"}`: false,
		`{"schema":["urn:ietf:params:scim:api:messages:2.0:Error"],"detail":"no"}`:   false, // AWS
		`{"detail":"Not Found"}`:                   true,
		`{"status":404,"error":"Not Found"}`:       true,
		`{"schemas":"urn:ietf:params:scim:api:m"}`: true,
		"404 page not found":                       true,
	} {
		p := new(scim.Problem)
		err := read(serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, body)
		}))
		if !errors.As(err, &p) || p.Foreign != foreign {
			t.Errorf("%s: %+v", body, err)
		}
	}
}
