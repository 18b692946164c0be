package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/datafolder"
	company "github.com/gatehouse-id/gatehouse/demo"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

func TestMain(m *testing.M) { sqldbtest.Main(m, removeShipped) }

// demoOutput is what gatehouse demo --json prints.
type demoOutput = company.Output

// of returns clients for both halves of a demo.
func of(t testing.TB, d demoOutput) pairtest.Ends {
	return pairtest.Of(t, &gatehousetest.Pair{Output: d})
}

// newAWS is the real aws CLI, with a demo's access key.
func newAWS(t testing.TB, d demoOutput) *centertest.AWSCLI {
	t.Helper()
	return of(t, d).CLI()
}

// The passwords of administrators.
const rootPassword, otherPassword = "Correct horse 1!", "Another horse 2!"

// noEnv is an environment without settings.
func noEnv(string) (string, bool) { return "", false }

// buffer is what a running command has written so far.
type buffer = centertest.Output

// call runs a command to its end.
func call(t *testing.T, stdin string, env map[string]string, args ...string) (code int, out, errOut string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var o, e buffer
	code = run(
		ctx, args, strings.NewReader(stdin), &o, &e, func(k string) (string, bool) { v, ok := env[k]; return v, ok },
	)
	return code, o.String(), e.String()
}

// startDemo runs the demo on free ports until the test ends, or stop is called, and returns what it
// printed.
func startDemo(t testing.TB, args ...string) (d demoOutput, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	reader, writer := io.Pipe()
	var errOut buffer
	ended := make(chan int, 1)
	go func() {
		code := run(
			ctx, append([]string{"demo", "--json", "--center", "127.0.0.1:0", "--tenant", "127.0.0.1:0"}, args...),
			strings.NewReader(""), writer, &errOut, noEnv,
		)
		_ = writer.Close()
		ended <- code
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if code := <-ended; code != exitDone {
			t.Errorf("the demo ended with %d: %s", code, errOut.String())
		}
		// a demo that is started again at the same address runs in this process too, and would take
		// up one to the old server
		http.DefaultClient.CloseIdleConnections()
	})
	t.Cleanup(stop)
	in := bufio.NewReader(reader)
	line, err := in.ReadBytes('\n')
	if err != nil {
		t.Fatalf("the demo printed no line: %v: %s", err, errOut.String())
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		t.Fatalf("the demo's line is not its JSON: %v: %s", err, line)
	}
	go func() { // nothing else may come
		if rest, _ := io.ReadAll(in); len(rest) > 0 {
			t.Errorf("the demo printed more than one line: %s", rest)
		}
	}()
	return d, stop
}

// connectArgs are the settings that connect a demo's halves.
func connectArgs(d demoOutput, more ...string) (map[string]string, []string) {
	env := map[string]string{
		"GATEHOUSE_CLIENT_SECRET": d.Tenant.ClientSecret,
		"AWS_ACCESS_KEY_ID":       d.AWS.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY":   d.AWS.SecretAccessKey,
		"AWS_REGION":              d.AWS.Region,
	}
	args := []string{
		"connect", "--center-url", d.Center.URL, "--graph-url", d.Tenant.GraphURL, "--login-url",
		d.Tenant.URL + "/" + d.Tenant.TenantID, "--client-id", d.Tenant.ClientID,
	}
	return env, append(args, more...)
}

func TestTheDemosJSONIsItsInterface(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	for what, value := range map[string]string{
		"center.url": d.Center.URL, "center.scim_endpoint": d.Center.SCIMEndpoint,
		"center.scim_token": d.Center.SCIMToken, "center.instance_arn": d.Center.InstanceARN,
		"center.identity_store_id": d.Center.IdentityStoreID, "aws.access_key_id": d.AWS.AccessKeyID,
		"aws.secret_access_key": d.AWS.SecretAccessKey,
		"admin.password":        d.Admin.Password, "tenant.application_id": d.Tenant.ApplicationID,
		"tenant.service_principal_id": d.Tenant.ServicePrincipalID, "tenant.job_id": d.Tenant.JobID,
	} {
		if value == "" {
			t.Errorf("%s is empty", what)
		}
	}
	if len(d.People) != 25 || len(d.Accounts) != 4 {
		t.Errorf("%d people and %d accounts, want 25 and 4", len(d.People), len(d.Accounts))
	}
	profile, err := config.LoadSharedConfigProfile(
		context.Background(), "gatehouse",
		func(o *config.LoadSharedConfigOptions) { o.ConfigFiles = []string{d.AWS.ConfigFile} },
	)
	if err != nil || profile.SSOSession == nil ||
		profile.SSOSession.SSOStartURL != "https://"+d.Center.IdentityStoreID+".awsapps.com/start" ||
		profile.SSORoleName == "ROLE" {
		t.Errorf("the AWS configuration is %+v, %v", profile, err)
	}
	disabled, nameless := 0, 0
	groups := map[string]bool{}
	for _, p := range d.People {
		if !p.Active {
			disabled++
		}
		if !strings.Contains(p.DisplayName, " ") {
			nameless++
		}
		for _, g := range p.Groups {
			groups[g] = true
		}
	}
	if disabled != 1 || nameless != 1 || len(groups) != 6 {
		t.Errorf("%d disabled, %d without a last name, %d groups; want 1, 1 and 6", disabled, nameless, len(groups))
	}
	if d.Accounts[0].ID != "111122223333" || len(d.Accounts[0].Roles) != 2 {
		t.Errorf("first account %+v, want two roles in it", d.Accounts[0])
	}
}

func TestTheDemoContinuesWhereItWas(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// the same addresses: they are part of the entity ids
	args := []string{"--data", dir, "--center", webtest.FreeAddress(t), "--tenant", webtest.FreeAddress(t)}
	first, stop := startDemo(t, args...)
	stop()
	second, stop := startDemo(t, args...)
	defer stop()
	if first.Center.IdentityStoreID != second.Center.IdentityStoreID || first.AWS != second.AWS {
		t.Error("the second start made another instance or key")
	}
	if first.Tenant.TenantID != second.Tenant.TenantID || first.Tenant.ApplicationID != second.Tenant.ApplicationID ||
		second.Tenant.ApplicationID == "" {
		t.Errorf("application %q, then %q", first.Tenant.ApplicationID, second.Tenant.ApplicationID)
	}
	if len(second.People) != 25 || second.Admin != first.Admin || second.Center.SCIMToken == "" {
		t.Error("people, password or token were not kept")
	}
	if info, err := os.Stat(dir + "/master.key"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the master key: %v, %v; want a file of mode 0600", info, err)
	}
	sealed, err := os.ReadFile(dir + "/" + datafolder.DemoKeys)
	if err != nil || bytes.Contains(sealed, []byte(first.Admin.Password)) {
		t.Errorf("the demo's secrets lie open in the data folder (%v)", err)
	}
}

func TestACompanyOfAnySize(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--people", "60", "--groups", "9")
	if len(d.People) != 60 {
		t.Errorf("%d people, want 60", len(d.People))
	}
}

func TestConnectPlansAsksAppliesAndIsIdempotent(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect")
	if d.Center.SCIMEndpoint != "" || d.Tenant.ApplicationID != "" {
		t.Fatal("the demo connected although told not to")
	}
	groups := []string{"--group", "Engineering", "--group", "Platform Engineering"}
	env, args := connectArgs(d, groups...)

	code, out, _ := call(t, "", env, append(args, "--dry-run")...)
	if code != exitChanges || !strings.Contains(out, "10 of 10 steps to do") ||
		!strings.Contains(out, "11  will be created") || strings.Contains(out, "own report") {
		t.Fatalf("dry run: %d %s", code, out)
	}
	code, _, errOut := call(t, "no\n", env, args...)
	if code != exitFailed || !strings.Contains(errOut, "nothing was changed") {
		t.Errorf("without ACCEPT: %d %s", code, errOut)
	}
	file := t.TempDir() + "/plan.json"
	if code, _, errOut = call(t, "", env, append(args, "--out", file)...); code != exitChanges {
		t.Fatalf("--out: %d %s", code, errOut)
	}
	_, bare := connectArgs(d) // the groups are those of the saved plan
	code, out, errOut = call(t, "ACCEPT\n", env, append(bare, "--apply", file)...)
	if code != exitDone || !strings.Contains(out, "Connected.") {
		t.Fatalf("with ACCEPT: %d %s %s", code, out, errOut)
	}
	code, _, errOut = call(t, "", env, append(bare, "--apply", file, "--accept")...)
	if code != exitFailed || !strings.Contains(errOut, "the world has moved") {
		t.Errorf("applied a second time: %d %s", code, errOut)
	}
	for _, again := range []string{"nothing to change", "Counts: 11 users and 2 groups on both sides"} {
		code, out, errOut = call(t, "", env, args...)
		if code != exitDone || !strings.Contains(out, again) {
			t.Errorf("second run: %d, want %q in %s %s", code, again, out, errOut)
		}
	}
	for _, scope := range []struct{ name, counts string }{
		{"all", "23 users and 6 groups"}, {"assigned", "23 users and 2 groups"}, {"all", "23 users and 6 groups"},
	} {
		code, out, errOut = call(t, "", env, append(args, "--scope", scope.name, "--accept")...)
		// people who leave the scope are disabled, not deleted; groups go
		if code != exitDone || !strings.Contains(out, scope.counts) {
			t.Errorf("scope %s: %d %s %s", scope.name, code, out, errOut)
		}
	}
	code, out, errOut = call(t, "", env, append(args, "--scope", "assigned", "--accept")...)
	if code != exitDone {
		t.Errorf("the fourth change of scope: %d %s %s; tokens must not pile up", code, out, errOut)
	}
	env, args = connectArgs(d, append(groups, "--json", "--dry-run")...)
	code, out, _ = call(t, "", env, args...)
	var plan connect.Output
	if err := json.Unmarshal([]byte(out), &plan); err != nil || code != exitDone || plan.Changes != 0 ||
		len(plan.Steps) != 10 {
		t.Errorf("as JSON: %d %v %s", code, err, out)
	}
}

func TestMistakesOfUsageExitWithOne(t *testing.T) {
	t.Parallel()
	config := t.TempDir() + "/config.yaml"
	if err := os.WriteFile(config, []byte("people: 3\nnonsense: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  map[string]string
		args []string
		want string
	}{
		"an unknown command":   {nil, []string{"nonsense"}, "nonsense"},
		"an unknown flag":      {nil, []string{"demo", "--nonsense"}, "--nonsense"},
		"a bad value":          {nil, []string{"demo", "--people", "many"}, "many"},
		"an argument too many": {nil, []string{"demo", "x"}, "takes no arguments"},
		"no people":            {nil, []string{"demo", "--people", "0"}, "at least 1"},
		"a bad value in the environment": {
			map[string]string{"GATEHOUSE_PEOPLE": "many"}, []string{"demo"}, "GATEHOUSE_PEOPLE",
		},
		"an unknown setting in the file": {nil, []string{"demo", "--config", config}, "nonsense"},
		"beyond loopback without TLS": {
			nil, []string{"serve", "--listen", "0.0.0.0:0", "--data", t.TempDir()}, "--behind-proxy",
		},
		"a public URL without TLS": {
			nil,
			[]string{
				"serve", "--listen", "127.0.0.1:0", "--behind-proxy", "--url", "http://id.example.com", "--data",
				t.TempDir(),
			},
			"https://id.example.com",
		},
		"one by number": {
			nil, []string{"tenant", "--listen", "127.0.0.1:0", "--url", "http://192.0.2.1", "--data", t.TempDir()},
			"without TLS",
		},
		"no URL behind a proxy": {
			nil, []string{"serve", "--listen", "0.0.0.0:0", "--behind-proxy", "--data", t.TempDir()},
			"--url is missing",
		},
		"all the world as a proxy": {
			nil,
			[]string{"serve", "--listen", "127.0.0.1:0", "--trusted-proxies", "0.0.0.0/0", "--data", t.TempDir()},
			"--trusted-proxies",
		},
		"another header of proxies": {
			nil,
			[]string{"serve", "--listen", "127.0.0.1:0", "--forwarded-header", "X-Real-IP", "--data", t.TempDir()},
			"--forwarded-header",
		},
		"loopback as a private network": {
			nil,
			[]string{"tenant", "--listen", "127.0.0.1:0", "--allow-private-targets=127.0.0.0/8", "--data", t.TempDir()},
			"--allow-private-targets",
		},
		"the same in the environment": {
			map[string]string{"GATEHOUSE_ALLOW_PRIVATE_TARGETS": "169.254.0.0/16"},
			[]string{"tenant", "--data", t.TempDir()}, "GATEHOUSE_ALLOW_PRIVATE_TARGETS",
		},
		"connect without secrets":  {nil, []string{"connect"}, "GATEHOUSE_CLIENT_SECRET"},
		"JSON that cannot ask":     {nil, []string{"connect", "--json"}, "--accept or --dry-run"},
		"credentials from nowhere": {nil, []string{"serve", "--credentials", "luck"}, "luck"},
		"a console without TLS": {
			nil, []string{"serve", "--aws-sign-in", "http://signin.aws.amazon.com/saml"}, "--aws-sign-in",
		},
		"a role path without its slash": {nil, []string{"serve", "--role-path", "/roles"}, "--role-path"},
		"a bad log level":               {nil, []string{"demo", "--log-level", "loud"}, "loud"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out, errOut := call(t, "", c.env, c.args...)
			if code != exitFailed || !strings.Contains(errOut, c.want) || out != "" {
				t.Errorf("exit %d, out %q, want 1 and %q in: %s", code, out, c.want, errOut)
			}
		})
	}
}

// TestAMistakeIsNotTakenForChanges calls commands wrongly: exit code 2 says that there is a
// difference, so it must not be that.
func TestAMistakeIsNotTakenForChanges(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  map[string]string
		args []string
		want string
	}{
		"an unknown flag":        {nil, []string{"sync", "--dry-rum"}, "--dry-rum"},
		"one before the command": {nil, []string{"--nonsense", "sync", "--dry-run"}, "--nonsense"},
		"a bad value before it":  {nil, []string{"--log-level", "loud", "sync", "--dry-run"}, "loud"},
		"an unknown command":     {nil, []string{"sink", "--dry-run"}, "--dry-run"},
		"an unknown one below":   {nil, []string{"connect", "stat"}, "stat"},
		"status, called wrongly": {nil, []string{"connect", "status", "--jsn"}, "--jsn"},
		"explain without a name": {nil, []string{"explain"}, "explain"},
		"a bad value":            {nil, []string{"sync", "--dry-run", "--max-deletions=abc"}, "abc"},
		"an argument too many":   {nil, []string{"sync", "--dry-run", "x"}, "takes no arguments"},
		"no settings":            {nil, []string{"sync", "--dry-run"}, "--to is missing"},
		"a bad log level":        {nil, []string{"sync", "--dry-run", "--log-level", "loud"}, "loud"},
		"no configuration file":  {nil, []string{"sync", "--dry-run", "--config", "/nowhere"}, "/nowhere"},
		"a bad value in the environment": {
			map[string]string{"GATEHOUSE_EVERY": "soon"}, []string{"sync"}, "GATEHOUSE_EVERY",
		},
	} {
		code, out, errOut := call(t, "", c.env, c.args...)
		if code != exitFailed || !strings.Contains(errOut, c.want) || out != "" {
			t.Errorf("%s: exit %d, out %q, want 1 and %q in: %s", name, code, out, c.want, errOut)
		}
	}
}

func TestFailuresToStartAreClear(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() }) // not deferred: the parts run after this function has returned
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	broken := t.TempDir()
	if err := errors.Join(
		os.WriteFile(broken+"/master.key", []byte("short"), 0o600), // the key is the other half's, perhaps
		os.WriteFile(broken+"/tenant.db", []byte("data"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a port in use": {
			[]string{"serve", "--listen", taken.Addr().String(), "--data", t.TempDir()}, "another program",
		},
		"a data folder in a file": {[]string{"serve", "--listen", "127.0.0.1:0", "--data", file + "/x"}, "data folder"},
		"a broken master key":     {[]string{"serve", "--listen", "127.0.0.1:0", "--data", broken}, "master key"},
		"no such certificate": {
			[]string{
				"serve", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--tls-cert", file + "x", "--tls-key",
				file + "y",
			},
			"TLS certificate",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _, errOut := call(t, "", nil, c.args...)
			if code != exitFailed || !strings.Contains(errOut, c.want) {
				t.Errorf("exit %d, want 1 and %q in: %s", code, c.want, errOut)
			}
		})
	}
}

func TestVersionAndHelp(t *testing.T) {
	t.Parallel()
	code, out, _ := call(t, "", nil, "version", "--json")
	if code != exitDone || !json.Valid([]byte(out)) {
		t.Errorf("version: %d %s", code, out)
	}
	for _, command := range []string{"demo", "serve", "tenant", "connect"} {
		code, out, _ = call(t, "", nil, command, "--help")
		if code != exitDone || !strings.Contains(out, "Examples:") {
			t.Errorf("%s --help has no examples: %s", command, out)
		}
	}
	code, out, _ = call(t, "", nil, "completion", "bash")
	if code != exitDone || !strings.Contains(out, "gatehouse") {
		t.Errorf("completion: %d", code)
	}
}

// TestTheHelpLeadsOn: a name that is nearly right is named, in the words of the command that was
// called, and every command of the program stands in a part of its help.
func TestTheHelpLeadsOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, want, see string }{
		{"dmo", "did you mean demo?", "gatehouse --help"},
		{"connect stat", "did you mean status?", "gatehouse connect --help"},
		{"demo --centre 127.0.0.1:0", "did you mean --center?", "gatehouse demo --help"},
		{"demo --people abc", `--people: "abc": use a whole number`, "gatehouse demo --help"},
		{"sync --every soon", `--every: "soon": use a length of time`, "gatehouse sync --help"},
		{"users lst", "did you mean list?", "gatehouse users --help"},
	} {
		_, _, said := call(t, "", nil, strings.Fields(c.args)...)
		if !strings.Contains(said, c.want) || !strings.Contains(said, `See "`+c.see+`".`) {
			t.Errorf("%s: want %q and %q, got %s", c.args, c.want, c.see, said)
		}
	}
	if code, out, _ := call(t, "", nil, "--version"); code != 0 || !strings.HasPrefix(out, "gatehouse version ") {
		t.Errorf("--version: %d %q", code, out)
	}
	_, help, _ := call(t, "", nil, "--help")
	_, rest, _ := strings.Cut(help, "Additional Commands:")
	rest, _, _ = strings.Cut(rest, "\n\n")
	for line := range strings.Lines(strings.TrimSpace(rest)) {
		switch strings.Fields(line)[0] {
		case "completion", "help", "version":
		default:
			t.Errorf("it is in no part of the help: %s", line)
		}
	}
}
