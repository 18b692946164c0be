package aws_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/connect/aws"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/graphmodel"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// person does at a center's console what a guide says, by the API that AWS's console has and nobody
// else. The driver itself goes through limits.
type operator struct {
	pairtest.Ends

	did    []string
	leaves string // the title of a task before which the person goes away
	wrong  map[string]string
	// late says that the person does not sign in for now; signedIn is told when they have.
	late     bool
	signedIn func()
	clicks   []string // of all tasks
	forgets  bool     // to import a certificate
	quiet    bool     // CloudTrail has not heard of it yet
	refused  func()   // how a refusal is learned; nil: the person says so
}

var errAway = errors.New("the person went away")

// bring gives a value to the want of a name, after the wrong one, which must be refused.
func (o *operator) bring(ctx context.Context, t aws.Task, name, value string) error {
	i := slices.IndexFunc(t.Wants, func(w aws.Want) bool { return w.Name == name })
	if i < 0 {
		return nil
	}
	if wrong, ok := o.wrong[name]; ok {
		if err := t.Wants[i].Take(ctx, []byte(wrong)); err == nil {
			return errors.New(wrong + " is taken for " + name)
		}
	}
	return t.Wants[i].Take(ctx, []byte(value))
}

// tries to sign in with a new certificate, and says what came of it.
func (o *operator) tries(ctx context.Context, t aws.Task) error {
	switch {
	case !o.signsIn() && o.refused != nil:
		o.refused()
		return nil
	case !o.signsIn():
		return o.bring(ctx, t, "word", "refused")
	case o.quiet:
		return errors.Join(o.bring(ctx, t, "word", "IN"), context.DeadlineExceeded) // as after a long wait
	}
	o.signedIn()
	return o.bring(ctx, t, "word", "IN")
}

// signsIn says whether AWS takes what the tenant signs.
func (o *operator) signsIn() bool {
	v := webtest.New(o.T, nil)
	acs, form := o.Response(v, o.Center.PortalURL, pairtest.Amara)
	status, _ := v.Send(http.MethodPost, acs, form)
	return status == http.StatusOK
}

func (o *operator) Do(ctx context.Context, t aws.Task) error {
	if t.Title == o.leaves {
		return errAway
	}
	o.did = append(o.did, t.Title)
	o.clicks = append(o.clicks, t.Clicks...)
	var err error
	switch {
	case strings.HasPrefix(t.Title, "Begin to change"):
		var sp adminapi.ServiceProvider
		if sp, err = o.Admin.ServiceProvider(ctx); err == nil {
			err = o.bring(ctx, t, "acs", sp.AcsURLs[0])
		}
	case strings.HasPrefix(t.Title, "Change the identity source"):
		err = o.change(ctx, t)
	case strings.HasPrefix(t.Title, "Enable automatic"), strings.HasPrefix(t.Title, "Generate"):
		err = o.token(ctx, t)
	case strings.HasPrefix(t.Title, "Delete the") && strings.HasSuffix(t.Title, "access token"):
		err = o.deletes(ctx, t)
	case strings.HasPrefix(t.Title, "Sign in with the new"):
		err = o.tries(ctx, t)
	case strings.HasPrefix(t.Title, "Sign in once") && !o.late:
		o.SignIn(pairtest.Amara)
		o.signedIn()
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		proved, err := t.Proved(ctx)
		if proved || err != nil {
			return err
		}
		time.Sleep(time.Millisecond) // between two looks
	}
	return ctx.Err()
}

func (o *operator) change(ctx context.Context, t aws.Task) error {
	configuration, err := o.Admin.CreateConfiguration(ctx, string(t.Offer.Data))
	if err == nil {
		err = o.Admin.EnableConfiguration(
			ctx, adminapi.ChangeInput{ConfigurationID: configuration.ConfigurationID, Confirmation: t.Copy},
		)
	}
	if err != nil {
		return err
	}
	if slices.ContainsFunc(t.Wants, func(w aws.Want) bool { return w.Secret }) {
		return o.token(ctx, t)
	}
	o.Response(webtest.New(o.T, nil), o.Center.PortalURL, pairtest.Amara) // AWS knows nobody yet
	o.signedIn()
	return nil
}

// oneOf is the older of two tokens, or the newer.
func oneOf(tokens []adminapi.BearerToken, newer bool) adminapi.BearerToken {
	byAge := func(a, b adminapi.BearerToken) int { return a.CreationTime.Compare(b.CreationTime) }
	if newer {
		return slices.MaxFunc(tokens, byAge)
	}
	return slices.MinFunc(tokens, byAge)
}

// deletes the older of two tokens, or the newer.
func (o *operator) deletes(ctx context.Context, t aws.Task) error {
	tenants, err := o.Admin.Tenants(ctx)
	if err != nil {
		return err
	}
	tokens, err := o.Admin.BearerTokens(ctx, tenants[0].TenantID)
	if err == nil && len(tokens) == 2 { // if there is one only, it stays
		left := oneOf(tokens, strings.Contains(t.Title, "newer"))
		err = o.Admin.DeleteBearerToken(ctx, tenants[0].TenantID, left.TokenID)
	}
	if err != nil {
		return err
	}
	return o.bring(ctx, t, "word", "DONE")
}

func (o *operator) token(ctx context.Context, t aws.Task) error {
	tenants, err := o.Admin.Tenants(ctx)
	if err == nil && len(tenants) == 0 {
		var made adminapi.Tenant
		made, err = o.Admin.CreateTenant(ctx)
		tenants = []adminapi.Tenant{made}
	}
	if err != nil {
		return err
	}
	tokens, err := o.Admin.BearerTokens(ctx, tenants[0].TenantID)
	if err == nil && len(tokens) == 2 { // as the guide says
		newer := strings.Contains(strings.Join(t.Clicks, "\n"), "delete the newer one")
		err = o.Admin.DeleteBearerToken(ctx, tenants[0].TenantID, oneOf(tokens, newer).TokenID)
	}
	if err != nil {
		return err
	}
	token, err := o.Admin.CreateBearerToken(ctx, tenants[0].TenantID, "")
	if err == nil {
		err = o.bring(ctx, t, "scim", tenants[0].ScimEndpoint+"\n"+token.Value)
	}
	return err
}

// walk connects a pair as if its center were AWS's.
type walk struct {
	*operator

	limits    *limits
	folder    string
	tokenless bool
	client    *http.Client // for everything but AWS
	patience  time.Duration
	settle    time.Duration
	writer    connect.Writer // of a connection without a token
	missing   bool           // --allow-missing
}

// trailEvent is one of CloudTrail about a sign-in at a time from now.
func trailEvent(ahead time.Duration, outcome, reason string) string {
	return `{"eventName":"UserAuthentication","eventTime":"` + time.Now().Add(ahead).UTC().Format(time.RFC3339) +
		`","errorMessage":"` + reason + `","serviceEventDetails":{"UserAuthentication":"` + outcome +
		`"},"additionalEventData":{"CredentialType":"EXTERNAL_IDP","UserName":"` + pairtest.Amara + `"}}`
}

func newWalk(t *testing.T) *walk {
	t.Helper()
	e := pairtest.Start(t, gatehousetest.Unconnected())
	client := &http.Client{Transport: graphmodel.Transport(t, http.DefaultTransport)}
	w := &walk{&operator{Ends: e}, &limits{}, t.TempDir(), false, client, 0, 0, nil, false}
	w.signedIn = func() { w.limits.trail = append(w.limits.trail, trailEvent(0, "Success", "")) }
	return w
}

func (w *walk) config(ctx context.Context) (connect.Config, error) {
	at := atAWS(w.Pair, w.limits)
	at.Guide, at.Folder = w.operator, w.folder
	at.Tokenless, at.HTTP = w.tokenless, w.client
	c, err := aws.Open(ctx, at)
	if err != nil {
		return connect.Config{}, err
	}
	return connect.Config{
		Graph: graph.NewClient(
			ctx, w.Tenant.GraphURL, w.Tenant.TokenURL, w.Tenant.ClientID, w.Tenant.ClientSecret, w.client,
		),
		HTTP:   w.client,
		Center: c, Discover: c.Discover, LoginURL: w.AuthorityURL(), AppName: "AWS IAM Identity Center",
		Groups: []string{"Engineering", "Platform Engineering"}, Cert: "AWS IAM Identity Center",
		PollEach: time.Millisecond, Tokenless: w.tokenless, SignInWait: w.patience, Settle: w.settle,
		Writer: w.writer, AllowMissing: w.missing,
	}, nil
}

func (w *walk) run(ctx context.Context) (connect.Result, int, error) {
	cfg, err := w.config(ctx)
	if err != nil {
		return connect.Result{}, 0, err
	}
	plan, err := connect.Observe(ctx, cfg)
	if err != nil {
		return connect.Result{}, 0, err
	}
	pending := plan.Pending()
	if err := plan.Apply(ctx, connect.Confirmation, func(int, bool) {}); err != nil {
		return connect.Result{}, pending, err
	}
	result, err := plan.Verify(ctx, func(int, int) {})
	return result, pending, err
}

// TestAPersonConnectsAWS: two tasks at the console, everything else by public APIs, and a sign-in
// that is read back. The next run has nothing to do, and asks nobody.
func TestAPersonConnectsAWS(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	ctx := context.Background()
	w.wrong = map[string]string{
		"acs":  w.Center.URL + "/platform/saml/" + w.Center.IdentityStoreID,
		"scim": "https://scim.eu-west-1.amazonaws.com/0123456789/scim/v2",
	}
	result, pending, err := w.run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{
		"Begin to change the identity source, and copy the ACS URL", "Change the identity source", "Sign in once",
	}; !slices.Equal(w.did, want) || pending == 0 || len(result.Open) > 0 {
		t.Errorf("the person did %q; open: %q", w.did, result.Open)
	}
	if len(result.Expires) != 2 || result.Since.IsZero() || result.Instance != w.Center.InstanceARN {
		t.Errorf("what ends when: %+v", result)
	}
	for _, operation := range w.limits.asked {
		if strings.HasPrefix(operation, "SWBUPService") {
			t.Errorf("%s has no public API", operation)
		}
	}
	w.did = nil
	result, pending, err = w.run(ctx)
	if err != nil || pending != 0 || len(w.did) > 0 || len(result.Open) > 0 {
		t.Errorf("the second run: %d steps, %q, %+v, %v", pending, w.did, result, err)
	}
	w.folder = t.TempDir()
	cfg, err := w.config(ctx)
	if err != nil {
		t.Fatal(err)
	}
	health, err := connect.ObserveHealth(ctx, cfg)
	if err != nil || health.Condition != connect.Drifted ||
		!strings.Contains(health.Findings[0].Detail, "does not tell") {
		t.Errorf("what AWS does not tell is said to be %+v, %v", health, err)
	}
	// A sign-in of before is no proof: the source may have been changed since.
	if result, pending, err = w.run(ctx); err != nil || len(result.Expires) != 1 ||
		!slices.Equal(w.did, []string{"Change the identity source"}) {
		t.Errorf("on another machine: %d steps, %q, %v", pending, w.did, err)
	}
}

// TestAWalkThatEndsAnywhereIsCompleted: the person goes away before each task.
func TestAWalkThatEndsAnywhereIsCompleted(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	ctx := context.Background()
	for _, w.leaves = range []string{
		"Begin to change the identity source, and copy the ACS URL", "Change the identity source", "Sign in once",
	} {
		if _, _, err := w.run(ctx); !errors.Is(err, errAway) {
			t.Fatalf("before %q: %v", w.leaves, err)
		}
	}
	w.leaves = ""
	if result, _, err := w.run(ctx); err != nil || len(result.Open) > 0 {
		t.Errorf("%+v, %v", result, err)
	}
	if len(w.did) != 3 {
		t.Errorf("the person did %q", w.did)
	}
}

// TestWithoutATokenTheTenantDoesNotProvision: the proof of the change is then the sign-in that AWS
// sends to the tenant.
func TestWithoutATokenTheTenantDoesNotProvision(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.tokenless = true
	result, pending, err := w.run(context.Background())
	if err != nil || pending != 6 || len(result.Open) != 0 {
		t.Errorf("%d steps, %+v, %v", pending, result, err)
	}
	if tenants, err := w.Admin.Tenants(context.Background()); err != nil || len(tenants) > 0 {
		t.Errorf("provisioning was enabled: %+v, %v", tenants, err)
	}
}

// lateLog is a tenant whose log tells of a sign-in long after it happened.
type lateLog struct {
	next http.RoundTripper
	by   time.Duration
}

var createdIn = regexp.MustCompile(`"createdDateTime":"[^"]*"`)

func (l lateLog) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := l.next.RoundTrip(r)
	if err != nil || !strings.HasSuffix(r.URL.Path, "/auditLogs/signIns") {
		return res, err
	}
	body, err := io.ReadAll(res.Body)
	if err == nil {
		err = res.Body.Close()
	}
	created := `"createdDateTime":"` + time.Now().Add(-l.by).UTC().Format(time.RFC3339) + `"`
	body = createdIn.ReplaceAll(body, []byte(created))
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return res, err
}

// TestOneSignInIsEnoughWithoutAToken: what proves the change is the sign-in that is asked for, even
// where the tenant's log has it ten minutes later.
func TestOneSignInIsEnoughWithoutAToken(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.tokenless, w.leaves = true, "Change the identity source"
	if _, _, err := w.run(t.Context()); !errors.Is(err, errAway) {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(w.folder, "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	var journal map[string]any
	if err := connect.ReadFile(files[0], &journal); err != nil {
		t.Fatal(err)
	}
	journal["change_begun"] = map[string]any{"at": time.Now().Add(-20 * time.Minute)}
	if err := connect.WriteFile(files[0], journal); err != nil {
		t.Fatal(err)
	}
	w.leaves, w.did = "", nil
	w.client.Transport = lateLog{w.client.Transport, 10 * time.Minute}
	result, _, err := w.run(t.Context())
	if err != nil || len(result.Open) != 0 || !slices.Equal(w.did, []string{"Change the identity source"}) {
		t.Errorf("the person did %q; open %q, %v", w.did, result.Open, err)
	}
}

// full is a writer to a store whose quota is reached.
type full struct{ connect.Writer }

var errFull = connect.Failure{Name: "Xiomara Reyes", Reason: "identitystore:CreateUser: a quota of AWS's is reached"}

func (full) Preview(context.Context, connect.Scope) (connect.Written, error) {
	return connect.Written{Created: 2}, nil
}

func (full) Write(context.Context, connect.Scope) (connect.Written, error) {
	return connect.Written{Created: 1, Failures: []connect.Failure{errFull}}, nil
}

func (full) Next(connect.Scope) ([]string, error) { return nil, nil }

// TestNobodyGoesMissingUnsaid: what AWS refuses beside what the plan says ends a run before the
// identity source changes.
func TestNobodyGoesMissingUnsaid(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.tokenless, w.writer = true, full{}
	_, _, err := w.run(t.Context())
	for _, want := range []string{"identity source stays as it is", errFull.Name, errFull.Reason, "--allow-missing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if len(w.did) != 0 {
		t.Errorf("the person did %q", w.did)
	}
	w.missing = true
	if _, _, err = w.run(t.Context()); len(w.did) < 2 {
		t.Errorf("with --allow-missing the person did %q, %v", w.did, err)
	}
}

// unread is a writer whom the tenant does not let read somebody, and who has nothing to write.
type unread struct{ full }

func (unread) Preview(context.Context, connect.Scope) (connect.Written, error) {
	return connect.Written{Unread: 1}, nil
}

// TestWhoCannotBeReadIsSaid: nobody says that both sides are in step while one of them is unknown.
func TestWhoCannotBeReadIsSaid(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.tokenless, w.writer = true, unread{}
	cfg, err := w.config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cfg.Discover = nil // which would miss those whom this writer does not write
	plan, err := connect.Observe(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	const said = "1 that the tenant does not let be read"
	says := func(s connect.Step) bool { return s.Done && strings.Contains(s.Detail, said) }
	if !slices.ContainsFunc(plan.Steps, says) {
		t.Errorf("the plan says nothing of it: %+v", plan.Steps)
	}
	if err := plan.Apply(t.Context(), connect.Confirmation, func(int, bool) {}); err != nil {
		t.Fatal(err)
	}
	result, err := plan.Verify(t.Context(), func(int, int) {})
	if err != nil || !strings.Contains(strings.Join(result.Open, "\n"), "cannot be read") {
		t.Errorf("open %q, %v", result.Open, err)
	}
	for _, c := range result.Checks {
		if c.Title == "In step" {
			t.Errorf("it says %+v", c)
		}
	}
}

// dying lets a number of requests through, on both sides, and fails every one after that, as if the
// program had been killed there.
type dying struct {
	next http.RoundTripper
	left *atomic.Int64
}

func (d dying) RoundTrip(r *http.Request) (*http.Response, error) {
	if d.left.Add(-1) < 0 {
		return nil, errKilled
	}
	return d.next.RoundTrip(r)
}

// TestAWalkThatIsKilledAnywhereIsCompleted kills the program at every few requests, with the same
// person and the same two sides. In the end everything is there once.
func TestAWalkThatIsKilledAnywhereIsCompleted(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	left := &atomic.Int64{}
	w.client = &http.Client{Transport: dying{w.client.Transport, left}}
	w.limits.next = dying{http.DefaultTransport, left}
	for requests := int64(5); ; requests += 3 {
		left.Store(requests)
		_, _, err := w.run(context.Background())
		if err == nil {
			break
		}
		if left.Load() >= 0 || requests > 500 {
			t.Fatalf("after %d requests: %v", requests, err)
		}
	}
	apps, err := graph.All[graph.ServicePrincipal](context.Background(), w.Client, "/servicePrincipals")
	if err != nil || len(apps) != 1 {
		t.Errorf("applications %+v, %v", apps, err)
	}
	begun := 0
	for _, title := range w.did {
		if strings.HasPrefix(title, "Begin") || strings.HasPrefix(title, "Change") {
			begun++
		}
	}
	if begun > 4 { // a task may be cut short when it is nearly done
		t.Errorf("the person did %q", w.did)
	}
}

// TestNobodySignsInForNow: the person's step has a bound of its own, which is no failure, and the
// next run completes the proof without a change.
func TestNobodySignsInForNow(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.late, w.patience = true, 50*time.Millisecond
	result, _, err := w.run(t.Context())
	if err != nil || len(result.Open) != 1 || !strings.Contains(result.Open[0], "nobody has signed in yet") {
		t.Fatalf("%+v, %v", result.Open, err)
	}
	status := func(want connect.Condition, words string) {
		t.Helper()
		h, err := connect.ObserveHealth(t.Context(), w.kept(t, 0))
		if err != nil || h.Condition != want || !strings.Contains(fmt.Sprint(h.Findings), words) {
			t.Errorf("it is %s, with %+v, %v; want %s", h.Condition, h.Findings, err, want)
		}
	}
	status(connect.Drifted, "the tenant's log has no sign-in since") // another's provisioning may have been on
	w.late, w.did = false, nil
	w.patience = 0
	result, pending, err := w.run(t.Context())
	if err != nil || pending != 0 || len(result.Open) != 0 || !slices.Equal(w.did, []string{"Sign in once"}) {
		t.Errorf("the next run: %d steps, %q, %+v, %v", pending, w.did, result.Open, err)
	}
	status(connect.Converged, "[]")
}

// TestTheSignInIsReadBackFromBothSides: CloudTrail may be late, may not be read, and may say that
// AWS refused what the tenant sent. None of it ends the run.
func TestTheSignInIsReadBackFromBothSides(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	told := w.signedIn
	for _, c := range []struct {
		signedIn func()
		answer   func(string) (int, string)
		want     string // of what is open; empty: it is proved
	}{
		{signedIn: func() {}, want: "CloudTrail does not have the sign-in yet"},
		{signedIn: func() {
			w.limits.trail = []string{trailEvent(0, "Failure", "Assertion is no longer valid")}
		}, want: "AWS refused what the tenant sent: Assertion is no longer valid"},
		{signedIn: func() {}, answer: func(operation string) (int, string) {
			if operation != "LookupEvents" {
				return 0, ""
			}
			return http.StatusBadRequest, `{"__type":"AccessDeniedException","message":"User: x is not authorized ` +
				`to perform: cloudtrail:LookupEvents because no identity-based policy allows it"}`
		}, want: "no permission for cloudtrail:LookupEvents"},
		{signedIn: told},
	} {
		w.signedIn, w.limits.answer = c.signedIn, c.answer
		w.signedIn()
		result, _, err := w.run(t.Context())
		titles := ""
		for _, check := range result.Checks {
			titles += check.Title + "; "
		}
		switch {
		case err != nil:
			t.Fatalf("%q: %v", c.want, err)
		case c.want == "" && (len(result.Open) != 0 || !strings.Contains(titles, "The sign-in at AWS")):
			t.Errorf("it is not proved: %s %q", titles, result.Open)
		case c.want != "" && (len(result.Open) != 1 || !strings.Contains(result.Open[0], c.want)):
			t.Errorf("open: %q, want %q", result.Open, c.want)
		}
	}
}
