package center_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// newCertificate makes a self-signed certificate.
func newCertificate(t *testing.T, name string, end time.Time, rsaBits int) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    end.AddDate(-1, 0, 0),
		NotAfter:     end,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if rsaBits > 0 {
		weak, e := rsa.GenerateKey(rand.Reader, rsaBits) // #nosec G403 -- weak on purpose
		if e != nil {
			t.Fatal(e)
		}
		der, err = x509.CreateCertificate(rand.Reader, template, template, weak.Public(), weak)
	}
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// use makes an identity provider the source.
func use(t *testing.T, c *center.Center, entity string) {
	t.Helper()
	pend(t, c, entity)
	s, err := c.Source(context.Background())
	if err == nil {
		err = c.EnableIdPConfiguration(context.Background(), centertest.Actor, s.Pending.ID, center.Accepted)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func pend(t *testing.T, c *center.Center, entity string) {
	t.Helper()
	_, err := c.CreateIdPConfiguration(
		context.Background(),
		centertest.Actor,
		center.IdPConfiguration{
			EntityID:     entity,
			SignInURL:    entity + "/sso",
			Certificates: [][]byte{newCertificate(t, entity, time.Now().AddDate(3, 0, 0), 0)},
		},
	)
	if err != nil {
		t.Fatal(err)
	}
}

func TestAChangeOfTheIdentitySourceCanBeUndone(t *testing.T) {
	c := centertest.New(t, "http://127.0.0.1")
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	c.Now = func() time.Time { return now }
	ctx := context.Background()
	undo := func(word string, want refusal.Code) {
		t.Helper()
		if err := c.UndoSourceChange(ctx, centertest.Actor, center.Confirmed{Word: word}); refusal.CodeOf(err) != want {
			t.Fatalf("%v, want %q", err, want)
		}
	}
	is := func(kind center.SourceType, entity string) {
		t.Helper()
		s, err := c.Source(ctx)
		if err != nil || s.Type != kind || (s.IdP == nil) != (entity == "") ||
			(s.IdP != nil && (s.IdP.EntityID != entity || len(s.IdP.Certificates) != 1)) {
			t.Fatalf("the source is %+v, %v; want %s %s", s, err, kind, entity)
		}
	}
	undo(center.Confirmation, center.NothingToUndo)
	use(t, c, "https://a.example")
	use(t, c, "https://b.example")
	undo("accept", center.ConfirmationMissing)
	undo(center.Confirmation, refusal.None)
	is(center.ExternalIdP, "https://a.example")
	undo(center.Confirmation, refusal.None) // of the undoing
	is(center.ExternalIdP, "https://b.example")
	if err := c.DisableIdPConfiguration(ctx, centertest.Actor, center.Accepted); err != nil {
		t.Fatal(err)
	}
	is(center.Directory, "")
	undo(center.Confirmation, refusal.None)
	is(center.ExternalIdP, "https://b.example")
	if _, err := c.CreateProvisioningTenant(ctx, centertest.Actor); err != nil {
		t.Fatal(err)
	}
	undo(center.Confirmation, center.ProvisioningOn) // back to the directory
	is(center.ExternalIdP, "https://b.example")
	if err := c.DeleteProvisioningTenant(ctx, centertest.Actor); err != nil {
		t.Fatal(err)
	}
	now = now.Add(center.UndoFor)
	undo(center.Confirmation, center.NothingToUndo)
}

func TestTheReportOfAChange(t *testing.T) {
	c := centertest.New(t, "http://127.0.0.1")
	ctx := context.Background()
	for _, name := range []string{"ada@example.com", "grace@example.com", "oldtimer"} {
		if _, err := c.CreateUser(ctx, centertest.Actor, centertest.Person(name)); err != nil {
			t.Fatal(err)
		}
	}
	ada, err := c.UserByName(ctx, "ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetPassword(ctx, centertest.Actor, ada.ID, goodPassword); err != nil {
		t.Fatal(err)
	}
	// Grace administers an account by a group, the old timer directly.
	set, err := c.CreatePermissionSet(ctx, centertest.Actor, center.PermissionSet{Name: "Admin"})
	if err != nil {
		t.Fatal(err)
	}
	grace, e1 := c.UserByName(ctx, "grace@example.com")
	old, e2 := c.UserByName(ctx, "oldtimer")
	admins, e3 := c.CreateGroup(ctx, centertest.Actor, center.Group{DisplayName: "Admins"}, grace.ID)
	e4 := c.PutAccount(ctx, centertest.Actor, center.Account{ID: "111122223333", Name: "Production"})
	err = errors.Join(
		e1, e2, e3, e4,
		c.AttachManagedPolicy(ctx, centertest.Actor, set.ARN, "arn:aws:iam::aws:policy/AdministratorAccess"),
	)
	for kind, id := range map[center.PrincipalType]string{
		center.PrincipalGroup: string(admins.ID),
		center.PrincipalUser:  string(old.ID),
	} {
		_, e := c.CreateAssignment(
			ctx,
			centertest.Actor,
			center.Assignment{
				AccountID:        "111122223333",
				PermissionSetARN: set.ARN,
				PrincipalType:    kind,
				PrincipalID:      id,
			},
		)
		err = errors.Join(err, e)
	}
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"ada@example.com": true}
	check := func(to center.SourceType, known map[string]bool, lockedOut int, want map[center.Effect]int) {
		t.Helper()
		r, err := c.PreviewSourceChange(ctx, to, known)
		if err != nil || r.Total != 3 || len(r.Counts) != len(want) || r.LockedOut != lockedOut {
			t.Fatalf("%+v, %d locked out, %v; want %v, %d", r.Counts, r.LockedOut, err, want, lockedOut)
		}
		for effect, n := range want {
			if r.Counts[effect] != n || effect.Explain() == string(effect) {
				t.Errorf("%d users %s (%s), want %d", r.Counts[effect], effect, effect.Explain(), n)
			}
		}
	}
	check(center.ExternalIdP, nil, 1, map[center.Effect]int{center.SignsInAtIdP: 2, center.StopsWorking: 1})
	check(
		center.ExternalIdP, known, 2,
		map[center.Effect]int{center.SignsInAtIdP: 1, center.MatchesNobody: 1, center.StopsWorking: 1},
	)
	use(t, c, "https://a.example")
	check(
		center.ExternalIdP, known, 2,
		map[center.Effect]int{center.SignsInAtNewIdP: 1, center.MatchesNobody: 1, center.StopsWorking: 1},
	)
	check(center.Directory, nil, 2, map[center.Effect]int{center.PasswordIsUsed: 1, center.NeedsPassword: 2})
}

func TestCertificatesOfTheIdentityProvider(t *testing.T) {
	c := centertest.New(t, "http://127.0.0.1")
	ctx := context.Background()
	soon := newCertificate(t, "soon", time.Now().AddDate(0, 1, 0), 0)
	want := func(err error, code refusal.Code) {
		t.Helper()
		if refusal.CodeOf(err) != code {
			t.Fatalf("%v, want %q", err, code)
		}
	}
	want(c.ImportIdPCertificate(ctx, centertest.Actor, soon), center.SourceNotConfigured)
	use(t, c, "https://a.example")
	want(c.ImportIdPCertificate(ctx, centertest.Actor, soon), refusal.None)
	want(c.ImportIdPCertificate(ctx, centertest.Actor, soon), refusal.None) // again
	list := func() []center.IdPCertificate {
		t.Helper()
		s, err := c.Source(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return s.IdP.CertificateList()
	}
	all := list()
	if len(all) != 2 || all[0].Subject != "CN=soon" || all[0].Thumbprint != center.Thumbprint(soon) {
		t.Fatalf("listed %+v", all)
	}
	want(c.DeleteIdPCertificate(ctx, centertest.Actor, all[0].Thumbprint, "delete"), center.ConfirmationMissing)
	want(c.DeleteIdPCertificate(ctx, centertest.Actor, "00", center.DeleteConfirmation), center.CertificateNotFound)
	want(c.DeleteIdPCertificate(ctx, centertest.Actor, all[0].Thumbprint, center.DeleteConfirmation), refusal.None)
	want(
		c.DeleteIdPCertificate(ctx, centertest.Actor, all[1].Thumbprint, center.DeleteConfirmation),
		center.LastCertificate,
	)
	for i := range 9 {
		want(
			c.ImportIdPCertificate(
				ctx, centertest.Actor, newCertificate(t, string(rune('a'+i)), time.Now().AddDate(1, 0, 0), 0),
			),
			refusal.None,
		)
	}
	want(c.ImportIdPCertificate(ctx, centertest.Actor, soon), center.CertificateInvalid)

	asPEM := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: soon}))
	for name, test := range map[string]struct {
		text string
		code refusal.Code
	}{
		"PEM":                    {asPEM, refusal.None},
		"DER":                    {string(soon), refusal.None},
		"PEM with blanks around": {"\n" + asPEM + " \n", refusal.None},
		"two":                    {asPEM + asPEM, center.CertificateInvalid},
		"nothing":                {"", center.CertificateInvalid},
		"a key": {
			string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: soon})), center.CertificateInvalid,
		},
		"a short key":   {string(newCertificate(t, "weak", time.Now(), 1024)), center.CertificateInvalid},
		"a long text":   {asPEM + strings.Repeat(" ", 2500), center.CertificateInvalid},
		"some nonsense": {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", center.CertificateInvalid},
	} {
		der, err := center.ReadCertificate([]byte(test.text))
		if refusal.CodeOf(err) != test.code || (err == nil && string(der) != string(soon)) {
			t.Errorf("%s: %v, want %q", name, err, test.code)
		}
	}
}

func TestARehearsalChangesNothing(t *testing.T) {
	c := centertest.New(t, "http://127.0.0.1")
	ctx, by := context.Background(), audit.Actor{Kind: audit.Anonymous}
	for _, name := range []string{"ada@example.com", "grace@example.com"} {
		if _, err := c.CreateUser(ctx, centertest.Actor, centertest.Person(name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.StartRehearsal(
		ctx, centertest.Actor, "ada@example.com",
	); refusal.CodeOf(err) != center.SourceNotConfigured {
		t.Errorf("without an identity provider: %v", err)
	}
	use(t, c, "https://a.example")
	pend(t, c, "https://b.example")
	link, err := c.StartRehearsal(ctx, centertest.Actor, "ADA@example.com")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(link.Reveal())
	if err != nil || u.Path != center.RehearsalPath {
		t.Fatalf("the link is %s", link.Reveal())
	}
	ticket := u.Query().Get("ticket")
	kept := map[string]string{"browser": "", "other": ""}
	request := func() string {
		t.Helper()
		r, err := c.RehearseAuthnRequest(ctx, kept["browser"], ticket)
		if err != nil || r.To.EntityID != "https://b.example" {
			t.Fatalf("to %s, %v", r.To.EntityID, err)
		}
		kept["browser"] = r.Outstanding.Reveal()
		return r.ID
	}
	attempt := func(what, id, name, answers, browser string, want refusal.Code) {
		t.Helper()
		a := center.VerifiedAssertion{
			Issuer:       "https://b.example",
			ID:           id,
			NameID:       name,
			InResponseTo: answers,
			UsableUntil:  time.Now().Add(time.Hour),
		}
		if u, err := c.FinishRehearsal(ctx, by, a, center.Browser{Outstanding: kept[browser]}); refusal.CodeOf(
			err,
		) != want ||
			(err == nil && u.UserName != "ada@example.com") {
			t.Errorf("%s: %s, %v; want %q", what, u.UserName, err, want)
		}
	}
	attempt("the user", "a", "ada@example.com", request(), "browser", refusal.None)
	attempt("the assertion again", "a", "ada@example.com", request(), "browser", center.AssertionReplayed)
	attempt("another browser", "b", "ada@example.com", request(), "other", center.RequestUnknown)
	attempt("another user", "b", "grace@example.com", request(), "browser", center.UserNotFound)
	attempt("nobody", "b", "eve@example.com", request(), "browser", center.UserNotFound)
	attempt("no request", "b", "ada@example.com", "", "browser", center.RequestUnknown)
	started, err := c.StartAuthnRequest(ctx, kept["browser"], "/start", false)
	if err != nil {
		t.Fatal(err)
	}
	kept["browser"] = started.Outstanding.Reveal()
	attempt("the answer to a real request", "b", "ada@example.com", started.ID, "browser", center.RequestUnknown)
	a := center.VerifiedAssertion{
		Issuer:       "https://a.example",
		ID:           "c",
		NameID:       "ada@example.com",
		InResponseTo: request(),
		UsableUntil:  time.Now().Add(time.Hour),
	}
	if _, _, _, err := c.SignInWithAssertion(
		ctx, by, a, center.Browser{Outstanding: kept["browser"]},
	); refusal.CodeOf(err) != center.RequestUnknown {
		t.Errorf("a rehearsal's answer opens a session: %v", err)
	}
	a.Issuer, a.InResponseTo = "https://b.example", ""
	if _, _, _, err := c.SignInWithAssertion(
		ctx, by, a, center.Browser{},
	); refusal.CodeOf(err) != center.SourceNotConfigured {
		t.Errorf("an assertion of the provider that is not in force: %v", err)
	}
	if s, err := c.Source(ctx); err != nil || s.IdP.EntityID != "https://a.example" {
		t.Errorf("the source is %+v, %v", s.IdP, err)
	}
	if _, err := c.RehearseAuthnRequest(ctx, "", "stolen"); refusal.CodeOf(err) != center.TicketInvalid {
		t.Errorf("another ticket: %v", err)
	}
}
