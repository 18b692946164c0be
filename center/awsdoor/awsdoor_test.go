package awsdoor_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/server"
)

// TestTheSessionOfARoleMayOnlyAskWhoItIs signs requests with the sandbox's credentials of a role,
// as a program does that a person has signed in for.
func TestTheSessionOfARoleMayOnlyAskWhoItIs(t *testing.T) {
	c := centertest.New(t, "http://127.0.0.1")
	door := httptest.NewServer(server.Handler(c, server.Config{}))
	defer door.Close()
	ctx := context.Background()
	of, err := server.NewSandbox(c).Credentials(ctx, center.RoleRequest{
		Role: center.Role{
			Account:  center.Account{ID: "111122223333"},
			RoleName: "AWSReservedSSO_Admin_0123456789abcdef",
		},
		SessionName: "ada@example.com",
		Duration:    time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(service, target, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, door.URL+"/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if target != "" {
			r.Header.Set("Content-Type", "application/x-amz-json-1.1")
			r.Header.Set("X-Amz-Target", target)
		}
		sum := sha256.Sum256([]byte(body))
		if err := v4.NewSigner().SignHTTP(ctx, aws.Credentials{
			AccessKeyID:     of.AccessKeyID,
			SecretAccessKey: of.SecretAccessKey.Reveal(),
			SessionToken:    of.SessionToken.Reveal(),
		}, r, hex.EncodeToString(sum[:]), service, c.Instance.Region, time.Now()); err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close() //nolint:errcheck // it was only read
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	const arn = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/ada@example.com"
	if status, text := ask("sts", "", "Action=GetCallerIdentity&Version=2011-06-15"); status != http.StatusOK ||
		!strings.Contains(text, arn) {
		t.Errorf("GetCallerIdentity: %d %s", status, text)
	}
	for target, service := range map[string]string{
		"AWSIdentityStore.ListUsers":       "identitystore",
		"AWSIdentityStore.None":            "identitystore",
		"SWBExternalService.ListInstances": "sso",
	} {
		_, operation, _ := strings.Cut(target, ".")
		if status, text := ask(service, target, "{}"); status != http.StatusBadRequest ||
			!strings.Contains(text, "AccessDeniedException") ||
			!strings.Contains(text, "User: "+arn+" is not authorized to perform: "+operation) {
			t.Errorf("%s: %d %s", target, status, text)
		}
		events, err := c.Events(ctx, center.EventQuery{})
		if err != nil || len(events) == 0 {
			t.Fatalf("%d events, %v", len(events), err)
		}
		if e := events[0]; e.Action != operation || e.Result != audit.Refused || e.Actor.Kind != audit.Anonymous ||
			e.Actor.Name != "ada@example.com" {
			t.Errorf("%s: the event is %+v", target, e)
		}
	}
}
