package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/smithy-go"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/server"
	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

func TestMain(m *testing.M) { sqldbtest.Main(m) }

// visit is a request to a door.
type visit struct {
	method, path string
	form         url.Values
	body         string
	header       string // "name: value"
}

// send sends it, and returns the answer and its body.
func (v visit) send(t *testing.T, client *http.Client, base string) (*http.Response, string) {
	t.Helper()
	text := v.body
	if v.form != nil {
		text = v.form.Encode()
	}
	r, err := http.NewRequestWithContext(context.Background(), v.method, base+v.path, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if v.form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else if v.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if name, value, ok := strings.Cut(v.header, ": "); ok {
		r.Header.Set(name, value)
	}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// TestEveryDoorAsksToComeBackWhenTheDatabaseIsGone stops PostgreSQL under a center that serves.
func TestEveryDoorAsksToComeBackWhenTheDatabaseIsGone(t *testing.T) {
	ctx := context.Background()
	postgres := sqldbtest.NewServer(t)
	s, err := store.Open(ctx, postgres.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	at := httptest.NewUnstartedServer(nil)
	c := centertest.On(t, s, "http://"+at.Listener.Addr().String())
	at.Config.Handler = server.Handler(c, server.Config{})
	at.Start()
	t.Cleanup(at.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}

	settings, err := c.SignInSettings(ctx)
	settings.MFA = center.MFANever
	if err == nil {
		err = c.UpdateSignInSettings(ctx, centertest.Actor, settings)
	}
	if err != nil {
		t.Fatal(err)
	}
	ada, err := c.CreateUser(ctx, centertest.Actor, centertest.Person("ada@example.com"))
	if err == nil {
		err = c.SetPassword(ctx, centertest.Actor, ada.ID, centertest.Password)
	}
	if err == nil {
		err = c.SetAdministrator(ctx, audit.SystemActor, centertest.AdminName, centertest.Password)
	}
	if err != nil {
		t.Fatal(err)
	}
	key, err := c.CreateAccessKey(ctx, centertest.Actor, "test", center.RoleAdministrator)
	if err != nil {
		t.Fatal(err)
	}
	signIn := visit{method: "POST", path: "/platform/login",
		form: url.Values{"username": {ada.UserName}, "password": {centertest.Password}}}
	administer := visit{method: "POST", path: "/console/login",
		form: url.Values{"username": {centertest.AdminName}, "password": {centertest.Password}}}
	for _, v := range []visit{signIn, administer} {
		if res, body := v.send(t, browser, c.URL); res.StatusCode != http.StatusSeeOther &&
			res.StatusCode != http.StatusFound {
			t.Fatalf("%s: %d %s", v.path, res.StatusCode, body)
		}
	}
	register := visit{method: "POST", path: "/client/register", body: `{"clientName":"cli","clientType":"public"}`}
	_, registered := register.send(t, browser, c.URL)
	var program struct {
		ID     string `json:"clientId"`
		Secret string `json:"clientSecret"`
	}
	if err := json.Unmarshal([]byte(registered), &program); err != nil || program.Secret == "" {
		t.Fatalf("register a program: %s, %v", registered, err)
	}

	postgres.Stop(t)
	const bearer = "Authorization: Bearer unknown"
	for _, v := range []visit{
		signIn,
		{method: "GET", path: "/start"},
		{method: "GET", path: "/platform/account"},
		{method: "GET", path: "/start/device?user_code=ABCD-EFGH"},
		{method: "POST", path: "/start/device", form: url.Values{"user_code": {"ABCD-EFGH"}, "decision": {"allow"}}},
		{method: "POST", path: "/platform/logout", form: url.Values{}},
		administer,
		{method: "GET", path: "/console/users"},
		{method: "POST", path: "/console/groups", form: url.Values{"name": {"g"}}},
		{method: "POST", path: "/console/logout", form: url.Values{}},
		{method: "GET", path: "/tenant/scim/v2/Users", header: bearer},
		{method: "POST", path: "/tenant/scim/v2/Users", body: `{"userName":"x"}`, header: bearer},
		{method: "POST", path: "/device_authorization", body: `{"clientId":"` + program.ID + `","clientSecret":"` +
			program.Secret + `","startUrl":"` + c.PortalURL() + `"}`},
	} {
		res, body := v.send(t, browser, c.URL)
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
			t.Errorf("%s %s: %d, Retry-After %q: %s", v.method, v.path, res.StatusCode,
				res.Header.Get("Retry-After"), body)
		}
	}
	client := ssoadmin.New(ssoadmin.Options{
		Region: c.Instance.Region, BaseEndpoint: &c.URL, HTTPClient: at.Client(), Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.SecretAccessKey.Reveal(), ""),
	})
	sets := &ssoadmin.ListPermissionSetsInput{InstanceArn: &c.Instance.ARN}
	_, err = client.ListPermissionSets(ctx, sets)
	var fault smithy.APIError
	if !errors.As(err, &fault) || fault.ErrorCode() != "InternalServerException" {
		t.Errorf("sso-admin answers %v", err)
	}

	postgres.Start(t)
	if _, err := client.ListPermissionSets(ctx, sets); err != nil {
		t.Errorf("the database is back: %v", err)
	}
	if res, body := (visit{method: "GET", path: "/start"}).send(t, browser, c.URL); res.StatusCode != http.StatusOK {
		t.Errorf("the database is back, and the session is open: %d %s", res.StatusCode, body)
	}
}
