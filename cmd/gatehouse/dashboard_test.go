package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sso"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// promServer is a Prometheus that has asked the metrics of some addresses.
type promServer struct{ url string }

// prometheusTool is where one of Prometheus's programs is.
func prometheusTool(t *testing.T, name string) string {
	t.Helper()
	program, err := exec.LookPath(name)
	if err != nil { // scripts/deps unpacks Debian's
		program, err = filepath.Abs("../../tools/prometheus/usr/bin/" + name)
		if err == nil {
			_, err = os.Stat(program)
		}
	}
	if err != nil {
		sqldbtest.Skip(t, "there is no "+name)
	}
	return program
}

// startPrometheus starts a real one, with the alert rules of deploy.
func startPrometheus(t *testing.T, targets ...string) promServer {
	t.Helper()
	program := prometheusTool(t, "prometheus")
	rules, err := filepath.Abs("../../deploy/prometheus/gatehouse.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	folder, address := t.TempDir(), webtest.FreeAddress(t)
	config := filepath.Join(folder, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 500ms, evaluation_interval: 500ms}\nrule_files: [%q]\n"+
		"scrape_configs:\n- job_name: gatehouse\n  static_configs: [{targets: [%s]}]\n", rules,
		strings.Join(targets, ", "))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// #nosec G204 -- a fixed program
	cmd := exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+folder+"/data",
		"--web.listen-address="+address, "--log.level=error")
	var log buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	p := promServer{"http://" + address + "/api/v1/"}
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if res, err := http.Get("http://" + address + "/-/ready"); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return p
			}
		}
		if time.Now().After(end) {
			t.Fatalf("Prometheus is not ready: %s", log.String())
		}
	}
}

// get reads what the API says.
func (p promServer) get(t *testing.T, path string, into any) {
	t.Helper()
	res, err := http.Get(p.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.Status != "success" {
		t.Fatalf("%s: %v %s", path, err, answer.Error)
	}
	if err := json.Unmarshal(answer.Data, into); err != nil {
		t.Fatal(err)
	}
}

// finds is how many series a query returns.
func (p promServer) finds(t *testing.T, query string) int {
	t.Helper()
	var answer struct{ Result []any }
	p.get(t, "query?query="+url.QueryEscape(query), &answer)
	return len(answer.Result)
}

// TestTheDashboardsQueriesFindSomething has a real Prometheus ask a pair in which people sign in,
// and a center on PostgreSQL with TLS that hands its log on: each query of the dashboard returns
// something, the rules load, and what they name is told.
func TestTheDashboardsQueriesFindSomething(t *testing.T) {
	t.Parallel()
	at, other := webtest.FreeAddress(t), webtest.FreeAddress(t)
	d, _ := startDemo(t, "--metrics", at)
	to := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(to.Close)
	cert, key, _ := webtest.Certificate(t, t.TempDir(), "localhost")
	startCommand(t, "serve", "--data", t.TempDir(), "--database", sqldbtest.Postgres(t), "--listen",
		webtest.FreeAddress(t), "--tls-cert", cert, "--tls-key", key, "--metrics", other, "--audit-to", to.URL)
	p := startPrometheus(t, at, other)
	both := of(t, d)
	both.Administrator()
	both.Change(http.MethodPost, "/applications/"+d.Tenant.ApplicationID+"/addPassword", map[string]any{}, nil)
	v := webtest.New(t, nil)
	acs, form := both.Response(v, d.Center.PortalURL, pairtest.Amara)
	v.Send(http.MethodPost, acs, form)
	if status, _ := webtest.New(t, nil).Send(http.MethodPost, acs, form); status == http.StatusOK {
		t.Error("somebody else's response signs in")
	}
	line := pairtest.NewCommandLine(both)
	client := line.Register("sso:account:access")
	in, _ := line.Device(client, "allow")
	token := line.Tokens(in).AccessToken
	account, role := line.AnyRole(token)
	if _, err := line.SSO.GetRoleCredentials(t.Context(), &sso.GetRoleCredentialsInput{
		AccessToken: token, AccountId: &account, RoleName: &role,
	}); err != nil {
		t.Fatal(err)
	}

	began := time.Now()
	for os.Getenv("GATEHOUSE_SCREENSHOTS") != "" && time.Since(began) < time.Minute { // a picture wants some life
		both.SignIn(pairtest.Amara)
		id := both.User(pairtest.Amara).ID
		both.Change(http.MethodPatch, "/users/"+id, map[string]any{"displayName": time.Now().String()}, nil)
	}
	var dashboard struct{ Panels []panel }
	read(t, "../../deploy/grafana/gatehouse.json", &dashboard)
	queries, end := 0, time.Now().Add(time.Minute)
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries++
			for ; p.finds(t, target.Expr) == 0; time.Sleep(200 * time.Millisecond) {
				if time.Now().After(end) {
					t.Errorf("%s: nothing for %s", panel.Title, target.Expr)
					break
				}
			}
		}
	}
	if queries < 30 {
		t.Errorf("the dashboard has %d queries", queries)
	}
	p.draw(t, dashboard.Panels, began.Add(-2*time.Second), time.Now())
	var rules struct {
		Groups []struct {
			Rules []struct{ Name, Query, Health, LastError string }
		}
	}
	p.get(t, "rules", &rules)
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	metric := regexp.MustCompile(`gatehouse_\w+|\bup\b`)
	for _, r := range rules.Groups[0].Rules {
		if r.Health == "err" {
			t.Errorf("%s: %s", r.Name, r.LastError)
		}
		names := metric.FindAllString(r.Query, -1)
		for _, name := range slices.Compact(names) {
			if p.finds(t, name) == 0 {
				t.Errorf("%s is about %s, which nobody tells", r.Name, name)
			}
		}
		if !strings.Contains(string(page), "| `"+r.Name+"` |") {
			t.Errorf("docs/operations.md does not say what to do about %s", r.Name)
		}
	}
	if n := len(rules.Groups[0].Rules); n < 14 {
		t.Errorf("%d rules are loaded", n)
	}
	for _, series := range testedSeries(t) {
		if p.finds(t, series) == 0 {
			t.Errorf("the tests of the alerts are about %s, which nobody tells", series)
		}
	}
	for _, address := range []string{at, other} {
		metrics := webtest.New(t, nil).Get("http://" + address + "/metrics")
		check := exec.Command(prometheusTool(t, "promtool"), "check", "metrics") // #nosec G204 -- a fixed program
		check.Stdin = strings.NewReader(metrics)
		out, err := check.CombinedOutput()
		for line := range strings.Lines(string(out)) {
			// it is older than the one in seconds beside it, and people may have alerts on it
			if !strings.HasPrefix(line, "gatehouse_scim_token_days_left ") {
				t.Errorf("promtool check metrics: %v: %s", err, line)
			}
		}
	}
}

const alertTests = "../../deploy/prometheus/gatehouse.rules.test.yml"

// testedSeries are the series of the tests of the alerts, as queries for any with these labels.
func testedSeries(t *testing.T) (queries []string) {
	t.Helper()
	text, err := os.ReadFile(alertTests)
	if err != nil {
		t.Fatal(err)
	}
	label := regexp.MustCompile(`(\w+)="[^"]+"`)
	for _, m := range regexp.MustCompile(`series: '(gatehouse_\w+)\{(.*)\}'`).FindAllStringSubmatch(string(text), -1) {
		queries = append(queries, m[1]+"{"+label.ReplaceAllString(m[2], `$1!=""`)+"}")
	}
	if len(queries) < 15 {
		t.Errorf("the tests have %d series", len(queries))
	}
	return queries
}

// TestEachAlertFiresAndIsResolved: Prometheus's own tests of rules have each fire, and resolved.
func TestEachAlertFiresAndIsResolved(t *testing.T) {
	t.Parallel()
	// #nosec G204 -- a fixed program
	out, err := exec.Command(prometheusTool(t, "promtool"), "test", "rules", alertTests).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	tests, e1 := os.ReadFile(alertTests)
	rules, e2 := os.ReadFile("../../deploy/prometheus/gatehouse.rules.yml")
	if err := errors.Join(e1, e2); err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(string(rules), -1) {
		if !strings.Contains(string(tests), "- name: "+m[1]+"\n") {
			t.Errorf("no test has %s fire", m[1])
		}
	}
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file) // #nosec G304 -- our own
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}
