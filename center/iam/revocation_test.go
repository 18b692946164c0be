package iam_test

import (
	"context"
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// denial is the policy in the only role that refuses what was revoked; "" if there is none.
func (w *world) denial() string {
	w.t.Helper()
	out, err := w.direct.GetRolePolicy(context.Background(), &awsiam.GetRolePolicyInput{
		RoleName: w.roles()[0].RoleName, PolicyName: aws.String("GatehouseRevokedSessions"),
	})
	if err != nil {
		return ""
	}
	text, err := url.QueryUnescape(aws.ToString(out.PolicyDocument))
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// TestALeaverIsDeniedInTheRole: one request per role puts the denial there, also when its answer is
// lost; it is no drift, survives provisioning, and goes when the last credentials have run out.
func TestALeaverIsDeniedInTheRole(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	w.now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	w.create()
	user, role := center.UserID(w.who.PrincipalID), aws.ToString(w.roles()[0].RoleName)
	open := center.RoleSession{
		UserID: user, Name: "ada", AccountID: account, RoleName: role, PermissionSetARN: w.set.ARN,
		Until: w.now.Add(12 * time.Hour),
	}
	if err := w.Store.Update(ctx, func(tx center.Tx) error { return tx.ExtendRoleSession(open) }); err != nil {
		t.Fatal(err)
	}
	seen := w.seen.Load()
	w.fail.Store(&failure{at: seen + 1, until: seen + 1, status: 500, code: "ServiceFailure", after: true})
	if err := w.SetUserActive(ctx, centertest.Actor, user, false); err != nil {
		t.Fatal(err)
	}
	w.work()
	if n := w.seen.Load() - seen; n != 2 {
		t.Errorf("%d requests, want one and its retry", n)
	}
	const want = `{"Statement":[{"Action":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":` +
		`"2026-11-29T12:00:30.000Z"},"StringEquals":{"sts:SourceIdentity":["ada"]}},"Effect":"Deny","Resource":"*"}],` +
		`"Version":"2012-10-17"}`
	if got := w.denial(); !json.Valid([]byte(got)) || got != want {
		t.Errorf("the role has %s, want %s", got, want)
	}
	if d := w.drift(); len(d) != 0 {
		t.Errorf("a denial is called drift: %q", d)
	}
	if r := w.provision(); r.Status != center.Succeeded || w.denial() != want {
		t.Errorf("after provisioning: %+v, %s", r, w.denial())
	}
	for range 2 { // they are denied for a day longer
		w.now = w.now.Add(19 * time.Hour)
		if err := w.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
	}
	w.work()
	if got := w.denial(); got != "" {
		t.Errorf("after the last credentials the role has %s", got)
	}
	if d := w.drift(); len(d) != 0 {
		t.Errorf("in the end it differs: %q", d)
	}
}
