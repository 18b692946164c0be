package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// forced shows pages in the colors that the person's machine forces on them.
func (b browser) forced(value string) {
	b.t.Helper()
	do(b, "forced colors", chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: value}},
		})
		return err
	}))
}

// oversight is a center with people who have access by several ways, and an administrator.
func oversight(t *testing.T) (sites, *centertest.RequestWorld) {
	t.Helper()
	s := startSites(t)
	ctx, by := context.Background(), audit.SystemActor
	w := centertest.Requests(t, s.center)
	settings, err := s.center.SignInSettings(ctx)
	settings.MFA = center.MFANever
	_, e1 := s.center.CreateAssignment(ctx, by, center.Assignment{
		AccountID: w.Account.ID, PermissionSetARN: w.Set.ARN, PrincipalType: center.PrincipalGroup,
		PrincipalID: string(w.Engineers.ID),
	})
	if err := errors.Join(
		err, e1, s.center.UpdateSignInSettings(ctx, by, settings),
		s.center.SetAdministrator(ctx, by, "admin", centertest.Password),
		s.center.SetPassword(ctx, by, w.Ada.ID, centertest.Password),
		s.center.SetPassword(ctx, by, w.Grace.ID, centertest.Password),
	); err != nil {
		t.Fatal(err)
	}
	return s, w
}

func (s sites) admin(t *testing.T, page string) browser {
	t.Helper()
	b := browser{t, newBrowser(t, s.hosts)}
	b.login(s.center.ConsoleURL()+page, map[string]string{"username": "admin", "password": centertest.Password})
	return b
}

func (s sites) person(t *testing.T, name string) browser {
	t.Helper()
	b := browser{t, newBrowser(t, s.hosts)}
	b.login(s.center.PortalURL(), map[string]string{"username": name, "password": centertest.Password})
	b.sees("AWS accounts")
	return b
}

// TestExistingRolesAndLabelsInABrowser: an administrator entitles a group and labels accounts; the
// person sees both, also in forced colors, where the words are the sign.
func TestExistingRolesAndLabelsInABrowser(t *testing.T) {
	t.Parallel()
	s, w := oversight(t)
	const role = "arn:aws:iam::111122223333:role/ops/Reader"
	b := s.admin(t, "account-access")
	b.accessible("account access that nobody has made")
	b.leave(`form[action$="/enable"] button`)
	b.sees("People can be entitled")
	b.submit(`form[action="/console/account-access"][method=post]`, "button", map[string]string{
		"role": role, "type": "GROUP", "who": "Engineers",
	})
	b.sees("Engineers may open Reader")
	b.screenshot("entitlements")
	b.accessible("entitlements")
	b.phone("entitlements-phone")
	b.submit(`form[action="/console/account-access"][method=post]`, "button", map[string]string{
		"role": role, "type": "GROUP", "who": "Nobody",
	})
	b.sees("What to do")
	b.accessible("an entitlement that is refused")
	b.open(s.center.ConsoleURL() + "groups/" + string(w.Engineers.ID))
	b.sees("role/ops/Reader")
	b.accessible("a group with entitlements")

	b.open(s.center.ConsoleURL() + "accounts")
	b.unfold()
	b.submit(`form[action="/console/account-labels"]`, "button", map[string]string{
		"account": w.Account.ID, "environment": "Production", "color": "red",
	})
	b.sees("The label is saved")
	for i, color := range center.AccountColors {
		id := "22223333440" + string(rune('0'+i))
		if err := errors.Join(
			s.center.PutAccount(t.Context(), audit.SystemActor, center.Account{ID: id, Name: "Account " + id}),
			s.center.PutAccountLabel(t.Context(), audit.SystemActor, center.AccountLabel{
				Place: center.Place{AccountID: id}, Environment: string(color), Color: color,
			}),
		); err != nil {
			t.Fatal(err)
		}
	}
	b.open(s.center.ConsoleURL() + "accounts")
	b.accessible("labels in each color")
	b.screenshot("labels-console")
	b.open(s.center.ConsoleURL() + "accounts/" + w.Account.ID)
	b.unfold()
	b.accessible("an account with a label")
	b.screenshot("account-labeled")
	b.open(s.center.ConsoleURL() + "access?account=" + w.Account.ID)
	b.sees("existing role")
	b.accessible("who administers an account, with entitlements")
	b.screenshot("whohas-entitled")

	ada := s.person(t, "ada")
	ada.sees("Existing roles")
	ada.accessible("the portal with labels")
	ada.screenshot("labels")
	ada.forced("active")
	seen := do(ada, "look at the label", chromedp.Evaluate[string](
		`(e => matchMedia('(forced-colors: active)').matches + ' ' + e.innerText + ' ' +
			getComputedStyle(e).borderTopStyle)(document.querySelector('.account .environment'))`,
	))
	if seen != "true Production solid" {
		t.Errorf("in forced colors the label is %s", seen)
	}
	ada.screenshot("labels-forced")
	ada.forced("none")
	ada.leave(`.account a[href^="/start/link"]`)
	ada.sees("Production")
	ada.accessible("a shortcut link with a label")
}

// TestAReviewInABrowser: an administrator starts it with an owner, who confirms one line and
// removes another.
func TestAReviewInABrowser(t *testing.T) {
	t.Parallel()
	s, w := oversight(t)
	if _, err := s.center.CreateAssignment(t.Context(), audit.SystemActor, center.Assignment{
		AccountID: w.Account.ID, PermissionSetARN: w.Set.ARN, PrincipalType: center.PrincipalUser,
		PrincipalID: string(w.Linus.ID),
	}); err != nil {
		t.Fatal(err)
	}
	b := s.admin(t, "access-reviews")
	b.unfold()
	b.submit(`form[action$="/owners"]`, "button", map[string]string{
		"set": w.Set.ARN, "type": "USER", "owner": "grace",
	})
	b.sees("grace reviews it")
	b.unfold()
	b.submit(`form[action="/console/access-reviews"]`, "button", map[string]string{
		"name": "Fourth quarter", "until": time.Now().AddDate(0, 0, 20).UTC().Format(time.DateOnly),
	})
	b.sees("The review has begun")
	b.accessible("a review in the console")
	b.screenshot("access-review-console")
	b.phone("access-review-console-phone")
	b.open(s.center.ConsoleURL() + "access-reviews")
	b.accessible("the reviews in the console")

	grace := &countedClicks{browser: s.person(t, "grace")}
	grace.press(`nav a[href="/start/reviews"]`)
	grace.sees("wait for you until")
	grace.screenshot("access-review")
	grace.accessible("what somebody reviews")
	grace.phone("access-review-phone")
	grace.n++
	grace.click(`input[name=line][value="0001"]`)
	grace.press(`button[value=confirm]`)
	grace.sees("1 confirmed")
	grace.n++
	grace.click(`input[name=line][value="0002"]`)
	grace.press(`button[value=remove]`)
	grace.sees("1 removed")
	if grace.n != 5 {
		t.Errorf("a review of two lines takes %d clicks", grace.n)
	}
	grace.accessible("what somebody has reviewed")
	left, err := s.center.Assignments(t.Context(), center.AssignmentQuery{PermissionSetARN: w.Set.ARN})
	if err != nil || len(left) != 1 {
		t.Errorf("left are %+v, %v", left, err)
	}
}

// TestWhoCameBackIsRelinkedInABrowser: a group that was deleted and made again gets what was
// assigned, after the administrator has read what that is.
func TestWhoCameBackIsRelinkedInABrowser(t *testing.T) {
	t.Parallel()
	s, w := oversight(t)
	ctx, by := context.Background(), audit.SystemActor
	e1 := s.center.DeleteGroup(ctx, by, w.Engineers.ID)
	back, e2 := s.center.CreateGroup(ctx, by, center.Group{DisplayName: "Engineers"}, w.Ada.ID)
	e3 := s.center.SetUserActive(ctx, by, w.Linus.ID, false)
	_, e4 := s.center.CreateAssignment(ctx, by, center.Assignment{
		AccountID: w.Account.ID, PermissionSetARN: w.Set.ARN, PrincipalType: center.PrincipalUser,
		PrincipalID: string(w.Linus.ID),
	})
	if err := errors.Join(e1, e2, e3, e4); err != nil {
		t.Fatal(err)
	}
	job := &clicks{browser: s.admin(t, "leavers")}
	job.sees("linus")
	job.accessible("leavers")
	job.screenshot("leavers-report")
	job.phone("leavers-report-phone")
	job.press(`form[action$="/relink"] button`)
	job.sees("Give what was assigned to Engineers")
	job.sees("Admin in Production")
	job.accessible("the plan of a relink")
	job.screenshot("leavers-relink")
	job.press(`main form button`)
	job.sees("1 assignment")
	job.most(2, "relink a group that came back")
	list, err := s.center.Assignments(ctx, center.AssignmentQuery{
		PrincipalType: center.PrincipalGroup, PrincipalID: string(back.ID),
	})
	if err != nil || len(list) != 1 {
		t.Errorf("the group has %+v, %v", list, err)
	}
	job.press(`form[action$="/remove"] button`)
	job.press(`main form button`)
	job.sees("are removed")
	job.accessible("no leavers")
}
