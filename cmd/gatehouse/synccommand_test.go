package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/scimserver"
	"github.com/gatehouse-id/gatehouse/dirsync"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/scim"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// scimTarget is an empty center with a SCIM endpoint and a token.
type scimTarget struct {
	center          *center.Center
	endpoint, token string
	client          *scim.Client
}

func newSCIMTarget(t *testing.T, profile center.Profile) scimTarget {
	t.Helper()
	c := centertest.New(t, "http://127.0.0.1")
	door := (&scimserver.Handler{Center: c, Log: slog.New(slog.DiscardHandler), RequestID: func(*http.Request) string {
		return "id"
	}, Address: func(*http.Request) string { return "" }}).Before(http.NotFoundHandler())
	server := httptest.NewServer(door)
	t.Cleanup(server.Close)
	c.URL = server.URL
	endpoint, token := centertest.Provisioned(t, c, profile)
	x := scimTarget{c, endpoint, token, nil}
	x.client = &scim.Client{BaseURL: x.endpoint, Token: x.token}
	return x
}

// syncArgs are the settings of gatehouse sync from a demo's tenant to a target.
func syncArgs(d demoOutput, x scimTarget, more ...string) (map[string]string, []string) {
	env := map[string]string{"GATEHOUSE_CLIENT_SECRET": d.Tenant.ClientSecret, "GATEHOUSE_SCIM_TOKEN": x.token}
	return env, append(
		[]string{
			"sync", "--from", d.Tenant.GraphURL, "--login-url",
			strings.TrimSuffix(d.Tenant.TokenURL, "/oauth2/v2.0/token"), "--client-id", d.Tenant.ClientID, "--to",
			x.endpoint,
		},
		more...)
}

func TestSyncBetweenGraphAndSCIM(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect")
	e := of(t, d)
	for name, profile := range map[string]center.Profile{
		"AWS's profile":    center.ProfileAWS,
		"the standard one": center.ProfileStandard,
	} {
		x := newSCIMTarget(t, profile)
		state := t.TempDir()
		sync := func(want int, more ...string) string {
			t.Helper()
			env, args := syncArgs(d, x, append([]string{"--state", state}, more...)...)
			code, out, errOut := call(t, "", env, args...)
			if code != want {
				t.Fatalf("%s: exit code %d, want %d\n%s%s", name, code, want, out, errOut)
			}
			return out
		}
		if out := sync(exitChanges, "--dry-run"); !strings.Contains(
			out, "+ create  user   amara.okafor@northwind.example",
		) ||
			!strings.Contains(out, "+ create  group  Data") ||
			!strings.Contains(out, "+ ingrid.larsen@northwind.example") {
			t.Errorf("%s: a dry run prints\n%s", name, out)
		}
		if n, err := x.center.CountUsers(context.Background(), center.UserQuery{}); err != nil || n != 0 {
			t.Fatalf("%s: the dry run made %d users, %v", name, n, err)
		}
		missing := exitDone // the standard profile takes people without a last name
		if profile == center.ProfileAWS {
			missing = exitFailed
		}
		if out := sync(missing); profile == center.ProfileAWS &&
			!strings.Contains(out, "MissingValues: the target requires name.familyName") {
			t.Errorf("who lacks a last name: %s", out)
		}
		mei, data := e.User("mei.tanaka@northwind.example"), e.Group("Data")
		e.Change(http.MethodPatch, "/users/"+mei.ID, map[string]any{"jobTitle": "Wizard"}, nil)
		e.Change(http.MethodPost, "/groups/"+data.ID+"/members/$ref", graph.Reference{ID: "x/" + mei.ID}, nil)
		if out := sync(exitChanges, "--dry-run"); !strings.Contains(out, `title: "Platform Engineer" → "Wizard"`) ||
			!strings.Contains(out, "+ mei.tanaka@northwind.example") || strings.Contains(out, "+ create") {
			t.Errorf("%s: the difference is\n%s", name, out)
		}
		out := sync(missing, "--json") // who failed before is tried again, whoever starts it
		var last struct{ Summary dirsync.Summary }
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.Summary.Updated != 2 ||
			last.Summary.Full || last.Summary.Read > 6 {
			t.Errorf("%s: %s, %v", name, out, err)
		}
		found, err := x.client.Find(context.Background(), "/Users", "userName", mei.UserPrincipalName)
		if err != nil || len(found) != 1 || found[0].String("title") != "Wizard" {
			t.Fatalf("%s: %v, %v", name, found, err)
		}
		// Somebody changes things at the target.
		if err := x.client.Patch(
			context.Background(), "/Users/"+found[0].String("id"),
			scim.Operation{Op: "replace", Path: "title", Value: []byte(`"Intruder"`)},
		); err != nil {
			t.Fatal(err)
		}
		if out := sync(exitChanges, "--dry-run", "--repair"); !strings.Contains(out, `title: "Intruder" → "Wizard"`) {
			t.Errorf("%s: what was changed there: %s", name, out)
		}
		sync(missing, "--repair")
		if out := sync(missing*exitChanges, "--dry-run", "--repair"); strings.Contains(out, "update") {
			t.Errorf("%s: after the repair: %s", name, out)
		}
		e.Change(http.MethodPatch, "/users/"+mei.ID, map[string]any{"jobTitle": "Platform Engineer"}, nil)
		e.Change(http.MethodDelete, "/groups/"+data.ID+"/members/"+mei.ID+"/$ref", nil, nil)
	}
}

// TestSyncThatIsKilledIsCompleted kills the program with SIGKILL again and again, each time when
// the target has done a few more requests whose last answer it never reads, until one run comes to
// its end.
func TestSyncThatIsKilledIsCompleted(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect")
	x := newSCIMTarget(t, center.ProfileStandard)
	path := build(t)
	state := t.TempDir()
	target, err := url.Parse(x.endpoint)
	if err != nil {
		t.Fatal(err)
	}
	var run struct {
		sync.Mutex
		program *exec.Cmd
		writes  int
		most    int // requests that change something, until it is killed
	}
	killer := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Host, r.Out.URL.Scheme = target.Host, target.Scheme },
		ModifyResponse: func(res *http.Response) error {
			run.Lock()
			defer run.Unlock()
			if res.Request.Method != http.MethodGet {
				run.writes++
			}
			if run.writes >= run.most {
				return errors.Join(run.program.Process.Kill(), errors.New("its answer is lost"))
			}
			return nil
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	proxy := httptest.NewServer(killer)
	t.Cleanup(proxy.Close)
	x.endpoint = proxy.URL + target.Path
	env, args := syncArgs(d, x, "--state", state)
	killed := 0
	for ; ; killed++ {
		program := exec.Command(path, args...) // #nosec G204 -- our own program
		for name, value := range env {
			program.Env = append(program.Env, name+"="+value)
		}
		run.Lock()
		run.program, run.writes = program, 0
		if run.most = 4; killed == 0 { // nothing has an answer yet: only what was begun is remembered
			run.most = 1
		}
		err := program.Start()
		run.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		err = program.Wait()
		if err == nil {
			break
		}
		if program.ProcessState.Exited() || killed > 100 {
			t.Fatalf("run %d: %v", killed, err)
		}
	}
	if killed < 3 {
		t.Errorf("it was killed %d times, want some more", killed)
	}
	t.Logf("complete after %d kills", killed)
	if code, out, errOut := call(t, "", env, append(args, "--dry-run", "--repair")...); code != exitDone {
		t.Errorf("a difference is left: exit code %d\n%s%s", code, out, errOut)
	}
	if n, err := x.center.CountUsers(context.Background(), center.UserQuery{}); err != nil || n != 24 {
		t.Errorf("%d users, %v; want 24", n, err)
	}
}

func TestSyncOfGroupsAndApplications(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	count := func(more ...string) (users, groups int, engineering int) {
		t.Helper()
		x := newSCIMTarget(t, center.ProfileStandard)
		env, args := syncArgs(d, x, more...)
		if code, out, errOut := call(t, "", env, args...); code != exitDone {
			t.Fatalf("%v: %d %s %s", more, code, out, errOut)
		}
		ctx := context.Background()
		users, e1 := x.center.CountUsers(ctx, center.UserQuery{})
		all, e2 := x.center.Groups(ctx, center.GroupQuery{})
		for _, g := range all {
			if g.DisplayName == "Engineering" {
				ms, err := x.center.Memberships(ctx, center.MembershipQuery{GroupID: g.ID})
				if err != nil {
					t.Fatal(err)
				}
				engineering = len(ms)
			}
		}
		if e1 != nil || e2 != nil {
			t.Fatal(e1, e2)
		}
		return users, len(all), engineering
	}
	for _, c := range []struct {
		args                  []string
		users, groups, inside int
	}{
		{[]string{"--group", "Engineering", "--nested"}, 11, 1, 11},
		{[]string{"--group", "Data", "--group", "Finance"}, 7, 2, 0},
		{[]string{"--application", "AWS IAM Identity Center"}, 24, 6, 7},
	} {
		if users, groups, inside := count(c.args...); users != c.users || groups != c.groups || inside != c.inside {
			t.Errorf(
				"%v: %d users, %d groups, %d in Engineering; want %d, %d, %d", c.args, users, groups, inside, c.users,
				c.groups, c.inside,
			)
		}
	}
}

func TestSyncTakesNothingOver(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect")
	x := newSCIMTarget(t, center.ProfileStandard)
	if _, err := x.center.CreateUser(
		context.Background(), centertest.Actor, centertest.Person("mei.tanaka@northwind.example"),
	); err != nil {
		t.Fatal(err)
	}
	env, args := syncArgs(d, x)
	for _, typed := range []string{"", "yes\n"} {
		want := map[string]string{"": "then add --accept", "yes\n": "not confirmed; nothing was changed"}[typed]
		code, out, errOut := call(t, typed, env, args...)
		if n, err := x.center.CountUsers(context.Background(), center.UserQuery{}); code != exitFailed || err != nil ||
			n != 1 || out != "" || !strings.Contains(errOut, want) || !strings.Contains(errOut, "Type ACCEPT") ||
			!strings.Contains(errOut, "+ create  user   amara.okafor@northwind.example") {
			t.Errorf("the first run, answered %q: %d, %d users, %v\n%s\n%s", typed, code, n, err, out, errOut)
		}
	}
	code, out, errOut := call(t, "ACCEPT\n", env, args...)
	if code != exitFailed || !strings.Contains(out, "NotAdopted") || !strings.Contains(out, "--adopt") ||
		!strings.Contains(errOut, "1 object failed") {
		t.Errorf("%d %s %s", code, out, errOut)
	}
	env, args = syncArgs(d, x, "--adopt", "--accept")
	if code, out, _ := call(t, "", env, args...); code != exitDone || !strings.Contains(out, "taken over") {
		t.Errorf("with --adopt: %d %s", code, out)
	}
	few := []string{"--group", "Data", "--repair", "--adopt"}
	env, args = syncArgs(d, x, append(few, "--max-deletions", "1")...)
	code, out, errOut = call(t, "ACCEPT\n", env, args...)
	if code != exitFailed || !strings.Contains(out, "held back") ||
		!strings.Contains(errOut, "higher --max-deletions") {
		t.Errorf("with too many: %d\n%s\n%s", code, out, errOut)
	}
	env, args = syncArgs(d, x, append(few, "--max-deletions", "100", "--accept")...)
	if code, out, errOut := call(t, "", env, args...); code != exitDone || !strings.Contains(out, "disable") {
		t.Errorf("with more: %d\n%s\n%s", code, out, errOut)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"both":               {[]string{"--application", "a", "--group", "b"}, "not both"},
		"a dry run for ever": {[]string{"--dry-run", "--every", "1s"}, "does not work with --every"},
		"giving back always": {[]string{"--repair", "--give-back", "--every", "1s"}, "without --every"},
		"letting go always":  {[]string{"--remove-missing", "--every", "1s"}, "--remove-missing works"},
		"no mappings":        {[]string{"--mappings", filepath.Join(t.TempDir(), "x")}, "--mappings"},
		"another host":       {[]string{"--to", "nowhere"}, "--to is missing"},
	} {
		env, args := syncArgs(d, x, c.args...)
		if code, _, errOut := call(t, "", env, args...); code != exitFailed || !strings.Contains(errOut, c.want) {
			t.Errorf("%s: %d %s", name, code, errOut)
		}
	}
	env, args = syncArgs(d, x)
	env["GATEHOUSE_SCIM_TOKEN"] = "wrong"
	if code, _, errOut := call(t, "", env, args...); code != exitFailed ||
		!strings.Contains(errOut, "refused the credentials") {
		t.Errorf("a wrong token: %d %s", code, errOut)
	}
}

func TestSyncByMappingsOfOnesOwn(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e := of(t, d)
	var s graph.SynchronizationSchema
	e.Change(http.MethodGet, e.JobPath()+"/schema", nil, &s)
	pairtest.MappingOf(t, &s, "User", "title").Source = graph.AttributeSource{
		Expression: `Join(" at ", [jobTitle], "Northwind")`,
	}
	s.Rules[0].ObjectMappings[0].Scope = &graph.ScopeFilter{
		Groups: []graph.FilterGroup{
			{
				Name: "data",
				Clauses: []graph.FilterClause{
					{
						SourceOperandName: "department",
						OperatorName:      "EQUALS",
						TargetOperand:     graph.FilterOperand{Values: []string{"Data"}},
					},
				},
			},
		},
	}
	file := filepath.Join(t.TempDir(), "mappings.json")
	data, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(file, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	x := newSCIMTarget(t, center.ProfileAWS)
	env, args := syncArgs(d, x, "--mappings", file)
	wrong := strings.Replace(file, "mappings", "wrong", 1)
	if err := os.WriteFile(wrong, bytes.ReplaceAll(data, []byte("jobTitle"), []byte("JobTitle")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dry := range []string{"--dry-run", "--dry-run=false"} {
		env, args := syncArgs(d, x, "--mappings", wrong, dry)
		if code, out, errOut := call(t, "", env, args...); code != exitFailed ||
			!strings.Contains(errOut, "did you mean jobTitle?") {
			t.Errorf("%s by a name that does not exist: %d %s %s", dry, code, out, errOut)
		}
	}
	if code, out, errOut := call(t, "", env, args...); code != exitDone {
		t.Fatalf("%d %s %s", code, out, errOut)
	}
	found, err := x.client.List(context.Background(), "/Users", 1, 100)
	if err != nil || *found.TotalResults != 4 ||
		!strings.HasSuffix(found.Resources[0].String("title"), " at Northwind") {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestSyncRunsOnAndFollowsWithinAMoment(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect")
	e := of(t, d)
	x := newSCIMTarget(t, center.ProfileAWS)
	metrics := webtest.FreeAddress(t)
	env, args := syncArgs(
		d, x, "--state", t.TempDir(), "--every", "50ms", "--repair-every", "200ms", "--metrics", metrics, "--json",
	)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int)
	var out, errOut buffer
	go func() {
		ended <- run(ctx, args, strings.NewReader(""), &out, &errOut, func(k string) (string, bool) {
			v, ok := env[k]
			return v, ok
		})
	}()
	title := func() string {
		found, err := x.client.Find(context.Background(), "/Users", "userName", "mei.tanaka@northwind.example")
		if err != nil || len(found) == 0 {
			return ""
		}
		return found[0].String("title")
	}
	e.Soon("the first cycle", func() bool { return title() == "Platform Engineer" })
	e.Change(http.MethodPatch, "/users/mei.tanaka@northwind.example", map[string]any{"jobTitle": "Wizard"}, nil)
	e.Soon("a change", func() bool { return title() == "Wizard" })
	found, err := x.client.Find(context.Background(), "/Users", "userName", "mei.tanaka@northwind.example")
	if err == nil {
		err = x.client.Patch(
			context.Background(), "/Users/"+found[0].String("id"),
			scim.Operation{Op: "replace", Path: "title", Value: []byte(`"Intruder"`)},
		)
	}
	if err != nil {
		t.Fatal(err)
	}
	e.Soon("a repair", func() bool { return title() == "Wizard" })
	res, err := http.Get("http://" + metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	text := new(strings.Builder)
	if _, err := io.Copy(text, res.Body); err != nil ||
		!strings.Contains(text.String(), `gatehouse_sync_objects_total{action="create",status="success"} 29`) ||
		!strings.Contains(text.String(), "gatehouse_sync_last_success_timestamp_seconds") {
		t.Errorf("metrics: %v\n%s", err, text)
	}
	cancel()
	select {
	case code := <-ended:
		if code != exitDone {
			t.Errorf("it ends with %d: %s", code, errOut.String())
		}
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
}

func TestExplainAPerson(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	x := scimTarget{endpoint: d.Center.SCIMEndpoint, token: d.Center.SCIMToken}
	for name, wants := range map[string][]string{
		"mei.tanaka@northwind.example": {
			"1  connect  success", "2  import   success", "jobTitle                     Platform Engineer",
			"Assigned to application      True", "4  match    success", "1 found", "5  act",
		},
		"teller@northwind.example":        {"5  act      failure", "the target requires name.familyName"},
		"viktor.horvat@northwind.example": {"3  scope    skipped", "Active in source system      False"},
	} {
		env, args := syncArgs(d, x, "--application", "AWS IAM Identity Center")
		args[0] = "explain"
		code, out, errOut := call(t, "", env, append(args, name)...)
		for _, want := range wants {
			if code != exitDone || !strings.Contains(out, want) {
				t.Errorf("%s: %d, want %q in\n%s%s", name, code, want, out, errOut)
			}
		}
	}
	env, args := syncArgs(d, x)
	args[0] = "explain"
	if code, _, errOut := call(t, "", env, append(args, "nobody@northwind.example")...); code != exitFailed ||
		!strings.Contains(errOut, "is not in the directory") {
		t.Errorf("nobody: %d %s", code, errOut)
	}
}

// TestGroupsAreNamedAsTheyAreCalled: a name may have commas and quotes in it.
func TestGroupsAreNamedAsTheyAreCalled(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect")
	e := of(t, d)
	names := []string{"Sales, EMEA", `Dr. "O'Neil" & <Co>`, "Team = 100%"}
	x := newSCIMTarget(t, center.ProfileStandard)
	var flags []string
	for _, name := range names {
		var made graph.Group
		e.Change(http.MethodPost, "/groups", map[string]any{
			"displayName": name, "mailEnabled": false, "mailNickname": "team", "securityEnabled": true,
		}, &made)
		e.Change(http.MethodPost, "/groups/"+made.ID+"/members/$ref", map[string]string{
			"@odata.id": d.Tenant.GraphURL + "/directoryObjects/" + e.User("mei.tanaka@northwind.example").ID,
		}, nil)
		flags = append(flags, "--group", name)
	}
	for range 2 { // the second finds again what the first has made, since nothing is remembered
		env, args := syncArgs(d, x, flags...)
		code, out, errOut := call(t, "", env, args...)
		if code != exitDone {
			t.Fatalf("exit code %d\n%s%s", code, out, errOut)
		}
		for _, name := range names {
			found, err := x.client.Find(context.Background(), "/Groups", "displayName", name)
			if err != nil || len(found) != 1 {
				t.Errorf("%s: %v, %v", name, found, err)
			}
		}
	}
}
