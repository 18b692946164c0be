package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/graph"
)

// Who is measured: people who have opened a role in each of the accounts.
const (
	revokedPeople   = 100
	revokedAccounts = 500
)

// roleCredentials are live ones, of one role.
type roleCredentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }

// revocations measures how soon a live role credential is refused after its person was disabled in
// the tenant. The center has 500 accounts, in each of which the person has opened a role.
func revocations(s settings, _ string) ([]figure, error) {
	d, err := startDemo(s.program, "--people", fmt.Sprint(2*revokedPeople), "--groups", "20")
	if err != nil {
		return nil, err
	}
	defer d.stop()
	if err := d.openAccounts(); err != nil {
		return nil, err
	}
	ctx := context.Background()
	g := graph.NewClient(ctx, d.Tenant.GraphURL, d.Tenant.TokenURL, d.Tenant.ClientID, d.Tenant.ClientSecret, nil)
	var latencies []time.Duration
	s.say("disabling %d people with %d open roles each, one after the other", revokedPeople, revokedAccounts)
	for _, p := range d.People {
		if !p.Active || p.CenterUserID == "" || len(latencies) == revokedPeople {
			continue
		}
		live, err := d.openRoles(p.UserName, p.Password)
		if err != nil {
			return nil, fmt.Errorf("%s, after %d: %w", p.UserName, len(latencies), err)
		}
		took, err := d.disabled(ctx, g, p.UserName, live)
		if err != nil {
			return nil, err
		}
		latencies = append(latencies, took)
	}
	if len(latencies) == 0 {
		return nil, errors.New("nobody of the demo could be measured")
	}
	slices.Sort(latencies)
	return []figure{{
		Name: fmt.Sprintf(
			"disabled in the tenant, a live role credential refused, %d open roles", revokedAccounts,
		),
		Value: latencies[len(latencies)/2].Seconds(),
		Unit:  "s",
		Aim:   "≤ 1 s, p99 3 s",
		More:  fmt.Sprintf("p99 %.2f s", latencies[len(latencies)*99/100].Seconds()),
	}}, nil
}

// openAccounts makes accounts, and gives everybody a permission set in all of them by a rule for
// each.
func (d runningDemo) openAccounts() error {
	ctx := context.Background()
	tag := adminapi.Tag{Key: "bench", Value: "yes"}
	for from := 0; from < revokedAccounts; from += adminapi.MaxAccountsAtOnce {
		var some []adminapi.Account
		for i := range adminapi.MaxAccountsAtOnce {
			some = append(some, adminapi.Account{
				ID: accountID(from + i), Name: fmt.Sprintf("Account %d", from+i), Tags: []adminapi.Tag{tag},
			})
		}
		if err := d.admin().PutAccounts(ctx, some); err != nil {
			return err
		}
	}
	w := &accessWorld{target: &target{
		address: strings.TrimPrefix(d.Center.URL, "http://"),
		center:  &identityCenter{admin: d.admin(), instanceARN: d.Center.InstanceARN},
	}}
	var out struct {
		PermissionSet struct{ PermissionSetArn string }
	}
	if err := w.ssoAdmin(
		"CreatePermissionSet", fmt.Sprintf(`{"InstanceArn":"%s","Name":"Bench"}`, d.Center.InstanceARN), &out,
	); err != nil {
		return err
	}
	n := 0
	for _, p := range d.People {
		if !p.Active || p.CenterUserID == "" || n == revokedPeople {
			continue
		}
		n++
		if _, err := d.admin().CreateRule(ctx, adminapi.Rule{
			Tag: &tag, PermissionSetARN: out.PermissionSet.PermissionSetArn,
			PrincipalType: adminapi.PrincipalUser, PrincipalID: p.CenterUserID,
		}); err != nil {
			return err
		}
	}
	return nil
}

func (d runningDemo) admin() *adminapi.Client {
	return &adminapi.Client{
		URL: d.Center.URL, Region: d.Center.Region, AccessKeyID: d.AWS.AccessKeyID,
		SecretAccessKey: d.AWS.SecretAccessKey,
	}
}

var (
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)
	formAction  = regexp.MustCompile(`<form[^>]* action="([^"]+)"`)
)

// openRoles signs somebody in by way of the tenant, opens the role in each account, and returns the
// last credentials.
func (d runningDemo) openRoles(userName, password string) (live roleCredentials, err error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return live, err
	}
	browser := &http.Client{Jar: jar}
	page, err := read(browser.Get(d.Center.URL + "/start")) //nolint:noctx,bodyclose // a benchmark; read closes it
	if err != nil {
		return live, err
	}
	form := fields(page.text)
	form.Set("loginfmt", userName)
	form.Set("passwd", password)
	page, err = read(browser.PostForm(d.Tenant.URL+"/login", form)) //nolint:noctx,bodyclose // as above
	if err != nil {
		return live, err
	}
	to := formAction.FindStringSubmatch(page.text)
	if to == nil {
		return live, errors.New("the tenant does not sign in")
	}
	//nolint:noctx,bodyclose // as above
	page, err = read(browser.PostForm(html.UnescapeString(to[1]), fields(page.text)))
	if err != nil || !strings.Contains(page.text, "AWS accounts") {
		return live, fmt.Errorf("the portal answers %d, %w", page.status, err)
	}
	token, err := deviceToken(d.Center.URL, func(r *http.Request) error {
		_, err := read(browser.Do(r)) //nolint:bodyclose // read closes it
		return err
	})
	if err != nil {
		return live, err
	}
	for i := range revokedAccounts {
		if live, err = d.credentials(token, accountID(i)); err != nil {
			return live, err
		}
	}
	return live, nil
}

// fields are the hidden ones of a form.
func fields(page string) url.Values {
	form := url.Values{}
	for _, m := range hiddenField.FindAllStringSubmatch(page, -1) {
		form.Set(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	return form
}

// answered is an answer that was read.
type answered struct {
	text   string
	status int
}

// read reads an answer whole.
func read(answer *http.Response, err error) (answered, error) {
	if err != nil {
		return answered{}, err
	}
	defer answer.Body.Close() //nolint:errcheck // read
	data, err := io.ReadAll(answer.Body)
	return answered{string(data), answer.StatusCode}, err
}

// credentials opens a role.
func (d runningDemo) credentials(token, account string) (c roleCredentials, err error) {
	r, err := http.NewRequestWithContext(
		context.Background(), http.MethodGet,
		d.Center.URL+"/federation/credentials?role_name=Bench&account_id="+account, nil,
	)
	if err != nil {
		return c, err
	}
	r.Header.Set("X-Amz-Sso_bearer_token", token)
	page, err := read(http.DefaultClient.Do(r)) //nolint:bodyclose // read closes it
	if err != nil || page.status != http.StatusOK {
		return c, fmt.Errorf("credentials of %s: %d %s %w", account, page.status, page.text, err)
	}
	var out struct {
		RoleCredentials roleCredentials
	}
	err = json.Unmarshal([]byte(page.text), &out)
	return out.RoleCredentials, err
}

// disabled disables somebody in the tenant, and asks who the credentials are until they are
// refused.
func (d runningDemo) disabled(
	ctx context.Context, g *graph.Client, userName string, live roleCredentials,
) (time.Duration, error) {
	if status, err := d.callerIdentity(live); err != nil || status != http.StatusOK {
		return 0, fmt.Errorf("the credentials are no good before: %d, %w", status, err)
	}
	no := false
	began := time.Now()
	if err := g.Do(ctx, http.MethodPatch, "/users/"+userName, graph.User{AccountEnabled: &no}, nil); err != nil {
		return 0, err
	}
	for {
		status, err := d.callerIdentity(live)
		if err != nil {
			return 0, err
		}
		if status == http.StatusForbidden {
			return time.Since(began), nil
		}
		if time.Since(began) > time.Minute {
			return 0, fmt.Errorf("%s: a credential is good after a minute", userName)
		}
	}
}

// callerIdentity asks the center's STS whose credentials are.
func (d runningDemo) callerIdentity(live roleCredentials) (status int, err error) {
	body := []byte("Action=GetCallerIdentity&Version=2011-06-15")
	r, err := http.NewRequestWithContext(
		context.Background(), http.MethodPost, d.Center.URL+"/", bytes.NewReader(body),
	)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(r.Context(), aws.Credentials{
		AccessKeyID: live.AccessKeyID, SecretAccessKey: live.SecretAccessKey, SessionToken: live.SessionToken,
	}, r, hex.EncodeToString(sum[:]), "sts", d.Center.Region, time.Now().UTC()); err != nil {
		return 0, err
	}
	page, err := read(http.DefaultClient.Do(r)) //nolint:bodyclose // read closes it
	return page.status, err
}
