package gather_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/doctor"
	"github.com/gatehouse-id/gatehouse/doctor/gather"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// recorder keeps what was sent.
type recorder struct {
	mu   sync.Mutex
	sent map[string]bool
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	name := req.Method + " " + req.URL.Path
	if target := req.Header.Get("X-Amz-Target"); target != "" {
		name = target[strings.LastIndexByte(target, '.')+1:]
	}
	r.mu.Lock()
	r.sent[name] = true
	r.mu.Unlock()
	return http.DefaultTransport.RoundTrip(req)
}

func config(e pairtest.Ends) gather.Config {
	c := e.AWSConfig()
	return gather.Config{
		Graph: e.Client, LoginURL: e.Tenant.URL + "/" + e.Tenant.TenantID, AWS: &c, Admin: e.Admin,
		SCIM: gather.SCIM{URL: e.Center.SCIMEndpoint, Token: e.Center.SCIMToken},
	}
}

// TestASoundPairIsSound: nothing of the demo raises an alarm, and everything could be looked at.
func TestASoundPairIsSound(t *testing.T) {
	e := pairtest.Start(t)
	c := config(e)
	facts, err := gather.Gather(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	report := doctor.Diagnose(facts, doctor.About{})
	if facts.AWS.Caller.Account == "" {
		t.Error("nobody said whose the credentials are")
	}
	if report.Worst() != doctor.OK {
		t.Errorf("%s: %s", report.Worst(), shown(report))
	}
	t.Logf("the diagnosis took %s", time.Since(began))
	if len(facts.Entra.Users) != 25 || len(facts.AWS.Users) != 23 || len(facts.AWS.Assignments) == 0 {
		t.Errorf("%d users at Entra, %d at the center, %d assignments", len(facts.Entra.Users), len(facts.AWS.Users),
			len(facts.AWS.Assignments))
	}
	t.Log(shown(report))
}

// TestWhatStandsForAllOfAWSIsSound: it has addresses of its own, and what AWS shows in its console
// is not asked for.
func TestWhatStandsForAllOfAWSIsSound(t *testing.T) {
	e := pairtest.Start(t)
	c := config(e)
	c.Admin = nil
	facts, err := gather.Gather(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	broken := func() (checks []string) {
		for _, found := range doctor.Diagnose(facts, doctor.About{}).Findings {
			if found.State == doctor.Broken {
				checks = append(checks, found.Check)
			}
		}
		return checks
	}
	if found := broken(); len(found) > 0 {
		t.Errorf("broken: %q", found)
	}

	replyURLs := func(urls ...string) {
		t.Helper()
		e.Change(http.MethodPatch, "/applications/"+e.Tenant.ApplicationID, map[string]any{
			"web": map[string]any{"redirectUris": urls},
		}, nil)
	}
	replyURLs("https://eu-west-1.signin.aws.amazon.com/platform/saml/acs/4455422d-0f3c")
	if facts, err = gather.Gather(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	if found := broken(); !slices.Equal(found, []string{"reply-url"}) {
		t.Errorf("with a reply URL of AWS itself: %q", found)
	}
}

func shown(r doctor.Report) string {
	data, err := json.MarshalIndent(r.Findings, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// TestGatheringOnlyReads records what both halves are sent: only operations that read.
func TestGatheringOnlyReads(t *testing.T) {
	e := pairtest.Start(t)
	c := config(e)
	r := &recorder{sent: map[string]bool{}}
	c.HTTP = &http.Client{Transport: r}
	admin := *e.Admin
	admin.HTTP = c.HTTP
	c.Admin = &admin
	if _, err := gather.Gather(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	for name := range r.sent {
		verb, _, spaced := strings.Cut(name, " ")
		reads := slices.ContainsFunc([]string{"List", "Describe", "Get"}, func(p string) bool {
			return strings.HasPrefix(name, p)
		})
		sts := name == "POST /" // GetCallerIdentity, in the query protocol
		if (!reads || spaced) && verb != http.MethodGet && verb != http.MethodHead && !sts {
			t.Errorf("%s was sent", name)
		}
	}
	if len(r.sent) < 15 {
		t.Errorf("only %d operations were sent", len(r.sent))
	}
}

// TestTheTransportRefusesToWrite: whatever the code above it may ask.
func TestTheTransportRefusesToWrite(t *testing.T) {
	client := gather.ReadOnly(&http.Client{Transport: &recorder{sent: map[string]bool{}}})
	for _, c := range []struct{ method, target, body string }{
		{http.MethodPost, "", "{}"},
		{http.MethodPatch, "", "{}"},
		{http.MethodDelete, "", ""},
		{http.MethodPost, "AWSIdentityStore.DeleteUser", "{}"},
		{http.MethodPost, "SWBExternalService.CreateAccountAssignment", "{}"},
		{http.MethodPost, "", "Action=AssumeRole&Version=2011-06-15"},
	} {
		req, err := http.NewRequest(c.method, "http://127.0.0.1:1/", strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if c.target != "" {
			req.Header.Set("X-Amz-Target", c.target)
		}
		if _, err := client.Do(req); err == nil || !strings.Contains(err.Error(), "doctor only reads") {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// TestANameIDOfTheAdminCenterIsKnown: it is in no claims mapping policy, but in the one behind the
// page. Whose mail address is the user principal name signs in as before.
func TestANameIDOfTheAdminCenterIsKnown(t *testing.T) {
	e := pairtest.Start(t)
	v := e.TenantAdministrator()
	set := func(attribute string) {
		t.Helper()
		status, page := v.Send(
			http.MethodPost, e.Tenant.AdminCenterURL+"apps/"+e.Tenant.ApplicationID+"/saml/claims",
			url.Values{"do": {"nameid"}, "attribute": {attribute}, "format": {""}},
		)
		if status != http.StatusOK {
			t.Fatalf("the claims: %d %s", status, page)
		}
	}
	look := func() doctor.Report {
		t.Helper()
		facts, err := gather.Gather(context.Background(), config(e))
		if err != nil {
			t.Fatal(err)
		}
		return doctor.Diagnose(facts, doctor.About{})
	}
	set("mail")
	if r := look(); r.Worst() != doctor.OK {
		t.Errorf("the mail address: %s", shown(r))
	}
	set("employeeId")
	r := look()
	if r.Worst() != doctor.Broken || r.Findings[0].Check != "name-id" || r.Findings[0].Kind != "claim" {
		t.Errorf("the employee id: %s", shown(r))
	}
}
