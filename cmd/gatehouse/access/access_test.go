package access_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/awsconfig"
	"github.com/gatehouse-id/gatehouse/awsconfig/signin"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/access"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
)

// commands are the command line of some people at one center, each with a home of their own.
type commands struct {
	t      *testing.T
	server *centertest.Server
	world  *centertest.RequestWorld
	env    map[string]map[string]string
}

func newCommands(t *testing.T) *commands {
	t.Helper()
	s := centertest.Serve(t)
	s.NoMFA()
	c := &commands{t, s, centertest.Requests(t, s.Center), map[string]map[string]string{}}
	for _, u := range []center.User{c.world.Ada, c.world.Grace} {
		if err := s.SetPassword(context.Background(), audit.SystemActor, u.ID, centertest.Password); err != nil {
			t.Fatal(err)
		}
		c.signIn(u)
	}
	admin := s.Admin()
	c.env["admin"] = map[string]string{
		"HOME": t.TempDir(), "AWS_ENDPOINT_URL": s.URL, "AWS_ACCESS_KEY_ID": admin.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": admin.SecretAccessKey, "AWS_REGION": admin.Region,
	}
	return c
}

// signIn leaves on somebody's machine what `gatehouse profiles write` leaves there.
func (c *commands) signIn(u center.User) {
	c.t.Helper()
	home := c.t.TempDir()
	session := awsconfig.Session{
		Name: "corp", StartURL: c.server.AWSStartURL(), Region: c.server.Instance.Region, Endpoint: c.server.URL,
	}
	text, err := awsconfig.Merge("", session, []awsconfig.Profile{})
	if err != nil {
		c.t.Fatal(err)
	}
	cache := filepath.Join(home, ".aws", "sso", "cache")
	token, err := json.Marshal(signin.Token{
		StartURL: session.StartURL, Region: session.Region, ExpiresAt: time.Now().Add(time.Hour),
		AccessToken: c.server.ProgramToken(c.server.SignIn(u.UserName)),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		filepath.Join(home, ".aws", "config"): []byte(text), signin.File(cache, session): token,
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			c.t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	c.env[u.UserName] = map[string]string{"HOME": home}
}

// run runs a command for somebody.
func (c *commands) run(who string, args ...string) (string, error) {
	c.t.Helper()
	var out bytes.Buffer
	cmd := access.Command(administer.World{Out: &out, Err: &out, Env: func(name string) (string, bool) {
		value, ok := c.env[who][name]
		return value, ok
	}})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := cmd.ExecuteContext(ctx)
	if err == nil && out.Len() == 0 {
		c.t.Errorf("%v says nothing", args)
	}
	return out.String(), err
}

// TestRequestsByCommand: somebody asks, another approves, it is extended and ended; all of them say
// what has become of it.
func TestRequestsByCommand(t *testing.T) {
	c := newCommands(t)
	c.says("ada", "111122223333", "offers")
	c.says("ada", "PENDING", "request", "--account", "production", "--permission-set", "Admin", "--for", "1h",
		"--reason", "The queue is stuck", "--ticket", "OPS-1", "--policy", "production")
	var list []adminapi.AccessRequest
	if err := json.Unmarshal([]byte(c.says("ada", "OPS-1", "list", "--json")), &list); err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	id := list[0].RequestID
	c.refuses("ada", "nobody decides on a request of their own", "approve", id)
	c.says("grace", "waits for you", "list", "--open")
	c.says("grace", "ACTIVE", "approve", id, "--comment", "go ahead")
	if !c.world.Has(t) {
		t.Error("the access is not there")
	}
	c.says("ada", "ACTIVE", "extend", id, "--for", "30m", "--reason", "more")
	c.says("grace", "ACTIVE", "deny", id)
	c.says("ada", "ENDED", "end", id, "--reason", "done")
	c.refuses("ada", "nothing can be decided", "end", id)
	c.says("ada", "ACTIVE", "request", "--account", c.world.Account.ID, "--permission-set", "Admin", "--reason",
		"it burns", "--emergency")
	everybody := c.says("admin", "ACTIVE", "list", "--all", "--open", "--json")
	if err := json.Unmarshal([]byte(everybody), &list); err != nil {
		t.Fatal(err)
	}
	c.says("grace", "to be reviewed", "list")
	c.says("admin", "ENDED", "end", list[0].RequestID, "--as-administrator", "--reason", "enough")
	c.says("grace", "ENDED", "review", list[0].RequestID, "--wrong", "--comment", "a lamp")
	if c.world.Has(t) {
		t.Error("the access stays")
	}
	named := []string{"request", "--permission-set", "Admin", "--account", "Production", "--reason", "y"}
	for text, args := range map[string][]string{
		"--account is missing":           {"request", "--permission-set", "x", "--reason", "y"},
		"--reason is missing":            {"request", "--permission-set", "x", "--account", "y"},
		"exactly one of --right":         {"review", id},
		"no account of the name":         append(named[:5:5], "--reason", "y", "--account", "Elsewhere"),
		"no policy of the name":          append(named[:7:7], "--policy", "z"),
		"use a time such as":             append(named[:7:7], "--start", "soon"),
		"the time would be over already": append(named[:7:7], "--start", "2020-01-01T00:00:00Z"),
		"2h at most":                     append(named[:7:7], "--for", "3h"),
	} {
		c.refuses("ada", text, args...)
	}
}

// TestPoliciesByCommand: an administrator makes, lists and deletes them, and says where notices go.
func TestPoliciesByCommand(t *testing.T) {
	c := newCommands(t)
	create := []string{
		"policy", "create", "--name", "Tagged", "--eligible", "Engineers", "--approvers", "Approvers",
		"--permission-set", "Admin", "--tag", "env=prod", "--longest", "30m", "--approvals", "2",
	}
	c.says("admin", "Tagged", create...)
	c.refuses("admin", "another policy for requests has this name", create...)
	c.says("admin", "env=prod", "policy", "list")
	c.says("admin", "Engineers", "policy", "list")
	var list []adminapi.RequestPolicy
	if err := json.Unmarshal([]byte(c.says("admin", "1800", "policy", "list", "--json")), &list); err != nil ||
		len(list) != 2 || list[1].Approvals != 2 || list[1].EligibleGroupID != string(c.world.Engineers.ID) {
		t.Fatalf("%+v, %v", list, err)
	}
	c.refuses("admin", "exactly one of --account, --unit and --tag", append(create, "--account", "111122223333")...)
	c.refuses("admin", "there is no such group", "policy", "create", "--name", "x", "--eligible", "Nobody",
		"--approvers", "Approvers", "--permission-set", "Admin", "--account", "111122223333")
	c.refuses("admin", "between one minute and 30 days", "policy", "create", "--name", "x", "--eligible", "Engineers",
		"--approvers", "Approvers", "--permission-set", "Admin", "--account", "111122223333", "--longest", "1s")
	c.says("admin", "", "policy", "delete", list[1].PolicyID)
	odd := slices.Clone(create)
	odd[slices.Index(odd, "env=prod")] = `"team=a"=b=c` // a key with an equals sign, as AWS has them too
	c.says("admin", `"team=a"=b=c`, odd...)
	if err := json.Unmarshal([]byte(c.says("admin", "", "policy", "list", "--json")), &list); err != nil ||
		len(list) != 2 || list[1].Tag == nil || *list[1].Tag != (adminapi.Tag{Key: "team=a", Value: "b=c"}) {
		t.Fatalf("%+v, %v", list, err)
	}
	c.says("admin", "", "policy", "delete", "tagged")
	c.refuses("admin", "there is no such policy", "policy", "delete", list[1].PolicyID)
	c.refuses("ada", "the access key ID is missing", "policy", "list", "--center-url", c.server.URL)
	c.says("admin", "posted nowhere", "webhook", "show")
	c.refuses("admin", "notices cannot be posted", "webhook", "set", "http://169.254.169.254/")
	c.says("admin", "shown once", "webhook", "set", "https://hook.example.com/x")
	c.says("admin", "https://hook.example.com/x", "webhook", "show")
	c.says("admin", "posted nowhere", "webhook", "remove")
}

func (c *commands) says(who, text string, args ...string) string {
	c.t.Helper()
	out, err := c.run(who, args...)
	if err != nil || !strings.Contains(out, text) {
		c.t.Fatalf("%s: %v: %v\n%s\nwant %q", who, args, err, out, text)
	}
	return out
}

func (c *commands) refuses(who, text string, args ...string) {
	c.t.Helper()
	if out, err := c.run(who, args...); err == nil || !strings.Contains(fmt.Sprint(err), text) {
		c.t.Errorf("%s: %v: %v\n%s\nwant %q", who, args, err, out, text)
	}
}
