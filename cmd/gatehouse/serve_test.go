package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/control"
	company "github.com/gatehouse-id/gatehouse/demo"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// started is a subcommand that serves until the test ends.
type started struct {
	out, err *buffer
	folder   string // of the data
}

func startCommand(t *testing.T, args ...string) started {
	t.Helper()
	s, _ := startIn(t, noEnv, args...)
	return s
}

// startIn is startCommand with an environment. stop ends it earlier.
func startIn(t *testing.T, env func(string) (string, bool), args ...string) (s started, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s = started{out: &buffer{}, err: &buffer{}}
	if i := slices.Index(args, "--data"); i >= 0 {
		s.folder = args[i+1]
	}
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, args, strings.NewReader(""), s.out, s.err, env) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if code := <-ended; code != exitDone {
			t.Errorf("%s ended with %d: %s", args[0], code, s.err.String())
		}
	})
	t.Cleanup(stop)
	deadline := time.Now().Add(2 * time.Minute)
	for !strings.Contains(s.err.String(), "is ready") {
		if time.Now().After(deadline) {
			t.Fatalf("%s is not ready: %s", args[0], s.err.String())
		}
		time.Sleep(10 * time.Millisecond) // between two looks at the condition
	}
	return s, stop
}

// shown reads what a first start left in its file.
func (s started) shown(t *testing.T, pattern string) string {
	t.Helper()
	secrets, err := os.ReadFile(filepath.Join(s.folder, control.FirstStartFile))
	if err != nil {
		t.Fatal(err)
	}
	return webtest.Match(t, string(secrets), regexp.MustCompile(pattern))
}

// TestServeTenantAndConnect runs the halves as their own subcommands, connects them with the third,
// and does so on each database.
func TestServeTenantAndConnect(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"SQLite", "PostgreSQL"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			var centerDB, tenantDB []string
			if engine == "PostgreSQL" {
				centerDB, tenantDB = []string{
					"--database", sqldbtest.Postgres(t),
				}, []string{
					"--database", sqldbtest.Postgres(t),
				}
			}
			centerAt, tenantAt := webtest.FreeAddress(t), webtest.FreeAddress(t)
			c := startCommand(
				t,
				append(
					[]string{"serve", "--data", t.TempDir(), "--listen", centerAt, "--region", "eu-central-1"},
					centerDB...)...)
			tn := startCommand(
				t,
				append(
					[]string{
						"tenant", "--data", t.TempDir(), "--listen", tenantAt, "--name", "Example GmbH", "--domain",
						"example.com",
					},
					tenantDB...)...)
			tokenURL := tn.shown(t, `token URL\s+(\S+)`)
			d := demoOutput{
				Center: company.Center{URL: "http://" + centerAt, Region: "eu-central-1"},
				AWS: company.AWS{
					EndpointURL:     "http://" + centerAt,
					AccessKeyID:     c.shown(t, `AWS_ACCESS_KEY_ID=(\S+)`),
					SecretAccessKey: c.shown(t, `AWS_SECRET_ACCESS_KEY=(\S+)`),
					Region:          "eu-central-1",
				},
				Tenant: company.Tenant{
					URL:          "http://" + tenantAt,
					GraphURL:     tn.shown(t, `graph\s+(\S+)`),
					TokenURL:     tokenURL,
					ClientID:     tn.shown(t, `client id\s+(\S+)`),
					ClientSecret: tn.shown(t, `client secret\s+(\S+)`),
					TenantID:     strings.Split(strings.TrimPrefix(tokenURL, "http://"+tenantAt+"/"), "/")[0],
				},
			}
			for _, secret := range []string{
				d.AWS.SecretAccessKey, d.Tenant.ClientSecret, c.shown(t, `password\s+(\S+)`),
			} {
				if strings.Contains(c.err.String()+tn.err.String()+c.out.String()+tn.out.String(), secret) {
					t.Error("a secret is in the log, or on the standard output")
				}
			}
			e := of(t, d)
			e.Change(
				"POST",
				"/users",
				map[string]any{
					"accountEnabled":    true,
					"displayName":       "Ada Lovelace",
					"givenName":         "Ada",
					"surname":           "Lovelace",
					"mailNickname":      "ada",
					"userPrincipalName": "ada@example.com",
					"passwordProfile":   map[string]any{"password": "a long password"},
				},
				nil,
			)
			var instances struct {
				Instances []struct {
					IdentityStoreID string `json:"IdentityStoreId"`
				}
			}
			aws := newAWS(t, d)
			aws.Run(&instances, "sso-admin", "list-instances")
			store := []string{"--identity-store-id", instances.Instances[0].IdentityStoreID}
			// people that the center had before
			for _, name := range []string{"oldtimer", "stranger@example.com", "ADA@example.com"} {
				aws.Run(
					nil,
					append(
						[]string{
							"identitystore", "create-user", "--user-name", name, "--display-name", name, "--name",
							"GivenName=G,FamilyName=F",
						},
						store...)...)
			}
			env, args := connectArgs(d, "--scope", "all")
			code, out, errOut := call(t, "", env, append(args, "--dry-run")...)
			for _, line := range []string{
				"oldtimer: the tenant has nobody with this user name",
				"stranger@example.com: the tenant has nobody with this user name",
				"1  go on, and sign in at the tenant from now on",
			} {
				if code != exitChanges || !strings.Contains(out, line) {
					t.Errorf("the plan does not say %q: %d %s %s", line, code, out, errOut)
				}
			}
			code, out, errOut = call(t, "", env, append(args, "--accept")...)
			if code != exitDone || !strings.Contains(out, "1 user and 0 groups on both sides") {
				t.Fatalf("connect: %d %s %s", code, out, errOut)
			}
			var users struct{ Users []struct{ UserName string } }
			aws.Run(
				&users,
				append(
					[]string{
						"identitystore", "list-users", "--filters",
						"AttributePath=UserName,AttributeValue=ada@example.com",
					},
					store...)...)
			// adopted, not created a second time
			if len(users.Users) != 1 || users.Users[0].UserName != "ada@example.com" {
				t.Errorf("users %+v", users)
			}
			e.Change("PATCH", "/users/ada@example.com", map[string]any{"jobTitle": "Countess"}, nil)
			e.Soon("a changed title", func() bool {
				var users struct{ Users []struct{ Title string } }
				aws.Run(
					&users,
					append(
						[]string{
							"identitystore", "list-users", "--filters",
							"AttributePath=UserName,AttributeValue=ada@example.com",
						},
						store...)...)
				return len(users.Users) == 1 && users.Users[0].Title == "Countess"
			})
		})
	}
}
