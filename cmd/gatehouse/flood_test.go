package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	centerstore "github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/tenant"
	tenantstore "github.com/gatehouse-id/gatehouse/tenant/store"
)

// flood is a request that any stranger can make, and what its events are called.
type flood struct {
	action  string
	n       int
	request func(i int) *http.Request
	dropped bool // not all leave an event
}

func post(t *testing.T, address string, form url.Values, header ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// send makes all requests, some at once, and returns the ids of the first and the last answer.
func (f flood) send(t *testing.T) (first, last string) {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	one := func(i int) string {
		resp, err := client.Do(f.request(i))
		if err != nil {
			t.Error(err)
			return ""
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode >= 500 || resp.StatusCode == http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %s", f.action, resp.Status)
		}
		return resp.Header.Get("X-Request-Id")
	}
	first = one(0)
	var wait sync.WaitGroup
	for k := range 4 {
		wait.Go(func() {
			for i := 1 + k; i < f.n-1; i += 4 {
				one(i)
			}
		})
	}
	wait.Wait()
	return first, one(f.n - 1)
}

// TestStrangersFillNoDisk has strangers make every kind of request that leaves an event, with names
// as long as a form may be, and looks at what is kept of it.
func TestStrangersFillNoDisk(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	d, stop := startDemo(t, "--data", data, "--no-connect")
	huge := strings.Repeat("\x1b]52;c;a\x07ä", 2_000) // larger forms are turned away
	center := []flood{
		{"CredentialVerification", 40, func(int) *http.Request {
			return post(t, d.Center.URL+"/console/login", url.Values{"username": {huge}, "password": {"wrong"}})
		}, false},
		{"CredentialVerification", 40, func(int) *http.Request {
			return post(t, d.Center.URL+"/platform/login", url.Values{"username": {huge}, "password": {"wrong"}})
		}, false},
		{"ForgotPassword", 40, func(int) *http.Request {
			return post(t, d.Center.URL+"/platform/forgot", url.Values{"username": {huge}})
		}, false},
		{"ForgotPassword", 100, func(i int) *http.Request {
			return post(
				t,
				d.Center.URL+"/platform/forgot",
				url.Values{"username": {fmt.Sprintf("nobody%d@example.com", i)}},
			)
		}, true},
		{"ListUsers", 1000, func(int) *http.Request {
			return post(t, d.Center.URL+"/", nil, "X-Amz-Target", "AWSIdentityStore.ListUsers")
		}, false},
		{"SCIM POST CreateUser", 1000, func(i int) *http.Request {
			return post(
				t,
				fmt.Sprintf("%s/%d%s/scim/v2/Users", d.Center.URL, i, strings.Repeat("t", 7000)),
				nil,
				"Authorization",
				"Bearer wrong",
			)
		}, false},
	}
	tenant := []flood{
		{"UserLoggedIn", 40, func(int) *http.Request {
			return post(t, d.Tenant.URL+"/login", url.Values{"loginfmt": {huge + "@example.com"}, "passwd": {"wrong"}})
		}, false},
		{"AdministratorLoggedIn", 40, func(int) *http.Request {
			return post(t, d.Tenant.URL+"/admin/login", url.Values{"username": {huge}, "password": {"wrong"}})
		}, false},
		{"Request token", 300, func(i int) *http.Request {
			return post(
				t,
				d.Tenant.TokenURL,
				url.Values{
					"grant_type":    {"client_credentials"},
					"client_id":     {fmt.Sprint(i, strings.Repeat("c", 60_000))},
					"client_secret": {"wrong"},
					"scope":         {"https://graph.microsoft.com/.default"},
				},
			)
		}, false},
		{"Redeem refresh", 300, func(i int) *http.Request { // by a client that everybody knows
			return post(
				t,
				d.Tenant.TokenURL,
				url.Values{
					"grant_type":    {"refresh_token"},
					"client_id":     {"04b07795-8ddb-461a-bbee-02f9e1bf7b46"},
					"refresh_token": {fmt.Sprint(i)},
				},
			)
		}, false},
		{"POST /v1.0/users", 1000, func(int) *http.Request { return post(t, d.Tenant.GraphURL+"/users", nil) }, false},
	}
	var first, last string
	for _, f := range center {
		from, to := f.send(t)
		if f.action == "ListUsers" {
			first, last = from, to
		}
	}
	for _, f := range tenant {
		f.send(t)
	}
	env := map[string]string{
		"AWS_ACCESS_KEY_ID":     d.AWS.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": d.AWS.SecretAccessKey,
		"AWS_REGION":            d.AWS.Region,
		"GATEHOUSE_CENTER_URL":  d.Center.URL,
	}
	if code, out, errOut := call(t, "", env, "explain", first); code != exitDone ||
		!strings.Contains(out, "ListUsers Refused") ||
		strings.Contains(out, "counted") {
		t.Errorf("the first reference is explained by %d %s%s", code, out, errOut)
	}
	if code, out, errOut := call(t, "", env, "explain", last); code != exitDone ||
		!strings.Contains(out, "only counted") ||
		!strings.Contains(out, "ListUsers Refused") {
		t.Errorf("the last reference is explained by %d %s%s", code, out, errOut)
	}
	if page := of(t, d).Recorded(last); !strings.Contains(page, "only counted") ||
		!strings.Contains(page, "ListUsers") {
		t.Errorf("the console says of the last reference %s", page)
	}
	stop()
	t.Run("center", func(t *testing.T) { few(t, center, centerEvents(t, filepath.Join(data, "center.db"))) })
	t.Run("tenant", func(t *testing.T) { few(t, tenant, tenantEvents(t, filepath.Join(data, "tenant.db"))) })
}

// few expects all requests to be in the events, one by one or counted, and these to be few and
// small.
func few(t *testing.T, floods []flood, events []audit.Event) {
	t.Helper()
	least := map[string]int{}
	most := map[string]int{}
	have := map[string]int{}
	counted := 0
	for _, f := range floods {
		most[f.action] += f.n
		if !f.dropped {
			least[f.action] += f.n
		}
	}
	lines, bytes := 0, 0
	for _, e := range events {
		if !e.FromStranger() {
			continue
		}
		lines++
		bytes += len(sqldb.Encode(e))
		have[e.Action] += max(1, e.Count)
		if e.Action == audit.SeveralKinds {
			counted += e.Count
		}
	}
	for action, n := range most {
		if have[action] > n || have[action]+counted < least[action] {
			t.Errorf("%d of %d %s are in the events, and %d of several kinds", have[action], n, action, counted)
		}
	}
	if lines > 120 || bytes > 200_000 {
		t.Errorf("%d events of %d bytes are kept", lines, bytes)
	}
	t.Logf("%d events, %d bytes: %v", lines, bytes, have)
}

func centerEvents(t *testing.T, path string) (events []audit.Event) {
	t.Helper()
	s, err := centerstore.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // nothing was written to it
	if err := s.View(context.Background(), func(r center.Reader) (err error) {
		events, err = r.Events(center.EventQuery{Limit: 100_000})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return events
}

func tenantEvents(t *testing.T, path string) (events []audit.Event) {
	t.Helper()
	s, err := tenantstore.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // nothing was written to it
	if err := s.View(context.Background(), func(r tenant.Reader) error {
		found, err := r.FindEvents(audit.Query{Limit: 100_000})
		events = found.Events
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return events
}
