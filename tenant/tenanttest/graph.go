package tenanttest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
)

// Graph is Microsoft Graph as a test asks it: what must succeed fails the test where it does not.
type Graph struct {
	T      testing.TB
	Client *graph.Client
}

// Change sends a request that must succeed.
func (g Graph) Change(method, path string, in, out any) {
	g.T.Helper()
	if err := g.Client.Do(context.Background(), method, path, in, out); err != nil {
		g.T.Fatalf("%s %s: %v", method, path, err)
	}
}

// Ask sends a request with headers, such as "Prefer: x", and returns the status, the headers and
// the body as it came.
func (g Graph) Ask(method, path string, body any, headers ...string) (int, http.Header, string) {
	g.T.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		g.T.Fatal(err)
	}
	if !strings.HasPrefix(path, "http") {
		path = g.Client.BaseURL + path
	}
	req, err := http.NewRequestWithContext(context.Background(), method, path, bytes.NewReader(data))
	if err != nil {
		g.T.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := g.Client.HTTP.Do(req)
	if err != nil {
		g.T.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(res.Body)
	if err != nil {
		g.T.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}

// List reads all pages of a collection with headers and returns one property of its objects.
func (g Graph) List(path, property string, headers ...string) (values []string) {
	g.T.Helper()
	for path != "" {
		status, _, body := g.Ask(http.MethodGet, path, nil, headers...)
		var page graph.Page[map[string]any]
		if err := json.Unmarshal([]byte(body), &page); err != nil || status != http.StatusOK {
			g.T.Fatalf("%s: %d %s", path, status, body)
		}
		for _, x := range page.Value {
			values = append(values, fmt.Sprint(x[property]))
		}
		path = page.NextLink
	}
	return values
}

// Group returns the only group of a name.
func (g Graph) Group(name string) graph.Group {
	g.T.Helper()
	found, err := graph.All[graph.Group](context.Background(), g.Client, "/groups"+graph.Filter("displayName", name))
	if err != nil || len(found) != 1 {
		g.T.Fatalf("group %s: %v, %v", name, found, err)
	}
	return found[0]
}

// User returns the user of a user principal name.
func (g Graph) User(userPrincipalName string) graph.User {
	g.T.Helper()
	var u graph.User
	g.Change(http.MethodGet, "/users/"+userPrincipalName, nil, &u)
	return u
}
