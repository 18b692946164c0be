package portal_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/awsconfig"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

const account = "111122223333"

// newPortal serves a center where ada, who is signed in, has the role Builder in an account.
func newPortal(t *testing.T) (*centertest.Server, webtest.Visitor, center.User) {
	t.Helper()
	s := centertest.Serve(t)
	s.NoMFA()
	ada := s.NewPerson("ada")
	s.Assigned(ada, account, "Builder")
	return s, s.SignIn("ada"), ada
}

func TestARoleIsOpenedByWhoHasIt(t *testing.T) {
	t.Parallel()
	s, v, _ := newPortal(t)
	if page := v.Get(s.PortalURL()); !strings.Contains(page, account) || !strings.Contains(page, "Builder") {
		t.Errorf("the accounts: %s", page)
	}
	credentials := func(account, role string) string {
		return s.URL + "/start/accounts/" + account + "/roles/" + role + "/credentials"
	}
	status, page := v.Send(http.MethodPost, credentials(account, "Builder"), nil)
	for _, form := range []string{
		"export AWS_SESSION_TOKEN=", "SET AWS_SESSION_TOKEN=", "$Env:AWS_SESSION_TOKEN=", "[" + account + "_Builder]",
		"--endpoint-url " + s.URL,
	} {
		if status != http.StatusOK || !strings.Contains(page, form) {
			t.Errorf("credentials: %d, want %q on %s", status, form, page)
		}
	}
	for what, address := range map[string]string{
		"another role":        credentials(account, "Admin"),
		"a role elsewhere":    credentials("999900001111", "Builder"),
		"the console of none": s.URL + "/start/console?account_id=999900001111&role_name=Builder",
	} {
		method := http.MethodPost
		if strings.Contains(address, "?") {
			method = http.MethodGet
		}
		if status, page := v.Send(method, address, nil); status != http.StatusForbidden ||
			!strings.Contains(page, "You do not have this role") {
			t.Errorf("%s: %d %s", what, status, page)
		}
	}
	_, page = s.Visitor().Send(http.MethodPost, credentials(account, "Builder"), nil)
	if strings.Contains(page, "AWS_SESSION_TOKEN") {
		t.Errorf("a stranger is shown %s", page)
	}
}

// Few accounts show their roles at once. With many one sees their names first, and a search opens
// what it finds.
func TestManyAccountsAreClosedAtFirst(t *testing.T) {
	t.Parallel()
	s, v, ada := newPortal(t)
	open := func(address string) (accounts, opened int) {
		page := v.Get(address)
		return strings.Count(page, "<details"), strings.Count(page, "<details class=\"account\" open")
	}
	if accounts, opened := open(s.PortalURL()); accounts != 1 || opened != 1 {
		t.Errorf("one account: %d of %d are open", opened, accounts)
	}
	for i := range 7 {
		s.Assigned(ada, fmt.Sprintf("22222222222%d", i), fmt.Sprintf("Builder%d", i))
	}
	if accounts, opened := open(s.PortalURL()); accounts != 8 || opened != 0 {
		t.Errorf("eight accounts: %d of %d are open", opened, accounts)
	}
	if accounts, opened := open(s.PortalURL() + "?q=" + account); accounts != 1 || opened != 1 {
		t.Errorf("found: %d of %d are open", opened, accounts)
	}
}

// The file that the portal hands out has a profile for every role, and nobody else's.
func TestTheConfigurationOfTheCLIHasEveryRole(t *testing.T) {
	t.Parallel()
	s, v, ada := newPortal(t)
	s.Assigned(ada, account, "Reader")
	s.Assigned(s.NewPerson("eve"), account, "Secret")
	f, err := awsconfig.Parse(strings.NewReader(v.Get(s.URL + "/start/config")))
	if err != nil {
		t.Fatal(err)
	}
	var roles []string
	for _, p := range f.Profiles() {
		roles = append(roles, p.RoleName)
		if p.Session.Endpoint != s.URL || !slices.Equal(p.Session.Services, []string{"sts"}) || p.AccountID != account {
			t.Errorf("a profile is %+v", p)
		}
	}
	if !slices.Equal(roles, []string{"Builder", "Reader"}) {
		t.Errorf("the roles are %q", roles)
	}
	status, page := s.Visitor().Send(http.MethodGet, s.URL+"/start/config", nil)
	if strings.Contains(page, "sso_role_name") {
		t.Errorf("a stranger is given %d %s", status, page)
	}
}

func TestTheConsoleIsOpenedByAResponse(t *testing.T) {
	t.Parallel()
	s, v, ada := newPortal(t)
	open := s.URL + "/start/console?account_id=" + account
	to := "https://console.aws.amazon.com/s3/"
	// one role need not be named
	page := v.Get(open + "&destination=" + url.QueryEscape(to))
	action, form := v.Form(page, "SAMLResponse")
	page = v.Does(action, form, "This is where the AWS console would open")
	if !strings.Contains(page, "It would open at "+to) || !strings.Contains(page, "Builder") {
		t.Errorf("the console: %s", page)
	}
	response := form.Get("SAMLResponse")
	form.Set("SAMLResponse", response[:len(response)/2]+"AAAA"+response[len(response)/2+4:])
	if status, page := v.Send(http.MethodPost, action, form); status != http.StatusForbidden ||
		!strings.Contains(page, "The response is not valid") {
		t.Errorf("a response that was changed: %d %s", status, page)
	}
	for _, evil := range []string{
		"https://evil.example/", "http://console.aws.amazon.com/", "https://aws.amazon.com@evil.example/",
		"https://evilaws.amazon.com.evil.example/", "javascript:alert(1)",
		"https://aws.amazon.com/" + strings.Repeat("x", 2048),
	} {
		status, page := v.Send(http.MethodGet, open+"&destination="+url.QueryEscape(evil), nil)
		if status != http.StatusBadRequest || strings.Contains(page, "SAMLResponse") {
			t.Errorf("to %.60s: %d %s", evil, status, page)
		}
		link := s.URL + "/start/link?account_id=" + account + "&role_name=Builder&destination=" + url.QueryEscape(evil)
		if page := v.Get(link); !strings.Contains(page, "must be an https address of the AWS console") {
			t.Errorf("a shortcut to %.60s: %s", evil, page)
		}
	}
	link := s.URL + "/start/link?account_id=" + account + "&role_name=Builder&destination=" + url.QueryEscape(to)
	if page := v.Get(link); !strings.Contains(page, "/start/#/console?account_id="+account) {
		t.Errorf("a shortcut: %s", page)
	}
	// with two, the person chooses
	s.Assigned(ada, "222233334444", "Reader")
	sets, err := s.PermissionSets(context.Background(), center.PermissionSetQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range sets {
		a := center.Assignment{
			AccountID:        account,
			PermissionSetARN: set.ARN,
			PrincipalType:    center.PrincipalUser,
			PrincipalID:      string(ada.ID),
		}
		if _, err := s.CreateAssignment(context.Background(), centertest.Actor, a); err != nil {
			t.Fatal(err)
		}
	}
	if page := v.Do(http.MethodGet, open, nil); page.URL.Path != "/start" || page.URL.Query().Get("q") != account {
		t.Errorf("with two roles the browser comes to %s", page.URL)
	}
}

func TestAccountsAreFoundAndPaged(t *testing.T) {
	t.Parallel()
	s, v, ada := newPortal(t)
	sets, err := s.PermissionSets(context.Background(), center.PermissionSetQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 55 {
		id := fmt.Sprintf("2222333344%02d", i)
		e1 := s.PutAccount(context.Background(), centertest.Actor, center.Account{ID: id, Name: "Team " + id})
		_, e2 := s.CreateAssignment(context.Background(), centertest.Actor, center.Assignment{
			AccountID:        id,
			PermissionSetARN: sets[0].ARN,
			PrincipalType:    center.PrincipalUser,
			PrincipalID:      string(ada.ID),
		})
		if e1 != nil || e2 != nil {
			t.Fatal(e1, e2)
		}
	}
	seen := map[string]bool{}
	for _, from := range []string{"", "&from=50", "&from=-3"} {
		page := v.Get(s.PortalURL() + "?q=" + from)
		for i := range 55 {
			if id := fmt.Sprintf("2222333344%02d", i); strings.Contains(page, id) {
				seen[id] = true
			}
		}
	}
	if len(seen) != 55 {
		t.Errorf("two pages show %d of 55 accounts", len(seen))
	}
	if page := v.Get(s.PortalURL() + "?q=333344" + "07"); !strings.Contains(page, "222233334407") ||
		strings.Contains(page, "222233334408") {
		t.Errorf("what a search finds: %s", page)
	}
}

func TestApplicationsAreShownToWhoHasThem(t *testing.T) {
	t.Parallel()
	s, v, ada := newPortal(t)
	ctx, provider := context.Background(), center.ApplicationProviders[0].ARN
	for _, a := range []center.Application{
		{Name: "Wiki", URL: "https://wiki.example.com/", Enabled: true, OpensItself: true},
		{Name: "Handbook", URL: "https://book.example.com/", Enabled: true, OpensItself: true, ForEveryone: true},
		{Name: "Secret", URL: "https://secret.example.com/", Enabled: true, OpensItself: true, Hidden: true},
		{Name: "Others", URL: "https://others.example.com/", Enabled: true, OpensItself: true},
	} {
		a.ProviderARN = provider
		made, err := s.CreateApplication(ctx, centertest.Actor, a, "")
		if err == nil && (a.Name == "Wiki" || a.Name == "Secret") {
			err = s.AssignApplication(ctx, centertest.Actor, center.ApplicationAssignment{
				ApplicationARN: made.ARN,
				PrincipalType:  center.PrincipalUser,
				PrincipalID:    string(ada.ID),
			})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	page := v.Get(s.URL + "/start/applications")
	for name, shown := range map[string]bool{"Wiki": true, "Handbook": true, "Secret": false, "Others": false} {
		if strings.Contains(page, name) != shown {
			t.Errorf("%s: want shown %t on %s", name, shown, page)
		}
	}
}

// TestTheStartURLLeadsToAWSsName, which newer versions of the AWS CLI demand.
func TestTheStartURLLeadsToAWSsName(t *testing.T) {
	t.Parallel()
	s, v, _ := newPortal(t)
	for _, address := range []string{s.PortalURL(), s.PortalURL() + "/"} {
		page := v.Stays().Do(http.MethodHead, address, nil)
		if page.Status != http.StatusFound || page.Header.Get("Location") != s.AWSStartURL() {
			t.Errorf("HEAD %s: %d %s", address, page.Status, page.Header.Get("Location"))
		}
	}
}
