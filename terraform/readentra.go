package terraform

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
)

// Entra is the tenant's side of a connection, as Microsoft Graph tells it. It has no secrets.
type Entra struct {
	TenantID    string
	Application EntraApplication
	Principal   EntraPrincipal
	Policies    []graph.ClaimsPolicy
	Jobs        []graph.SynchronizationJob
	Assigned    []graph.AppRoleAssignment
	Owners      []string
	Unread      []Unread
	// MetadataURL is where the tenant publishes its federation metadata for the application.
	MetadataURL string
}

// EntraApplication is what is set at the application.
type EntraApplication struct {
	ID                    string     `json:"id"`
	AppID                 string     `json:"appId"`
	ApplicationTemplateID string     `json:"applicationTemplateId"`
	DisplayName           string     `json:"displayName"`
	IdentifierURIs        []string   `json:"identifierUris"`
	Web                   *graph.Web `json:"web"`
}

// EntraPrincipal is what is set at the service principal: the enterprise application.
type EntraPrincipal struct {
	ID                                 string                `json:"id"`
	AppID                              string                `json:"appId"`
	ApplicationTemplateID              string                `json:"applicationTemplateId"`
	DisplayName                        string                `json:"displayName"`
	Description                        string                `json:"description"`
	Notes                              string                `json:"notes"`
	AccountEnabled                     *bool                 `json:"accountEnabled"`
	AppRoleAssignmentRequired          bool                  `json:"appRoleAssignmentRequired"`
	AlternativeNames                   []string              `json:"alternativeNames"`
	NotificationEmailAddresses         []string              `json:"notificationEmailAddresses"`
	PreferredSingleSignOnMode          string                `json:"preferredSingleSignOnMode"`
	PreferredTokenSigningKeyThumbprint string                `json:"preferredTokenSigningKeyThumbprint"`
	LoginURL                           string                `json:"loginUrl"`
	ServicePrincipalNames              []string              `json:"servicePrincipalNames"`
	KeyCredentials                     []graph.KeyCredential `json:"keyCredentials"`
	AppRoles                           []graph.AppRole       `json:"appRoles"`
	SAML                               *EntraSAML            `json:"samlSingleSignOnSettings"`
}

// EntraSAML is the rest of the settings of single sign-on.
type EntraSAML struct {
	RelayState string `json:"relayState"`
}

// EntraSource is where the tenant's side is read.
type EntraSource struct {
	Graph    *graph.Client
	EntityID string // of the center: the identifier of the application
	Name     string // of the application; it is taken where no identifier says which it is
	LoginURL string // the tenant's sign-in URL, with its id
}

// readingEntra is one run.
type readingEntra struct {
	EntraSource

	ctx context.Context
	out *Entra
	err error
}

// ReadEntra reads the application of a connection from the tenant, and only reads.
func ReadEntra(ctx context.Context, s EntraSource) (*Entra, error) {
	r := &readingEntra{EntraSource: s, ctx: ctx, out: &Entra{}}
	if err := r.find(); err != nil {
		return nil, err
	}
	login := strings.TrimRight(s.LoginURL, "/")
	r.out.TenantID = login[strings.LastIndex(login, "/")+1:]
	r.out.MetadataURL = login + "/federationmetadata/2007-06/federationmetadata.xml?appid=" +
		url.QueryEscape(r.out.Principal.AppID)
	sp := "/servicePrincipals/" + url.PathEscape(r.out.Principal.ID)
	r.out.Policies = listOf[graph.ClaimsPolicy](r, "claims", "Policy.Read.All", sp+"/claimsMappingPolicies")
	r.out.Jobs = listOf[graph.SynchronizationJob](
		r, "provisioning jobs", "Synchronization.Read.All", sp+"/synchronization/jobs",
	)
	r.out.Assigned = listOf[graph.AppRoleAssignment](
		r, "who is assigned", "Application.Read.All", sp+"/appRoleAssignedTo",
	)
	for _, o := range listOf[graph.NamedObject](
		r, "owners", "Application.Read.All", sp+"/owners?$select=id,displayName",
	) {
		r.out.Owners = append(r.out.Owners, o.ID)
	}
	slices.SortFunc(r.out.Policies, func(a, b graph.ClaimsPolicy) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(r.out.Jobs, func(a, b graph.SynchronizationJob) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(r.out.Assigned, func(a, b graph.AppRoleAssignment) int {
		return order(a.PrincipalDisplayName, b.PrincipalDisplayName, a.ID, b.ID)
	})
	slices.SortFunc(r.out.Principal.KeyCredentials, func(a, b graph.KeyCredential) int {
		return order(
			a.EndDateTime.UTC().Format(time.RFC3339), b.EndDateTime.UTC().Format(time.RFC3339), a.KeyID, b.KeyID,
		)
	})
	slices.Sort(r.out.Application.IdentifierURIs)
	slices.Sort(r.out.Owners)
	return r.out, r.err
}

// find finds the application by its identifier, or by its name.
func (r *readingEntra) find() error {
	all, err := graph.All[EntraPrincipal](
		r.ctx, r.Graph, "/servicePrincipals"+graph.Filter("applicationTemplateId", graph.AWSTemplateID),
	)
	if err != nil {
		return fmt.Errorf("find the enterprise application (Application.Read.All): %w", err)
	}
	var found []EntraPrincipal
	for _, by := range []func(EntraPrincipal) bool{
		func(p EntraPrincipal) bool { return slices.Contains(p.ServicePrincipalNames, r.EntityID) },
		func(p EntraPrincipal) bool { return p.DisplayName == r.Name },
	} {
		for _, p := range all {
			if len(found) == 0 && by(p) {
				found = append(found, p)
			}
		}
	}
	if len(found) == 0 {
		return fmt.Errorf(
			"no enterprise application has the identifier %s or the name %q: connect first, or say its name with "+
				"--name",
			r.EntityID, r.Name,
		)
	}
	r.out.Principal = found[0]
	// lists leave out what a single object has, such as the keys of certificates
	path := "/servicePrincipals/" + url.PathEscape(found[0].ID)
	if err := r.Graph.Do(r.ctx, http.MethodGet, path, nil, &r.out.Principal); err != nil {
		return fmt.Errorf("read the enterprise application (Application.Read.All): %w", err)
	}
	applications, err := graph.All[EntraApplication](
		r.ctx, r.Graph, "/applications"+graph.Filter("appId", found[0].AppID),
	)
	if err != nil {
		return fmt.Errorf("read the application (Application.Read.All): %w", err)
	}
	if len(applications) != 1 {
		return fmt.Errorf("the enterprise application %s has %d applications", found[0].ID, len(applications))
	}
	r.out.Application = applications[0]
	return nil
}

// listOf reads a list, or notes why it may not be read.
func listOf[T any](r *readingEntra, what, permission, path string) []T {
	if r.err != nil {
		return nil
	}
	list, err := graph.All[T](r.ctx, r.Graph, path)
	var answer *graph.Error
	switch {
	case err == nil:
		return list
	case errors.As(err, &answer) && (answer.Status == http.StatusForbidden || answer.Status == http.StatusUnauthorized):
		r.out.Unread = append(r.out.Unread, Unread{what, permission, reason(err)})
	default:
		r.err = fmt.Errorf("read %s (%s): %w", what, permission, err)
	}
	return nil
}
