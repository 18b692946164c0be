package graph_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
)

// asked notes what a program sends, and answers with a token and nothing else.
type asked struct{ scope string }

func (a *asked) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	if s := r.PostForm.Get("scope"); s != "" {
		a.scope = s
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"access_token":"t","token_type":"Bearer","expires_in":3600}`)),
	}, nil
}

// TestATokenIsForTheGraphThatIsAsked: national clouds take none for the worldwide Graph.
func TestATokenIsForTheGraphThatIsAsked(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"https://graph.microsoft.com/v1.0":             "https://graph.microsoft.com/.default",
		"https://graph.microsoft.us/v1.0":              "https://graph.microsoft.us/.default",
		"https://DOD-graph.microsoft.us/v1.0/":         "https://dod-graph.microsoft.us/.default",
		"https://microsoftgraph.chinacloudapi.cn/v1.0": "https://microsoftgraph.chinacloudapi.cn/.default",
		"http://127.0.0.1:8081/graph/v1.0":             "https://graph.microsoft.com/.default",
		"https://graph.microsoft.us.example/v1.0":      "https://graph.microsoft.com/.default",
	} {
		a := &asked{}
		using := &http.Client{Transport: a}
		c := graph.NewClient(t.Context(), base, "https://login.example/t/token", "id", "secret", using)
		if err := c.Do(t.Context(), http.MethodGet, "/me", nil, nil); err != nil {
			t.Fatal(err)
		}
		if a.scope != want {
			t.Errorf("%s: a token for %q, want %q", base, a.scope, want)
		}
	}
}
