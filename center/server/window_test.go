package server_test

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestTheAWSCLISeesAWindowAsAnAssignment: while it is open there is an assignment like any other,
// and its credentials are good; afterwards there is none, and they are refused.
func TestTheAWSCLISeesAWindowAsAnAssignment(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := centertest.Serve(t)
	s.NoMFA()
	w := centertest.Requests(t, s.Center)
	admin := s.Admin()
	cli := centertest.NewAWSCLI(t, s.URL, admin.Region, admin.AccessKeyID, admin.SecretAccessKey)
	assigned := func() []string {
		var out struct {
			AccountAssignments []struct {
				PrincipalID string `json:"PrincipalId"`
			}
		}
		cli.Run(&out, "sso-admin", "list-account-assignments", "--instance-arn", s.Instance.ARN,
			"--account-id", w.Account.ID, "--permission-set-arn", w.Set.ARN)
		var ids []string
		for _, a := range out.AccountAssignments {
			ids = append(ids, a.PrincipalID)
		}
		return ids
	}
	if got := assigned(); len(got) != 0 {
		t.Fatalf("before: %v", got)
	}
	ask := w.Ask()
	ask.Emergency = true
	r, e1 := w.RequestAccess(ctx, w.By(w.Ada), w.Ada.ID, ask)
	if err := errors.Join(e1, s.SetPassword(ctx, audit.SystemActor, w.Ada.ID, centertest.Password)); err != nil {
		t.Fatal(err)
	}
	if got := assigned(); len(got) != 1 || got[0] != string(w.Ada.ID) {
		t.Errorf("while it is open: %v", got)
	}
	status, page := s.SignIn("ada").Send(
		http.MethodPost, s.URL+"/start/accounts/"+w.Account.ID+"/roles/Admin/credentials", nil,
	)
	if status != http.StatusOK {
		t.Fatalf("credentials: %d %s", status, page)
	}
	part := func(name string) string {
		return webtest.Match(t, page, regexp.MustCompile(`export `+name+`=(?:&#34;|")([^"&]+)`))
	}
	role := centertest.NewAWSCLI(t, s.URL, admin.Region, part("AWS_ACCESS_KEY_ID"), part("AWS_SECRET_ACCESS_KEY"))
	role.Env = append(role.Env, "AWS_SESSION_TOKEN="+part("AWS_SESSION_TOKEN"))
	var who struct{ Arn string }
	if role.Run(&who, "sts", "get-caller-identity"); who.Arn == "" {
		t.Error("the credentials are nobody's")
	}
	if _, err := w.EndAccess(ctx, w.By(w.Ada), w.Ada.ID, r.ID, "done"); err != nil {
		t.Fatal(err)
	}
	if got := assigned(); len(got) != 0 {
		t.Errorf("afterwards: %v", got)
	}
	role.Fails("InvalidClientTokenId", "sts", "get-caller-identity")
	if roles, err := s.RolesOf(ctx, w.Ada.ID, w.Account.ID); err != nil || len(roles) != 0 {
		t.Errorf("the portal shows %+v, %v", roles, err)
	}
	if q, err := s.AccessRequest(ctx, r.ID); err != nil || q.State != center.AccessEnded {
		t.Errorf("the request: %+v, %v", q, err)
	}
}
