package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestEachSectionOfTheSettingsHasAnAddressAndSavesByItself: what one section saves leaves the
// others as they are, and the addresses that pages had before lead to those that they have.
func TestEachSectionOfTheSettingsHasAnAddressAndSavesByItself(t *testing.T) {
	t.Parallel()
	s := centertest.Serve(t)
	v := s.Console()
	settings := s.URL + "/console/settings"
	for path, heading := range map[string]string{
		"identity-source": "Identity source", "provisioning": "Automatic provisioning", "sign-in": "Sign-in",
		"sessions": "Sessions", "network": "Network", "mail": "Mail", "administrators": "Administrators",
		"audit": "Audit", "about": "About",
	} {
		page := v.Get(settings + "/" + path)
		if !strings.Contains(page, "<h1>"+heading+"</h1>") ||
			!strings.Contains(page, `<a href="/console/settings/`+path+`" aria-current="page">`) ||
			!strings.Contains(page, `<li><a href="/console/settings" aria-current="page">`) {
			t.Errorf("%s: %s", path, page)
		}
	}
	for old, now := range map[string]string{
		"/console/settings": "/console/settings/identity-source",
		"/console/settings/identity-source?to=DIRECTORY": "/console/settings/identity-source/change?to=DIRECTORY",
		"/console/administrators":                        "/console/settings/administrators",
	} {
		if page := v.Do(http.MethodGet, s.URL+old, nil); page.URL.RequestURI() != now {
			t.Errorf("%s leads to %s", old, page.URL)
		}
	}
	v.Does(settings+"/sessions", url.Values{"hours": {"2"}}, "The length of sessions is changed.")
	v.Does(settings+"/access-control", url.Values{"access": {"on"}}, "Attributes for access control are on")
	v.Does(settings+"/sign-in", url.Values{
		"mfa": {"ALWAYS_ON"}, "without": {"BLOCK"}, "apps": {"on"},
	}, "The sign-in settings are changed.")
	v.Does(settings+"/sign-in", url.Values{"mfa": {"ALWAYS_ON"}, "without": {"BLOCK"}}, "use security keys")
	got, err := s.SignInSettings(t.Context())
	want := center.SignInSettings{
		PortalSession: 2 * 3600e9, AccessControl: true, MFA: center.MFAAlways, WithoutDevice: center.BlockSignIn,
		Authenticator: true,
	}
	if err != nil || got != want {
		t.Errorf("the settings are %+v, %v", got, err)
	}
	v.Does(settings+"/access-control", url.Values{}, "Attributes for access control are off")
	stranger := webtest.New(t, nil).Get(settings + "/about")
	if strings.Contains(stranger, s.Instance.IdentityStoreID) {
		t.Error("the settings are shown to somebody who is not signed in")
	}
}

// TestTheDashboardShowsHowManyPeopleThereWere: by the days that were counted, and what changed
// since; a day that is looked at again counts once.
func TestTheDashboardShowsHowManyPeopleThereWere(t *testing.T) {
	t.Parallel()
	s := centertest.Serve(t)
	v := s.Console()
	if page := v.Get(s.URL + "/console/"); !strings.Contains(page, "<strong>0</strong> People") {
		t.Errorf("at first: %s", page)
	}
	if err := s.NoteHistory(t.Context()); err != nil {
		t.Fatal(err)
	}
	v.Does(s.URL+"/console/users", url.Values{
		"username": {"ada"}, "display": {"Ada"}, "given": {"Ada"}, "family": {"L"}, "email": {"ada@example.com"},
	}, "The user is created.")
	if err := s.NoteHistory(t.Context()); err != nil {
		t.Fatal(err)
	}
	h, err := s.History(t.Context())
	if err != nil || len(h.Days) != 1 || h.Days[0].People != 1 {
		t.Fatalf("one day was counted: %+v, %v", h, err)
	}
	before := h.Days[0]
	before.Day, before.People = before.Day.AddDate(0, 0, -3), 4
	if err := s.Store.Update(t.Context(), func(tx center.Tx) error {
		return tx.PutHistory(center.History{Days: []center.HistoryDay{before}})
	}); err != nil {
		t.Fatal(err)
	}
	page := v.Get(s.URL + "/console/")
	for _, want := range []string{
		"<strong>1</strong> People", ">-3<", `<td data-label="Day, UTC">` + before.Day.Format("2006-01-02") + "</td>",
		`<td data-label="People">4</td>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("want %q on %s", want, page)
		}
	}
}
