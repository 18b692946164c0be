package examine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/examine"
	"github.com/gatehouse-id/gatehouse/doctor"
	"github.com/gatehouse-id/gatehouse/graph/signin"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/terminal"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// ask runs the command about a pair, or about none, and returns the exit code and what it printed.
func ask(t *testing.T, e *pairtest.Ends, args ...string) (code int, out string) {
	t.Helper()
	return answered(t, context.Background(), e, "", args...)
}

var errWaiting = errors.New("there is something to do")

// answered is ask for a person who types something.
func answered(
	t *testing.T, ctx context.Context, e *pairtest.Ends, typed string, args ...string,
) (code int, out string) {
	t.Helper()
	code, out, err := typing(t, ctx, e, t.TempDir(), strings.NewReader(typed), args...)
	if err != nil {
		t.Fatal(err)
	}
	return code, out
}

// typing is answered for a person who may do something else first. Runs share the folder.
func typing(
	t *testing.T, ctx context.Context, e *pairtest.Ends, folder string, typed io.Reader, args ...string,
) (code int, out string, err error) {
	t.Helper()
	args = append([]string{"--state", folder}, args...)
	var printed bytes.Buffer
	settings := &signin.Settings{Method: signin.Client}
	env := map[string]string{"AWS_CONFIG_FILE": t.TempDir() + "/none"}
	if e != nil {
		settings.GraphURL, settings.LoginURL = e.Tenant.GraphURL, e.Tenant.URL+"/"+e.Tenant.TenantID
		settings.ClientID, settings.ClientSecret = e.Tenant.ClientID, e.Tenant.ClientSecret
		env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"] = e.AWS.AccessKeyID, e.AWS.SecretAccessKey
		args = append([]string{"--center-url", e.Center.URL}, args...)
	}
	cmd := examine.Command(
		administer.World{
			In: typed, Out: &printed, Err: &printed,
			Env: func(k string) (string, bool) {
				v, ok := env[k]
				return v, ok
			},
		},
		examine.Tenant{Settings: settings, Flags: func(*cobra.Command) {}, Check: func() []error { return nil }},
		examine.Program{ServeMetrics: serveMetrics, Changes: errWaiting},
	)
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err = cmd.ExecuteContext(ctx)
	var unsound examine.Unsound
	var usage terminal.UsageError
	switch {
	case errors.As(err, &unsound):
		code = unsound.Code()
	case errors.As(err, &usage):
		return 1, err.Error(), nil
	case errors.Is(err, errWaiting):
		return 2, printed.String(), nil
	case errors.Is(err, terminal.ErrNotConfirmed):
		return 1, printed.String(), nil
	case err != nil:
		return 1, printed.String(), err
	}
	return code, printed.String(), nil
}

// TestDoctorTellsSoundFromBroken asks a running pair before and after it is broken.
func TestDoctorTellsSoundFromBroken(t *testing.T) {
	e := pairtest.Start(t)
	if code, out := ask(t, &e); code != 0 || !strings.Contains(out, "checks found nothing") {
		t.Errorf("the sound pair: %d\n%s", code, out)
	}
	code, out := ask(t, &e, "amara.okafor@northwind.example")
	if code != 0 || !strings.Contains(out, "✓ can sign in") ||
		!strings.Contains(out, "AdministratorAccess in 111122223333") {
		t.Errorf("a person whose way is whole: %d\n%s", code, out)
	}
	if code, out = ask(t, &e, "teller@northwind.example"); code != 3 || !strings.Contains(out, "no name.familyName") {
		t.Errorf("a person without a last name: %d\n%s", code, out)
	}
	if code, out = ask(t, &e, "Engineering"); code != 0 || !strings.Contains(out, "Engineering, 8 members") {
		t.Errorf("a group: %d\n%s", code, out)
	}
	if code, out = ask(t, &e, "--only", "membersip"); code != 1 || !strings.Contains(out, "no check is named so") {
		t.Errorf("a check that does not exist: %d\n%s", code, out)
	}
	if code, out = ask(t, &e, "AADSTS50011"); code != 0 ||
		!strings.HasPrefix(out, "\nThe likely answer\n ! text (AADSTS50011)") {
		t.Errorf("an error that nothing explains: %d\n%s", code, out)
	}
	if code, out = ask(t, &e, "nobody@x.example"); code != 0 ||
		!strings.Contains(out, "! in the directory  (unknown)") {
		t.Errorf("somebody whom nobody knows: %d\n%s", code, out)
	}
	if code, out = ask(t, &e, "--json", "--only", "membership"); !strings.Contains(out, `"findings":[]`) {
		t.Errorf("no findings as JSON: %d\n%s", code, out)
	}
	e.Change(http.MethodPost, e.JobPath()+"/pause", nil, nil)
	if code, out = ask(t, &e); code != 3 || !strings.Contains(out, "✗ job-off (paused)") {
		t.Errorf("the job is paused: %d\n%s", code, out)
	}
	if code, out = ask(t, &e, "--only", "saml"); code != 0 || strings.Contains(out, "job-off") {
		t.Errorf("only SAML: %d\n%s", code, out)
	}
	code, out = ask(t, &e, "--json")
	var report doctor.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != 3 || report.Findings[0].Check != "job-off" {
		t.Errorf("as JSON: %d %v\n%s", code, err, out)
	}
}

// TestAReferenceIsExplained signs in as somebody whom the center does not know, and asks about the
// reference of the page.
func TestAReferenceIsExplained(t *testing.T) {
	e := pairtest.Start(t)
	id := e.Find("/Users", "userName", "amara.okafor@northwind.example").String("id")
	if err := e.SCIM.Do(context.Background(), http.MethodDelete, "/Users/"+id, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	v := webtest.New(t, nil)
	acs, form := e.Response(v, e.Center.PortalURL, "amara.okafor@northwind.example")
	_, page := v.Send(http.MethodPost, acs, form)
	shown := regexp.MustCompile(`Reference <code>([0-9a-f-]{36})</code>`).FindStringSubmatch(page)
	if shown == nil {
		t.Fatalf("no reference on the page: %s", page)
	}
	reference := shown[1]
	code, out := ask(t, &e, reference)
	if code != 3 || !strings.Contains(out, "✗ reference") || !strings.Contains(out, "not-there") {
		t.Errorf("%s: %d\n%s", reference, code, out)
	}
}

// TestASCIMServiceAloneIsLookedAt: neither Entra nor AWS's APIs are needed for it.
func TestASCIMServiceAloneIsLookedAt(t *testing.T) {
	e := pairtest.Start(t)
	code, out := ask(t, nil, "--scim-url", e.Center.SCIMEndpoint, "--scim-token", e.Center.SCIMToken)
	if code != 0 || strings.Contains(out, "Could not look") {
		t.Errorf("a good token: %d\n%s", code, out)
	}
	if code, out = ask(t, nil, "--scim-url", e.Center.SCIMEndpoint, "--scim-token", "x"); code != 3 ||
		!strings.Contains(out, "✗ scim (token)") {
		t.Errorf("a bad token: %d\n%s", code, out)
	}
	elsewhere := strings.TrimSuffix(e.Center.SCIMEndpoint, "/scim/v2/")
	if code, out = ask(t, nil, "--scim-url", elsewhere, "--scim-token", e.Center.SCIMToken); code != 3 ||
		!strings.Contains(out, "✗ scim") {
		t.Errorf("a bad address: %d\n%s", code, out)
	}
}

// TestASideThatDoesNotAnswerIsNotSound: what could not be asked is not judged.
func TestASideThatDoesNotAnswerIsNotSound(t *testing.T) {
	at := []string{"--center-url", "http://127.0.0.1:1", "--access-key-id", "a", "--secret-access-key", "b"}
	code, out := ask(t, nil, at...)
	if code != 1 || !strings.Contains(out, "access-of-the-disabled") ||
		strings.Contains(out, "the permission the service") {
		t.Errorf("%d\n%s", code, out)
	}
	code, out = ask(t, nil, append(at, "--only", "saml")...)
	if code != 1 || !strings.Contains(out, "nothing was looked at") {
		t.Errorf("checks of the other side: %d\n%s", code, out)
	}
}

// TestTextsNeedNoSide: what a person saw has a meaning of its own.
func TestTextsNeedNoSide(t *testing.T) {
	code, out := ask(t, nil, "AADSTS50011: The redirect URI does not match")
	if code != 0 || !strings.Contains(out, "reply URL") {
		t.Errorf("%d\n%s", code, out)
	}
	if code, out = ask(t, nil); code != 1 || !strings.Contains(out, "name a side") {
		t.Errorf("%d\n%s", code, out)
	}
	if code, out = ask(t, nil, "--center", "aws@nowhere"); code != 1 || !strings.Contains(out, "Region") {
		t.Errorf("%d\n%s", code, out)
	}
}
