package aws_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/connect/aws"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

const (
	scimPath  = "/4e525421-0123-4567-89ab-0123456789ab/scim/v2"
	classicIn = "https://us-east-1.signin.aws.amazon.com" + acs
	dualIn    = "https://us-east-1.sso.signin.aws" + acs
	dualInEU  = "https://eu-west-1.sso.signin.aws" + acs
)

// TestAWSsOtherAddressesAreTheSame: an administrator has added the reply URLs for IPv6, let the
// tile lead to another address of the portal, and the job write to the other host. That is no
// difference, and a repair of something else leaves it.
func TestAWSsOtherAddressesAreTheSame(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t, gatehousetest.Unconnected())
	c := inTwoRegions(t, e.Pair, func(aws.Task) error { return errAway })
	if err := c.LearnACS([]string{classicIn}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.LearnEndpoint("https://scim.us-east-1.amazonaws.com" + scimPath); err != nil {
		t.Fatal(err)
	}
	var made graph.ApplicationServicePrincipal
	e.Change(http.MethodPost, "/applicationTemplates/"+graph.AWSTemplateID+"/instantiate",
		map[string]string{"displayName": "AWS"}, &made)
	sp, app := "/servicePrincipals/"+made.ServicePrincipal.ID, "/applications/"+made.Application.ID
	e.Change(http.MethodPatch, sp, map[string]any{"preferredSingleSignOnMode": "saml"}, nil)
	replies := []string{dualIn, classicIn, dualInEU}
	e.Change(http.MethodPatch, app, map[string]any{
		"identifierUris": []string{c.EntityID()}, "web": map[string]any{"redirectUris": replies},
	}, nil)
	leadsTo := func(address string) {
		t.Helper()
		e.Change(http.MethodPatch, sp, map[string]any{"loginUrl": address}, nil)
	}
	sync := sp + "/synchronization"
	e.Change(http.MethodPost, sync+"/jobs", graph.SynchronizationJob{TemplateID: graph.AWSSyncTemplate}, nil)
	e.Change(http.MethodPut, sync+"/secrets", graph.Secrets{Value: []graph.KeyValue{
		{Key: graph.KeyBaseAddress, Value: "https://scim.us-east-1.api.aws" + scimPath + "/?aadOptscim062020"},
		{Key: graph.KeySecretToken, Value: "t"},
	}}, nil)
	cfg := connect.Config{
		Graph: e.Client, Center: c, LoginURL: e.AuthorityURL(), HTTP: http.DefaultClient, AppName: "AWS", Cert: "AWS",
	}
	saml := func() connect.Step {
		t.Helper()
		plan, err := connect.Observe(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		return plan.Steps[1]
	}
	instance := c.Instance.ARN[strings.LastIndexByte(c.Instance.ARN, '/')+1:]
	for _, portal := range []string{
		"https://d-9067000000.awsapps.com/start", "https://d-9067000000.awsapps.com/start/#/",
		"https://northwind.awsapps.com/start", "https://" + instance + ".portal.us-east-1.app.aws",
		"https://" + instance + ".portal.eu-west-1.app.aws/", "https://" + instance + ".us-east-1.portal.amazonaws.com",
	} {
		if leadsTo(portal); !saml().Done {
			t.Errorf("%s is not taken for the portal's", portal)
		}
	}
	undo, err := connect.ObserveUndo(t.Context(), cfg, connect.UndoOptions{})
	if err != nil || slices.ContainsFunc(undo.Steps, func(s connect.Step) bool {
		return s.Title == "Automatic provisioning in the center" && s.Done
	}) {
		t.Errorf("the endpoint is taken for another: %+v, %v", undo, err)
	}
	for _, other := range []string{
		"https://d-9067000001.awsapps.com/start", "https://x.example/start",
		"https://" + instance + ".portal.ap-south-1.app.aws",
		"https://ssoins-0000000000000000.portal.us-east-1.app.aws",
		"https://d-9067000000.awsapps.com.x.example/start", "https://a.b.awsapps.com/start",
	} {
		if leadsTo(other); saml().Done {
			t.Errorf("%s is taken for the portal's", other)
		}
	}
	plan, err := connect.Observe(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	_ = plan.Apply(t.Context(), connect.Confirmation, func(int, bool) {}) // nobody is at the console
	var now graph.Application
	var of graph.ServicePrincipal
	e.Change(http.MethodGet, app, nil, &now)
	e.Change(http.MethodGet, sp, nil, &of)
	slices.Sort(replies)
	slices.Sort(now.Web.RedirectURIs)
	if !slices.Equal(now.Web.RedirectURIs, replies) || *of.LoginURL != "https://d-9067000000.awsapps.com/start" {
		t.Errorf("the repair has left %q and %q", now.Web.RedirectURIs, *of.LoginURL)
	}
}

// TestReplyURLsOfBeforeAreReplaced: they have another tenant in their path.
func TestReplyURLsOfBeforeAreReplaced(t *testing.T) {
	t.Parallel()
	c := inTwoRegions(t, gatehousetest.Start(t), nil)
	known := []string{classicIn}
	for address, want := range map[string]bool{
		dualIn: true, dualInEU: true, "https://us-east-1.signin.aws" + acs: true,
		dualIn + "0": false, "https://us-east-2.sso.signin.aws" + acs: false, "https://x.example" + acs: false,
		"https://*.signin.aws.amazon.com/platform/saml/acs/*": false,
	} {
		if c.IsACS(address, known) != want {
			t.Errorf("%s: want %v", address, want)
		}
	}
}
