package oversee_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// TestEveryWayToAnAccountIsNamed: by hand, by a group, by a rule, by a request in force, by account
// access, by an inline policy with administrative reach and by a policy that nobody has read; by
// both commands, on the page, and in its picture.
func TestEveryWayToAnAccountIsNamed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	o, s := newOffice(t)
	w := centertest.Requests(t, s.Center)
	account := w.Account
	account.Tags = []center.Tag{{Key: "env", Value: "prod"}}
	set := func(p center.PermissionSet) string {
		made, err := s.CreatePermissionSet(ctx, centertest.Actor, p)
		if err == nil {
			made.ManagedPolicies, made.InlinePolicy = p.ManagedPolicies, p.InlinePolicy
			made.CustomerPolicies = p.CustomerPolicies
			err = s.Store.Update(ctx, func(tx center.Tx) error { return tx.PutPermissionSet(made) })
		}
		if err != nil {
			t.Fatal(err)
		}
		return made.ARN
	}
	managed := []string{"arn:aws:iam::aws:policy/AdministratorAccess"}
	whole := set(center.PermissionSet{Name: "Whole", ManagedPolicies: managed})
	inline := set(center.PermissionSet{
		Name: "Inline", InlinePolicy: `{"Statement":{"Effect":"Allow","Action":"iam:Attach*","Resource":"*"}}`,
	})
	ruled := set(center.PermissionSet{Name: "Ruled", ManagedPolicies: managed})
	own := set(center.PermissionSet{Name: "Own", CustomerPolicies: []center.PolicyReference{{Name: "ours", Path: "/"}}})
	reader := set(center.PermissionSet{
		Name: "Reader", ManagedPolicies: []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"},
	})
	give := func(set string, of center.PrincipalType, id string) error {
		_, err := s.CreateAssignment(ctx, centertest.Actor, center.Assignment{
			AccountID: account.ID, PermissionSetARN: set, PrincipalType: of, PrincipalID: id,
		})
		return err
	}
	e1 := s.PutAccount(ctx, centertest.Actor, account)
	e2 := give(whole, center.PrincipalUser, string(w.Grace.ID))
	e3 := give(inline, center.PrincipalGroup, string(w.Engineers.ID))
	e4 := give(own, center.PrincipalUser, string(w.Ada.ID))
	e5 := give(reader, center.PrincipalUser, string(w.Ada.ID))
	_, e6 := s.CreateAssignmentRule(ctx, centertest.Actor, center.AssignmentRule{
		Tag: &account.Tags[0], PermissionSetARN: ruled, PrincipalType: center.PrincipalUser,
		PrincipalID: string(w.Linus.ID),
	})
	policy := w.NewPolicy("Emergencies")
	policy.PermissionSetARN = ruled
	_, e7 := s.CreateRequestPolicy(ctx, centertest.Actor, policy)
	ask := w.Ask()
	ask.PermissionSetARN, ask.Emergency = ruled, true
	_, e8 := s.RequestAccess(ctx, w.By(w.Ada), w.Ada.ID, ask)
	s.Entitled(w.Ada, "arn:aws:iam::111122223333:role/ops/Keeper")
	e9 := s.PutAccount(ctx, centertest.Actor, account) // Entitled has called it otherwise
	if err := errors.Join(e1, e2, e3, e4, e5, e6, e7, e8, e9); err != nil {
		t.Fatal(err)
	}
	has := func(where, text string, wanted ...string) {
		t.Helper()
		for _, one := range wanted {
			if !strings.Contains(text, one) {
				t.Errorf("%s: no %q in %s", where, one, text)
			}
		}
		if strings.Contains(text, "ReadOnlyAccess") {
			t.Errorf("%s names what administers nothing: %s", where, text)
		}
	}
	who := o.want("Whole", "access", "who", "Production")
	has("the command", who, "administers: AdministratorAccess", "the inline policy allows iam:att", "group Engineers",
		"direct, by rule", "request, until ", "role/ops/Keeper", "not read: ours", "linus", "grace", "ada")
	of := o.want("Own", "access", "of", "ada", "--administrative")
	has("of ada", of, "group Engineers", "request, until ", "role/ops/Keeper", "not read: ours")
	if strings.Contains(of, "linus") || strings.Contains(of, "Whole") {
		t.Errorf("of ada: %s", of)
	}
	page := s.Console().Get(s.URL + "/console/access?account=" + account.ID)
	has("the page", page, "Request, until", "by rule", "existing role", ">Engineers</a>", "AdministratorAccess",
		"customer managed policies, not read: ours", "never seen")
	_, picture, _ := strings.Cut(page, `<svg class="map"`)
	picture, _, _ = strings.Cut(picture, "</svg>")
	has("the picture", picture, ">Keeper<", ">Engineers<", ">Grace Hopper<", ">Whole<", ">Ruled<", ">Own<",
		">Production<", "set administers")
}
