package center_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

const goodPassword = "Correct horse 7!"

// letters is a mailer that keeps what it is given.
type letters struct {
	sent chan center.Mail
}

// Send implements center.Mailer.
func (l *letters) Send(_ context.Context, m center.Mail) { l.sent <- m }

// directory is a center with a clock that is moved by hand, a mailer, and one user with a password.
type directory struct {
	*center.Center
	t    *testing.T
	ctx  context.Context
	now  time.Time
	mail *letters
	user center.User
}

var fromHome = audit.Actor{Kind: audit.Anonymous, Address: "192.0.2.1", RequestID: "r"}

func newDirectory(t *testing.T) *directory {
	t.Helper()
	d := &directory{
		Center: centertest.New(t, "http://localhost"),
		t:      t,
		ctx:    context.Background(),
		now:    time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC),
		mail:   &letters{sent: make(chan center.Mail, 10)},
	}
	d.Now, d.Mailer = func() time.Time { return d.now }, d.mail
	ada := centertest.Person("ada")
	ada.Emails = []center.Value{{Value: "ada@example.com", Primary: true}}
	var err error
	if d.user, err = d.CreateUser(d.ctx, centertest.Actor, ada); err != nil {
		t.Fatal(err)
	}
	d.must(d.SetPassword(d.ctx, centertest.Actor, d.user.ID, goodPassword))
	return d
}

func (d *directory) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *directory) settings(change func(*center.SignInSettings)) {
	d.t.Helper()
	s, err := d.SignInSettings(d.ctx)
	d.must(err)
	change(&s)
	d.must(d.UpdateSignInSettings(d.ctx, centertest.Actor, s))
}

// signIn shows the password and wants a step, or a refusal.
func (d *directory) signIn(
	by audit.Actor, from center.Browser, want center.Step, refused refusal.Code,
) center.Progress {
	d.t.Helper()
	p, err := d.SignInUser(d.ctx, by, "ADA", goodPassword, "/start", from)
	if refusal.CodeOf(err) != refused || p.Step != want {
		d.t.Fatalf("step %q, error %v; want %q, %q", p.Step, err, want, refused)
	}
	if refused == refusal.None && want == center.StepDone {
		if u, err := d.PortalUser(d.ctx, p.Session.Reveal()); err != nil || u.ID != d.user.ID {
			d.t.Fatalf("the session is %s's, %v", u.UserName, err)
		}
	}
	return p
}

// register registers an authenticator app at sign-in and returns its secret.
func (d *directory) register() (secret string, p center.Progress) {
	d.t.Helper()
	ticket := d.signIn(fromHome, center.Browser{}, center.StepRegister, refusal.None).Ticket.Reveal()
	e, err := d.EnrolSigningIn(d.ctx, ticket)
	d.must(err)
	p, err = d.SignInWithNewDevice(
		d.ctx, fromHome, ticket,
		center.NewDevice{Ticket: e.Ticket.Reveal(), Name: "Phone", Code: d.code(e.TOTP.Secret)}, center.Browser{},
	)
	d.must(err)
	if p.Step != center.StepDone || p.Session == "" {
		d.t.Fatalf("after the registration: %+v", p)
	}
	d.now = d.now.Add(time.Minute) // the next code is another
	return e.TOTP.Secret, p
}

func (d *directory) code(secret string) string {
	d.t.Helper()
	code, err := totp.GenerateCode(secret, d.now)
	d.must(err)
	return code
}

func TestWhatFollowsThePassword(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*center.SignInSettings)
		device bool
		step   center.Step
		code   refusal.Code
	}{
		"a new instance wants a device": {func(*center.SignInSettings) {}, false, center.StepRegister, refusal.None},
		"never": {func(s *center.SignInSettings) {
			s.MFA = center.MFANever
		}, true, center.StepDone, refusal.None},
		"always": {func(s *center.SignInSettings) {
			s.MFA = center.MFAAlways
		}, true, center.StepFactor, refusal.None},
		"in a browser that is not trusted": {func(*center.SignInSettings) {}, true, center.StepFactor, refusal.None},
		"no device, a code by mail": {func(s *center.SignInSettings) {
			s.WithoutDevice = center.EmailCode
		}, false, center.StepCode, refusal.None},
		"no device, blocked": {func(s *center.SignInSettings) {
			s.WithoutDevice = center.BlockSignIn
		}, false, "", center.NoDevice},
		"no device, allowed": {func(s *center.SignInSettings) {
			s.WithoutDevice = center.AllowSignIn
		}, false, center.StepDone, refusal.None},
		"a device is asked for, also where allowed": {func(s *center.SignInSettings) {
			s.WithoutDevice = center.AllowSignIn
		}, true, center.StepFactor, refusal.None},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t)
			if c.device {
				d.register()
			}
			d.settings(c.change)
			d.signIn(fromHome, center.Browser{}, c.step, c.code)
		})
	}
}

func TestCodesAreUsedOnceAndGuessedInVain(t *testing.T) {
	d := newDirectory(t)
	secret, _ := d.register()
	attempt := func(ticket, code string, want refusal.Code) center.Progress {
		t.Helper()
		p, err := d.SignInWithCode(d.ctx, fromHome, ticket, code, false, center.Browser{})
		if refusal.CodeOf(err) != want {
			t.Fatalf("%s: %v, want %q", code, err, want)
		}
		return p
	}
	ticket := d.signIn(fromHome, center.Browser{}, center.StepFactor, refusal.None).Ticket.Reveal()
	attempt(ticket, "000000", center.FactorRefused)
	good := d.code(secret)
	if p := attempt(ticket, good, refusal.None); p.Session == "" {
		t.Fatal("no session")
	}
	attempt(ticket, good, center.TicketInvalid)
	ticket = d.signIn(fromHome, center.Browser{}, center.StepFactor, refusal.None).Ticket.Reveal()
	attempt(ticket, good, center.FactorRefused) // the same step again, also in another sign-in
	d.now = d.now.Add(time.Minute)
	for range 4 {
		attempt(ticket, "000000", center.FactorRefused)
	}
	attempt(ticket, d.code(secret), center.TicketInvalid) // five were wrong
	ticket = d.signIn(fromHome, center.Browser{}, center.StepFactor, refusal.None).Ticket.Reveal()
	attempt(ticket, d.code(secret), center.SignInLocked) // who knows the password cannot guess on with new sign-ins
	d.now = d.now.Add(5 * time.Minute)
	attempt(ticket, d.code(secret), refusal.None)

	ticket = d.signIn(fromHome, center.Browser{}, center.StepFactor, refusal.None).Ticket.Reveal()
	d.now = d.now.Add(10 * time.Minute)
	attempt(ticket, d.code(secret), center.TicketInvalid) // too old
}

func TestTheCodeByMailWorksOnce(t *testing.T) {
	d := newDirectory(t)
	d.settings(func(s *center.SignInSettings) { s.WithoutDevice = center.EmailCode })
	ticket := d.signIn(fromHome, center.Browser{}, center.StepCode, refusal.None).Ticket.Reveal()
	m := <-d.mail.sent
	code := regexp.MustCompile(`\b\d{6}\b`).FindString(m.Text)
	if m.To != "ada@example.com" || code == "" {
		t.Fatalf("the mail is %+v", m)
	}
	if _, err := d.SignInWithCode(
		d.ctx, fromHome, ticket, "12345", false, center.Browser{},
	); refusal.CodeOf(err) != center.FactorRefused {
		t.Errorf("a wrong code: %v", err)
	}
	if p, err := d.SignInWithCode(d.ctx, fromHome, ticket, code, false, center.Browser{}); err != nil ||
		p.Session == "" {
		t.Errorf("the right code: %v", err)
	}
	if _, err := d.SignInWithCode(
		d.ctx, fromHome, ticket, code, false, center.Browser{},
	); refusal.CodeOf(err) != center.TicketInvalid {
		t.Errorf("the code again: %v", err)
	}
}

func TestATrustedBrowserIsNotAskedAtTheSameAddress(t *testing.T) {
	d := newDirectory(t)
	secret, _ := d.register()
	ticket := d.signIn(fromHome, center.Browser{}, center.StepFactor, refusal.None).Ticket.Reveal()
	p, err := d.SignInWithCode(d.ctx, fromHome, ticket, d.code(secret), true, center.Browser{})
	d.must(err)
	mine := center.Browser{Known: p.Known.Reveal()}
	d.signIn(fromHome, mine, center.StepDone, refusal.None)
	elsewhere := fromHome
	elsewhere.Address = "198.51.100.7"
	d.signIn(elsewhere, mine, center.StepFactor, refusal.None)
	d.signIn(fromHome, center.Browser{Known: "stolen"}, center.StepFactor, refusal.None)
	// trust ends with the password; the browser stays known
	d.must(d.SetPassword(d.ctx, centertest.Actor, d.user.ID, "Another one 8!"))
	d.must(d.SetPassword(d.ctx, centertest.Actor, d.user.ID, "Another one 9!"))
	again, err := d.SignInUser(d.ctx, fromHome, "ada", "Another one 9!", "/start", mine)
	d.must(err)
	if again.Step != center.StepFactor {
		t.Errorf("with another password the trusted browser waits for %q", again.Step)
	}
	d.must(d.SetPassword(d.ctx, centertest.Actor, d.user.ID, "Another one 7!"))
	d.must(d.SetPassword(d.ctx, centertest.Actor, d.user.ID, "Another one 6!"))
	d.must(d.SetPassword(d.ctx, centertest.Actor, d.user.ID, goodPassword))
	d.settings(func(s *center.SignInSettings) { s.MFA = center.MFAAlways })
	d.signIn(fromHome, mine, center.StepFactor, refusal.None)
}

// TestGuessingFromElsewhereLocksNobodyOut: the owner's browser is counted apart.
func TestGuessingFromElsewhereLocksNobodyOut(t *testing.T) {
	d := newDirectory(t)
	d.settings(func(s *center.SignInSettings) { s.MFA = center.MFANever })
	mine := center.Browser{Known: d.signIn(fromHome, center.Browser{}, center.StepDone, refusal.None).Known.Reveal()}
	for range 8 {
		if _, err := d.SignInUser(d.ctx, fromHome, "ada", "a guess", "/", center.Browser{}); err == nil {
			t.Fatal("a guess was right")
		}
	}
	d.signIn(fromHome, center.Browser{}, "", center.SignInLocked)
	open := d.signIn(fromHome, mine, center.StepDone, refusal.None).Session.Reveal()
	self := audit.Actor{Kind: audit.User, Name: "ada"}
	if err := d.ChangePassword(
		d.ctx, self, d.user.ID, goodPassword, "Another one 8!", open, "",
	); refusal.CodeOf(err) != center.SignInLocked {
		t.Errorf("a password is changed in a browser that is not known: %v", err)
	}
	d.must(d.ChangePassword(d.ctx, self, d.user.ID, goodPassword, "Another one 8!", open, mine.Known))
	d.must(d.ChangePassword(d.ctx, self, d.user.ID, "Another one 8!", "Another one 7!", open, mine.Known))
	for range 5 {
		_, _ = d.SignInUser(d.ctx, fromHome, "ada", "a mistake", "/", mine)
	}
	d.signIn(fromHome, mine, "", center.SignInLocked)
}

func TestPasswordRules(t *testing.T) {
	for password, want := range map[string]string{
		goodPassword: "", "Short1!": "8 to 64 characters", strings.Repeat("Aa1!", 17): "8 to 64 characters",
		"no capitals 1!": "an upper-case letter",
		"NO SMALL 1!":    "a lower-case letter", "No digits!": "a digit", "No punctuation 1": "one of",
		"Gr\u00fc\u00dfe 1!": "", "        ": "a lower-case letter, an upper-case letter, a digit, one of",
	} {
		err := center.CheckPassword(password)
		if (want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", password, err, want)
		}
	}
}

func TestTheLastThreePasswordsAreRefused(t *testing.T) {
	d := newDirectory(t)
	set := func(password string, want refusal.Code) {
		t.Helper()
		if err := d.SetPassword(d.ctx, centertest.Actor, d.user.ID, password); refusal.CodeOf(err) != want {
			t.Fatalf("%s: %v, want %q", password, err, want)
		}
	}
	set(goodPassword, center.PasswordReused)
	set(goodPassword+"2", refusal.None)
	set(goodPassword, center.PasswordReused)
	set(goodPassword+"3", refusal.None)
	if _, err := d.OneTimePassword(d.ctx, centertest.Actor, d.user.ID); err != nil { // is none of them
		t.Fatal(err)
	}
	set(goodPassword, center.PasswordReused)
	set(goodPassword+"4", refusal.None)
	set(goodPassword, refusal.None)
}

func TestAOneTimePasswordMustBeReplaced(t *testing.T) {
	d := newDirectory(t)
	d.settings(func(s *center.SignInSettings) { s.MFA = center.MFANever })
	once, err := d.OneTimePassword(d.ctx, centertest.Actor, d.user.ID)
	d.must(err)
	d.signIn(fromHome, center.Browser{}, "", center.SignInFailed) // the old one is gone
	p, err := d.SignInUser(d.ctx, fromHome, "ada", once.Reveal(), "/start", center.Browser{})
	d.must(err)
	if p.Step != center.StepPassword || p.Session != "" {
		t.Fatalf("the one-time password leads to %+v", p)
	}
	ticket := p.Ticket.Reveal()
	if _, err := d.SignInWithCode(
		d.ctx, fromHome, ticket, "123456", false, center.Browser{},
	); refusal.CodeOf(err) != center.TicketInvalid {
		t.Errorf("a step was passed over: %v", err)
	}
	if _, err := d.SignInWithNewPassword(
		d.ctx, fromHome, ticket, "weak", center.Browser{},
	); refusal.CodeOf(err) != center.PasswordUnfit {
		t.Errorf("a weak one: %v", err)
	}
	if p, err = d.SignInWithNewPassword(d.ctx, fromHome, ticket, "Another one 8!", center.Browser{}); err != nil ||
		p.Session == "" {
		t.Errorf("a good one: %+v, %v", p, err)
	}
	if _, err := d.SignInUser(
		d.ctx, fromHome, "ada", once.Reveal(), "/", center.Browser{},
	); refusal.CodeOf(err) != center.SignInFailed {
		t.Errorf("the one-time password again: %v", err)
	}
}

func link(t *testing.T, m center.Mail) string {
	t.Helper()
	found := regexp.MustCompile(`\?ticket=([A-Za-z0-9_-]+)`).FindStringSubmatch(m.Text)
	if found == nil {
		t.Fatalf("no link in %s", m.Text)
	}
	return found[1]
}

func TestLinksInMails(t *testing.T) {
	d := newDirectory(t)
	d.settings(func(s *center.SignInSettings) { s.MFA = center.MFANever })
	session := d.signIn(fromHome, center.Browser{}, center.StepDone, refusal.None).Session
	set := func(ticket, password string, want refusal.Code) {
		t.Helper()
		if err := d.SetPasswordWithTicket(d.ctx, fromHome, ticket, password); refusal.CodeOf(err) != want {
			t.Fatalf("%v, want %q", err, want)
		}
	}
	d.ForgotPassword(d.ctx, fromHome, "Ada")
	first := link(t, <-d.mail.sent)
	d.must(d.Invite(d.ctx, centertest.Actor, d.user.ID, false))
	second := link(t, <-d.mail.sent)
	set(first, "Another one 8!", center.TicketInvalid) // replaced
	set(second, goodPassword, center.PasswordReused)   // and still usable
	set(second, "Another one 8!", refusal.None)
	set(second, "Another one 9!", center.TicketInvalid) // used
	if _, err := d.PortalUser(d.ctx, session.Reveal()); refusal.CodeOf(err) != center.SessionInvalid {
		t.Errorf("a session outlives the reset: %v", err)
	}
	d.must(d.Invite(d.ctx, centertest.Actor, d.user.ID, false))
	late := link(t, <-d.mail.sent)
	d.now = d.now.Add(time.Hour)
	set(late, "Another one 9!", center.TicketInvalid)

	// A user without a password is invited, for longer.
	grace := centertest.Person("grace")
	grace.Emails = []center.Value{{Value: "grace@example.com", Primary: true}}
	u, err := d.CreateUser(d.ctx, centertest.Actor, grace)
	d.must(err)
	d.must(d.Invite(d.ctx, centertest.Actor, u.ID, false))
	m := <-d.mail.sent
	d.now = d.now.Add(6 * 24 * time.Hour)
	if !strings.HasPrefix(m.Subject, "Invitation") {
		t.Errorf("the invitation is called %q", m.Subject)
	}
	set(link(t, m), "Rear admiral 1!", refusal.None)

	// Who cannot be sent one is told why, but only administrators are.
	nobody, err := d.CreateUser(d.ctx, centertest.Actor, centertest.Person("nomail"))
	d.must(err)
	if err := d.Invite(d.ctx, centertest.Actor, nobody.ID, false); refusal.CodeOf(err) != center.NoAddress {
		t.Errorf("without an address: %v", err)
	}
	d.must(d.SetUserActive(d.ctx, centertest.Actor, u.ID, false))
	if err := d.Invite(d.ctx, centertest.Actor, u.ID, false); refusal.CodeOf(err) != center.UserDisabled {
		t.Errorf("disabled: %v", err)
	}
}

// TestNobodyIsFloodedWithMailOrKeepsBrowsersWithoutEnd: what others can ask for, and what a script
// without cookies leaves behind.
func TestNobodyIsFloodedWithMailOrKeepsBrowsersWithoutEnd(t *testing.T) {
	d := newDirectory(t)
	d.settings(func(s *center.SignInSettings) { s.MFA = center.MFANever })
	d.forgets("")
	first := link(t, <-d.mail.sent)
	d.now = d.now.Add(time.Minute)
	d.forgets(center.LinkSent.String())
	if _, err := d.PasswordTicket(d.ctx, first); err != nil || len(d.mail.sent) > 0 {
		t.Errorf("the first link is %v, %d more mails", err, len(d.mail.sent))
	}
	d.now = d.now.Add(time.Minute)
	d.forgets("")
	<-d.mail.sent

	oldest := d.signIn(fromHome, center.Browser{}, center.StepDone, refusal.None).Known.Reveal()
	for range 20 {
		d.now = d.now.Add(time.Second)
		d.signIn(fromHome, center.Browser{}, center.StepDone, refusal.None)
	}
	var known []center.Ticket
	d.must(d.Store.View(d.ctx, func(r center.Reader) (err error) {
		known, err = r.TicketsOf(center.KnownBrowser, string(d.user.ID))
		return err
	}))
	if len(known) != 20 ||
		slices.ContainsFunc(known, func(k center.Ticket) bool { return k.Digest == authn.Digest(oldest) }) {
		t.Errorf("%d browsers are known, the oldest among them", len(known))
	}
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	d := newDirectory(t)
	d.settings(func(s *center.SignInSettings) { s.MFA, s.PortalSession = center.MFANever, 30*time.Minute })
	phone := d.signIn(fromHome, center.Browser{UserAgent: "Phone"}, center.StepDone, refusal.None)
	d.now = d.now.Add(time.Minute)
	laptop := d.signIn(fromHome, center.Browser{UserAgent: "Laptop"}, center.StepDone, refusal.None)
	if laptop.Lifetime != 30*time.Minute {
		t.Errorf("the session lasts %s", laptop.Lifetime)
	}
	list, err := d.Sessions(d.ctx, d.user.ID)
	if err != nil || len(list) != 2 || list[0].UserAgent != "Laptop" || list[0].Address != fromHome.Address {
		t.Fatalf("listed %+v, %v", list, err)
	}
	if err := d.EndSession(
		d.ctx, centertest.Actor, "somebody-else", list[1].Digest,
	); refusal.CodeOf(err) != center.SessionInvalid {
		t.Errorf("another user's session: %v", err)
	}
	d.must(d.EndSession(d.ctx, centertest.Actor, d.user.ID, list[1].Digest))
	if _, err := d.PortalUser(d.ctx, phone.Session.Reveal()); refusal.CodeOf(err) != center.SessionInvalid {
		t.Errorf("the ended session: %v", err)
	}
	third := d.signIn(fromHome, center.Browser{}, center.StepDone, refusal.None)
	d.must(
		d.ChangePassword(
			d.ctx, audit.Actor{Kind: audit.User, Name: "ada"}, d.user.ID, goodPassword, "Another one 8!",
			third.Session.Reveal(), "",
		),
	)
	for secret, want := range map[string]refusal.Code{
		laptop.Session.Reveal(): center.SessionInvalid,
		third.Session.Reveal():  refusal.None,
	} {
		if _, err := d.PortalUser(d.ctx, secret); refusal.CodeOf(err) != want {
			t.Errorf("after the change of the password: %v, want %q", err, want)
		}
	}
	centertest.Federate(t, d.Center, "https://idp")
	a := center.VerifiedAssertion{Issuer: "https://idp", NameID: "ada", UsableUntil: d.now.Add(time.Hour)}
	for i := range 101 { // without a password, which takes long
		a.ID = fmt.Sprint("a", i)
		if _, _, _, err := d.SignInWithAssertion(d.ctx, fromHome, a, center.Browser{}); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := d.Sessions(d.ctx, d.user.ID); err != nil || len(list) != 100 {
		t.Errorf("%d sessions, %v; want as many as there may be", len(list), err)
	}
	d.now = d.now.Add(30 * time.Minute)
	if list, err := d.Sessions(d.ctx, d.user.ID); err != nil || len(list) != 0 {
		t.Errorf("listed after their end: %+v, %v", list, err)
	}
}

func TestDevicesAreBoundedAndBelongToOne(t *testing.T) {
	d := newDirectory(t)
	d.register()
	self, me := audit.Actor{Kind: audit.User, Name: "ada"}, string(d.user.ID)
	e, err := d.Enrol(d.ctx, me, "ada")
	d.must(err)
	in := center.NewDevice{Ticket: e.Ticket.Reveal(), Name: "Tablet", Code: d.code(e.TOTP.Secret)}
	if err := d.FinishEnrolment(d.ctx, self, "somebody-else", in); refusal.CodeOf(err) != center.TicketInvalid {
		t.Errorf("another's enrolment: %v", err)
	}
	d.must(d.FinishEnrolment(d.ctx, self, me, in))
	if e, err = d.Enrol(d.ctx, me, "ada"); err != nil || e.TOTP != nil || e.KeyOptions == "" {
		t.Errorf("a third app is offered, or no key: %+v, %v", e.TOTP, err)
	}
	devices, err := d.Devices(d.ctx, me)
	if err != nil || len(devices) != 2 {
		t.Fatalf("%+v, %v", devices, err)
	}
	if err := d.DeleteDevice(
		d.ctx, self, "somebody-else", devices[0].ID, "",
	); refusal.CodeOf(err) != center.DeviceNotFound {
		t.Errorf("another's device: %v", err)
	}
	d.must(d.RenameDevice(d.ctx, self, me, devices[0].ID, "Old phone"))
	d.settings(func(s *center.SignInSettings) { s.SelfService = false })
	if err := d.DeleteDevice(d.ctx, self, me, devices[0].ID, ""); refusal.CodeOf(err) != center.NotAllowed {
		t.Errorf("without self-service: %v", err)
	}
	d.must(d.DeleteDevice(d.ctx, centertest.Actor, me, devices[0].ID, ""))
	d.must(d.DeleteUser(d.ctx, centertest.Actor, d.user.ID))
	if devices, err := d.Devices(d.ctx, me); err != nil || len(devices) != 0 {
		t.Errorf("devices outlive their user: %+v, %v", devices, err)
	}
}

func TestDisablingAUserEndsASignInOnItsWay(t *testing.T) {
	d := newDirectory(t)
	secret, _ := d.register()
	ticket := d.signIn(fromHome, center.Browser{}, center.StepFactor, refusal.None).Ticket.Reveal()
	d.must(d.SetUserActive(d.ctx, centertest.Actor, d.user.ID, false))
	d.must(d.SetUserActive(d.ctx, centertest.Actor, d.user.ID, true))
	if _, err := d.SignInWithCode(
		d.ctx, fromHome, ticket, d.code(secret), false, center.Browser{},
	); refusal.CodeOf(err) != center.TicketInvalid {
		t.Errorf("it goes on: %v", err)
	}
}

// TestWhatIsKeptTellsNoSecret looks for secrets in the audit log.
func TestWhatIsKeptTellsNoSecret(t *testing.T) {
	d := newDirectory(t)
	secret, p := d.register()
	d.must(d.Invite(d.ctx, centertest.Actor, d.user.ID, false))
	ticket := link(t, <-d.mail.sent)
	events, err := d.Events(d.ctx, center.EventQuery{Limit: 100})
	d.must(err)
	for _, e := range events {
		for what, s := range map[string]string{
			"password": goodPassword,
			"app":      secret,
			"session":  p.Session.Reveal(),
			"browser":  p.Known.Reveal(),
			"link":     ticket,
			"digest":   authn.Digest(p.Session.Reveal()),
		} {
			if strings.Contains(e.Subject+e.Detail+e.Actor.Name, s) {
				t.Errorf("an event tells the %s: %+v", what, e)
			}
		}
	}
}

// broken is a store that fails to read users while it writes.
type broken struct{ center.Store }

// Update implements center.Store.
func (b broken) Update(ctx context.Context, fn func(center.Tx) error) error {
	return b.Store.Update(ctx, func(tx center.Tx) error { return fn(brokenTx{tx}) })
}

type brokenTx struct{ center.Tx }

var errDisk = errors.New("the disk is broken")

func (brokenTx) UserByName(string) (center.User, error) { return center.User{}, errDisk }

// TestAFailureOfTheStoreIsNoWrongPassword: it reaches the door, and the database's own retries, as
// what it is.
func TestAFailureOfTheStoreIsNoWrongPassword(t *testing.T) {
	d := newDirectory(t)
	d.Store = broken{d.Store}
	if _, err := d.SignInUser(d.ctx, fromHome, "ada", goodPassword, "/", center.Browser{}); !errors.Is(err, errDisk) ||
		refusal.CodeOf(err) != refusal.None {
		t.Errorf("the sign-in failed with %v", err)
	}
}
