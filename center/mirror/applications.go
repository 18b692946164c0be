package mirror

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"

	"github.com/gatehouse-id/gatehouse/awsapi/inventory"
	"github.com/gatehouse-id/gatehouse/center"
)

// oidcJWT is the only kind of configuration that there is.
type oidcJWT = types.TrustedTokenIssuerConfigurationMemberOidcJwtConfiguration

func (m *Mirror) tokenIssuers(ctx context.Context) error {
	for listed, err := range inventory.Each(m.Reader.TokenIssuers(ctx)) {
		if err != nil {
			return err
		}
		arn := aws.ToString(listed.TrustedTokenIssuerArn)
		described, err := m.Reader.TokenIssuer(ctx, arn)
		if err != nil {
			return err
		}
		issuer := center.TokenIssuer{ARN: arn, Name: aws.ToString(described.Name)}
		if c, ok := described.TrustedTokenIssuerConfiguration.(*oidcJWT); ok {
			issuer.IssuerURL = aws.ToString(c.Value.IssuerUrl)
			issuer.ClaimAttributePath = aws.ToString(c.Value.ClaimAttributePath)
			issuer.IdentityStoreAttributePath = aws.ToString(c.Value.IdentityStoreAttributePath)
		}
		tags, err := inventory.All(m.Reader.Tags(ctx, arn))
		if err = m.without(err); err != nil {
			return err
		}
		issuer.Tags = tagsOf(tags)
		err = put(ctx, m, TokenIssuers, []center.TokenIssuer{issuer},
			func(l []center.TokenIssuer) center.Replica { return center.Replica{TokenIssuers: l} },
			func(i center.TokenIssuer) string { return i.Name })
		if err != nil {
			return err
		}
	}
	return nil
}

// applications copies customer managed applications. Those of AWS's own services are told of alone:
// only AWS can make them.
func (m *Mirror) applications(ctx context.Context) error {
	return inventory.Parallel(ctx, inventory.Each(m.Reader.Applications(ctx)), m.application)
}

func (m *Mirror) application(ctx context.Context, listed types.Application) error {
	arn := aws.ToString(listed.ApplicationArn)
	if m.isDone(arn) {
		return nil
	}
	a := center.Application{
		ARN: arn, ProviderARN: aws.ToString(listed.ApplicationProviderArn), Name: aws.ToString(listed.Name),
		Description: aws.ToString(listed.Description), Enabled: listed.Status == types.ApplicationStatusEnabled,
		CreatedAt: aws.ToTime(listed.CreatedDate),
	}
	known := func(p center.ApplicationProvider) bool { return p.ARN == a.ProviderARN }
	if !slices.ContainsFunc(center.ApplicationProviders, known) {
		m.note("the application "+a.Name, "", errAWSOwn)
		return m.done(arn)
	}
	if o := listed.PortalOptions; o != nil {
		a.Hidden = o.Visibility == types.ApplicationVisibilityDisabled
		if s := o.SignInOptions; s != nil {
			a.SignInStated, a.OpensItself = true, s.Origin == types.SignInOriginApplication
			a.URL = aws.ToString(s.ApplicationUrl)
		}
	}
	if err := m.applicationSettings(ctx, &a); err != nil {
		return err
	}
	err := put(ctx, m, Applications, []center.Application{a},
		func(l []center.Application) center.Replica { return center.Replica{Applications: l} },
		func(a center.Application) string { return a.Name })
	if err != nil {
		return err
	}
	for page, err := range m.Reader.ApplicationAssignments(ctx, arn) {
		if err = m.without(err); err != nil {
			return err
		}
		var list []center.ApplicationAssignment
		for _, x := range page.Items {
			list = append(list, center.ApplicationAssignment{
				ApplicationARN: arn, PrincipalType: center.PrincipalType(x.PrincipalType),
				PrincipalID: aws.ToString(x.PrincipalId),
			})
		}
		if err := m.Center.Replicate(ctx, actor, center.Replica{ApplicationAssignments: list}); err != nil {
			return err
		}
		m.count(ApplicationAssignments, len(list))
	}
	return m.done(arn)
}

// applicationSettings reads what stands outside of the list.
func (m *Mirror) applicationSettings(ctx context.Context, a *center.Application) error {
	required, err := m.Reader.AssignmentRequired(ctx, a.ARN)
	if err == nil {
		a.ForEveryone = !required
	}
	if err = m.without(err); err != nil {
		return err
	}
	sessions, err := m.Reader.BackgroundSessions(ctx, a.ARN)
	a.BackgroundSessions = sessions == types.UserBackgroundSessionApplicationStatusEnabled
	if err = m.without(err); err != nil {
		return err
	}
	scopes, err := inventory.All(m.Reader.AccessScopes(ctx, a.ARN))
	for _, s := range scopes {
		a.AccessScopes = append(a.AccessScopes, center.AccessScope{
			Scope: aws.ToString(s.Scope), Targets: s.AuthorizedTargets,
		})
	}
	if err = m.without(err); err != nil {
		return err
	}
	grants, err := inventory.All(m.Reader.Grants(ctx, a.ARN))
	for _, g := range grants {
		a.Grants = append(a.Grants, grantOf(g))
	}
	slices.SortFunc(a.Grants, func(x, y center.Grant) int { return cmp.Compare(x.Type, y.Type) })
	if err = m.without(err); err != nil {
		return err
	}
	methods, err := inventory.All(m.Reader.AuthenticationMethods(ctx, a.ARN))
	for _, x := range methods {
		a.ActorPolicy = actorPolicy(x)
	}
	if err = m.without(err); err != nil {
		return err
	}
	tags, err := inventory.All(m.Reader.Tags(ctx, a.ARN))
	a.Tags = tagsOf(tags)
	return m.without(err)
}

func grantOf(g types.GrantItem) center.Grant {
	out := center.Grant{Type: center.GrantType(g.GrantType)}
	switch x := g.Grant.(type) {
	case *types.GrantMemberAuthorizationCode:
		out.RedirectURIs = x.Value.RedirectUris
	case *types.GrantMemberJwtBearer:
		for _, i := range x.Value.AuthorizedTokenIssuers {
			out.Issuers = append(out.Issuers, center.AuthorizedIssuer{
				ARN: aws.ToString(i.TrustedTokenIssuerArn), Audiences: i.AuthorizedAudiences,
			})
		}
	}
	return out
}

// actorPolicy is who may call on the application's behalf.
func actorPolicy(x types.AuthenticationMethodItem) string {
	method, ok := x.AuthenticationMethod.(*types.AuthenticationMethodMemberIam)
	if !ok || method.Value.ActorPolicy == nil {
		return ""
	}
	var policy any
	if method.Value.ActorPolicy.UnmarshalSmithyDocument(&policy) != nil {
		return ""
	}
	text, err := json.Marshal(policy)
	if err != nil {
		return ""
	}
	return string(text)
}
