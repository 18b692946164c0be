package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestATenantThatOthersReachAsksNoInternalAddress: whoever may test a connection names the address,
// and must not learn by it what stands beside the tenant.
func TestATenantThatOthersReachAsksNoInternalAddress(t *testing.T) {
	t.Parallel()
	x, secure := newThief(t), httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	_, port, _ := net.SplitHostPort(x.Listener.Addr().String())
	never := []string{
		x.URL,
		secure.URL,
		"http://localhost:" + port,
		"https://127.1:" + port,
		"https://2130706433:" + port,
		"https://[::ffff:127.0.0.1]:" + port,
		"http://169.254.169.254/latest/meta-data",
		"https://169.254.169.254/",
		"https://[fd00:ec2::254]/",
		"https://0.0.0.0:" + port,
		"http://scim.example.com/",
	}
	private := []string{"https://10.1.2.3/", "https://[fd12::1]/", "https://192.168.0.1/"}
	for name, settings := range map[string][]string{
		"default":                  nil,
		"private networks allowed": {"--allow-private-targets=100.64.0.0/30"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := webtest.FreeAddress(t)
			tn := startCommand(
				t,
				append(
					[]string{
						"tenant",
						"--data",
						t.TempDir(),
						"--listen",
						at,
						"--behind-proxy",
						"--url",
						"https://login.example.com",
					},
					settings...)...)
			here := func(address string) string {
				return strings.Replace(address, "https://login.example.com", "http://"+at, 1)
			}
			e := tenanttest.Graph{
				T: t,
				Client: graph.NewClient(
					context.Background(),
					here(tn.shown(t, `graph\s+(\S+)`)),
					here(tn.shown(t, `token URL\s+(\S+)`)),
					tn.shown(t, `client id\s+(\S+)`),
					tn.shown(t, `client secret\s+(\S+)`),
					nil,
				),
			}
			var made graph.ApplicationServicePrincipal
			e.Change(
				http.MethodPost,
				"/applicationTemplates/"+graph.AWSTemplateID+"/instantiate",
				map[string]string{"displayName": "AWS"},
				&made,
			)
			sync := "/servicePrincipals/" + made.ServicePrincipal.ID + "/synchronization"
			var job graph.SynchronizationJob
			e.Change(http.MethodPost, sync+"/jobs", graph.SynchronizationJob{TemplateID: graph.AWSSyncTemplate}, &job)
			for _, address := range append(never, private...) {
				status, _, text := e.Ask(
					http.MethodPost,
					sync+"/jobs/"+job.ID+"/validateCredentials",
					graph.ValidateCredentials{
						Credentials: []graph.KeyValue{
							{Key: "BaseAddress", Value: address},
							{Key: "SecretToken", Value: "given"},
						},
					},
				)
				if status != http.StatusBadRequest || strings.Contains(text, "totalResults") {
					t.Errorf("%s: %d %s", address, status, text)
				}
				if strings.HasPrefix(address, private[0][:11]) && !strings.Contains(text, "--allow-private-targets") {
					t.Errorf("%s: no remedy: %s", address, text)
				}
			}
			if got := x.got(); got != "" {
				t.Errorf("this machine was asked: %s", got)
			}
		})
	}
}

func TestWhoAsksItsOwnMachine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		listen, url string
		behindProxy bool
		want        bool
	}{
		{"127.0.0.1:8081", "http://127.0.0.1:8081", false, true},
		{"localhost:8081", "http://localhost:8081", false, true}, {"[::1]:8081", "http://[::1]:8081", false, true},
		{"127.0.0.1:8081", "http://127.0.0.1:8081", true, false},
		{"127.0.0.1:8081", "https://login.example.com", false, false},
		{"127.0.0.1:8081", "https://login.example.com", true, false},
		{":8081", "https://localhost:8081", false, false}, {"0.0.0.0:443", "https://login.example.com", false, false},
		{"192.0.2.1:443", "https://127.0.0.1:443", false, false},
	} {
		h := &half{listen: c.listen, url: c.url, behindProxy: c.behindProxy}
		if got := h.targets().Loopback; got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
