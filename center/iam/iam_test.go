package iam_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/iam"
)

const account = "111122223333"

// world is a center whose roles are kept at an emulator of AWS, through something that can fail.
type world struct {
	*center.Center
	t      *testing.T
	direct *awsiam.Client // to see what there is
	fail   atomic.Pointer[failure]
	seen   atomic.Int64 // requests
	now    time.Time
	set    center.PermissionSet
	who    center.Assignment
}

// failure is what one request meets, the first being 1.
type failure struct {
	at, until int64
	status    int
	code      string
	after     bool // the request is done, but its answer lost
}

func newWorld(t *testing.T) *world {
	t.Helper()
	moto := centertest.Moto(t)
	target, err := url.Parse(moto)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Center: centertest.New(t, "https://center.example"), t: t, now: time.Now()}
	w.Now = func() time.Time { return w.now }
	proxy := httputil.NewSingleHostReverseProxy(target)
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		n, f := w.seen.Add(1), w.fail.Load()
		if f == nil || n < f.at || n > f.until {
			proxy.ServeHTTP(rw, r)
			return
		}
		if f.after {
			proxy.ServeHTTP(httptest.NewRecorder(), r)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		rw.Header().Set("Content-Type", "text/xml")
		rw.WriteHeader(f.status)
		fmt.Fprintf(
			rw,
			`<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type>`+
				`<Code>%s</Code><Message>not today</Message></Error></ErrorResponse>`,
			f.code,
		)
	}))
	t.Cleanup(front.Close)
	config := aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: &front.URL,
		Credentials:  credentials.NewStaticCredentialsProvider("AKIAHUB", "secret", ""),
		Retryer:      func() aws.Retryer { return retry.AddWithMaxBackoffDelay(retry.NewStandard(), time.Millisecond) },
	}
	clients := &iam.Clients{Config: config, Own: "999999999999", Role: "OrganizationAccountAccessRole"}
	w.Roles = &iam.Keeper{
		Center: w.Center,
		Trust:  iam.Trust{Path: "/gatehouse/", Hub: "arn:aws:iam::999999999999:role/hub"},
		Client: clients.In,
	}
	straight := config.Copy()
	straight.BaseEndpoint = &moto
	role := "arn:aws:iam::" + account + ":role/OrganizationAccountAccessRole"
	straight.Credentials = stscreds.NewAssumeRoleProvider(sts.NewFromConfig(straight), role)
	w.direct = awsiam.NewFromConfig(straight)
	// moto makes an account at its first use, with all policies of AWS. That takes longer on a busy
	// machine than what is tested here waits for an answer.
	if _, err := w.direct.ListRoles(t.Context(), &awsiam.ListRolesInput{}); err != nil {
		t.Fatal(err)
	}
	w.populate()
	return w
}

func (w *world) populate() {
	w.t.Helper()
	ctx := context.Background()
	u, e1 := w.CreateUser(ctx, centertest.Actor, centertest.Person("ada"))
	set, e2 := w.CreatePermissionSet(
		ctx,
		centertest.Actor,
		center.PermissionSet{
			Name:            "Admin",
			Description:     "Für alle ☂",
			ManagedPolicies: []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"},
			Boundary: &center.Boundary{
				ManagedPolicy: "arn:aws:iam::aws:policy/PowerUserAccess",
			},
			InlinePolicy: `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}`,
		},
	)
	if err := errors.Join(
		e1, e2, w.PutAccount(ctx, centertest.Actor, center.Account{ID: account, Name: "Production"}),
	); err != nil {
		w.t.Fatal(err)
	}
	w.set, w.who = set, center.Assignment{
		AccountID:        account,
		PermissionSetARN: set.ARN,
		PrincipalType:    center.PrincipalUser,
		PrincipalID:      string(u.ID),
	}
}

// work does what is due.
func (w *world) work() {
	w.t.Helper()
	for {
		worked, err := w.WorkOnRole(context.Background())
		if err != nil {
			w.t.Fatal(err)
		}
		if !worked {
			return
		}
	}
}

// request makes a request and returns it when nothing is left to do now.
func (w *world) request(r center.AssignmentRequest, err error) center.AssignmentRequest {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	w.work()
	r, err = w.AssignmentRequest(context.Background(), r.Kind, r.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) create() center.AssignmentRequest {
	w.t.Helper()
	return w.request(w.CreateAssignment(context.Background(), centertest.Actor, w.who))
}

func (w *world) remove() center.AssignmentRequest {
	w.t.Helper()
	return w.request(w.DeleteAssignment(context.Background(), centertest.Actor, w.who))
}

func (w *world) provision() center.AssignmentRequest {
	w.t.Helper()
	return w.request(w.ProvisionPermissionSet(context.Background(), centertest.Actor, w.set.ARN, ""))
}

// roles are those that there are at AWS.
func (w *world) roles() []types.Role {
	w.t.Helper()
	out, err := w.direct.ListRoles(context.Background(), &awsiam.ListRolesInput{PathPrefix: aws.String("/gatehouse/")})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.Roles
}

func (w *world) providers() int {
	w.t.Helper()
	out, err := w.direct.ListSAMLProviders(context.Background(), &awsiam.ListSAMLProvidersInput{})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(out.SAMLProviderList)
}

// drift is how the only role differs, looked at now.
func (w *world) drift() []string {
	w.t.Helper()
	ctx := context.Background()
	if err := w.RecheckRoles(ctx, centertest.Actor, account); err != nil {
		w.t.Fatal(err)
	}
	if looked, err := w.CheckRole(ctx); err != nil || !looked {
		w.t.Fatalf("looked %v, %v", looked, err)
	}
	there, err := w.Provisioned(ctx, center.ProvisionedQuery{AccountID: account})
	if err != nil || len(there) != 1 {
		w.t.Fatalf("there is %+v, %v", there, err)
	}
	return there[0].Drift
}

func TestARoleIsMadeMendedAndRetired(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	if r := w.create(); r.Status != center.Succeeded {
		t.Fatalf("the request is %+v", r)
	}
	roles := w.roles()
	if len(roles) != 1 || w.providers() != 1 || aws.ToString(roles[0].Path) != "/gatehouse/" ||
		aws.ToInt32(roles[0].MaxSessionDuration) != 43200 || aws.ToString(roles[0].Description) != "Für alle ?" {
		t.Fatalf("there are %+v", roles)
	}
	name := roles[0].RoleName
	trust, _ := url.QueryUnescape(aws.ToString(roles[0].AssumeRolePolicyDocument))
	for _, part := range []string{
		"arn:aws:iam::" + account + ":saml-provider/" + w.SAMLProviderName(), "sts:AssumeRoleWithSAML",
		"arn:aws:iam::999999999999:role/hub",
	} {
		if !strings.Contains(trust, part) {
			t.Errorf("the trust policy %s has no %s", trust, part)
		}
	}
	if d := w.drift(); len(d) != 0 {
		t.Errorf("a new role differs: %q", d)
	}

	// The permission set changes: the role follows when it is provisioned.
	e1 := w.AttachManagedPolicy(ctx, centertest.Actor, w.set.ARN, "arn:aws:iam::aws:policy/job-function/Billing")
	e2 := w.DetachManagedPolicy(ctx, centertest.Actor, w.set.ARN, "arn:aws:iam::aws:policy/ReadOnlyAccess")
	e3 := w.UpdatePermissionSet(
		ctx,
		centertest.Actor,
		center.ActionDeleteInlinePolicy,
		w.set.ARN,
		func(p *center.PermissionSet) error {
			p.InlinePolicy = ""
			p.Boundary = nil
			p.Description = "For all"
			return nil
		},
	)
	if err := errors.Join(e1, e2, e3); err != nil {
		t.Fatal(err)
	}
	if d := w.drift(); len(d) != 0 {
		t.Errorf("what is not provisioned yet is called drift: %q", d)
	}
	if r := w.provision(); r.Status != center.Succeeded {
		t.Fatalf("the request is %+v", r)
	}
	attached, e4 := w.direct.ListAttachedRolePolicies(ctx, &awsiam.ListAttachedRolePoliciesInput{RoleName: name})
	inline, e5 := w.direct.ListRolePolicies(ctx, &awsiam.ListRolePoliciesInput{RoleName: name})
	got, e6 := w.direct.GetRole(ctx, &awsiam.GetRoleInput{RoleName: name})
	if err := errors.Join(e4, e5, e6); err != nil {
		t.Fatal(err)
	}
	if len(attached.AttachedPolicies) != 1 || aws.ToString(attached.AttachedPolicies[0].PolicyName) != "Billing" ||
		len(inline.PolicyNames) != 0 ||
		got.Role.PermissionsBoundary != nil ||
		aws.ToString(got.Role.Description) != "For all" {
		t.Errorf("the role has %+v, %v, %+v", attached.AttachedPolicies, inline.PolicyNames, got.Role)
	}

	// Somebody changes it behind the center's back.
	_, e7 := w.direct.AttachRolePolicy(
		ctx,
		&awsiam.AttachRolePolicyInput{
			RoleName:  name,
			PolicyArn: aws.String("arn:aws:iam::aws:policy/AdministratorAccess"),
		},
	)
	_, e8 := w.direct.UpdateRole(
		ctx,
		&awsiam.UpdateRoleInput{
			RoleName:           name,
			MaxSessionDuration: aws.Int32(3600),
			Description:        aws.String("For all"),
		},
	)
	_, e9 := w.direct.PutRolePolicy(
		ctx,
		&awsiam.PutRolePolicyInput{
			RoleName:   name,
			PolicyName: aws.String("mine"),
			PolicyDocument: aws.String(
				`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`,
			),
		},
	)
	if err := errors.Join(e7, e8, e9); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"the longest session is 3600 seconds instead of 43200",
		"also attached: arn:aws:iam::aws:policy/AdministratorAccess", "an extra inline policy: mine",
	}
	if d := w.drift(); strings.Join(d, "|") != strings.Join(want, "|") {
		t.Errorf("the role differs by %q, want %q", d, want)
	}
	events, err := w.Events(ctx, center.EventQuery{Limit: 1})
	if err != nil || events[0].Action != "RoleDrifted" || !strings.Contains(events[0].Detail, "AdministratorAccess") {
		t.Errorf("the audit log says %+v, %v", events, err)
	}
	if r := w.provision(); r.Status != center.Succeeded {
		t.Fatalf("the request is %+v", r)
	}
	if d := w.drift(); len(d) != 0 {
		t.Errorf("a mended role differs: %q", d)
	}

	if r := w.remove(); r.Status != center.Succeeded || len(w.roles()) != 0 || w.providers() != 0 {
		t.Errorf("after the last assignment: %+v, %d roles, %d providers", r, len(w.roles()), w.providers())
	}
}

// TestARefusalAtEachStepLeavesNothing has IAM refuse each request in turn: what was to be made is
// not there, and another try makes it.
func TestARefusalAtEachStepLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	steps := int64(0)
	for n := int64(1); ; n++ {
		w.seen.Store(0)
		w.fail.Store(&failure{at: n, until: n, status: http.StatusForbidden, code: "AccessDenied"})
		r := w.create()
		w.fail.Store(nil)
		if r.Status == center.Succeeded { // the work is shorter than n
			steps = n - 1
			break
		}
		if r.Status != center.Failed || r.FailureReason != "Received a 403 status error: AccessDenied: not today" {
			t.Fatalf("refused at %d: %+v", n, r)
		}
		w.now = w.now.Add(time.Hour) // what could not be undone is by then
		w.work()
		if roles, assigned := w.roles(), w.assigned(); len(roles) != 0 || assigned != 0 {
			t.Fatalf("refused at %d: %d roles and %d assignments are left", n, len(roles), assigned)
		}
	}
	if steps < 6 {
		t.Errorf("only %d requests were refused: the test saw too little", steps)
	}
	if roles, assigned := w.roles(), w.assigned(); len(roles) != 1 || assigned != 1 {
		t.Errorf("in the end there are %d roles, %d assignments", len(roles), assigned)
	}

	// The same for a role that is there: it stays as it was.
	if err := w.AttachManagedPolicy(
		context.Background(), centertest.Actor, w.set.ARN, "arn:aws:iam::aws:policy/job-function/Billing",
	); err != nil {
		t.Fatal(err)
	}
	for n := int64(1); ; n++ {
		w.seen.Store(0)
		w.fail.Store(&failure{at: n, until: n, status: http.StatusForbidden, code: "AccessDenied"})
		r := w.provision()
		w.fail.Store(nil)
		if r.Status == center.Succeeded {
			break
		}
		attached, err := w.direct.ListAttachedRolePolicies(
			context.Background(), &awsiam.ListAttachedRolePoliciesInput{RoleName: w.roles()[0].RoleName},
		)
		if err != nil || len(attached.AttachedPolicies) != 1 {
			t.Fatalf("refused at %d: %+v, %v", n, attached.AttachedPolicies, err)
		}
	}
	for n := int64(1); ; n++ {
		w.seen.Store(0)
		w.fail.Store(&failure{at: n, until: n, status: http.StatusConflict, code: "DeleteConflict"})
		r := w.remove()
		w.fail.Store(nil)
		if r.Status == center.Succeeded {
			break
		}
		if w.assigned() != 0 {
			t.Fatalf("refused at %d: the access is still there", n)
		}
	}
	if roles := w.roles(); len(roles) != 0 || w.providers() != 0 {
		t.Errorf("%d roles and %d providers are left", len(roles), w.providers())
	}
}

func (w *world) assigned() int {
	w.t.Helper()
	list, err := w.Assignments(context.Background(), center.AssignmentQuery{})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(list)
}

// TestAnAnswerLostAtEachStepIsMadeUpFor loses the answer of each request in turn, and lets IAM
// throttle for long: the work is completed all the same.
func TestAnAnswerLostAtEachStepIsMadeUpFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := int64(1); n <= 12; n++ {
		w.seen.Store(0)
		w.fail.Store(&failure{
			at:     n,
			until:  n,
			status: http.StatusInternalServerError,
			code:   "ServiceFailure",
			after:  true,
		})
		for _, r := range []center.AssignmentRequest{w.create(), w.provision()} {
			if r.Status != center.Succeeded {
				t.Fatalf("the answer %d lost: %+v", n, r)
			}
		}
		w.fail.Store(nil)
		if r := w.remove(); r.Status != center.Succeeded || len(w.roles()) != 0 {
			t.Fatalf("the answer %d lost: %+v, roles %d", n, r, len(w.roles()))
		}
	}
	w.seen.Store(0)
	w.fail.Store(&failure{at: 1, until: 9, status: http.StatusBadRequest, code: "Throttling"})
	r := w.create()
	if r.Status != center.InProgress {
		t.Fatalf("throttled: %+v", r)
	}
	for range 3 {
		w.now = w.now.Add(time.Minute)
		w.work()
	}
	if r, err := w.AssignmentRequest(context.Background(), r.Kind, r.ID); err != nil || r.Status != center.Succeeded {
		t.Errorf("after throttling: %+v, %v", r, err)
	}
	w.seen.Store(0)
	w.fail.Store(&failure{at: 1, until: 1 << 40, status: http.StatusServiceUnavailable, code: "ServiceUnavailable"})
	r = w.provision()
	for range 5 {
		w.now = w.now.Add(time.Minute)
		w.work()
	}
	if r, err := w.AssignmentRequest(context.Background(), r.Kind, r.ID); err != nil || r.Status != center.Failed ||
		!strings.Contains(r.FailureReason, "503") {
		t.Errorf("without an answer for minutes: %+v, %v", r, err)
	}
}
