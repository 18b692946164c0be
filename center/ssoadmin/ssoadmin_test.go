package ssoadmin_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
	"github.com/aws/smithy-go"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	door "github.com/gatehouse-id/gatehouse/center/ssoadmin"
)

var update = flag.Bool("update", false, "write docs/sso-admin.md")

// api is the sso-admin API of a real center, and AWS's own client for it.
type api struct {
	*ssoadmin.Client
	t        *testing.T
	center   *center.Center
	instance *string
}

var background = context.Background()

func newAPI(t *testing.T) *api {
	t.Helper()
	c := centertest.New(t, "http://127.0.0.1")
	handler := &awsapi.Handler{
		Verify: &awsapi.Verifier{
			Region: "us-east-1",
			Now:    c.Now,
			Lookup: func(ctx context.Context, id, _ string) (string, awsapi.Caller, error) {
				key, secret, err := c.AccessKeySecret(ctx, id)
				return secret.Reveal(), awsapi.Caller{
					AccessKeyID:   id,
					Principal:     key.Principal,
					Role:          string(key.Role),
					Administrator: true,
				}, err
			},
		},
		Services: []awsapi.Service{(&door.Handler{Center: c}).Service()}, Log: slog.New(slog.DiscardHandler),
		RequestID: func(*http.Request) string { return "11111111-2222-3333-4444-555555555555" },
		Address:   func(*http.Request) string { return "127.0.0.1" },
		Used:      func(context.Context, awsapi.Caller, string) {},
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	key, secret, err := c.CreateAccessKey(background, centertest.Actor, "terraform", center.RoleAdministrator)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.PutAccount(
		background, centertest.Actor, center.Account{ID: "111122223333", Name: "Production"},
	); err != nil {
		t.Fatal(err)
	}
	client := ssoadmin.New(ssoadmin.Options{Region: "us-east-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(key.ID, secret.Reveal(), "")})
	return &api{client, t, c, &c.Instance.ARN}
}

// ok returns the answer of an operation that must succeed.
func ok[Out any](a *api) func(Out, error) Out {
	return func(out Out, err error) Out {
		a.t.Helper()
		if err != nil {
			a.t.Fatal(err)
		}
		return out
	}
}

// refused checks which exception an operation fails with.
func refused[Out any](a *api, want string) func(Out, error) {
	return func(_ Out, err error) {
		a.t.Helper()
		var e smithy.APIError
		if !errors.As(err, &e) || e.ErrorCode() != want {
			a.t.Errorf("got %v, want %s", err, want)
		}
	}
}

func (a *api) group(name string) *string {
	a.t.Helper()
	g, err := a.center.CreateGroup(background, centertest.Actor, center.Group{DisplayName: name})
	if err != nil {
		a.t.Fatal(err)
	}
	return aws.String(string(g.ID))
}

func (a *api) set(name string) *string {
	a.t.Helper()
	return ok[*ssoadmin.CreatePermissionSetOutput](a)(
		a.CreatePermissionSet(background, &ssoadmin.CreatePermissionSetInput{InstanceArn: a.instance, Name: &name}),
	).PermissionSet.PermissionSetArn
}

// TestTheTableOfOperations keeps docs/sso-admin.md what the code is: every operation of the model,
// its required input, and whether it answers.
func TestTheTableOfOperations(t *testing.T) {
	there := map[string]bool{}
	for _, op := range (&door.Handler{}).Service().Operations {
		if door.Shapes[op.Name] == nil {
			t.Errorf("%s is no operation of the model", op.Name)
		}
		there[op.Name] = true
	}
	var b strings.Builder
	fmt.Fprintf(
		&b,
		"# Operations of sso-admin\n\nMade from the code by `go test ./center/ssoadmin -update`. %d of %d "+
			"operations answer.\n\n",
		len(there), len(door.Shapes),
	)
	b.WriteString("| operation | required | in pages | answers |\n|---|---|---|---|\n")
	names := make([]string, 0, len(door.Shapes))
	for name := range door.Shapes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		s := door.Shapes[name]
		pages := ""
		answers := "no"
		if s.Members["MaxResults"] != nil {
			pages = "yes"
		}
		if there[name] {
			answers = "yes"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, strings.Join(s.Required, ", "), pages, answers)
	}
	const path = "../../docs/sso-admin.md"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(path)
	if err != nil || string(kept) != b.String() {
		t.Errorf("docs/sso-admin.md is not what the code is (%v): go test ./center/ssoadmin -update", err)
	}
	if len(door.Shapes) != 79 || len(there) != 79 {
		t.Errorf("%d operations of %d in the model; AWS has 79", len(there), len(door.Shapes))
	}
}

// TestPermissionSetsRoundTrip goes the way of the Terraform provider: create, read, update, read
// again, import, delete.
func TestPermissionSetsRoundTrip(t *testing.T) {
	a := newAPI(t)
	made := ok[*ssoadmin.CreatePermissionSetOutput](a)(
		a.CreatePermissionSet(
			background,
			&ssoadmin.CreatePermissionSetInput{InstanceArn: a.instance, Name: aws.String("Operator"),
				Description: aws.String("Runs things"), SessionDuration: aws.String("PT2H"),
				RelayState: aws.String("https://s3.console.aws.amazon.com/s3/home?region=us-east-1#"),
				Tags:       []types.Tag{{Key: aws.String("team"), Value: aws.String("platform")}}},
		),
	)
	arn := made.PermissionSet.PermissionSetArn
	describe := func() *types.PermissionSet {
		return ok[*ssoadmin.DescribePermissionSetOutput](a)(
			a.DescribePermissionSet(
				background, &ssoadmin.DescribePermissionSetInput{InstanceArn: a.instance, PermissionSetArn: arn},
			),
		).PermissionSet
	}
	if p := describe(); *p.Name != "Operator" || *p.SessionDuration != "PT2H" || *p.Description != "Runs things" ||
		p.CreatedDate.IsZero() {
		t.Errorf("read back %+v", p)
	}
	ok[*ssoadmin.UpdatePermissionSetOutput](a)(
		a.UpdatePermissionSet(
			background,
			&ssoadmin.UpdatePermissionSetInput{
				InstanceArn:      a.instance,
				PermissionSetArn: arn,
				SessionDuration:  aws.String("P0DT90M"),
			},
		),
	)
	if p := describe(); *p.SessionDuration != "PT1H30M" || *p.Description != "Runs things" {
		t.Errorf("after the update %+v: what is not named stays", p)
	}
	tags := func() []types.Tag {
		return ok[*ssoadmin.ListTagsForResourceOutput](
			a,
		)(a.ListTagsForResource(background, &ssoadmin.ListTagsForResourceInput{ResourceArn: arn})).Tags
	}
	ok[*ssoadmin.TagResourceOutput](a)(
		a.TagResource(
			background,
			&ssoadmin.TagResourceInput{
				InstanceArn: a.instance,
				ResourceArn: arn,
				Tags: []types.Tag{
					{Key: aws.String("team"), Value: aws.String("sre")},
					{Key: aws.String("cost"), Value: aws.String("1")},
				},
			},
		),
	)
	ok[*ssoadmin.UntagResourceOutput](a)(
		a.UntagResource(
			background,
			&ssoadmin.UntagResourceInput{InstanceArn: a.instance, ResourceArn: arn, TagKeys: []string{"cost", "never"}},
		),
	)
	if all := tags(); len(all) != 1 || *all[0].Value != "sre" {
		t.Errorf("tags %v", all)
	}
	refused[*ssoadmin.TagResourceOutput](a, "ValidationException")(
		a.TagResource(
			background,
			&ssoadmin.TagResourceInput{
				ResourceArn: arn,
				Tags:        []types.Tag{{Key: aws.String("aws:x"), Value: aws.String("1")}},
			},
		),
	)

	policy := types.CustomerManagedPolicyReference{Name: aws.String("OwnPolicy")}
	attach := &ssoadmin.AttachCustomerManagedPolicyReferenceToPermissionSetInput{
		InstanceArn:                    a.instance,
		PermissionSetArn:               arn,
		CustomerManagedPolicyReference: &policy,
	}
	ok[*ssoadmin.AttachCustomerManagedPolicyReferenceToPermissionSetOutput](
		a,
	)(a.AttachCustomerManagedPolicyReferenceToPermissionSet(background, attach))
	refused[*ssoadmin.AttachCustomerManagedPolicyReferenceToPermissionSetOutput](
		a, "ConflictException",
	)(a.AttachCustomerManagedPolicyReferenceToPermissionSet(background, attach))
	listed := ok[*ssoadmin.ListCustomerManagedPolicyReferencesInPermissionSetOutput](a)(
		a.ListCustomerManagedPolicyReferencesInPermissionSet(
			background,
			&ssoadmin.ListCustomerManagedPolicyReferencesInPermissionSetInput{
				InstanceArn:      a.instance,
				PermissionSetArn: arn,
			},
		),
	)
	if r := listed.CustomerManagedPolicyReferences; len(r) != 1 || *r[0].Path != "/" {
		t.Errorf("references %+v", r)
	}
	ok[*ssoadmin.DetachCustomerManagedPolicyReferenceFromPermissionSetOutput](a)(
		a.DetachCustomerManagedPolicyReferenceFromPermissionSet(
			background,
			&ssoadmin.DetachCustomerManagedPolicyReferenceFromPermissionSetInput{
				InstanceArn:                    a.instance,
				PermissionSetArn:               arn,
				CustomerManagedPolicyReference: &policy,
			},
		),
	)

	boundary := &ssoadmin.GetPermissionsBoundaryForPermissionSetInput{InstanceArn: a.instance, PermissionSetArn: arn}
	refused[*ssoadmin.GetPermissionsBoundaryForPermissionSetOutput](
		a, "ResourceNotFoundException",
	)(a.GetPermissionsBoundaryForPermissionSet(background, boundary))
	put := func(b types.PermissionsBoundary) (*ssoadmin.PutPermissionsBoundaryToPermissionSetOutput, error) {
		return a.PutPermissionsBoundaryToPermissionSet(
			background,
			&ssoadmin.PutPermissionsBoundaryToPermissionSetInput{
				InstanceArn:         a.instance,
				PermissionSetArn:    arn,
				PermissionsBoundary: &b,
			},
		)
	}
	refused[*ssoadmin.PutPermissionsBoundaryToPermissionSetOutput](
		a, "ValidationException",
	)(put(types.PermissionsBoundary{}))
	ok[*ssoadmin.PutPermissionsBoundaryToPermissionSetOutput](
		a,
	)(put(types.PermissionsBoundary{CustomerManagedPolicyReference: &policy}))
	if b := ok[*ssoadmin.GetPermissionsBoundaryForPermissionSetOutput](a)(a.GetPermissionsBoundaryForPermissionSet(
		background, boundary,
	)).PermissionsBoundary; *b.CustomerManagedPolicyReference.Name != "OwnPolicy" ||
		b.ManagedPolicyArn != nil {
		t.Errorf("boundary %+v", b)
	}
	ok[*ssoadmin.DeletePermissionsBoundaryFromPermissionSetOutput](a)(
		a.DeletePermissionsBoundaryFromPermissionSet(background,
			&ssoadmin.DeletePermissionsBoundaryFromPermissionSetInput{InstanceArn: a.instance, PermissionSetArn: arn}),
	)

	ok[*ssoadmin.DeletePermissionSetOutput](a)(
		a.DeletePermissionSet(
			background, &ssoadmin.DeletePermissionSetInput{InstanceArn: a.instance, PermissionSetArn: arn},
		),
	)
	refused[*ssoadmin.DescribePermissionSetOutput](a, "ResourceNotFoundException")(
		a.DescribePermissionSet(
			background, &ssoadmin.DescribePermissionSetInput{InstanceArn: a.instance, PermissionSetArn: arn},
		),
	)
}

func TestPermissionSetsThatAreRefused(t *testing.T) {
	a := newAPI(t)
	a.set("Taken")
	for what, c := range map[string]struct {
		in   ssoadmin.CreatePermissionSetInput
		want string
	}{
		"a name twice":        {ssoadmin.CreatePermissionSetInput{Name: aws.String("Taken")}, "ConflictException"},
		"a name with a blank": {ssoadmin.CreatePermissionSetInput{Name: aws.String("a b")}, "ValidationException"},
		"33 characters": {
			ssoadmin.CreatePermissionSetInput{Name: aws.String(strings.Repeat("a", 33))}, "ValidationException",
		},
		"half an hour": {
			ssoadmin.CreatePermissionSetInput{Name: aws.String("A"), SessionDuration: aws.String("PT30M")},
			"ValidationException",
		},
		"thirteen hours": {
			ssoadmin.CreatePermissionSetInput{Name: aws.String("A"), SessionDuration: aws.String("PT13H")},
			"ValidationException",
		},
		"no duration": {
			ssoadmin.CreatePermissionSetInput{Name: aws.String("A"), SessionDuration: aws.String("PT")},
			"ValidationException",
		},
		"no Latin-1": {
			ssoadmin.CreatePermissionSetInput{Name: aws.String("A"), Description: aws.String("日本")},
			"ValidationException",
		},
		"a tag twice": {
			ssoadmin.CreatePermissionSetInput{
				Name: aws.String("A"),
				Tags: []types.Tag{
					{Key: aws.String("k"), Value: aws.String("1")}, {Key: aws.String("k"), Value: aws.String("2")},
				},
			},
			"ValidationException",
		},
		"another instance": {
			ssoadmin.CreatePermissionSetInput{
				Name:        aws.String("A"),
				InstanceArn: aws.String("arn:aws:sso:::instance/ssoins-0000000000000000"),
			},
			"ResourceNotFoundException",
		},
	} {
		if c.in.InstanceArn == nil {
			c.in.InstanceArn = a.instance
		}
		_, err := a.CreatePermissionSet(background, &c.in)
		var e smithy.APIError
		if !errors.As(err, &e) || e.ErrorCode() != c.want {
			t.Errorf("%s: %v, want %s", what, err, c.want)
		}
	}
	arn := a.set("Policies")
	for text, want := range map[string]string{
		`{`: "ValidationException", `[]`: "ValidationException", `{"Version":"2012-10-17"}`: "ValidationException",
		`"x"`: "ValidationException",
		`{"Statement":[],"Id":"` + strings.Repeat("x", 10240) + `"}`: "ServiceQuotaExceededException",
	} {
		refused[*ssoadmin.PutInlinePolicyToPermissionSetOutput](a, want)(a.PutInlinePolicyToPermissionSet(
			background,
			&ssoadmin.PutInlinePolicyToPermissionSetInput{
				InstanceArn:      a.instance,
				PermissionSetArn: arn,
				InlinePolicy:     &text,
			},
		))
	}
	spaced := `{"Statement":[]` + strings.Repeat(" ", 20000) + `}`
	ok[*ssoadmin.PutInlinePolicyToPermissionSetOutput](a)(a.PutInlinePolicyToPermissionSet(
		background,
		&ssoadmin.PutInlinePolicyToPermissionSetInput{
			InstanceArn:      a.instance,
			PermissionSetArn: arn,
			InlinePolicy:     &spaced,
		},
	))
	for i := range 26 {
		_, err := a.AttachManagedPolicyToPermissionSet(
			background,
			&ssoadmin.AttachManagedPolicyToPermissionSetInput{InstanceArn: a.instance, PermissionSetArn: arn,
				ManagedPolicyArn: aws.String(fmt.Sprintf("arn:aws:iam::aws:policy/P%02d", i))},
		)
		if i < 25 && err != nil {
			t.Fatal(err)
		}
		if i == 25 {
			refused[any](a, "ServiceQuotaExceededException")(nil, err)
		}
	}
	page := ok[*ssoadmin.ListManagedPoliciesInPermissionSetOutput](a)(a.ListManagedPoliciesInPermissionSet(
		background,
		&ssoadmin.ListManagedPoliciesInPermissionSetInput{
			InstanceArn:      a.instance,
			PermissionSetArn: arn,
			MaxResults:       aws.Int32(20),
		},
	))
	rest := ok[*ssoadmin.ListManagedPoliciesInPermissionSetOutput](a)(a.ListManagedPoliciesInPermissionSet(
		background,
		&ssoadmin.ListManagedPoliciesInPermissionSetInput{
			InstanceArn:      a.instance,
			PermissionSetArn: arn,
			NextToken:        page.NextToken,
		},
	))
	if len(page.AttachedManagedPolicies) != 20 || len(rest.AttachedManagedPolicies) != 5 || rest.NextToken != nil ||
		*rest.AttachedManagedPolicies[4].Name != "P24" {
		t.Errorf("pages of %d and %d", len(page.AttachedManagedPolicies), len(rest.AttachedManagedPolicies))
	}
	refused[*ssoadmin.ListPermissionSetsOutput](a, "ValidationException")(
		a.ListPermissionSets(
			background, &ssoadmin.ListPermissionSetsInput{InstanceArn: a.instance, NextToken: page.NextToken},
		),
	)
}

// TestProvisioning: assignment provisions, later changes wait until they are provisioned, the last
// assignment's end retires the role.
func TestProvisioning(t *testing.T) {
	a := newAPI(t)
	set := a.set("Dev")
	group := a.group("Developers")
	account := aws.String("111122223333")
	in := ssoadmin.CreateAccountAssignmentInput{
		InstanceArn:      a.instance,
		PermissionSetArn: set,
		PrincipalId:      group,
		PrincipalType:    types.PrincipalTypeGroup,
		TargetId:         account,
		TargetType:       types.TargetTypeAwsAccount,
	}
	provision := func(target *string, kind types.ProvisionTargetType) *types.PermissionSetProvisioningStatus {
		t.Helper()
		s := ok[*ssoadmin.ProvisionPermissionSetOutput](a)(
			a.ProvisionPermissionSet(
				background,
				&ssoadmin.ProvisionPermissionSetInput{
					InstanceArn:      a.instance,
					PermissionSetArn: set,
					TargetId:         target,
					TargetType:       kind,
				},
			),
		)
		return ok[*ssoadmin.DescribePermissionSetProvisioningStatusOutput](a)(
			a.DescribePermissionSetProvisioningStatus(
				background,
				&ssoadmin.DescribePermissionSetProvisioningStatusInput{
					InstanceArn:                     a.instance,
					ProvisionPermissionSetRequestId: s.PermissionSetProvisioningStatus.RequestId,
				},
			),
		).PermissionSetProvisioningStatus
	}
	accounts := func(status types.ProvisioningStatus) int {
		t.Helper()
		return len(
			ok[*ssoadmin.ListAccountsForProvisionedPermissionSetOutput](a)(a.ListAccountsForProvisionedPermissionSet(
				background,
				&ssoadmin.ListAccountsForProvisionedPermissionSetInput{
					InstanceArn:        a.instance,
					PermissionSetArn:   set,
					ProvisioningStatus: status,
				},
			)).AccountIds,
		)
	}
	if s := provision(account, types.ProvisionTargetTypeAwsAccount); s.Status != types.StatusValuesFailed ||
		!strings.Contains(*s.FailureReason, "not found") {
		t.Errorf("provisioning where it never was: %+v", s)
	}
	if s := provision(nil, types.ProvisionTargetTypeAllProvisionedAccounts); s.Status != types.StatusValuesSucceeded {
		t.Errorf("provisioning nowhere: %+v", s)
	}
	refused[*ssoadmin.ProvisionPermissionSetOutput](a, "ValidationException")(a.ProvisionPermissionSet(
		background,
		&ssoadmin.ProvisionPermissionSetInput{
			InstanceArn:      a.instance,
			PermissionSetArn: set,
			TargetType:       types.ProvisionTargetTypeAwsAccount,
		},
	))
	ok[*ssoadmin.CreateAccountAssignmentOutput](a)(a.CreateAccountAssignment(background, &in))
	if s := ok[*ssoadmin.CreateAccountAssignmentOutput](a)(a.CreateAccountAssignment(
		background, &in,
	)); s.AccountAssignmentCreationStatus.Status != types.StatusValuesSucceeded {
		t.Errorf("the same assignment again: %+v", s.AccountAssignmentCreationStatus)
	}
	if accounts("") != 1 || accounts(types.ProvisioningStatusLatestPermissionSetProvisioned) != 1 {
		t.Error("the assignment did not provision")
	}
	ok[*ssoadmin.UpdatePermissionSetOutput](a)(
		a.UpdatePermissionSet(
			background,
			&ssoadmin.UpdatePermissionSetInput{
				InstanceArn:      a.instance,
				PermissionSetArn: set,
				Description:      aws.String("changed"),
			},
		),
	)
	if accounts(types.ProvisioningStatusLatestPermissionSetProvisioned) != 0 ||
		accounts(types.ProvisioningStatusLatestPermissionSetNotProvisioned) != 1 {
		t.Error("the change is said to be provisioned at once")
	}
	if s := provision(account, types.ProvisionTargetTypeAwsAccount); s.Status != types.StatusValuesSucceeded ||
		*s.AccountId != *account {
		t.Errorf("provisioning: %+v", s)
	}
	if accounts(types.ProvisioningStatusLatestPermissionSetProvisioned) != 1 {
		t.Error("the change was not provisioned")
	}
	refused[*ssoadmin.DeletePermissionSetOutput](a, "ConflictException")(
		a.DeletePermissionSet(
			background, &ssoadmin.DeletePermissionSetInput{InstanceArn: a.instance, PermissionSetArn: set},
		),
	)
	remove := ssoadmin.DeleteAccountAssignmentInput(in)
	ok[*ssoadmin.DeleteAccountAssignmentOutput](a)(a.DeleteAccountAssignment(background, &remove))
	if s := ok[*ssoadmin.DeleteAccountAssignmentOutput](a)(a.DeleteAccountAssignment(
		background, &remove,
	)); s.AccountAssignmentDeletionStatus.Status != types.StatusValuesFailed {
		t.Errorf("deleted twice: %+v", s.AccountAssignmentDeletionStatus)
	}
	deletions := ok[*ssoadmin.ListAccountAssignmentDeletionStatusOutput](a)(
		a.ListAccountAssignmentDeletionStatus(
			background, &ssoadmin.ListAccountAssignmentDeletionStatusInput{InstanceArn: a.instance},
		),
	)
	if l := deletions.AccountAssignmentsDeletionStatus; len(l) != 2 || l[0].Status != types.StatusValuesFailed ||
		l[1].Status != types.StatusValuesSucceeded {
		t.Errorf("deletions, the newest first: %+v", l)
	}
	one := ok[*ssoadmin.DescribeAccountAssignmentDeletionStatusOutput](a)(
		a.DescribeAccountAssignmentDeletionStatus(
			background,
			&ssoadmin.DescribeAccountAssignmentDeletionStatusInput{
				InstanceArn:                        a.instance,
				AccountAssignmentDeletionRequestId: deletions.AccountAssignmentsDeletionStatus[0].RequestId,
			},
		),
	)
	if s := one.AccountAssignmentDeletionStatus; s.Status != types.StatusValuesFailed ||
		!strings.Contains(*s.FailureReason, "404") || *s.PrincipalId != *group {
		t.Errorf("the failed deletion %+v", s)
	}
	if accounts("") != 0 {
		t.Error("the role outlives its last assignment")
	}
	for name, in := range map[string]ssoadmin.CreateAccountAssignmentInput{
		"no such account": {
			InstanceArn:      a.instance,
			PermissionSetArn: set,
			PrincipalId:      group,
			PrincipalType:    types.PrincipalTypeGroup,
			TargetId:         aws.String("999999999999"),
			TargetType:       types.TargetTypeAwsAccount,
		},
		"no such principal": {
			InstanceArn:      a.instance,
			PermissionSetArn: set,
			PrincipalId:      aws.String("11111111-2222-3333-4444-555555555555"),
			PrincipalType:    types.PrincipalTypeUser,
			TargetId:         account,
			TargetType:       types.TargetTypeAwsAccount,
		},
		"a group as a user": {
			InstanceArn:      a.instance,
			PermissionSetArn: set,
			PrincipalId:      group,
			PrincipalType:    types.PrincipalTypeUser,
			TargetId:         account,
			TargetType:       types.TargetTypeAwsAccount,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := *a
			b.t = t
			refused[*ssoadmin.CreateAccountAssignmentOutput](
				&b, "ResourceNotFoundException",
			)(a.CreateAccountAssignment(background, &in))
		})
	}
	if list := ok[*ssoadmin.ListPermissionSetProvisioningStatusOutput](a)(
		a.ListPermissionSetProvisioningStatus(background,
			&ssoadmin.ListPermissionSetProvisioningStatusInput{InstanceArn: a.instance,
				Filter: &types.OperationStatusFilter{Status: types.StatusValuesFailed}})); len(
		list.PermissionSetsProvisioningStatus,
	) != 1 {
		t.Errorf("failed provisioning requests %+v", list.PermissionSetsProvisioningStatus)
	}
}

func TestQuotasOfAssignments(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	account := aws.String("111122223333")
	assign := func(set, group *string) error {
		_, err := a.CreateAccountAssignment(
			background,
			&ssoadmin.CreateAccountAssignmentInput{InstanceArn: a.instance, PermissionSetArn: set, PrincipalId: group,
				PrincipalType: types.PrincipalTypeGroup, TargetId: account, TargetType: types.TargetTypeAwsAccount},
		)
		return err
	}
	set, first := a.set("Many"), a.group("first")
	if err := assign(set, first); err != nil {
		t.Fatal(err)
	}
	for i := range 99 {
		if err := assign(set, a.group(fmt.Sprint("group ", i))); err != nil {
			t.Fatal(err)
		}
	}
	refused[any](a, "ServiceQuotaExceededException")(nil, assign(set, a.group("one too many")))
	if err := assign(set, first); err != nil {
		t.Errorf("an assignment that is there already: %v", err)
	}
	for i := range 499 {
		if err := assign(a.set(fmt.Sprint("Set", i)), first); err != nil {
			t.Fatal(err)
		}
	}
	refused[any](a, "ServiceQuotaExceededException")(nil, assign(a.set("OneTooMany"), first))
}

func TestPagesOfAssignments(t *testing.T) {
	a := newAPI(t)
	set, account := a.set("Dev"), aws.String("111122223333")
	u, err := a.center.CreateUser(background, centertest.Actor, centertest.Person("ada"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 7 {
		g := a.group(fmt.Sprint("g", i))
		ok[*ssoadmin.CreateAccountAssignmentOutput](a)(
			a.CreateAccountAssignment(
				background,
				&ssoadmin.CreateAccountAssignmentInput{InstanceArn: a.instance, PermissionSetArn: set, PrincipalId: g,
					PrincipalType: types.PrincipalTypeGroup, TargetId: account, TargetType: types.TargetTypeAwsAccount},
			),
		)
		if i%2 == 0 {
			if _, err := a.center.CreateMembership(background, centertest.Actor, center.GroupID(*g), u.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	all, of := map[string]bool{}, map[string]bool{}
	pages := ssoadmin.NewListAccountAssignmentsPaginator(
		a.Client,
		&ssoadmin.ListAccountAssignmentsInput{
			InstanceArn:      a.instance,
			AccountId:        account,
			PermissionSetArn: set,
			MaxResults:       aws.Int32(3),
		},
	)
	for pages.HasMorePages() {
		for _, x := range ok[*ssoadmin.ListAccountAssignmentsOutput](a)(pages.NextPage(background)).AccountAssignments {
			all[*x.PrincipalId] = true
		}
	}
	mine := ssoadmin.NewListAccountAssignmentsForPrincipalPaginator(
		a.Client,
		&ssoadmin.ListAccountAssignmentsForPrincipalInput{
			InstanceArn:   a.instance,
			PrincipalId:   aws.String(string(u.ID)),
			PrincipalType: types.PrincipalTypeUser,
			MaxResults:    aws.Int32(1),
		},
	)
	for mine.HasMorePages() {
		for _, x := range ok[*ssoadmin.ListAccountAssignmentsForPrincipalOutput](a)(
			mine.NextPage(background),
		).AccountAssignments {
			of[*x.PrincipalId] = x.PrincipalType == types.PrincipalTypeGroup
		}
	}
	if len(all) != 7 || len(of) != 4 {
		t.Errorf("%d assignments and %d of the user, want 7 and 4", len(all), len(of))
	}
	requests := ssoadmin.NewListAccountAssignmentCreationStatusPaginator(
		a.Client,
		&ssoadmin.ListAccountAssignmentCreationStatusInput{InstanceArn: a.instance, MaxResults: aws.Int32(2)},
	)
	n := 0
	for requests.HasMorePages() {
		n += len(
			ok[*ssoadmin.ListAccountAssignmentCreationStatusOutput](
				a,
			)(requests.NextPage(background)).AccountAssignmentsCreationStatus,
		)
	}
	if n != 7 {
		t.Errorf("%d requests over pages, want 7", n)
	}
}

func TestTheInstance(t *testing.T) {
	a := newAPI(t)
	ok[*ssoadmin.UpdateInstanceOutput](
		a,
	)(a.UpdateInstance(background, &ssoadmin.UpdateInstanceInput{InstanceArn: a.instance, Name: aws.String("Corp")}))
	if i := ok[*ssoadmin.DescribeInstanceOutput](a)(a.DescribeInstance(
		background, &ssoadmin.DescribeInstanceInput{InstanceArn: a.instance},
	)); *i.Name != "Corp" ||
		i.Status != types.InstanceStatusActive {
		t.Errorf("the instance %+v", i)
	}
	refused[*ssoadmin.CreateInstanceOutput](
		a, "ConflictException",
	)(a.CreateInstance(background, &ssoadmin.CreateInstanceInput{}))
	refused[*ssoadmin.DeleteInstanceOutput](
		a, "ConflictException",
	)(a.DeleteInstance(background, &ssoadmin.DeleteInstanceInput{InstanceArn: a.instance}))
	refused[*ssoadmin.UpdateInstanceOutput](a, "ValidationException")(
		a.UpdateInstance(background, &ssoadmin.UpdateInstanceInput{InstanceArn: a.instance,
			EncryptionConfiguration: &types.EncryptionConfiguration{KeyType: types.KmsKeyTypeCustomerManagedKey}}),
	)

	add := func(name string) (*ssoadmin.AddRegionOutput, error) {
		return a.AddRegion(background, &ssoadmin.AddRegionInput{InstanceArn: a.instance, RegionName: &name})
	}
	ok[*ssoadmin.AddRegionOutput](a)(add("eu-central-1"))
	refused[*ssoadmin.AddRegionOutput](a, "ConflictException")(add("eu-central-1"))
	refused[*ssoadmin.AddRegionOutput](a, "ConflictException")(add("us-east-1"))
	for _, r := range []string{"eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1"} {
		ok[*ssoadmin.AddRegionOutput](a)(add(r))
	}
	refused[*ssoadmin.AddRegionOutput](a, "ServiceQuotaExceededException")(add("ap-south-1"))
	ok[*ssoadmin.RemoveRegionOutput](a)(
		a.RemoveRegion(
			background, &ssoadmin.RemoveRegionInput{InstanceArn: a.instance, RegionName: aws.String("eu-west-1")},
		),
	)
	refused[*ssoadmin.RemoveRegionOutput](a, "ConflictException")(
		a.RemoveRegion(
			background, &ssoadmin.RemoveRegionInput{InstanceArn: a.instance, RegionName: aws.String("us-east-1")},
		),
	)
	refused[*ssoadmin.DescribeRegionOutput](a, "ResourceNotFoundException")(
		a.DescribeRegion(
			background, &ssoadmin.DescribeRegionInput{InstanceArn: a.instance, RegionName: aws.String("eu-west-1")},
		),
	)
	if l := ok[*ssoadmin.ListRegionsOutput](a)(a.ListRegions(
		background, &ssoadmin.ListRegionsInput{InstanceArn: a.instance},
	)); len(l.Regions) != 5 ||
		!l.Regions[0].IsPrimaryRegion {
		t.Errorf("regions %+v", l.Regions)
	}

	config := func(key, source string) *types.InstanceAccessControlAttributeConfiguration {
		return &types.InstanceAccessControlAttributeConfiguration{
			AccessControlAttributes: []types.AccessControlAttribute{
				{Key: &key, Value: &types.AccessControlAttributeValue{Source: []string{source}}},
			},
		}
	}
	describe := func() (*ssoadmin.DescribeInstanceAccessControlAttributeConfigurationOutput, error) {
		return a.DescribeInstanceAccessControlAttributeConfiguration(
			background, &ssoadmin.DescribeInstanceAccessControlAttributeConfigurationInput{InstanceArn: a.instance},
		)
	}
	create := &ssoadmin.CreateInstanceAccessControlAttributeConfigurationInput{
		InstanceArn: a.instance,
		InstanceAccessControlAttributeConfiguration: config("cost", "${path:enterprise.costCenter}"),
	}
	refused[*ssoadmin.DescribeInstanceAccessControlAttributeConfigurationOutput](
		a, "ResourceNotFoundException",
	)(describe())
	ok[*ssoadmin.CreateInstanceAccessControlAttributeConfigurationOutput](
		a,
	)(a.CreateInstanceAccessControlAttributeConfiguration(background, create))
	refused[*ssoadmin.CreateInstanceAccessControlAttributeConfigurationOutput](
		a, "ConflictException",
	)(a.CreateInstanceAccessControlAttributeConfiguration(background, create))
	ok[*ssoadmin.UpdateInstanceAccessControlAttributeConfigurationOutput](a)(
		a.UpdateInstanceAccessControlAttributeConfiguration(
			background,
			&ssoadmin.UpdateInstanceAccessControlAttributeConfigurationInput{
				InstanceArn: a.instance,
				InstanceAccessControlAttributeConfiguration: config("team", "${path:title}"),
			},
		),
	)
	got := ok[*ssoadmin.DescribeInstanceAccessControlAttributeConfigurationOutput](a)(describe())
	if l := got.InstanceAccessControlAttributeConfiguration.AccessControlAttributes; len(l) != 1 ||
		*l[0].Key != "team" || l[0].Value.Source[0] != "${path:title}" {
		t.Errorf("attributes %+v", l)
	}
	ok[*ssoadmin.DeleteInstanceAccessControlAttributeConfigurationOutput](a)(
		a.DeleteInstanceAccessControlAttributeConfiguration(background,
			&ssoadmin.DeleteInstanceAccessControlAttributeConfigurationInput{InstanceArn: a.instance}),
	)
	refused[*ssoadmin.DescribeInstanceAccessControlAttributeConfigurationOutput](
		a, "ResourceNotFoundException",
	)(describe())
}

// TestReadOnlyKeysChangeNothing: every operation that is not a look is refused to a key that may
// only look, and recorded.
func TestReadOnlyKeysChangeNothing(t *testing.T) {
	a := newAPI(t)
	set := a.set("Dev")
	key, secret, err := a.center.CreateAccessKey(background, centertest.Actor, "auditor", center.RoleReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	options := a.Options()
	options.Credentials = credentials.NewStaticCredentialsProvider(key.ID, secret.Reveal(), "")
	reader := ssoadmin.New(options)
	ok[*ssoadmin.ListPermissionSetsOutput](
		a,
	)(reader.ListPermissionSets(background, &ssoadmin.ListPermissionSetsInput{InstanceArn: a.instance}))
	refused[*ssoadmin.DeletePermissionSetOutput](a, "AccessDeniedException")(
		reader.DeletePermissionSet(
			background, &ssoadmin.DeletePermissionSetInput{InstanceArn: a.instance, PermissionSetArn: set},
		),
	)
	events, err := a.center.Events(background, center.EventQuery{Limit: 1})
	if err != nil || events[0].Action != "DeletePermissionSet" || events[0].Result != audit.Refused ||
		events[0].Actor.Name != "auditor" {
		t.Errorf("the last event is %+v, %v", events, err)
	}
}
