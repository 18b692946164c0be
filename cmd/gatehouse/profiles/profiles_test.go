package profiles_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsconfig"
	"github.com/gatehouse-id/gatehouse/awsconfig/signin"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/profiles"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

var errChanges = errors.New("there are changes")

// machine is somebody's machine, with a home and a browser of its own.
type machine struct {
	t       *testing.T
	e       pairtest.Ends
	person  pairtest.CommandLine
	home    string
	env     map[string]string
	browser bool
	answer  string // what the person decides on the page
}

// newMachine gives the process a home: the AWS SDK looks for its files there, whatever it is told.
func newMachine(t *testing.T) *machine {
	t.Helper()
	e := pairtest.Start(t)
	home := t.TempDir()
	for name, value := range map[string]string{
		"HOME": home, "AWS_EC2_METADATA_DISABLED": "true", "AWS_PROFILE": "", "AWS_CONFIG_FILE": "",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_REGION": "", "AWS_SHARED_CREDENTIALS_FILE": "",
	} {
		t.Setenv(name, value)
	}
	env := map[string]string{"HOME": home}
	return &machine{t: t, e: e, person: pairtest.NewCommandLine(e), home: home, env: env, answer: "allow"}
}

func (m *machine) config() string { return filepath.Join(m.home, ".aws", "config") }

// written is the configuration file.
func (m *machine) written() string {
	m.t.Helper()
	data, err := os.ReadFile(m.config())
	if err != nil {
		m.t.Fatal(err)
	}
	return string(data)
}

// run runs a command, with the person at the browser.
func (m *machine) run(args ...string) (out, said string, err error) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	m.env["BROWSER"] = ""
	if m.browser {
		m.env["BROWSER"] = filepath.Join(m.home, "browser")
	}
	var stdout bytes.Buffer
	talk := &talk{m: m, links: make(chan string, 4)}
	go talk.attend(ctx)
	env := func(name string) (string, bool) {
		value, ok := m.env[name]
		return value, ok
	}
	world := administer.World{Out: &stdout, Err: talk, Env: env}
	root := &cobra.Command{SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(profiles.Command(world, errChanges), profiles.WhoAmI(world))
	root.SetArgs(args)
	err = root.ExecuteContext(ctx)
	return stdout.String(), talk.text.String(), err
}

// talk is what a command says to the person, who goes where it says.
type talk struct {
	m     *machine
	text  bytes.Buffer
	links chan string
}

var link = regexp.MustCompile(`http://\S+`)

func (k *talk) Write(p []byte) (int, error) {
	if at := link.Find(p); at != nil {
		k.links <- string(at)
	}
	return k.text.Write(p)
}

// attend is the person, who decides on the page that a link leads to.
func (k *talk) attend(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-k.links:
			_, page := k.m.person.Send(http.MethodGet, at, nil)
			back := k.m.person.Decide(page, url.Values{}, k.m.answer)
			if strings.HasPrefix(back, "http://127.0.0.1:") {
				// a stranger's page that guesses where the program waits ends nothing
				other, _ := url.Parse(back)
				other.RawQuery = "code=stolen&state=guessed"
				(webtest.Visitor{T: k.m.t, Client: http.DefaultClient}).Send(http.MethodGet, other.String(), nil)
				res, err := http.Get(back) // #nosec G107 -- where the program waits
				if err == nil {
					_ = res.Body.Close()
				}
			}
		}
	}
}

func (m *machine) start() []string {
	return []string{"profiles", "write", "--start-url", m.e.Center.PortalURL, "--region", m.e.AWS.Region}
}

// The way of somebody new: one command, one sign-in, and every role has a profile that works.
func TestProfilesAreWrittenForEveryRole(t *testing.T) {
	for name, browser := range map[string]bool{"by the browser": true, "by a code": false} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.browser = browser
			if err := os.WriteFile(filepath.Join(m.home, "browser"), []byte("#!/bin/sh\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(m.home, ".aws"), 0o700); err != nil {
				t.Fatal(err)
			}
			const own = "[profile mine]\nregion = eu-west-1\n"
			if err := os.WriteFile(m.config(), []byte(own), 0o640); err != nil {
				t.Fatal(err)
			}
			out, said, err := m.run(append(m.start(), "--dry-run")...)
			if !errors.Is(err, errChanges) || !strings.Contains(out, "4 would be added") || m.written() != own {
				t.Fatalf("a dry run: %v\n%s\n%s", err, out, said)
			}
			if strings.Contains(said, "confirm the code") == browser {
				t.Errorf("the person was told: %s", said)
			}
			out, said, err = m.run(m.start()...)
			if err != nil || !strings.Contains(out, "4 added, 0 kept, 0 removed") || said != "" {
				t.Fatalf("%v\n%s\n%s", err, out, said)
			}
			if text := m.written(); !strings.HasPrefix(text, own) ||
				!strings.Contains(text, "[profile Production-AdministratorAccess]") {
				t.Errorf("the file is %s", text)
			}
			info, err := os.Stat(m.config())
			if err != nil || info.Mode().Perm() != 0o640 {
				t.Errorf("the file is %v, %v", info.Mode(), err)
			}
			before := m.written()
			out, _, err = m.run("profiles", "write", "--json") // the session is known by now
			if err != nil || strings.Count(out, `"change": "kept"`) != 4 || m.written() != before {
				t.Errorf("once more: %v\n%s", err, out)
			}
			m.whoami("Production-AdministratorAccess", "222233334444")
		})
	}
}

// whoami checks that the AWS SDK signs in by a profile, and what the command says of the clocks.
func (m *machine) whoami(profile, account string) {
	m.t.Helper()
	out, said, err := m.run("whoami", "--profile", profile, "--json")
	var who struct {
		Account, ARN string
		Clocks       []struct{ Name, State string }
	}
	if err != nil || json.Unmarshal([]byte(out), &who) != nil || who.Account != account ||
		!strings.Contains(who.ARN, "AWSReservedSSO_AdministratorAccess") {
		m.t.Fatalf("whoami: %v\n%s\n%s", err, out, said)
	}
	if got := fmt.Sprint(who.Clocks); got != "[{portal session open} {access token open} {role credentials none}]" {
		m.t.Errorf("the clocks are %s", got)
	}
}

// A role that was taken away goes, and with it only what the command wrote.
func TestProfilesFollowTheRoles(t *testing.T) {
	m := newMachine(t)
	if _, said, err := m.run(m.start()...); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	out, _, err := m.run("profiles", "write", "--account", "Production", "--template", "prod-{role}-{account_id}")
	if err != nil || !strings.Contains(out, "1 added, 0 kept, 4 removed") {
		t.Errorf("%v\n%s", err, out)
	}
	f, err := awsconfig.Parse(strings.NewReader(m.written()))
	if err != nil || len(f.Profiles()) != 1 || f.Profiles()[0].Name != "prod-AdministratorAccess-222233334444" {
		t.Errorf("%+v, %v", f.Profiles(), err)
	}
}

// What a center says of an account stands in the file, and whoami says it.
func TestProfilesSayWhatAnAccountIsFor(t *testing.T) {
	m := newMachine(t)
	admin := &adminapi.Client{
		URL: m.e.AWS.EndpointURL, Region: m.e.AWS.Region, AccessKeyID: m.e.AWS.AccessKeyID,
		SecretAccessKey: m.e.AWS.SecretAccessKey,
	}
	if err := admin.PutAccountLabel(t.Context(), adminapi.AccountLabel{
		AccountPlace: adminapi.AccountPlace{AccountID: "Production"}, Environment: "Live", Color: "red",
	}); err != nil {
		t.Fatal(err)
	}
	if _, said, err := m.run(m.start()...); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	const want = "[profile Production-AdministratorAccess]\n# environment: Live (red)\nsso_session"
	if text := m.written(); !strings.Contains(text, want) || strings.Count(text, "# environment") != 1 {
		t.Errorf("the file is %s", text)
	}
	before := m.written()
	if out, _, err := m.run("profiles", "write"); err != nil || m.written() != before {
		t.Errorf("once more: %v\n%s", err, out)
	}
	out, said, err := m.run("whoami", "--profile", "Production-AdministratorAccess")
	if err != nil || !strings.Contains(out, "Environment       Live (red)") {
		t.Errorf("whoami: %v\n%s\n%s", err, out, said)
	}
}

// Somebody whose session an administrator has ended signs in again, and nobody is told of tokens.
func TestAnEndedSessionIsBegunAgain(t *testing.T) {
	m := newMachine(t)
	if _, said, err := m.run(m.start()...); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	s := m.session()
	kept, err := signin.Kept(filepath.Join(m.home, ".aws", "sso", "cache"), s)
	if err != nil {
		t.Fatal(err)
	}
	m.end(kept.AccessToken)
	out, _, err := m.run("whoami", "--profile", "Production-AdministratorAccess")
	if err == nil || !strings.Contains(out, "Portal session    ended") || !strings.Contains(out, "aws sso login") ||
		strings.Contains(out, kept.AccessToken) {
		t.Errorf("after the end: %v\n%s", err, out)
	}
	out, said, err := m.run("profiles", "write")
	if err != nil || !strings.Contains(out, "4 kept") || !strings.Contains(said, "confirm the code") {
		t.Errorf("after the end: %v\n%s\n%s", err, out, said)
	}
	again, err := signin.Kept(filepath.Join(m.home, ".aws", "sso", "cache"), s)
	if err != nil || again.AccessToken == kept.AccessToken || again.RefreshToken == "" {
		t.Errorf("the token is the old one, %v", err)
	}
	info, err := os.Stat(signin.File(filepath.Join(m.home, ".aws", "sso", "cache"), s))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token is kept for %v, %v", info.Mode(), err)
	}
}

func (m *machine) session() awsconfig.Session {
	m.t.Helper()
	f, err := awsconfig.Parse(strings.NewReader(m.written()))
	if err != nil || len(f.Sessions()) != 1 {
		m.t.Fatalf("%+v, %v", f, err)
	}
	return f.Sessions()[0]
}

// end ends the session of a token, as aws sso logout does.
func (m *machine) end(token string) {
	m.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, m.e.Center.URL+"/logout", nil)
	if err != nil {
		m.t.Fatal(err)
	}
	req.Header.Set("X-Amz-Sso_bearer_token", token)
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != http.StatusOK {
		m.t.Fatalf("%v, %v", res, err)
	}
	_ = res.Body.Close()
}

func TestWhoeverDeniesGetsNothing(t *testing.T) {
	m := newMachine(t)
	m.answer = "deny"
	_, _, err := m.run(m.start()...)
	if err == nil || !strings.Contains(err.Error(), "denied in the browser") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(m.config()); !os.IsNotExist(err) {
		t.Errorf("there is a file: %v", err)
	}
}

// Whoever does not sign in again after the session has ended has everything as it was, and reads
// what to run.
func TestAnEndedSessionThatIsNotBegunAgainChangesNothing(t *testing.T) {
	m := newMachine(t)
	if _, said, err := m.run(m.start()...); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	folder, s := filepath.Join(m.home, ".aws", "sso", "cache"), m.session()
	kept, err := signin.Kept(folder, s)
	if err != nil {
		t.Fatal(err)
	}
	before := m.written()
	m.end(kept.AccessToken)
	m.answer = "deny"
	out, _, err := m.run("profiles", "write")
	if err == nil || !strings.Contains(err.Error(), "nothing was done: run the command again") || out != "" {
		t.Errorf("%v\n%s", err, out)
	}
	after, err := signin.Kept(folder, s)
	if err != nil || after.AccessToken != kept.AccessToken || m.written() != before {
		t.Errorf("something was changed: %v\n%s", err, m.written())
	}
}

func TestMistakesAreNamed(t *testing.T) {
	m := newMachine(t)
	for want, args := range map[string][]string{
		"no such session":          {"profiles", "write"},
		"Region":                   {"profiles", "write", "--start-url", m.e.Center.PortalURL},
		"is no access portal":      {"profiles", "write", "--region", "us-east-1", "--start-url", m.e.Tenant.URL},
		"is no address":            {"profiles", "write", "--region", "us-east-1", "--start-url", "portal"},
		"{role}":                   append(m.start(), "--template", "x"),
		"cannot be named":          append(m.start(), "--session", "a b"),
		"does not say who you are": {"whoami"},
	} {
		if _, said, err := m.run(args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q\n%s", args, err, want, said)
		}
	}
}
