package iam_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// TestARoleOfOthersMustTrustTheCenter: who entitles somebody to a role that does not let the center
// in is told which statement it needs; with that, the entitlement is made, and a leaver's
// credentials are denied in the role, of which nothing else changes.
func TestARoleOfOthersMustTrustTheCenter(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	const role = "arn:aws:iam::" + account + ":role/ops/Reader"
	user := center.UserID(w.who.PrincipalID)
	a, err := w.CreateAccessManager(ctx, centertest.Actor, w.Instance.ARN, nil)
	if err != nil {
		t.Fatal(err)
	}
	entitle := func() error {
		e, err := w.CreateEntitlement(ctx, centertest.Actor, w.AccessManagerARN(a), center.Entitlement{
			RoleARN: role, PrincipalType: center.PrincipalUser, PrincipalID: string(user),
		})
		if err == nil && e.Longest != 3*time.Hour {
			t.Errorf("the role's sessions last %s", e.Longest)
		}
		return err
	}
	if err := entitle(); refusal.CodeOf(err) != center.RoleUntrusting {
		t.Fatalf("a role that is not there: %v", err)
	}
	const nobody = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole",` +
		`"Principal":{"Service":"ec2.amazonaws.com"}}}`
	if _, err := w.direct.CreateRole(ctx, &awsiam.CreateRoleInput{
		RoleName: aws.String("Reader"), Path: aws.String("/ops/"), AssumeRolePolicyDocument: aws.String(nobody),
		MaxSessionDuration: aws.Int32(3 * 3600),
	}); err != nil {
		t.Fatal(err)
	}
	err = entitle()
	_, statement, found := strings.Cut(refusal.Detail(err), "add to its trust policy: ")
	if refusal.CodeOf(err) != center.RoleUntrusting || !found {
		t.Fatalf("a role that trusts somebody else: %v", err)
	}
	if _, err := w.direct.UpdateAssumeRolePolicy(ctx, &awsiam.UpdateAssumeRolePolicyInput{
		RoleName:       aws.String("Reader"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":` + statement + `}`),
	}); err != nil {
		t.Fatal(err)
	}
	if err := entitle(); err != nil {
		t.Fatalf("with the statement: %v", err)
	}
	if err := w.Store.Update(ctx, func(tx center.Tx) error {
		return tx.ExtendRoleSession(center.RoleSession{
			UserID: user, Name: "ada", AccountID: account, RoleName: role, PermissionSetARN: role,
			Until: w.now.Add(time.Hour),
		})
	}); err != nil {
		t.Fatal(err)
	}
	denied := func() string {
		out, err := w.direct.GetRolePolicy(ctx, &awsiam.GetRolePolicyInput{
			RoleName: aws.String("Reader"), PolicyName: aws.String("GatehouseRevokedSessions"),
		})
		if err != nil {
			return ""
		}
		text, _ := url.QueryUnescape(aws.ToString(out.PolicyDocument))
		return text
	}
	if err := w.SetUserActive(ctx, centertest.Actor, user, false); err != nil {
		t.Fatal(err)
	}
	w.work()
	if got := denied(); !strings.Contains(got, `"sts:SourceIdentity":["ada"]`) {
		t.Errorf("the role has the denial %q", got)
	}
	for range 2 { // they are denied for a day longer
		w.now = w.now.Add(19 * time.Hour)
		if err := w.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
	}
	w.work()
	if got := denied(); got != "" {
		t.Errorf("after the last credentials the role has %s", got)
	}
	out, err := w.direct.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("Reader")})
	if err != nil || aws.ToString(out.Role.Path) != "/ops/" {
		t.Errorf("the role in the end: %+v, %v", out, err)
	}
}
