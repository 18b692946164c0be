package ssoadmin

import (
	"context"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// applications are the operations on customer managed applications and what they may do.
func (h *Handler) applications() []awsapi.Operation {
	return []awsapi.Operation{
		within(h, "CreateApplication", changes, h.createApplication),
		op("DescribeApplication", reads, h.describeApplication),
		op("UpdateApplication", changes, h.updateApplication),
		op("DeleteApplication", changes, h.deleteApplication),
		within(h, "ListApplications", reads, h.listApplications),
		op("ListApplicationProviders", reads, h.listProviders),
		op("DescribeApplicationProvider", reads, h.describeProvider),
		op("CreateApplicationAssignment", changes, h.assignApplication),
		op("DescribeApplicationAssignment", reads, h.describeApplicationAssignment),
		op("DeleteApplicationAssignment", changes, h.unassignApplication),
		op("ListApplicationAssignments", reads, h.listApplicationAssignments),
		within(h, "ListApplicationAssignmentsForPrincipal", reads, h.listApplicationsOfPrincipal),
		op("GetApplicationAssignmentConfiguration", reads, h.getAssignmentConfiguration),
		op("PutApplicationAssignmentConfiguration", changes, h.putAssignmentConfiguration),
		op("GetApplicationSessionConfiguration", reads, h.getSessionConfiguration),
		op("PutApplicationSessionConfiguration", changes, h.putSessionConfiguration),
		op("PutApplicationAccessScope", changes, h.putScope), op("GetApplicationAccessScope", reads, h.getScope),
		op("DeleteApplicationAccessScope", changes, h.deleteScope),
		op("ListApplicationAccessScopes", reads, h.listScopes),
		op("PutApplicationAuthenticationMethod", changes, h.putMethod),
		op("GetApplicationAuthenticationMethod", reads, h.getMethod),
		op("DeleteApplicationAuthenticationMethod", changes, h.deleteMethod),
		op("ListApplicationAuthenticationMethods", reads, h.listMethods),
		op("PutApplicationGrant", changes, h.putGrant), op("GetApplicationGrant", reads, h.getGrant),
		op("DeleteApplicationGrant", changes, h.deleteGrant), op("ListApplicationGrants", reads, h.listGrants),
	}
}

type signIn struct {
	Origin         string
	ApplicationURL string `json:"ApplicationUrl,omitempty"`
}

type portalOptions struct {
	SignInOptions *signIn `json:",omitzero"`
	Visibility    string  `json:",omitempty"`
}

func (o *portalOptions) apply(a *center.Application) {
	if o == nil {
		return
	}
	if o.SignInOptions != nil {
		a.SignInStated = true
		a.OpensItself, a.URL = o.SignInOptions.Origin == "APPLICATION", o.SignInOptions.ApplicationURL
	}
	if o.Visibility != "" {
		a.Hidden = o.Visibility == disabled
	}
}

const (
	enabledStatus = "ENABLED"
	disabled      = "DISABLED"
)

func onOff(on bool) string {
	if on {
		return enabledStatus
	}
	return disabled
}

type applicationInput struct {
	instance
	ApplicationArn         string
	ApplicationProviderArn string
	Name                   *string
	Description            *string
	PortalOptions          *portalOptions
	Tags                   []tag
	Status                 string
	ClientToken            string
}

// apply changes an application as far as the input says.
func (in applicationInput) apply(a *center.Application) {
	if in.Name != nil {
		a.Name = *in.Name
	}
	if in.Description != nil {
		a.Description = *in.Description
	}
	if in.Status != "" {
		a.Enabled = in.Status == enabledStatus
	}
	in.PortalOptions.apply(a)
}

type createdApplication struct{ ApplicationArn, InstanceArn, IdentityStoreArn string }

func (h *Handler) identityStoreArn() string {
	return "arn:aws:identitystore::" + h.Center.Instance.OwnerAccountID + ":identitystore/" +
		h.Center.Instance.IdentityStoreID
}

func (h *Handler) createApplication(
	ctx context.Context, who awsapi.Caller, in applicationInput,
) (createdApplication, error) {
	a := center.Application{ProviderARN: in.ApplicationProviderArn, Enabled: true, Tags: readTags(in.Tags)}
	in.apply(&a)
	a, err := h.Center.CreateApplication(ctx, awsdoor.Actor(who), a, in.ClientToken)
	return createdApplication{a.ARN, h.Center.Instance.ARN, h.identityStoreArn()}, err
}

type applicationDetail struct {
	ApplicationArn         string
	ApplicationProviderArn string
	Name                   string
	ApplicationAccount     string
	InstanceArn            string
	IdentityStoreArn       string
	Status                 string
	PortalOptions          portalOptions
	Description            string `json:",omitempty"`
	CreatedDate            awsapi.Timestamp
	CreatedFrom            string
}

func (h *Handler) showApplication(a center.Application) applicationDetail {
	options := portalOptions{Visibility: onOff(!a.Hidden)}
	switch {
	case a.OpensItself:
		options.SignInOptions = &signIn{"APPLICATION", a.URL}
	case a.SignInStated || a.URL != "":
		options.SignInOptions = &signIn{"IDENTITY_CENTER", a.URL}
	}
	i := h.Center.Instance
	return applicationDetail{
		a.ARN, a.ProviderARN, a.Name, i.OwnerAccountID, i.ARN, h.identityStoreArn(), onOff(a.Enabled), options,
		a.Description, awsapi.Timestamp(a.CreatedAt), i.Region,
	}
}

func (h *Handler) describeApplication(
	ctx context.Context, _ awsapi.Caller, in applicationInput,
) (applicationDetail, error) {
	a, err := h.Center.Application(ctx, in.ApplicationArn)
	return h.showApplication(a), err
}

// editApplication changes an application. edit may run more than once.
func (h *Handler) editApplication(
	ctx context.Context, who awsapi.Caller, action center.Action, arn string, edit func(*center.Application) error,
) (awsapi.Empty, error) {
	return awsapi.Empty{}, h.Center.UpdateApplication(ctx, awsdoor.Actor(who), action, arn, edit)
}

func (h *Handler) updateApplication(ctx context.Context, who awsapi.Caller, in applicationInput) (awsapi.Empty, error) {
	return h.editApplication(
		ctx,
		who,
		center.ActionUpdateApplication,
		in.ApplicationArn,
		func(a *center.Application) error {
			in.apply(a)
			return nil
		},
	)
}

func (h *Handler) deleteApplication(ctx context.Context, who awsapi.Caller, in applicationInput) (awsapi.Empty, error) {
	return awsapi.Empty{}, h.Center.DeleteApplication(ctx, awsdoor.Actor(who), in.ApplicationArn)
}

type listApplicationsInput struct {
	instance
	paging
	Filter struct{ ApplicationAccount, ApplicationProvider string }
}

type applicationsOutput struct {
	Applications []applicationDetail
	NextToken    string `json:",omitempty"`
}

func (h *Handler) listApplications(
	ctx context.Context, _ awsapi.Caller, in listApplicationsInput,
) (applicationsOutput, error) {
	out := applicationsOutput{Applications: []applicationDetail{}}
	p, err := in.of(1, "ListApplications", in.Filter.ApplicationAccount, in.Filter.ApplicationProvider)
	if err != nil {
		return out, err
	}
	// all applications are the center's own
	if a := in.Filter.ApplicationAccount; a != "" && a != h.Center.Instance.OwnerAccountID {
		return out, nil
	}
	limit := p.limit()
	if in.Filter.ApplicationProvider != "" { // sifted here, so read whole
		limit = 0
	}
	all, err := h.Center.Applications(ctx, p.begin(), limit)
	if provider := in.Filter.ApplicationProvider; provider != "" {
		all = slices.DeleteFunc(all, func(a center.Application) bool { return a.ProviderARN != provider })
	}
	all, out.NextToken = cut(p, all, func(a center.Application) string { return a.ARN })
	for _, a := range all {
		out.Applications = append(out.Applications, h.showApplication(a))
	}
	return out, err
}

type displayData struct{ DisplayName, Description string }

type provider struct {
	ApplicationProviderArn string
	FederationProtocol     string
	DisplayData            displayData
}

func showProvider(p center.ApplicationProvider) provider {
	return provider{p.ARN, p.Protocol, displayData{p.DisplayName, p.Description}}
}

type providersOutput struct {
	ApplicationProviders []provider
	NextToken            string `json:",omitempty"`
}

func (h *Handler) listProviders(_ context.Context, _ awsapi.Caller, in paging) (providersOutput, error) {
	out := providersOutput{ApplicationProviders: []provider{}}
	p, err := in.of(1, "ListApplicationProviders")
	if err != nil {
		return out, err
	}
	all, next := whole(p, center.ApplicationProviders, func(p center.ApplicationProvider) string { return p.ARN })
	for _, a := range all {
		out.ApplicationProviders = append(out.ApplicationProviders, showProvider(a))
	}
	out.NextToken = next
	return out, nil
}

func (h *Handler) describeProvider(
	_ context.Context, _ awsapi.Caller, in struct{ ApplicationProviderArn string },
) (provider, error) {
	for _, p := range center.ApplicationProviders {
		if p.ARN == in.ApplicationProviderArn {
			return showProvider(p), nil
		}
	}
	return provider{}, &refusal.Error{Code: center.ApplicationProviderNotFound, Subject: in.ApplicationProviderArn}
}

type applicationAssignment struct {
	ApplicationArn string
	PrincipalID    string `json:"PrincipalId"`
	PrincipalType  string
}

func (a applicationAssignment) read() center.ApplicationAssignment {
	return center.ApplicationAssignment{
		ApplicationARN: a.ApplicationArn,
		PrincipalType:  center.PrincipalType(a.PrincipalType),
		PrincipalID:    a.PrincipalID,
	}
}

func (h *Handler) assignApplication(
	ctx context.Context, who awsapi.Caller, in applicationAssignment,
) (awsapi.Empty, error) {
	return awsapi.Empty{}, h.Center.AssignApplication(ctx, awsdoor.Actor(who), in.read())
}

func (h *Handler) unassignApplication(
	ctx context.Context, who awsapi.Caller, in applicationAssignment,
) (awsapi.Empty, error) {
	return awsapi.Empty{}, h.Center.UnassignApplication(ctx, awsdoor.Actor(who), in.read())
}

func (h *Handler) describeApplicationAssignment(
	ctx context.Context, _ awsapi.Caller, in applicationAssignment,
) (applicationAssignment, error) {
	return in, h.Center.FindApplicationAssignment(ctx, in.read())
}

type listApplicationAssignmentsInput struct {
	instance
	paging
	ApplicationArn string
	PrincipalID    string `json:"PrincipalId"`
	PrincipalType  string
	Filter         struct{ ApplicationArn string }
}

type applicationAssignmentsOutput struct {
	ApplicationAssignments []applicationAssignment
	NextToken              string `json:",omitempty"`
}

func (h *Handler) listApplicationAssignments(
	ctx context.Context, _ awsapi.Caller, in listApplicationAssignmentsInput,
) (applicationAssignmentsOutput, error) {
	if _, err := h.Center.Application(ctx, in.ApplicationArn); err != nil {
		return applicationAssignmentsOutput{}, err
	}
	p, err := in.of(3, "ListApplicationAssignments", in.ApplicationArn)
	if err != nil {
		return applicationAssignmentsOutput{}, err
	}
	return h.pageOfApplications(ctx, p, center.ApplicationAssignmentQuery{ApplicationARN: in.ApplicationArn})
}

// listApplicationsOfPrincipal includes, for a user, the assignments of the user's groups, shown
// with the group as principal.
func (h *Handler) listApplicationsOfPrincipal(
	ctx context.Context, _ awsapi.Caller, in listApplicationAssignmentsInput,
) (applicationAssignmentsOutput, error) {
	p, err := in.of(
		3, "ListApplicationAssignmentsForPrincipal", in.PrincipalType, in.PrincipalID, in.Filter.ApplicationArn,
	)
	if err != nil {
		return applicationAssignmentsOutput{}, err
	}
	q := center.ApplicationAssignmentQuery{
		ApplicationARN: in.Filter.ApplicationArn,
		HeldBy:         center.UserID(in.PrincipalID),
	}
	if in.PrincipalType == string(center.PrincipalGroup) {
		q.HeldBy = ""
		q.PrincipalType = center.PrincipalGroup
		q.PrincipalID = in.PrincipalID
	}
	return h.pageOfApplications(ctx, p, q)
}

func (h *Handler) pageOfApplications(
	ctx context.Context, p page, q center.ApplicationAssignmentQuery,
) (applicationAssignmentsOutput, error) {
	out := applicationAssignmentsOutput{ApplicationAssignments: []applicationAssignment{}}
	if a := p.after; a != nil {
		q.After = center.ApplicationAssignment{
			ApplicationARN: a[0],
			PrincipalType:  center.PrincipalType(a[1]),
			PrincipalID:    a[2],
		}
	}
	q.Limit = p.limit()
	list, err := h.Center.ApplicationAssignments(ctx, q)
	list, out.NextToken = cut(p, list, func(a center.ApplicationAssignment) string {
		return key(a.ApplicationARN, string(a.PrincipalType), a.PrincipalID)
	})
	for _, a := range list {
		out.ApplicationAssignments = append(
			out.ApplicationAssignments,
			applicationAssignment{a.ApplicationARN, a.PrincipalID, string(a.PrincipalType)},
		)
	}
	return out, err
}

type assignmentConfiguration struct{ AssignmentRequired bool }

func (h *Handler) getAssignmentConfiguration(
	ctx context.Context, _ awsapi.Caller, in applicationInput,
) (assignmentConfiguration, error) {
	a, err := h.Center.Application(ctx, in.ApplicationArn)
	return assignmentConfiguration{!a.ForEveryone}, err
}

func (h *Handler) putAssignmentConfiguration(ctx context.Context, who awsapi.Caller, in struct {
	ApplicationArn     string
	AssignmentRequired bool
},
) (awsapi.Empty, error) {
	return h.editApplication(
		ctx,
		who,
		center.ActionPutApplicationAssignmentConfiguration,
		in.ApplicationArn,
		func(a *center.Application) error {
			a.ForEveryone = !in.AssignmentRequired
			return nil
		},
	)
}

type sessionConfiguration struct {
	ApplicationArn                         string `json:",omitempty"`
	UserBackgroundSessionApplicationStatus string `json:",omitempty"`
}

func (h *Handler) getSessionConfiguration(
	ctx context.Context, _ awsapi.Caller, in sessionConfiguration,
) (sessionConfiguration, error) {
	a, err := h.Center.Application(ctx, in.ApplicationArn)
	return sessionConfiguration{"", onOff(a.BackgroundSessions)}, err
}

func (h *Handler) putSessionConfiguration(
	ctx context.Context, who awsapi.Caller, in sessionConfiguration,
) (awsapi.Empty, error) {
	return h.editApplication(
		ctx,
		who,
		center.ActionPutApplicationSessionConfiguration,
		in.ApplicationArn,
		func(a *center.Application) error {
			a.BackgroundSessions = in.UserBackgroundSessionApplicationStatus == enabledStatus
			return nil
		},
	)
}

type accessScope struct {
	Scope             string
	AuthorizedTargets []string `json:",omitempty"`
}

type scopeInput struct {
	paging
	ApplicationArn    string
	Scope             string
	AuthorizedTargets []string
}

func (h *Handler) putScope(ctx context.Context, who awsapi.Caller, in scopeInput) (awsapi.Empty, error) {
	return h.editApplication(
		ctx,
		who,
		center.ActionPutApplicationAccessScope,
		in.ApplicationArn,
		func(a *center.Application) error {
			a.SetScope(center.AccessScope{Scope: in.Scope, Targets: in.AuthorizedTargets})
			return nil
		},
	)
}

func (in scopeInput) named(s center.AccessScope) bool { return s.Scope == in.Scope }

func (h *Handler) getScope(ctx context.Context, _ awsapi.Caller, in scopeInput) (accessScope, error) {
	a, err := h.Center.Application(ctx, in.ApplicationArn)
	if err != nil {
		return accessScope{}, err
	}
	i := slices.IndexFunc(a.AccessScopes, in.named)
	if i < 0 {
		return accessScope{}, &refusal.Error{Code: center.AccessScopeNotFound, Subject: in.Scope}
	}
	return accessScope{a.AccessScopes[i].Scope, a.AccessScopes[i].Targets}, nil
}

func (h *Handler) deleteScope(ctx context.Context, who awsapi.Caller, in scopeInput) (awsapi.Empty, error) {
	return h.editApplication(
		ctx,
		who,
		center.ActionDeleteApplicationAccessScope,
		in.ApplicationArn,
		func(a *center.Application) error {
			return a.RemoveScope(in.Scope)
		},
	)
}

type scopesOutput struct {
	Scopes    []accessScope
	NextToken string `json:",omitempty"`
}

func (h *Handler) listScopes(ctx context.Context, _ awsapi.Caller, in scopeInput) (scopesOutput, error) {
	out := scopesOutput{Scopes: []accessScope{}}
	p, err := in.of(1, "ListApplicationAccessScopes", in.ApplicationArn)
	if err != nil {
		return out, err
	}
	a, err := h.Center.Application(ctx, in.ApplicationArn)
	scopes, next := whole(p, a.AccessScopes, func(s center.AccessScope) string { return s.Scope })
	for _, s := range scopes {
		out.Scopes = append(out.Scopes, accessScope{s.Scope, s.Targets})
	}
	out.NextToken = next
	return out, err
}

// authMethod is a union with a single member.
type authMethod struct {
	Iam *struct{ ActorPolicy jsontext.Value } `json:",omitzero"`
}

type methodInput struct {
	paging
	ApplicationArn           string
	AuthenticationMethodType string
	AuthenticationMethod     authMethod
}

func (h *Handler) putMethod(ctx context.Context, who awsapi.Caller, in methodInput) (awsapi.Empty, error) {
	return h.editApplication(
		ctx,
		who,
		center.ActionPutApplicationAuthenticationMethod,
		in.ApplicationArn,
		func(a *center.Application) error {
			a.ActorPolicy = string(in.AuthenticationMethod.Iam.ActorPolicy)
			return nil
		},
	)
}

func (h *Handler) deleteMethod(ctx context.Context, who awsapi.Caller, in methodInput) (awsapi.Empty, error) {
	return h.editApplication(
		ctx,
		who,
		center.ActionDeleteApplicationAuthenticationMethod,
		in.ApplicationArn,
		func(a *center.Application) error {
			if a.ActorPolicy == "" {
				return &refusal.Error{Code: center.AuthMethodNotFound, Subject: in.AuthenticationMethodType}
			}
			a.ActorPolicy = ""
			return nil
		},
	)
}

type typedMethod struct {
	AuthenticationMethodType string
	AuthenticationMethod     authMethod
}

type methodsOutput struct{ AuthenticationMethods []typedMethod }

// listMethods answers in one page, which no other follows: there is one kind of method.
func (h *Handler) listMethods(ctx context.Context, _ awsapi.Caller, in methodInput) (methodsOutput, error) {
	out := methodsOutput{[]typedMethod{}}
	p, err := in.of(1, "ListApplicationAuthenticationMethods", in.ApplicationArn)
	if err != nil {
		return out, err
	}
	a, err := h.Center.Application(ctx, in.ApplicationArn)
	if a.ActorPolicy != "" && p.after == nil {
		m := typedMethod{AuthenticationMethodType: "IAM"}
		m.AuthenticationMethod.Iam = &struct{ ActorPolicy jsontext.Value }{jsontext.Value(a.ActorPolicy)}
		out.AuthenticationMethods = append(out.AuthenticationMethods, m)
	}
	return out, err
}

type methodOutput struct{ AuthenticationMethod authMethod }

func (h *Handler) getMethod(ctx context.Context, who awsapi.Caller, in methodInput) (methodOutput, error) {
	all, err := h.listMethods(ctx, who, in)
	if err == nil && len(all.AuthenticationMethods) == 0 {
		err = &refusal.Error{Code: center.AuthMethodNotFound, Subject: in.AuthenticationMethodType}
	}
	if err != nil {
		return methodOutput{}, err
	}
	return methodOutput{all.AuthenticationMethods[0].AuthenticationMethod}, nil
}
