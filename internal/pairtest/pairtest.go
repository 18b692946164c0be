// Package pairtest has what our own tests need beside a connected pair: clients for both of its
// ends, people and administrators with browsers, and waiting for what comes to the other end.
//
// It may import adminapi, center/centertest, gatehousetest, graph, mail, scim, tenant/tenanttest
// and web/webtest.
package pairtest

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/scim"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// Ends are clients for both ends of a pair: Graph at the tenant, SCIM and the admin API at the
// center.
type Ends struct {
	tenanttest.Graph
	*gatehousetest.Pair

	SCIM  *scim.Client
	Admin *adminapi.Client
}

// Start starts a pair that ends with the test, and returns clients for it.
func Start(t testing.TB, options ...gatehousetest.Option) Ends {
	t.Helper()
	return Of(t, gatehousetest.Start(t, options...))
}

// Of returns clients for a pair.
func Of(t testing.TB, p *gatehousetest.Pair) Ends {
	client := graph.NewClient(
		context.Background(), p.Tenant.GraphURL, p.Tenant.TokenURL, p.Tenant.ClientID, p.Tenant.ClientSecret, nil,
	)
	return Ends{
		Graph: tenanttest.Graph{T: t, Client: client},
		Pair:  p,
		SCIM:  &scim.Client{BaseURL: p.Center.SCIMEndpoint, Token: p.Center.SCIMToken},
		Admin: &adminapi.Client{
			URL:             p.Center.URL,
			Region:          p.Center.Region,
			AccessKeyID:     p.AWS.AccessKeyID,
			SecretAccessKey: p.AWS.SecretAccessKey,
		},
	}
}

// JobPath is where Graph has the provisioning job.
func (e Ends) JobPath() string {
	return "/servicePrincipals/" + e.Tenant.ServicePrincipalID + "/synchronization/jobs/" + e.Tenant.JobID
}

// Find looks an object up at the center; nil when there is none.
func (e Ends) Find(path, attribute, value string) scim.Resource {
	e.T.Helper()
	found, err := e.SCIM.Find(context.Background(), path, attribute, value)
	if err != nil {
		e.T.Fatalf("find %s: %v", value, err)
	}
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

// IsMember says whether a user is in a group at the center.
func (e Ends) IsMember(group, user scim.Resource) bool {
	e.T.Helper()
	var list scim.ListResponse
	query := map[string][]string{
		"filter": {`id eq "` + group.String("id") + `" and members eq "` + user.String("id") + `"`},
	}
	if err := e.SCIM.Do(context.Background(), http.MethodGet, "/Groups", query, nil, &list); err != nil {
		e.T.Fatal(err)
	}
	return len(list.Resources) == 1
}

// Soon waits for a condition at the other end.
func (e Ends) Soon(what string, condition func() bool) {
	e.T.Helper()
	deadline := time.Now().Add(time.Minute)
	for !condition() {
		if time.Now().After(deadline) {
			e.T.Fatalf("it never came: %s", what)
		}
		time.Sleep(20 * time.Millisecond) // between two looks at the condition
	}
}

// Unassign takes the enterprise application away from a group.
func (e Ends) Unassign(group graph.Group) {
	e.T.Helper()
	assigned := "/servicePrincipals/" + e.Tenant.ServicePrincipalID + "/appRoleAssignedTo"
	list, err := graph.All[graph.AppRoleAssignment](context.Background(), e.Client, assigned)
	if err != nil {
		e.T.Fatal(err)
	}
	for _, a := range list {
		if a.PrincipalID == group.ID {
			e.Change(http.MethodDelete, assigned+"/"+a.ID, nil, nil)
		}
	}
}

// Administrator is a visitor who has signed in to the center's console.
func (e Ends) Administrator() webtest.Visitor { return e.signedIn(e.Center.ConsoleURL) }

// TenantAdministrator is a visitor who has signed in to the tenant's admin center.
func (e Ends) TenantAdministrator() webtest.Visitor { return e.signedIn(e.Tenant.AdminCenterURL) }

func (e Ends) signedIn(office string) webtest.Visitor {
	e.T.Helper()
	v := webtest.New(e.T, nil)
	form := url.Values{"username": {e.Pair.Admin.UserName}, "password": {e.Pair.Admin.Password}}
	if status, page := v.Send(http.MethodPost, office+"login", form); status != http.StatusOK {
		e.T.Fatalf("sign in at %s: %d %s", office, status, page)
	}
	return v
}

// Response signs a person in at the tenant, unless that was done, and returns the form that would
// be posted to the center, without posting it. start is where the person begins.
func (e Ends) Response(v webtest.Visitor, start, userName string) (acs string, form url.Values) {
	e.T.Helper()
	page := v.Do(http.MethodGet, start, nil).Text
	if strings.Contains(page, `name="passwd"`) {
		form := webtest.Hidden(page)
		form.Set("loginfmt", userName)
		form.Set("passwd", e.People[0].Password)
		page = v.Do(http.MethodPost, e.Tenant.URL+"/login", form).Text
	}
	return v.Form(page, "SAMLResponse")
}

// SignIn signs a person in to the portal by way of the tenant.
func (e Ends) SignIn(userName string) webtest.Visitor {
	e.T.Helper()
	v := webtest.New(e.T, nil)
	acs, form := e.Response(v, e.Center.PortalURL, userName)
	if status, page := v.Send(http.MethodPost, acs, form); status != http.StatusOK {
		e.T.Fatalf("%s cannot sign in: %d %s", userName, status, page)
	}
	return v
}

// Recorded is the console's page of the audit log for a reference.
func (e Ends) Recorded(reference string) string {
	e.T.Helper()
	return e.Administrator().Get(e.Center.ConsoleURL + "audit?reference=" + reference)
}

// CLI is the real aws CLI of the center's administrator.
func (e Ends) CLI() *centertest.AWSCLI {
	e.T.Helper()
	return centertest.NewAWSCLI(e.T, e.AWS.EndpointURL, e.AWS.Region, e.AWS.AccessKeyID, e.AWS.SecretAccessKey)
}

// PutSecrets saves the job's address and settings. The token stays what it was.
func (e Ends) PutSecrets(address string, more ...graph.KeyValue) {
	e.T.Helper()
	values := []graph.KeyValue{
		{Key: graph.KeyBaseAddress, Value: address},
		{Key: graph.KeySecretToken, Value: e.Center.SCIMToken},
	}
	e.Change(
		http.MethodPut, "/servicePrincipals/"+e.Tenant.ServicePrincipalID+"/synchronization/secrets",
		graph.Secrets{Value: append(values, more...)}, nil,
	)
}

// Forward moves the clock of both halves.
func (e Ends) Forward(ahead time.Duration) {
	e.T.Helper()
	if err := e.Pair.Forward(ahead); err != nil {
		e.T.Fatal(err)
	}
}

// AppID is the client id of the enterprise application.
func (e Ends) AppID() string {
	e.T.Helper()
	var app graph.Application
	e.Change(http.MethodGet, "/applications/"+e.Tenant.ApplicationID, nil, &app)
	return app.AppID
}

// MappingOf finds a mapping of users, or of groups, by its target.
func MappingOf(t testing.TB, s *graph.SynchronizationSchema, object, target string) *graph.AttributeMapping {
	t.Helper()
	for _, o := range s.Rules[0].ObjectMappings {
		for i := range o.AttributeMappings {
			if o.SourceObjectName == object && o.AttributeMappings[i].TargetAttributeName == target {
				return &o.AttributeMappings[i]
			}
		}
	}
	t.Fatalf("%s has no mapping of %s", object, target)
	return nil
}
