package iam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// role is what matters of a role: all of it is compared, and brought from one state to another.
type role struct {
	trust       string // JSON
	description string
	session     int32 // the longest, in seconds
	boundary    string
	attached    []string          // in the order of their ARNs
	inline      map[string]string // JSON, by name
}

// maxPages bounds the lists of policies that are read: a role has at most 25 of one kind. Source:
// IAM quotas.
const maxPages = 10 //bound:list pages of a role's policies that are read

// read reads a role. It is nil where there is none.
func read(ctx context.Context, client *Operations, name string) (*role, error) {
	out, err := client.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	if isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &role{
		description: aws.ToString(out.Role.Description),
		session:     aws.ToInt32(out.Role.MaxSessionDuration),
		inline:      map[string]string{},
	}
	if out.Role.PermissionsBoundary != nil {
		r.boundary = aws.ToString(out.Role.PermissionsBoundary.PermissionsBoundaryArn)
	}
	if r.trust, err = url.QueryUnescape(aws.ToString(out.Role.AssumeRolePolicyDocument)); err != nil {
		return nil, fmt.Errorf("the trust policy of %s: %w", name, err)
	}
	attached := iam.NewListAttachedRolePoliciesPaginator(
		attachedLister(client.ListAttachedRolePolicies), &iam.ListAttachedRolePoliciesInput{RoleName: &name},
	)
	for page := 0; attached.HasMorePages() && page < maxPages; page++ {
		some, err := attached.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range some.AttachedPolicies {
			r.attached = append(r.attached, aws.ToString(p.PolicyArn))
		}
	}
	slices.Sort(r.attached)
	inline := iam.NewListRolePoliciesPaginator(
		inlineLister(client.ListRolePolicies), &iam.ListRolePoliciesInput{RoleName: &name},
	)
	for page := 0; inline.HasMorePages() && page < maxPages; page++ {
		some, err := inline.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, policy := range some.PolicyNames {
			document, err := client.GetRolePolicy(
				ctx, &iam.GetRolePolicyInput{RoleName: &name, PolicyName: aws.String(policy)},
			)
			if err != nil {
				return nil, err
			}
			if r.inline[policy], err = url.QueryUnescape(aws.ToString(document.PolicyDocument)); err != nil {
				return nil, fmt.Errorf("the policy %s of %s: %w", policy, name, err)
			}
		}
	}
	return r, nil
}

// create makes a role without its policies, which are brought to it afterwards, and returns what it
// is. Nobody else makes roles of this name: one that is there was made by a request whose answer
// was lost.
func create(ctx context.Context, client *Operations, path, name string, want *role) (*role, error) {
	in := &iam.CreateRoleInput{
		RoleName:                 &name,
		Path:                     &path,
		AssumeRolePolicyDocument: &want.trust,
		MaxSessionDuration:       &want.session,
	}
	if want.description != "" {
		in.Description = &want.description
	}
	if want.boundary != "" { // from the first moment
		in.PermissionsBoundary = &want.boundary
	}
	if _, err := client.CreateRole(ctx, in); alreadyExists(err) {
		is, err := read(ctx, client, name)
		if err == nil && is == nil {
			err = fmt.Errorf("role %s existed a moment ago, and is gone", name) // somebody removes it
		}
		return is, err
	} else if err != nil {
		return nil, err
	}
	bare := *want
	bare.attached, bare.inline = nil, nil
	return &bare, nil
}

// bring brings a role from one state to another. Rights are narrowed before they are widened, so
// that a role that is half way never allows more than both.
func bring(ctx context.Context, client *Operations, name string, is, want *role) error {
	if is.boundary != want.boundary && want.boundary != "" {
		if _, err := client.PutRolePermissionsBoundary(
			ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: &name, PermissionsBoundary: &want.boundary},
		); err != nil {
			return err
		}
	}
	for _, arn := range without(is.attached, want.attached) {
		if _, err := client.DetachRolePolicy(
			ctx, &iam.DetachRolePolicyInput{RoleName: &name, PolicyArn: &arn},
		); err != nil &&
			!isMissing(err) {
			return err
		}
	}
	for _, policy := range slices.Sorted(maps.Keys(is.inline)) {
		if _, keep := want.inline[policy]; keep {
			continue
		}
		if _, err := client.DeleteRolePolicy(
			ctx, &iam.DeleteRolePolicyInput{RoleName: &name, PolicyName: &policy},
		); err != nil &&
			!isMissing(err) {
			return err
		}
	}
	if !sameJSON(is.trust, want.trust) {
		if _, err := client.UpdateAssumeRolePolicy(
			ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: &name, PolicyDocument: &want.trust},
		); err != nil {
			return err
		}
	}
	if is.description != want.description || is.session != want.session {
		if _, err := client.UpdateRole(
			ctx,
			&iam.UpdateRoleInput{RoleName: &name, Description: &want.description, MaxSessionDuration: &want.session},
		); err != nil {
			return err
		}
	}
	return widen(ctx, client, name, is, want)
}

// widen is the second half of bring: what may give the role more rights.
func widen(ctx context.Context, client *Operations, name string, is, want *role) error {
	for _, policy := range slices.Sorted(maps.Keys(want.inline)) {
		if sameJSON(is.inline[policy], want.inline[policy]) {
			continue
		}
		if _, err := client.PutRolePolicy(
			ctx,
			&iam.PutRolePolicyInput{
				RoleName:       &name,
				PolicyName:     &policy,
				PolicyDocument: aws.String(want.inline[policy]),
			},
		); err != nil {
			return err
		}
	}
	for _, arn := range without(want.attached, is.attached) {
		if _, err := client.AttachRolePolicy(
			ctx, &iam.AttachRolePolicyInput{RoleName: &name, PolicyArn: &arn},
		); err != nil {
			return err
		}
	}
	if is.boundary != "" && want.boundary == "" {
		if _, err := client.DeleteRolePermissionsBoundary(
			ctx, &iam.DeleteRolePermissionsBoundaryInput{RoleName: &name},
		); err != nil &&
			!isMissing(err) {
			return err
		}
	}
	return nil
}

// remove removes a role and what hangs on it. One that is not there is no error.
func remove(ctx context.Context, client *Operations, name string) error {
	is, err := read(ctx, client, name)
	if err != nil || is == nil {
		return err
	}
	bare := *is
	bare.attached, bare.inline = nil, nil
	if err := bring(ctx, client, name, is, &bare); err != nil {
		return err
	}
	_, err = client.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: &name})
	if isMissing(err) {
		return nil
	}
	return err
}

// differences says in words how a role differs from what it should be.
func differences(is, want *role) (found []string) {
	if is == nil {
		return []string{"the role does not exist"}
	}
	if !sameJSON(is.trust, want.trust) {
		found = append(found, "the trust policy was changed")
	}
	if is.session != want.session {
		found = append(found, fmt.Sprintf("the longest session is %d seconds instead of %d", is.session, want.session))
	}
	if is.description != want.description {
		found = append(found, "the description was changed")
	}
	if is.boundary != want.boundary {
		found = append(
			found,
			fmt.Sprintf("the permissions boundary is %s instead of %s", orNone(is.boundary), orNone(want.boundary)),
		)
	}
	for _, arn := range without(want.attached, is.attached) {
		found = append(found, "not attached: "+arn)
	}
	for _, arn := range without(is.attached, want.attached) {
		found = append(found, "also attached: "+arn)
	}
	for _, policy := range slices.Sorted(maps.Keys(want.inline)) {
		switch document, there := is.inline[policy]; {
		case !there:
			found = append(found, "the inline policy "+policy+" does not exist")
		case !sameJSON(document, want.inline[policy]):
			found = append(found, "the inline policy "+policy+" was changed")
		}
	}
	for _, policy := range slices.Sorted(maps.Keys(is.inline)) {
		if _, meant := want.inline[policy]; !meant {
			found = append(found, "an extra inline policy: "+policy)
		}
	}
	return found
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// without is what is in all and not in some.
func without(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(some, s) })
}

// sameJSON compares documents as IAM may have written them anew.
func sameJSON(a, b string) bool {
	if a == b {
		return true
	}
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

func isMissing(err error) bool {
	var none *types.NoSuchEntityException
	return errors.As(err, &none)
}

func alreadyExists(err error) bool {
	var there *types.EntityAlreadyExistsException
	return errors.As(err, &there)
}
