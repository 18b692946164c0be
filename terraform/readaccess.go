package terraform

import (
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
)

const page = 100 // elements of a page: as many as AWS gives

// permissionSets reads the permission sets, and who has them where.
func (r *reading) permissionSets() {
	pages := ssoadmin.NewListPermissionSetsPaginator(
		r.admin, &ssoadmin.ListPermissionSetsInput{InstanceArn: &r.out.InstanceARN, MaxResults: aws.Int32(page)},
	)
	arns := all(r, "sso", "permission sets", "sso:ListPermissionSets", pages,
		func(p *ssoadmin.ListPermissionSetsOutput) []string { return p.PermissionSets })
	r.needs(7 * len(arns))
	each(r, arns, r.permissionSet)
	type where struct{ set, account string }
	var pairs []where
	each(r, arns, func(arn string) {
		accounts := ssoadmin.NewListAccountsForProvisionedPermissionSetPaginator(
			r.admin, &ssoadmin.ListAccountsForProvisionedPermissionSetInput{
				InstanceArn: &r.out.InstanceARN, PermissionSetArn: &arn, MaxResults: aws.Int32(page),
			},
		)
		list := all(r, "sso", "assignments", "sso:ListAccountsForProvisionedPermissionSet", accounts,
			func(p *ssoadmin.ListAccountsForProvisionedPermissionSetOutput) []string { return p.AccountIds })
		r.needs(len(list))
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, account := range list {
			pairs = append(pairs, where{arn, account})
		}
	})
	each(r, pairs, func(w where) { r.assignments(w.set, w.account) })
}

func (r *reading) assignments(set, account string) {
	pages := ssoadmin.NewListAccountAssignmentsPaginator(r.admin, &ssoadmin.ListAccountAssignmentsInput{
		InstanceArn: &r.out.InstanceARN, AccountId: &account, PermissionSetArn: &set, MaxResults: aws.Int32(page),
	})
	list := all(r, "sso", "assignments", "sso:ListAccountAssignments", pages,
		func(p *ssoadmin.ListAccountAssignmentsOutput) []types.AccountAssignment { return p.AccountAssignments })
	r.keep(func(o *Organization) {
		for _, a := range list { // the account and the set are the same text each time: it is kept once
			o.Assignments = append(o.Assignments, Assignment{account, set, Principal{
				kindOf(a.PrincipalType), strings.Clone(aws.ToString(a.PrincipalId)),
			}})
		}
	})
}

func kindOf(t types.PrincipalType) string {
	if t == types.PrincipalTypeUser {
		return "USER"
	}
	return "GROUP"
}

func (r *reading) permissionSet(arn string) {
	if !r.ask("sso") {
		return
	}
	instance := &r.out.InstanceARN
	described, err := r.admin.DescribePermissionSet(
		r.ctx, &ssoadmin.DescribePermissionSetInput{InstanceArn: instance, PermissionSetArn: &arn},
	)
	if r.failed("permission sets", "sso:DescribePermissionSet", err) {
		return
	}
	d := described.PermissionSet
	p := PermissionSet{
		ARN: arn, Name: aws.ToString(d.Name), Description: aws.ToString(d.Description),
		RelayState: aws.ToString(d.RelayState), SessionDuration: aws.ToString(d.SessionDuration), Tags: r.tags(arn),
	}
	managed := ssoadmin.NewListManagedPoliciesInPermissionSetPaginator(
		r.admin, &ssoadmin.ListManagedPoliciesInPermissionSetInput{InstanceArn: instance, PermissionSetArn: &arn},
	)
	for _, a := range all(r, "sso", "managed policies", "sso:ListManagedPoliciesInPermissionSet", managed,
		func(p *ssoadmin.ListManagedPoliciesInPermissionSetOutput) []types.AttachedManagedPolicy {
			return p.AttachedManagedPolicies
		}) {
		p.ManagedPolicies = append(p.ManagedPolicies, aws.ToString(a.Arn))
	}
	own := ssoadmin.NewListCustomerManagedPolicyReferencesInPermissionSetPaginator(
		r.admin,
		&ssoadmin.ListCustomerManagedPolicyReferencesInPermissionSetInput{
			InstanceArn: instance, PermissionSetArn: &arn,
		},
	)
	for _, c := range all(
		r, "sso", "customer managed policies", "sso:ListCustomerManagedPolicyReferencesInPermissionSet", own,
		func(
			p *ssoadmin.ListCustomerManagedPolicyReferencesInPermissionSetOutput,
		) []types.CustomerManagedPolicyReference {
			return p.CustomerManagedPolicyReferences
		}) {
		p.CustomerManaged = append(p.CustomerManaged, referenceOf(c))
	}
	if !r.ask("sso") {
		return
	}
	inline, err := r.admin.GetInlinePolicyForPermissionSet(
		r.ctx, &ssoadmin.GetInlinePolicyForPermissionSetInput{InstanceArn: instance, PermissionSetArn: &arn},
	)
	if !r.failed("inline policies", "sso:GetInlinePolicyForPermissionSet", err) {
		p.InlinePolicy = aws.ToString(inline.InlinePolicy)
	}
	p.Boundary = r.boundary(arn)
	r.keep(func(o *Organization) { o.PermissionSets = append(o.PermissionSets, p) })
}

func referenceOf(c types.CustomerManagedPolicyReference) PolicyReference {
	return PolicyReference{aws.ToString(c.Name), aws.ToString(c.Path)}
}

func (r *reading) boundary(arn string) *Boundary {
	if !r.ask("sso") {
		return nil
	}
	out, err := r.admin.GetPermissionsBoundaryForPermissionSet(
		r.ctx,
		&ssoadmin.GetPermissionsBoundaryForPermissionSetInput{InstanceArn: &r.out.InstanceARN, PermissionSetArn: &arn},
	)
	var none *types.ResourceNotFoundException // it has none
	if errors.As(err, &none) || r.failed(
		"permissions boundaries", "sso:GetPermissionsBoundaryForPermissionSet", err,
	) || out.PermissionsBoundary == nil {
		return nil
	}
	b := &Boundary{ManagedPolicy: aws.ToString(out.PermissionsBoundary.ManagedPolicyArn)}
	if c := out.PermissionsBoundary.CustomerManagedPolicyReference; c != nil {
		b.CustomerManaged = referenceOf(*c)
	}
	return b
}

func (r *reading) tokenIssuers() {
	pages := ssoadmin.NewListTrustedTokenIssuersPaginator(
		r.admin, &ssoadmin.ListTrustedTokenIssuersInput{InstanceArn: &r.out.InstanceARN},
	)
	list := all(r, "sso", "trusted token issuers", "sso:ListTrustedTokenIssuers", pages,
		func(p *ssoadmin.ListTrustedTokenIssuersOutput) []types.TrustedTokenIssuerMetadata {
			return p.TrustedTokenIssuers
		})
	for _, m := range list {
		if !r.ask("sso") {
			return
		}
		d, err := r.admin.DescribeTrustedTokenIssuer(
			r.ctx, &ssoadmin.DescribeTrustedTokenIssuerInput{TrustedTokenIssuerArn: m.TrustedTokenIssuerArn},
		)
		if r.failed("trusted token issuers", "sso:DescribeTrustedTokenIssuer", err) {
			return
		}
		t := TokenIssuer{
			ARN: aws.ToString(d.TrustedTokenIssuerArn), Name: aws.ToString(d.Name), Type: string(
				d.TrustedTokenIssuerType,
			),
		}
		t.Tags = r.tags(t.ARN)
		c := d.TrustedTokenIssuerConfiguration
		if jwt, ok := c.(*types.TrustedTokenIssuerConfigurationMemberOidcJwtConfiguration); ok {
			t.Issuer, t.Claim = aws.ToString(jwt.Value.IssuerUrl), aws.ToString(jwt.Value.ClaimAttributePath)
			t.Attribute = aws.ToString(jwt.Value.IdentityStoreAttributePath)
			t.Retrieval = string(jwt.Value.JwksRetrievalOption)
		}
		r.keep(func(o *Organization) { o.TokenIssuers = append(o.TokenIssuers, t) })
	}
}

func (r *reading) applications() {
	pages := ssoadmin.NewListApplicationsPaginator(
		r.admin, &ssoadmin.ListApplicationsInput{InstanceArn: &r.out.InstanceARN, MaxResults: aws.Int32(page)},
	)
	list := all(r, "sso", "applications", "sso:ListApplications", pages,
		func(p *ssoadmin.ListApplicationsOutput) []types.Application { return p.Applications })
	r.needs(6 * len(list))
	each(r, list, r.application)
}

func (r *reading) application(listed types.Application) {
	arn := listed.ApplicationArn
	if !r.ask("sso") {
		return
	}
	d, err := r.admin.DescribeApplication(r.ctx, &ssoadmin.DescribeApplicationInput{ApplicationArn: arn})
	if r.failed("applications", "sso:DescribeApplication", err) {
		return
	}
	a := Application{
		ARN: aws.ToString(arn), Provider: aws.ToString(d.ApplicationProviderArn), Name: aws.ToString(d.Name),
		Description: aws.ToString(d.Description), Status: string(d.Status), Tags: r.tags(*arn),
	}
	if o := d.PortalOptions; o != nil {
		a.Visibility = string(o.Visibility)
		if s := o.SignInOptions; s != nil {
			a.SignInOrigin, a.SignInURL = string(s.Origin), aws.ToString(s.ApplicationUrl)
		}
	}
	if !r.ask("sso") {
		return
	}
	configuration, err := r.admin.GetApplicationAssignmentConfiguration(
		r.ctx, &ssoadmin.GetApplicationAssignmentConfigurationInput{ApplicationArn: arn},
	)
	if !r.failed("assignment settings of applications", "sso:GetApplicationAssignmentConfiguration", err) {
		a.AssignmentRequired = configuration.AssignmentRequired
	}
	assignments := ssoadmin.NewListApplicationAssignmentsPaginator(
		r.admin, &ssoadmin.ListApplicationAssignmentsInput{ApplicationArn: arn, MaxResults: aws.Int32(page)},
	)
	for _, p := range all(
		r, "sso", "assignments of applications", "sso:ListApplicationAssignments", assignments,
		func(p *ssoadmin.ListApplicationAssignmentsOutput) []types.ApplicationAssignment {
			return p.ApplicationAssignments
		},
	) {
		a.Assigned = append(a.Assigned, Principal{kindOf(p.PrincipalType), aws.ToString(p.PrincipalId)})
	}
	r.use(&a)
	r.keep(func(o *Organization) { o.Applications = append(o.Applications, a) })
}

// use reads what an application's tokens are for, and how it gets them.
func (r *reading) use(a *Application) {
	scopes := ssoadmin.NewListApplicationAccessScopesPaginator(
		r.admin, &ssoadmin.ListApplicationAccessScopesInput{ApplicationArn: &a.ARN},
	)
	for _, s := range all(r, "sso", "scopes of applications", "sso:ListApplicationAccessScopes", scopes,
		func(p *ssoadmin.ListApplicationAccessScopesOutput) []types.ScopeDetails { return p.Scopes }) {
		a.Scopes = append(a.Scopes, Scope{aws.ToString(s.Scope), s.AuthorizedTargets})
	}
	methods := ssoadmin.NewListApplicationAuthenticationMethodsPaginator(
		r.admin, &ssoadmin.ListApplicationAuthenticationMethodsInput{ApplicationArn: &a.ARN},
	)
	for _, m := range all(
		r, "sso", "authentication methods of applications", "sso:ListApplicationAuthenticationMethods", methods,
		func(p *ssoadmin.ListApplicationAuthenticationMethodsOutput) []types.AuthenticationMethodItem {
			return p.AuthenticationMethods
		},
	) {
		a.Methods = append(a.Methods, string(m.AuthenticationMethodType))
	}
	grants := ssoadmin.NewListApplicationGrantsPaginator(
		r.admin, &ssoadmin.ListApplicationGrantsInput{ApplicationArn: &a.ARN},
	)
	for _, g := range all(r, "sso", "grants of applications", "sso:ListApplicationGrants", grants,
		func(p *ssoadmin.ListApplicationGrantsOutput) []types.GrantItem { return p.Grants }) {
		a.Grants = append(a.Grants, string(g.GrantType))
	}
}
