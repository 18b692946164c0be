package main

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/chromedp/chromedp"
	"golang.org/x/oauth2"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// TestTheDemoInABrowser is what a newcomer does after the first command: both halves on one
// loopback address, without TLS.
func TestTheDemoInABrowser(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	b := browser{t, newUndrawnBrowser(t, "")}
	role := "#/console?account_id=333344445555&role_name=AdministratorAccess" +
		"&destination=https%3A%2F%2Fconsole.aws.amazon.com%2Fs3%2F"
	shortcut, bare := d.Center.PortalURL+"/"+role, d.Center.PortalURL+role
	b.open(bare) // before signing in
	b.sees("with your Northwind Traders account")
	b.submit(
		"main form", "button",
		map[string]string{"loginfmt": "amara.okafor@northwind.example", "passwd": d.People[0].Password},
	)
	b.sees("It would open at https://console.aws.amazon.com/s3/")
	b.open(d.Center.PortalURL + "/")
	b.sees("Development")
	b.until("four accounts", `document.querySelectorAll('.account').length === 4`)
	b.accessible("the portal")
	do(b, "search", chromedp.SendKeys(chromedp.CSS("input[name=q]"), "stag"))
	b.until(
		"the search narrows the list",
		`document.querySelectorAll('.account').length === 1 && document.querySelector('.account h2').textContent === 'Staging'`,
	)
	b.until("the list is the last one", `location.search === '?q=stag'`) // each letter brings one
	b.click(`#accounts [data-star]`)
	b.until("the role is a favourite", `document.querySelector('#favourites li')?.textContent.includes('in Staging')`)
	b.open(d.Center.PortalURL)
	b.until("the favourite is kept", `!document.querySelector('#favourites').hidden`)
	b.screenshot("portal")
	b.leave(`#accounts a[href*="/start/console"]`)
	b.sees("This is where the AWS console would open")
	b.sees("RoleSessionName: amara.okafor")
	for _, link := range []string{shortcut, bare} {
		b.open(link)
		b.sees("It would open at https://console.aws.amazon.com/s3/")
	}
	b.open(d.Center.PortalURL)
	b.sees("AWS accounts")
	b.open(bare) // nothing but the part behind the number sign changes
	b.sees("It would open at https://console.aws.amazon.com/s3/")
	for _, link := range []string{shortcut, d.Center.PortalURL} {
		stranger := browser{t, newUndrawnBrowser(t, "")}
		stranger.open(link)
		stranger.sees("with your Northwind Traders account")
	}
	b.open(d.Center.URL + "/start/link?account_id=333344445555&role_name=AdministratorAccess")
	b.accessible("the maker of links")
	b.open(d.Center.URL + "/start/applications")
	b.sees("No applications yet")
	b.accessible("the applications")
	devicePages(b, d)
	b.login(d.Center.ConsoleURL, map[string]string{"username": d.Admin.UserName, "password": d.Admin.Password})
	b.sees("users and groups are provisioned automatically")
	b.screenshot("console")
	b.open(d.Center.ConsoleURL + "access-keys")
	b.click("details summary")
	b.submit(
		`form[action="/console/access-keys"]`, "button",
		map[string]string{"name": "terraform", "role": "user-administrator"},
	)
	b.sees("Copy the secret now")
	b.screenshot("access-keys")
	b.login(d.Tenant.AdminCenterURL, map[string]string{"username": d.Admin.UserName, "password": d.Admin.Password})
	b.sees("Enterprise applications")
}

// devicePages goes the way of a device that asks for access, in the dark as well.
func devicePages(b browser, d demoOutput) {
	b.t.Helper()
	ctx := context.Background()
	oidc := ssooidc.New(ssooidc.Options{Region: d.AWS.Region, BaseEndpoint: &d.Center.URL})
	client, err := oidc.RegisterClient(
		ctx,
		&ssooidc.RegisterClientInput{
			ClientName:   aws.String("aws-cli on build-7"),
			ClientType:   aws.String("public"),
			RedirectUris: []string{pairtest.Callback},
			Scopes:       []string{"sso:account:access"},
		},
	)
	if err != nil {
		b.t.Fatal(err)
	}
	device, err := oidc.StartDeviceAuthorization(
		ctx,
		&ssooidc.StartDeviceAuthorizationInput{
			ClientId:     client.ClientId,
			ClientSecret: client.ClientSecret,
			StartUrl:     &d.Center.PortalURL,
		},
	)
	if err != nil {
		b.t.Fatal(err)
	}
	b.open(d.Center.URL + "/start/device")
	b.accessible("the form for a device's code")
	b.submit("main form", "button", map[string]string{"user_code": strings.ToLower(*device.UserCode)})
	b.sees("Authorization requested")
	b.sees("aws-cli on build-7")
	b.accessible("what a device asks for")
	b.screenshot("device")
	b.leave("main form button")
	b.sees("Request approved")
	b.open(
		d.Center.URL + "/authorize?" + url.Values{
			"response_type":         {"code"},
			"client_id":             {*client.ClientId},
			"redirect_uri":          {pairtest.WithPort},
			"state":                 {"s"},
			"code_challenge_method": {"S256"},
			"code_challenge":        {oauth2.S256ChallengeFromVerifier(oauth2.GenerateVerifier())},
			"scopes":                {"sso:account:access"},
		}.Encode(),
	)
	b.sees("Allow access?")
	b.accessible("what a program asks for")
	b.open(
		d.Center.URL + "/v1/authorize?" + url.Values{
			"response_type":         {"code"},
			"client_id":             {center.SameDeviceClient},
			"redirect_uri":          {pairtest.WithPort},
			"state":                 {"s"},
			"scope":                 {"openid"},
			"code_challenge_method": {"SHA-256"},
			"code_challenge":        {oauth2.S256ChallengeFromVerifier(oauth2.GenerateVerifier())},
		}.Encode(),
	)
	b.sees("Choose a role for the command line")
	b.accessible("the roles for aws login")
	b.screenshot("aws-login")
}
