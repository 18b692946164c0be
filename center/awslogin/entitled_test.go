package awslogin_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
)

// TestAnExistingRoleIsChosen: a program gets keys of a role that the person is entitled to, until
// the entitlement is deleted.
func TestAnExistingRoleIsChosen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const role = "arn:aws:iam::222233334444:role/ops/Reader"
	if at, page := w.choose(nil, "222233334444/"+role, "allow"); at.Query().Get("code") != "" {
		t.Fatalf("before: %s", page)
	}
	e := w.Entitled(w.who, role)
	at, page := w.choose(nil, "222233334444/"+role, "allow")
	code := at.Query().Get("code")
	if code == "" {
		t.Fatalf("no code: %s %s", at, page)
	}
	status, got := w.ask(w.Program, map[string]string{
		"clientId": center.SameDeviceClient, "grantType": "authorization_code", "code": code,
		"codeVerifier": verifier, "redirectUri": loopback,
	})
	if status != 200 || !strings.HasPrefix(got.AccessToken.AccessKeyID, "ASIA") {
		t.Fatalf("%d %+v", status, got)
	}
	a, err := w.AccessManager(context.Background())
	if err == nil {
		err = w.DeleteEntitlement(context.Background(), audit.SystemActor, w.AccessManagerARN(a), e.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	renew := map[string]string{
		"clientId": center.SameDeviceClient, "grantType": "refresh_token", "refreshToken": got.RefreshToken,
	}
	if status, got := w.ask(w.Program, renew); status == 200 {
		t.Errorf("after the entitlement: %d %+v", status, got)
	}
}
