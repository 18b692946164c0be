package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/connect/assist"
	"github.com/gatehouse-id/gatehouse/scim"
)

// wantSCIM asks for the endpoint and the token in one field, and proves them before going on.
func (c *Center) wantSCIM() Want {
	return Want{
		Name: "scim", Label: "SCIM endpoint and access token, together or one after the other", Secret: true,
		Take: c.takeSCIM,
	}
}

// wantToken asks for another token of an endpoint that is known.
func (c *Center) wantToken() Want {
	return Want{Name: "scim", Label: "Access token", Secret: true, Take: c.takeSCIM}
}

func (c *Center) scimProved() bool {
	c.hand.mu.Lock()
	defer c.hand.mu.Unlock()
	return c.hand.proved && c.hand.token != ""
}

// takeSCIM takes the endpoint, the token or both, in any order and with the labels of the console
// between them. What has come stays while the other is missing.
func (c *Center) takeSCIM(ctx context.Context, value []byte) error {
	found, token, err := c.readSCIM(string(value))
	if err != nil {
		return err
	}
	c.hand.mu.Lock()
	if found.TenantID != "" {
		c.hand.endpoint = found
	}
	if token != "" {
		c.hand.token = token
	}
	c.hand.proved = false
	noEndpoint, noToken := c.hand.endpoint.ScimEndpoint == "", c.hand.token == ""
	c.hand.mu.Unlock()
	switch {
	case noEndpoint:
		return assist.Partial("The access token is here. Now paste the SCIM endpoint into the same field")
	case noToken:
		return assist.Partial("The SCIM endpoint is here. Now paste the access token into the same field")
	}
	return c.proveSCIM(ctx)
}

// shortestToken is shorter than AWS's tokens, which have hundreds of characters, and longer than
// the words of a console.
const shortestToken = 32 //bound:none how a token is told from words

// readSCIM tells an endpoint and a token apart by what they look like.
func (c *Center) readSCIM(text string) (found adminapi.Tenant, token string, err error) {
	var wrong error
	for _, word := range strings.Fields(text) {
		switch {
		case strings.Contains(word, "/scim/") || strings.Contains(word, "://"):
			endpoint, tenant, err := c.readEndpoint(word)
			if err != nil && wrong == nil {
				wrong = err
			}
			if err == nil && found.TenantID == "" { // a console may show one for each kind of address
				found = adminapi.Tenant{TenantID: tenant, ScimEndpoint: endpoint, CreationTime: time.Now().UTC()}
			}
		case len(word) < shortestToken || word == token:
		case token != "":
			return found, "", errors.New("two values could be the access token: copy it alone, and whole")
		default:
			token = word
		}
	}
	switch {
	case found.TenantID == "" && wrong != nil:
		return found, "", wrong
	case found.TenantID == "" && token == "":
		return found, "", errors.New(
			"this is neither the SCIM endpoint nor an access token: choose Show token, and copy all of each",
		)
	}
	return found, token, nil
}

// proveSCIM asks the endpoint with the token: whether it takes it, and whether it is of this
// instance, by the id of somebody whom both know.
func (c *Center) proveSCIM(ctx context.Context) error {
	c.hand.mu.Lock()
	endpoint, token := c.hand.endpoint.ScimEndpoint, c.hand.token
	c.hand.mu.Unlock()
	client := &scim.Client{BaseURL: endpoint, Token: token, HTTP: c.httpClient()}
	var configuration map[string]any
	if err := client.Do(ctx, http.MethodGet, "/ServiceProviderConfig", nil, nil, &configuration); err != nil {
		return refusedToken(err)
	}
	someone, err := c.someone(ctx)
	if err != nil {
		return err
	}
	for _, known := range someone {
		found, err := client.Find(ctx, "/Users", "userName", known.UserName)
		if err != nil {
			return refusedToken(err)
		}
		if len(found) != 1 || found[0].String("id") != known.ID {
			return fmt.Errorf(
				"this endpoint is of another instance: it does not have %s with the id that %s has", known.UserName,
				c.Instance.id(),
			)
		}
	}
	c.hand.mu.Lock()
	defer c.hand.mu.Unlock()
	c.hand.proved = c.hand.token == token && c.hand.endpoint.ScimEndpoint == endpoint
	return nil
}

// someone is a user whom the identity store has, or nobody. Who was discovered will do: the AWS
// credentials may have ended while a person was at the console.
func (c *Center) someone(ctx context.Context) ([]connect.StoreUser, error) {
	if users := c.discovered.Load(); users != nil {
		return (*users)[:min(1, len(*users))], nil
	}
	page, err := c.store.ListUsers(
		ctx, &identitystore.ListUsersInput{IdentityStoreId: &c.Instance.IdentityStoreID, MaxResults: sdk.Int32(1)},
	)
	if err != nil {
		return nil, explain("list the users", err)
	}
	var users []connect.StoreUser
	for _, u := range page.Users {
		users = append(users, userOf(u))
	}
	return users, nil
}

// refusedToken says what an endpoint's refusal means.
func refusedToken(err error) error {
	var problem *scim.Problem
	if !errors.As(err, &problem) {
		return fmt.Errorf("the SCIM endpoint does not answer: %w", err)
	}
	switch problem.Status {
	case http.StatusUnauthorized:
		return errors.New("AWS does not take this token at this endpoint: copy both again, the token whole")
	case http.StatusForbidden:
		return errors.New(
			"AWS takes SCIM requests from certain networks only: let this machine's and Entra's addresses in " +
				"(ScimAllowSourceIps of the identity store), then paste the token again",
		)
	}
	return fmt.Errorf("the SCIM endpoint refuses: %w", err)
}

// ofSCP says what a refusal of the console is that no permission mends. Source: "Delegated
// administration" of the user guide, which recommends such policies.
const ofSCP = "If the console refuses though you are an administrator, a service control policy (SCP) denies " +
	"sso-directory:CreateBearerToken to delegated administrators: have it lifted for now, or use the management " +
	"account."

const clickEnable = "Settings > Automatic provisioning > Enable (if it is on already, of another identity provider: " +
	"Actions > Manage provisioning, delete a token if there are two, and Generate token)"

// CreateTenant has a person enable automatic provisioning, unless that came with the change of the
// identity source.
func (c *Center) CreateTenant(ctx context.Context) (adminapi.Tenant, error) {
	if c.journal.SCIM.TenantID != "" {
		return c.journal.SCIM, nil
	}
	err := c.do(ctx, Task{
		Title: "Enable automatic provisioning",
		Why:   "The tenant writes users and groups to this endpoint, with this token. " + ofSCP,
		Link:  c.settings(),
		Clicks: []string{
			clickEnable,
			"Show token, and copy the SCIM endpoint and the access token: AWS shows it only now",
		},
		Wants:  []Want{c.wantSCIM()},
		Proved: func(context.Context) (bool, error) { return c.scimProved(), nil },
	})
	if err != nil {
		return adminapi.Tenant{}, err
	}
	return c.journal.SCIM, c.note(func(j *journal) {
		j.SCIM = c.hand.endpoint
		j.pasted()
		j.Tokenless = false
	})
}

// DeleteTenant has a person disable automatic provisioning.
func (c *Center) DeleteTenant(ctx context.Context, _ string) error {
	err := c.do(ctx, Task{
		Title: "Disable automatic provisioning",
		Why:   "The tenant no longer writes to AWS. Users and groups stay.",
		Link:  c.settings(),
		Clicks: []string{
			"Identity source tab: Actions > Manage provisioning",
			"Under Access tokens, delete each (type DELETE)",
			"Disable, type DISABLE, and choose Disable automatic provisioning", "Type DONE below",
		},
		Copy:   "DISABLE",
		Wants:  []Want{c.word()},
		Proved: func(context.Context) (bool, error) { return c.saidSo(), nil },
	})
	if err != nil {
		return err
	}
	return c.note(func(j *journal) {
		j.SCIM, j.TokenAt = adminapi.Tenant{}, time.Time{}
		j.PastedAt, j.ReplacedAt = time.Time{}, time.Time{}
	})
}
