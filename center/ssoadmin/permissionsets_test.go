package ssoadmin_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
	"github.com/aws/smithy-go"
)

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
	if p := describe(); *p.SessionDuration != "P0DT90M" || *p.Description != "Runs things" {
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
		`{"Statement":[],"Id":"` + strings.Repeat("x", 10240) + `"}`: "ValidationException",
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
