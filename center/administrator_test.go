package center_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
)

var operator = audit.SystemActor

func administratorNamed(name string) audit.Actor {
	return audit.Actor{Kind: audit.Administrator, Name: name}
}

// enter signs an administrator in who has no second factor, and returns the session's secret.
func (d *directory) enter(name, password string) string {
	d.t.Helper()
	p, err := d.SignInAdministrator(d.ctx, fromHome, name, password, "", center.Browser{})
	d.must(err)
	if p.Step != center.StepDone {
		d.t.Fatalf("%s: the password led to %q", name, p.Step)
	}
	return p.Session.Reveal()
}

// open says who a console session is of, or "" when it has ended.
func (d *directory) open(session string) string {
	d.t.Helper()
	name, err := d.ConsoleAdministrator(d.ctx, session)
	if refusal.CodeOf(err) == center.SessionInvalid {
		return ""
	}
	d.must(err)
	return name
}

func TestAnAdministratorIsAddedWithAOneTimePassword(t *testing.T) {
	d := newDirectory(t)
	d.must(d.SetAdministrator(d.ctx, operator, "root", goodPassword))
	secret, err := d.AddAdministrator(d.ctx, administratorNamed("root"), "Bob")
	d.must(err)
	if _, err := d.AddAdministrator(
		d.ctx, administratorNamed("root"), "bOB",
	); refusal.CodeOf(err) != center.AdministratorTaken {
		t.Errorf("a second one of the name: %v", err)
	}
	for _, name := range []string{"", " bob", "b\x1bob", string(make([]byte, 200))} {
		if _, err := d.AddAdministrator(
			d.ctx, administratorNamed("root"), name,
		); refusal.CodeOf(err) != center.InvalidValue {
			t.Errorf("the name %q: %v", name, err)
		}
	}
	p, err := d.SignInAdministrator(d.ctx, fromHome, "bob", secret.Reveal(), "", center.Browser{})
	d.must(err)
	if p.Step != center.StepPassword || p.Session != "" {
		t.Fatalf("the one-time password led to %+v", p)
	}
	console := center.Browser{Console: true}
	if _, err := d.SignInWithNewPassword(
		d.ctx, fromHome, p.Ticket.Reveal(), "too simple", console,
	); refusal.CodeOf(err) != center.PasswordUnfit {
		t.Errorf("a password that breaks the rules: %v", err)
	}
	if _, err := d.SignInWithNewPassword(
		d.ctx, fromHome, p.Ticket.Reveal(), goodPassword, center.Browser{},
	); refusal.CodeOf(err) != center.TicketInvalid {
		t.Errorf("at the portal's door: %v", err)
	}
	p, err = d.SignInWithNewPassword(d.ctx, fromHome, p.Ticket.Reveal(), goodPassword, console)
	d.must(err)
	if who := d.open(p.Session.Reveal()); who != "Bob" {
		t.Errorf("the session is %q's", who)
	}
	if _, err := d.PortalUser(d.ctx, p.Session.Reveal()); refusal.CodeOf(err) != center.SessionInvalid {
		t.Errorf("it opens the portal: %v", err)
	}
	if _, err := d.SignInAdministrator(
		d.ctx, fromHome, "bob", secret.Reveal(), "", center.Browser{},
	); refusal.CodeOf(err) != center.SignInFailed {
		t.Errorf("the one-time password goes on: %v", err)
	}
	all, err := d.Administrators(d.ctx)
	d.must(err)
	if len(all) != 2 || all[0].Name != "Bob" || all[0].CreatedBy != "root" || all[0].Sessions != 1 ||
		all[0].OneTimePassword || !all[0].LastSignInAt.Equal(d.now) {
		t.Errorf("the list is %+v", all)
	}
	if problem := check(d); problem != nil {
		t.Error(problem)
	}
}

func check(d *directory) []string {
	s, ok := d.Store.(interface {
		Check(ctx context.Context, progress func(int)) ([]string, error)
	})
	if !ok {
		return []string{"the store cannot be checked"}
	}
	problems, err := s.Check(d.ctx, func(int) {})
	d.must(err)
	return problems
}

// TestWhatIsChangedOfAnAdministratorEndsTheSessions does it by every change that must.
func TestWhatIsChangedOfAnAdministratorEndsTheSessions(t *testing.T) {
	for name, change := range map[string]func(*directory, string) error{
		"set password": func(d *directory, _ string) error {
			return d.SetAdministrator(d.ctx, operator, "bob", "Another 1 password!")
		},
		"reset password": func(d *directory, _ string) error {
			_, err := d.ResetAdministratorPassword(d.ctx, administratorNamed("root"), "bob")
			return err
		},
		"reset MFA": func(d *directory, _ string) error { return d.ResetAdministratorMFA(d.ctx, operator, "bob") },
		"sign out":  func(d *directory, _ string) error { return d.SignOutAdministrator(d.ctx, operator, "bob") },
		"remove": func(d *directory, _ string) error {
			_, err := d.RemoveAdministrator(d.ctx, administratorNamed("root"), "bob")
			return err
		},
		"own password": func(d *directory, own string) error {
			return d.ChangeAdministratorPassword(
				d.ctx, administratorNamed("bob"), "bob", goodPassword, "Another 1 password!", own, "",
			)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDirectory(t)
			d.must(d.SetAdministrator(d.ctx, operator, "root", goodPassword))
			d.must(d.SetAdministrator(d.ctx, operator, "bob", goodPassword))
			roots := d.enter(
				"root",
				goodPassword,
			)
			first := d.enter(
				"bob",
				goodPassword,
			)
			own := d.enter(
				"bob",
				goodPassword,
			)
			made := d.now
			d.now = d.now.Add(time.Hour)
			d.must(change(d, own))
			if d.open(first) != "" {
				t.Error("the session goes on")
			}
			if kept := d.open(own) != ""; kept != (name == "own password") {
				t.Errorf("the session that asked: open is %v", kept)
			}
			if d.open(roots) != "root" {
				t.Error("somebody else's session has ended")
			}
			all, err := d.Administrators(d.ctx)
			d.must(err)
			if i := slices.IndexFunc(all, func(a authn.AdministratorSummary) bool {
				return a.Name == "bob"
			}); i >= 0 &&
				!all[i].CreatedAt.Equal(made) {
				t.Errorf("created at %s, now at %s", made, all[i].CreatedAt)
			}
			if problem := check(d); problem != nil {
				t.Error(problem)
			}
		})
	}
}

func TestWhoCannotBeRemoved(t *testing.T) {
	d := newDirectory(t)
	d.must(d.SetAdministrator(d.ctx, operator, "root", goodPassword))
	for _, by := range []audit.Actor{operator, administratorNamed("root")} {
		if _, err := d.RemoveAdministrator(d.ctx, by, "root"); refusal.CodeOf(err) != center.LastAdministrator &&
			refusal.CodeOf(err) != center.OwnAdministrator {
			t.Errorf("the last one, by %s: %v", by.Name, err)
		}
	}
	d.must(d.SetAdministrator(d.ctx, operator, "bob", goodPassword))
	if _, err := d.RemoveAdministrator(
		d.ctx, administratorNamed("Bob"), "bob",
	); refusal.CodeOf(err) != center.OwnAdministrator {
		t.Errorf("oneself: %v", err)
	}
	if _, err := d.RemoveAdministrator(d.ctx, operator, "nobody"); refusal.CodeOf(err) != center.AdministratorNotFound {
		t.Errorf("nobody: %v", err)
	}
	if _, err := d.RemoveAdministrator(
		d.ctx, audit.Actor{Kind: audit.AccessKey, Role: string(center.RoleUserAdministrator)}, "bob",
	); refusal.CodeOf(err) != center.NotAllowed {
		t.Errorf("by a user administrator's key: %v", err)
	}
	if _, err := d.RemoveAdministrator(
		d.ctx, audit.Actor{Kind: audit.User, Name: "ada"}, "bob",
	); refusal.CodeOf(err) != center.NotAllowed {
		t.Errorf("by a person: %v", err)
	}
}

// TestARemovedAdministratorsKeysAreDisabled also in memory, at once.
func TestARemovedAdministratorsKeysAreDisabled(t *testing.T) {
	d := newDirectory(t)
	d.must(d.SetAdministrator(d.ctx, operator, "root", goodPassword))
	d.must(d.SetAdministrator(d.ctx, operator, "bob", goodPassword))
	bobs, err := d.CreateAccessKey(d.ctx, operator, "bob", center.RoleAdministrator)
	d.must(err)
	left, err := d.RemoveAdministrator(d.ctx, operator, "bob")
	d.must(err)
	if len(left) != 1 || left[0].ID != bobs.ID { // the only one there is
		t.Errorf("left are %+v", left)
	}
	d.must(d.SetAdministrator(d.ctx, operator, "bob", goodPassword))
	_, err = d.CreateAccessKey(d.ctx, operator, "terraform", center.RoleAdministrator)
	d.must(err)
	if _, err := d.AccessKeySecret(d.ctx, bobs.ID); err != nil { // it is remembered now
		t.Fatal(err)
	}
	left, err = d.RemoveAdministrator(d.ctx, operator, "bob")
	d.must(err)
	if _, err := d.AccessKeySecret(d.ctx, bobs.ID); refusal.CodeOf(err) != center.NotAllowed || len(left) != 0 {
		t.Errorf("the key is good, %v; left are %v", err, left)
	}
}

// TestAOneTimePasswordAloneChangesNothingWhereThereIsAFactor: whoever finds it has no factor.
func TestAOneTimePasswordAloneChangesNothingWhereThereIsAFactor(t *testing.T) {
	d := newDirectory(t)
	d.must(d.SetAdministrator(d.ctx, operator, "bob", goodPassword))
	principal := center.AdministratorPrincipal("bob")
	e, err := d.Enrol(d.ctx, principal, "bob")
	d.must(err)
	d.must(
		d.FinishEnrolment(
			d.ctx,
			administratorNamed("bob"),
			principal,
			center.NewDevice{Ticket: e.Ticket.Reveal(), Name: "Phone", Code: d.code(e.TOTP.Secret)},
		),
	)
	secret, err := d.ResetAdministratorPassword(d.ctx, administratorNamed("root"), "bob")
	d.must(err)
	p, err := d.SignInAdministrator(d.ctx, fromHome, "bob", secret.Reveal(), "", center.Browser{})
	d.must(err)
	console := center.Browser{Console: true}
	if _, err := d.SignInWithNewPassword(
		d.ctx, fromHome, p.Ticket.Reveal(), "Another 1 password!", console,
	); p.Step != center.StepFactor ||
		refusal.CodeOf(err) != center.TicketInvalid {
		t.Fatalf("step %q; a password without the factor: %v", p.Step, err)
	}
	d.now = d.now.Add(time.Minute)
	p, err = d.SignInWithCode(d.ctx, fromHome, p.Ticket.Reveal(), d.code(e.TOTP.Secret), false, console)
	d.must(err)
	if p.Step != center.StepPassword {
		t.Fatalf("after the factor: %q", p.Step)
	}
}
