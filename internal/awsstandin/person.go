package awsstandin

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// at is an address of the console.
func at(path string) string { return "https://" + consoleHost + path }

// visitor is a browser without a screen that finds AWS's names.
func (a *AWS) visitor() webtest.Visitor {
	a.t.Helper()
	return webtest.New(a.t, a.client().Transport)
}

// ChangeSource uploads an identity provider's metadata at the console, and types ACCEPT.
func (a *AWS) ChangeSource(metadata []byte) error {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("metadata", "idp.xml")
	if err == nil {
		_, err = file.Write(metadata)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, at("/configure"), &body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	res, err := a.client().Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	var page bytes.Buffer
	if _, err := page.ReadFrom(res.Body); err != nil {
		return err
	}
	review := webtest.Hidden(page.String())
	review.Set("confirmation", "ACCEPT")
	after := a.visitor().Do(http.MethodPost, at("/review"), review).Text
	if !strings.Contains(after, "successfully changed") {
		return fmt.Errorf("the console says: %s", after)
	}
	return nil
}

// ChangeBack changes the identity source to AWS's own directory at the console.
func (a *AWS) ChangeBack() {
	a.t.Helper()
	a.must(a.admin.DisableConfiguration(a.t.Context(), adminapi.ConfirmInput{Confirmation: "ACCEPT"}))
}

// Directory is how many users and groups AWS has.
func (a *AWS) Directory() (users, groups int) {
	a.t.Helper()
	d, err := a.admin.DescribeDirectory(a.t.Context())
	a.must(err)
	return d.UserCount, d.GroupCount
}

var (
	shownEndpoint = regexp.MustCompile(`id="endpoint">([^<]+)<`)
	shownToken    = regexp.MustCompile(`id="token">([^<]+)<`)
)

// NewToken enables automatic provisioning, or generates another token of it. Of two that are there,
// the older one goes first.
func (a *AWS) NewToken() (endpoint, token string) {
	a.t.Helper()
	ctx := a.t.Context()
	tenants, err := a.admin.Tenants(ctx)
	a.must(err)
	for _, t := range tenants {
		tokens, err := a.admin.BearerTokens(ctx, t.TenantID)
		a.must(err)
		if len(tokens) == 2 {
			older := slices.MinFunc(tokens, func(a, b adminapi.BearerToken) int {
				return a.CreationTime.Compare(b.CreationTime)
			})
			a.must(a.admin.DeleteBearerToken(ctx, t.TenantID, older.TokenID))
		}
	}
	page := a.visitor().Do(http.MethodPost, at("/provisioning/token"), url.Values{}).Text
	return webtest.Match(a.t, page, shownEndpoint), webtest.Match(a.t, page, shownToken)
}

// Source is the identity source in force.
func (a *AWS) Source() string {
	a.t.Helper()
	d, err := a.admin.DescribeDirectory(a.t.Context())
	a.must(err)
	return d.IdentitySource
}

// Hire makes a user at AWS's side, by hand.
func (a *AWS) Hire(userName string) {
	a.t.Helper()
	_, err := a.center.CreateUser(a.t.Context(), audit.SystemActor, center.User{
		UserName: userName, DisplayName: userName, Active: true,
		Name: center.PersonName{GivenName: "O", FamilyName: "Ld"},
	})
	a.must(err)
}

// Remove deletes an application of the tenant.
func (a *AWS) Remove(servicePrincipal string) {
	a.t.Helper()
	a.must(a.tenant.DeleteApplication(
		a.t.Context(), audit.SystemActor, tenant.AnyApplicationID(servicePrincipal),
	))
}

// Rename gives somebody in the tenant another display name.
func (a *AWS) Rename(userPrincipalName, displayName string) {
	a.t.Helper()
	ctx := a.t.Context()
	u, err := a.tenant.UserByIDOrName(ctx, userPrincipalName)
	if err == nil {
		_, err = a.tenant.UpdateUser(ctx, audit.SystemActor, u.ID, func(u *tenant.User) {
			u.DisplayName = displayName
		})
	}
	a.must(err)
}

// SignIn has somebody sign in by AWS's portal, and says what they see in the end.
func (a *AWS) SignIn(userName string) string {
	a.t.Helper()
	v := a.visitor()
	page := v.Do(http.MethodGet, "https://"+a.center.Instance.IdentityStoreID+".awsapps.com/start", nil).Text
	if strings.Contains(page, `name="passwd"`) {
		form := webtest.Hidden(page)
		form.Set("loginfmt", userName)
		form.Set("passwd", a.People[0].Password) // everybody has the same
		page = v.Do(http.MethodPost, a.Tenant.URL+"/login", form).Text
	}
	acs, form := v.Form(page, "SAMLResponse")
	_, page = v.Send(http.MethodPost, acs, form)
	return page
}
