package server_test

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/adminserver"
	"github.com/gatehouse-id/gatehouse/center/identitystore"
	"github.com/gatehouse-id/gatehouse/center/ssoadmin"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

var reading = regexp.MustCompile(`^(List|Describe|Get|Preview|Search|Lookup|Explain|IsMember)`)

// TestKeysMayWhatTheirRoleSays calls every operation of every AWS door with keys that may read, and
// that may change users.
func TestKeysMayWhatTheirRoleSays(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	admin := e.Admin
	with := func(role center.KeyRole) pairtest.Ends {
		key, err := admin.CreateAccessKey(context.Background(), string(role), string(role))
		if err != nil {
			t.Fatal(err)
		}
		other := pairtest.Of(t, &gatehousetest.Pair{Output: e.Output})
		other.AWS.AccessKeyID, other.AWS.SecretAccessKey = key.AccessKeyID, key.SecretAccessKey
		return other
	}
	reader, users := with(center.RoleReadOnly), with(center.RoleUserAdministrator)
	for _, s := range []awsapi.Service{
		(&identitystore.Handler{}).Service(), (&ssoadmin.Handler{}).Service(), (&adminserver.Handler{}).Service(),
	} {
		for _, op := range s.Operations {
			if reads := op.Access == awsapi.Reads; reads != reading.MatchString(op.Name) {
				t.Errorf("%s: is it a change? it says %v", op.Name, op.Access)
			}
			_, text := signed(t, reader, s.SigningName, s.Target+"."+op.Name, `{}`)
			if refused := strings.Contains(text, "AccessDeniedException"); refused != (op.Access == awsapi.Changes) {
				t.Errorf("%s by a key that may read: %s", op.Name, text)
			}
		}
	}
	status, text := signed(t, users, "sso-directory", "SWBUPService.CreateBearerToken", `{}`)
	wantWords(t, "a token by a key for users", status, text, 400, "AccessDeniedException", "not-allowed")
	status, text = signed(t, users, "sso-directory", "SWBUPService.StartVirtualMfaDeviceRegistration", `{"UserId":"x"}`)
	wantWords(t, "a second factor by a key for users", status, text, 400, "AccessDeniedException", "not-allowed")
}
