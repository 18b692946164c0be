package terraform

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
)

// permissionSets reads the permission sets, and who has them where.
func (r *reading) permissionSets() {
	arns, _ := all(r, r.PermissionSets(r.ctx, ""))
	r.needs(7 * len(arns))
	each(r, arns, r.permissionSet)
	type where struct{ set, account string }
	var pairs []where
	each(r, arns, func(arn string) {
		accounts, _ := all(r, r.Provisioned(r.ctx, arn, ""))
		r.needs(len(accounts))
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, account := range accounts {
			pairs = append(pairs, where{arn, account})
		}
	})
	each(r, pairs, func(w where) { r.assignments(w.set, w.account) })
}

func (r *reading) assignments(set, account string) {
	list, _ := all(r, r.Assignments(r.ctx, account, set))
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
	d, err := r.PermissionSet(r.ctx, arn)
	if r.failed(err) {
		return
	}
	p := PermissionSet{
		ARN: arn, Name: aws.ToString(d.Name), Description: aws.ToString(d.Description),
		RelayState: aws.ToString(d.RelayState), SessionDuration: aws.ToString(d.SessionDuration), Tags: r.tags(arn),
	}
	managed, _ := all(r, r.ManagedPolicies(r.ctx, arn))
	for _, a := range managed {
		p.ManagedPolicies = append(p.ManagedPolicies, aws.ToString(a.Arn))
	}
	own, _ := all(r, r.CustomerManagedPolicies(r.ctx, arn))
	for _, c := range own {
		p.CustomerManaged = append(p.CustomerManaged, referenceOf(c))
	}
	if p.InlinePolicy, err = r.InlinePolicy(r.ctx, arn); r.failed(err) {
		p.InlinePolicy = ""
	}
	boundary, err := r.PermissionsBoundary(r.ctx, arn)
	if !r.failed(err) && boundary != nil {
		p.Boundary = &Boundary{ManagedPolicy: aws.ToString(boundary.ManagedPolicyArn)}
		if c := boundary.CustomerManagedPolicyReference; c != nil {
			p.Boundary.CustomerManaged = referenceOf(*c)
		}
	}
	r.keep(func(o *Organization) { o.PermissionSets = append(o.PermissionSets, p) })
}

func referenceOf(c types.CustomerManagedPolicyReference) PolicyReference {
	return PolicyReference{aws.ToString(c.Name), aws.ToString(c.Path)}
}

func (r *reading) tokenIssuers() {
	list, _ := all(r, r.TokenIssuers(r.ctx))
	r.needs(2 * len(list))
	each(r, list, func(m types.TrustedTokenIssuerMetadata) {
		d, err := r.TokenIssuer(r.ctx, aws.ToString(m.TrustedTokenIssuerArn))
		if r.failed(err) {
			return
		}
		t := TokenIssuer{
			ARN: aws.ToString(d.TrustedTokenIssuerArn), Name: aws.ToString(d.Name),
			Type: string(d.TrustedTokenIssuerType),
		}
		t.Tags = r.tags(t.ARN)
		c := d.TrustedTokenIssuerConfiguration
		if jwt, ok := c.(*types.TrustedTokenIssuerConfigurationMemberOidcJwtConfiguration); ok {
			t.Issuer, t.Claim = aws.ToString(jwt.Value.IssuerUrl), aws.ToString(jwt.Value.ClaimAttributePath)
			t.Attribute = aws.ToString(jwt.Value.IdentityStoreAttributePath)
			t.Retrieval = string(jwt.Value.JwksRetrievalOption)
		}
		r.keep(func(o *Organization) { o.TokenIssuers = append(o.TokenIssuers, t) })
	})
}

func (r *reading) applications() {
	list, _ := all(r, r.Applications(r.ctx))
	r.needs(6 * len(list))
	each(r, list, r.application)
}

func (r *reading) application(d types.Application) {
	arn := aws.ToString(d.ApplicationArn)
	a := Application{
		ARN: arn, Provider: aws.ToString(d.ApplicationProviderArn), Name: aws.ToString(d.Name),
		Description: aws.ToString(d.Description), Status: string(d.Status), Tags: r.tags(arn),
	}
	if o := d.PortalOptions; o != nil {
		a.Visibility = string(o.Visibility)
		if s := o.SignInOptions; s != nil {
			a.SignInOrigin, a.SignInURL = string(s.Origin), aws.ToString(s.ApplicationUrl)
		}
	}
	required, err := r.AssignmentRequired(r.ctx, arn)
	if !r.failed(err) {
		a.AssignmentRequired = &required
	}
	assigned, _ := all(r, r.ApplicationAssignments(r.ctx, arn))
	for _, p := range assigned {
		a.Assigned = append(a.Assigned, Principal{kindOf(p.PrincipalType), aws.ToString(p.PrincipalId)})
	}
	scopes, _ := all(r, r.AccessScopes(r.ctx, arn))
	for _, s := range scopes {
		a.Scopes = append(a.Scopes, Scope{aws.ToString(s.Scope), s.AuthorizedTargets})
	}
	methods, _ := all(r, r.AuthenticationMethods(r.ctx, arn))
	for _, m := range methods {
		a.Methods = append(a.Methods, string(m.AuthenticationMethodType))
	}
	grants, _ := all(r, r.Grants(r.ctx, arn))
	for _, g := range grants {
		a.Grants = append(a.Grants, string(g.GrantType))
	}
	r.keep(func(o *Organization) { o.Applications = append(o.Applications, a) })
}
