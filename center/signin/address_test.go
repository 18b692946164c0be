package signin_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/server"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/mail"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// posted is a center whose mails go through the queue into an outbox, and whose clock can be moved.
type posted struct {
	*centertest.Server
	t      *testing.T
	ahead  *atomic.Int64
	outbox *mail.Outbox
	boss   center.User
}

func startPosted(t *testing.T) posted {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	p := posted{t: t, ahead: &atomic.Int64{}, outbox: &mail.Outbox{}, boss: centertest.Person("boss")}
	queue := mail.NewQueue(p.outbox, slog.New(slog.DiscardHandler))
	go queue.Run(ctx)
	p.Server = centertest.Serve(t, func(c *center.Center) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(p.ahead.Load())) }
		c.Mailer = server.Mailer(queue)
	})
	p.boss.Emails = []center.Value{{Value: "boss@example.com", Primary: true}}
	var err error
	if p.boss, err = p.CreateUser(ctx, centertest.Actor, p.boss); err == nil {
		err = p.SetPassword(ctx, centertest.Actor, p.boss.ID, centertest.Password)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// forgot asks for a link, as anybody can, and returns how that ended in the audit log.
func (p posted) forgot() (code string) {
	p.t.Helper()
	count := func() (n int, code string) {
		events, err := p.Events(context.Background(), center.EventQuery{Limit: 1000})
		if err != nil {
			p.t.Fatal(err)
		}
		for _, e := range events {
			if e.Action == "ForgotPassword" {
				if n == 0 {
					code = e.Code
				}
				n++
			}
		}
		return n, code
	}
	before, _ := count()
	webtest.New(p.t, nil).Send(http.MethodPost, p.URL+"/platform/forgot", url.Values{"username": {"boss"}})
	for deadline := time.Now().Add(time.Minute); ; {
		n, code := count()
		if n > before {
			return code
		}
		if time.Now().After(deadline) {
			p.t.Fatal("the request left no event")
		}
		time.Sleep(5 * time.Millisecond) // between two looks at the condition
	}
}

// mails waits until there are n, and returns the addresses, the newest first.
func (p posted) mails(n int) (to []string) {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); len(p.outbox.Messages()) < n; {
		if time.Now().After(deadline) {
			p.t.Fatalf("%d mails, want %d", len(p.outbox.Messages()), n)
		}
		time.Sleep(5 * time.Millisecond) // between two looks at the condition
	}
	for _, m := range p.outbox.Messages() {
		to = append(to, m.To)
	}
	return to
}

// TestWhoChangesAnAddressIsNotThatPerson takes a key that may change users, sends the boss's mail
// elsewhere, and has links and codes sent there.
func TestWhoChangesAnAddressIsNotThatPerson(t *testing.T) {
	t.Parallel()
	p, ctx := startPosted(t), context.Background()
	key, err := p.CreateAccessKey(ctx, audit.SystemActor, "helpdesk", center.RoleUserAdministrator)
	if err != nil {
		t.Fatal(err)
	}
	if code := p.forgot(); code != "" {
		t.Fatalf("before the change: %q", code)
	}
	link := pairtest.Newest(t, p.outbox, 0, `https?://\S+`)
	aws := centertest.NewAWSCLI(t, p.URL, p.Instance.Region, key.ID, key.SecretAccessKey.Reveal())
	aws.Run(
		nil,
		"identitystore",
		"update-user",
		"--identity-store-id",
		p.Instance.IdentityStoreID,
		"--user-id",
		string(p.boss.ID),
		"--operations",
		`[{"AttributePath":"emails","AttributeValue":[{"Value":"mallory@example.net","Primary":true}]}]`,
	)
	if to := p.mails(2); to[0] != "boss@example.com" ||
		!strings.Contains(p.outbox.Messages()[0].Text, "belonged to the user boss") {
		t.Errorf("the old address was not told: %+v", p.outbox.Messages())
	}
	if status, _ := webtest.New(t, nil).Send(http.MethodGet, link, nil); status != http.StatusGone {
		t.Errorf("a link that was sent to the old address: %d", status)
	}
	if code := p.forgot(); code != center.AddressNew.String() {
		t.Errorf("a link to the new address: %q", code)
	}

	settings, err := p.SignInSettings(ctx)
	settings.WithoutDevice = center.EmailCode
	if err == nil {
		err = p.UpdateSignInSettings(ctx, audit.SystemActor, settings)
	}
	if err == nil {
		err = p.SetAdministrator(ctx, audit.SystemActor, "root", centertest.Password)
	}
	if err != nil {
		t.Fatal(err)
	}
	signIn := func() (int, string) {
		return webtest.New(t, nil).Send(
			http.MethodPost,
			p.URL+"/platform/login",
			url.Values{"username": {"boss"}, "password": {centertest.Password}},
		)
	}
	if status, page := signIn(); status != http.StatusForbidden || !strings.Contains(page, "You need an MFA device") {
		t.Errorf("a code to the new address: %d %s", status, page)
	}
	if n := len(p.outbox.Messages()); n != 2 {
		t.Errorf("%d mails, want none to the new address", n)
	}

	// An administrator may say that the address is the user's.
	root, _ := webtest.Office(p.URL+"/console").Enter(t, "root", centertest.Password)
	page := p.URL + "/console/users/" + string(p.boss.ID)
	if _, shown := root.Send(http.MethodGet, page, nil); !strings.Contains(
		shown,
		"mallory@example.net belongs to the user",
	) {
		t.Errorf("the page does not ask: %s", shown)
	}
	if status, _ := root.Send(http.MethodPost, page+"/invite", nil); status != http.StatusConflict {
		t.Errorf("without a word of the administrator: %d", status)
	}
	if status, _ := root.Send(http.MethodPost, page+"/invite", url.Values{"theirs": {"on"}}); status != http.StatusOK {
		t.Errorf("with it: %d", status)
	}
	if to := p.mails(3); to[0] != "mallory@example.net" {
		t.Errorf("mails went to %v", to)
	}

	// A day later the address has proved itself: nobody has objected.
	p.ahead.Store(int64(24*time.Hour + time.Minute))
	if code := p.forgot(); code != "" {
		t.Errorf("a day later: %q", code)
	}
	p.mails(4)
	if status, page := signIn(); status != http.StatusOK || !strings.Contains(page, "Check your email") {
		t.Errorf("a code, a day later: %d %s", status, page)
	}
	p.mails(5)
	centertest.Check(t, p.Center)
}

// TestWhoMakesAUserAgainIsNotThatPerson deletes the boss with a key that may change users, and
// makes another boss, whose mail goes elsewhere.
func TestWhoMakesAUserAgainIsNotThatPerson(t *testing.T) {
	t.Parallel()
	p, ctx := startPosted(t), context.Background()
	key, err := p.CreateAccessKey(ctx, audit.SystemActor, "helpdesk", center.RoleUserAdministrator)
	if err != nil {
		t.Fatal(err)
	}
	aws := centertest.NewAWSCLI(t, p.URL, p.Instance.Region, key.ID, key.SecretAccessKey.Reveal())
	store := p.Instance.IdentityStoreID
	aws.Run(nil, "identitystore", "delete-user", "--identity-store-id", store, "--user-id", string(p.boss.ID))
	aws.Run(nil, "identitystore", "create-user", "--identity-store-id", store, "--user-name", "boss",
		"--display-name", "The Boss", "--name", "GivenName=The,FamilyName=Boss",
		"--emails", "Value=mallory@example.net,Primary=true")
	if code := p.forgot(); code != center.AddressNew.String() {
		t.Errorf("a link to the address of a boss who was made a moment ago: %q", code)
	}
	if n := len(p.outbox.Messages()); n != 0 {
		t.Errorf("%d mails: %+v", n, p.outbox.Messages())
	}
	p.ahead.Store(int64(24*time.Hour + time.Minute))
	if code := p.forgot(); code != "" {
		t.Errorf("a day later: %q", code)
	}
}

// TestProvisioningTellsTheOldAddressToo does it by SCIM, by both ways to change a user, and keeps
// what only the center knows.
func TestProvisioningTellsTheOldAddressToo(t *testing.T) {
	t.Parallel()
	p, ctx := startPosted(t), context.Background()
	centertest.Federate(t, p.Center, "https://idp")
	tenant, err := p.CreateProvisioningTenant(ctx, audit.SystemActor)
	if err != nil {
		t.Fatal(err)
	}
	token, err := p.CreateBearerToken(ctx, audit.SystemActor, "")
	if err != nil {
		t.Fatal(err)
	}
	change := func(method, body string) center.User {
		t.Helper()
		req, err := http.NewRequestWithContext(
			ctx,
			method,
			p.SCIMEndpoint(tenant)+"Users/"+string(p.boss.ID),
			strings.NewReader(body),
		)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token.Secret.Reveal())
		req.Header.Set("Content-Type", "application/scim+json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close() //nolint:errcheck // nothing was sent
		u, err := p.User(ctx, p.boss.ID)
		if res.StatusCode != http.StatusOK || err != nil {
			t.Fatalf("%s: %d %v", method, res.StatusCode, err)
		}
		return u
	}
	const put = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"boss","active":true,
		"displayName":"The Boss","name":{"givenName":"The","familyName":"Boss"},"emails":[{"value":"ADDRESS",
		"primary":true,"type":"work"}]}`
	if u := change(
		http.MethodPut, strings.ReplaceAll(put, "ADDRESS", "BOSS@example.com"),
	); !u.AddressChangedAt.IsZero() {
		t.Error("another letter case is another address")
	}
	u := change(
		http.MethodPatch,
		`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace",
			"path":"emails[type eq \"work\"].value","value":"one@example.com"}]}`,
	)
	at := u.AddressChangedAt
	if to := p.mails(1); !u.AddressIsNew(p.Now()) || to[0] != "BOSS@example.com" {
		t.Errorf("PATCH: %s, mails to %v", at, to)
	}
	if u := change(http.MethodPut, strings.ReplaceAll(put, "ADDRESS", "one@example.com")); !u.AddressChangedAt.Equal(
		at,
	) {
		t.Error("PUT has forgotten when the address was changed")
	}
	p.ahead.Store(int64(25 * time.Hour))
	u = change(http.MethodPut, strings.ReplaceAll(put, "ADDRESS", "two@example.com"))
	if to := p.mails(2); !u.AddressChangedAt.After(at) || to[0] != "one@example.com" {
		t.Errorf("PUT: %s, mails to %v", u.AddressChangedAt, to)
	}
}
