package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/awsconfig"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// Output says how to reach both halves of a pair, and who and what is there. It is the JSON of
// gatehouse demo --json, an interface that docs/demo.md describes: fields are added, never changed
// or removed.
type Output struct {
	Center   Center    `json:"center"`
	AWS      AWS       `json:"aws"`
	Admin    Admin     `json:"admin"`
	Tenant   Tenant    `json:"tenant"`
	People   []Person  `json:"people"`
	Accounts []Account `json:"accounts"`
}

// Center is where the center is. The SCIM endpoint and its token are empty until the two are
// connected.
type Center struct {
	URL             string `json:"url"`
	PortalURL       string `json:"portal_url"`
	ConsoleURL      string `json:"console_url"`
	SCIMEndpoint    string `json:"scim_endpoint"`
	SCIMToken       string `json:"scim_token"`
	InstanceARN     string `json:"instance_arn"`
	IdentityStoreID string `json:"identity_store_id"`
	Region          string `json:"region"`
	AccountID       string `json:"account_id"`
}

// AWS is what an AWS SDK or the AWS CLI is to be told. ConfigFile is a configuration file of the
// AWS CLI with the profile gatehouse, which signs in at the portal.
type AWS struct {
	EndpointURL     string `json:"endpoint_url"`
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
	Region          string `json:"region"`
	ConfigFile      string `json:"config_file"`
}

// Admin is the administrator of the console and of the admin center.
type Admin struct {
	UserName string `json:"user_name"`
	Password string `json:"password"`
}

// Tenant is where the tenant is, with a client for Microsoft Graph. The ids of the application, its
// service principal and its job are empty until the two are connected.
type Tenant struct {
	URL                string `json:"url"`
	TenantID           string `json:"tenant_id"`
	GraphURL           string `json:"graph_url"`
	TokenURL           string `json:"token_url"`
	ClientID           string `json:"client_id"`
	ClientSecret       string `json:"client_secret"`
	AdminCenterURL     string `json:"admin_center_url"`
	ApplicationID      string `json:"application_id"`
	ServicePrincipalID string `json:"service_principal_id"`
	JobID              string `json:"job_id"`
}

// Person is somebody of the company, who signs in at the tenant.
type Person struct {
	UserName    string   `json:"user_name"`
	Password    string   `json:"password"`
	DisplayName string   `json:"display_name"`
	Active      bool     `json:"active"`
	Groups      []string `json:"groups"`
	// CenterUserID is the person's user at the center; empty for somebody who is not there, as one
	// without a last name.
	CenterUserID string `json:"center_user_id"`
}

// Account is an AWS account, with the permission sets that somebody has there.
type Account struct {
	ID    string   `json:"id"`
	Name  string   `json:"name"`
	Roles []string `json:"roles"`
}

//bound:list people in the demo's JSON
const maxListed = 10_000 // people in the JSON

// Describe says what the pair is. state is that of the plan by which it was connected, or empty.
func (k Keys) Describe(
	ctx context.Context, c *center.Center, t *tenant.Tenant, state connect.State, configFile string,
) (Output, error) {
	i := c.Instance
	out := Output{
		Center: Center{
			URL:             c.URL,
			PortalURL:       c.PortalURL(),
			ConsoleURL:      c.ConsoleURL(),
			SCIMEndpoint:    state.SCIM.ScimEndpoint,
			SCIMToken:       k.SCIMToken,
			InstanceARN:     i.ARN,
			IdentityStoreID: i.IdentityStoreID,
			Region:          i.Region,
			AccountID:       i.OwnerAccountID,
		},
		AWS: AWS{
			EndpointURL:     c.URL,
			AccessKeyID:     k.AccessKeyID,
			SecretAccessKey: k.SecretAccessKey,
			Region:          i.Region,
			ConfigFile:      configFile,
		},
		Admin: Admin{AdminName, k.AdminPassword},
		Tenant: Tenant{
			URL:                t.URL,
			TenantID:           t.Organization.ID,
			GraphURL:           t.GraphURL(),
			TokenURL:           t.TokenURL(),
			ClientID:           k.ClientID,
			ClientSecret:       k.ClientSecret,
			AdminCenterURL:     t.AdminCenterURL(),
			ApplicationID:      state.Application.ID,
			ServicePrincipalID: state.Principal.ID,
			JobID:              state.Job.ID,
		},
	}
	var err error
	if out.People, err = k.people(ctx, c, t); err != nil {
		return Output{}, err
	}
	if out.Accounts, err = accountsOf(ctx, c); err != nil {
		return Output{}, err
	}
	return out, nil
}

// people lists the company by user name: the order is the same in each demo, although ids differ.
func (k Keys) people(ctx context.Context, c *center.Center, t *tenant.Tenant) ([]Person, error) {
	people := []Person{}
	err := t.Store.View(ctx, func(r tenant.Reader) error {
		people = people[:0]
		users, err := r.Users(tenant.Query{Limit: maxListed})
		if err != nil {
			return err
		}
		names := map[string]string{}
		for _, u := range users {
			p := Person{
				UserName:    u.UserPrincipalName,
				Password:    k.PersonPassword,
				DisplayName: u.DisplayName,
				Active:      u.Enabled,
				Groups:      []string{},
			}
			in, err := r.MemberOf(tenant.PrincipalID(u.ID))
			if err != nil {
				return err
			}
			for _, m := range in {
				if names[string(m.GroupID)] == "" {
					g, err := r.Group(m.GroupID)
					if err != nil {
						return err
					}
					names[string(m.GroupID)] = g.DisplayName
				}
				p.Groups = append(p.Groups, names[string(m.GroupID)])
			}
			people = append(people, p)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(people, func(a, b Person) int { return strings.Compare(a.UserName, b.UserName) })
	for i := range people {
		u, err := c.UserByName(ctx, people[i].UserName)
		if err != nil && refusal.CodeOf(err) != center.UserNotFound {
			return nil, err
		}
		people[i].CenterUserID = string(u.ID)
	}
	return people, nil
}

// accountsOf names, for each account, the permission sets that somebody has there.
func accountsOf(ctx context.Context, c *center.Center) ([]Account, error) {
	accounts, err := c.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	list := []Account{}
	for _, a := range accounts {
		out := Account{a.ID, a.Name, []string{}}
		assigned, err := c.Assignments(ctx, center.AssignmentQuery{AccountID: a.ID})
		if err != nil {
			return nil, err
		}
		seen := map[string]bool{}
		for _, x := range assigned {
			if seen[x.PermissionSetARN] {
				continue
			}
			seen[x.PermissionSetARN] = true
			p, err := c.PermissionSet(ctx, x.PermissionSetARN)
			if err != nil {
				return nil, err
			}
			out.Roles = append(out.Roles, p.Name)
		}
		list = append(list, out)
	}
	return list, nil
}

// AWSConfig is a configuration file of the AWS CLI with a profile that signs in at the center. The
// role is one of Amara Okafor's, or will be when she is there.
func AWSConfig(ctx context.Context, c *center.Center, domain string) (string, error) {
	account, role := accounts[len(accounts)-1].ID, permissionSets[0].name
	u, err := c.UserByName(ctx, "amara.okafor@"+domain)
	if err == nil {
		var access []center.AccountAccess
		access, err = c.Access(ctx, center.AccessQuery{User: u.ID, ByName: true, Limit: 1})
		if len(access) > 0 && len(access[0].PermissionSets) > 0 {
			account, role = access[0].Account.ID, access[0].PermissionSets[0].Name
		}
	}
	if err != nil && refusal.CodeOf(err) != center.UserNotFound {
		return "", err
	}
	session := c.CLISession("sts", "identitystore", "sso_admin")
	profile := awsconfig.Profile{Name: "gatehouse", AccountID: account, RoleName: role}
	return awsconfig.Text(session, []awsconfig.Profile{profile}), nil
}

// Membership is the walk's step 7 with real ids: a command of the AWS CLI that makes somebody of
// one group a member of another.
type Membership struct{ User, Group, Command string }

// MembershipCommand is that command. It is empty while they are not there.
func MembershipCommand(ctx context.Context, c *center.Center, domain string) (m Membership, err error) {
	g, err := c.GroupByName(ctx, "Finance")
	if refusal.CodeOf(err) == center.GroupNotFound {
		return m, nil
	}
	if err != nil {
		return m, err
	}
	u, err := c.UserByName(ctx, "mei.tanaka@"+domain)
	if refusal.CodeOf(err) == center.UserNotFound {
		return m, nil
	}
	m.User, m.Group = u.DisplayName, g.DisplayName
	m.Command = fmt.Sprintf(
		"  aws --endpoint-url $AWS_ENDPOINT_URL identitystore create-group-membership --identity-store-id %s \\\n "+
			"   --group-id %s --member-id UserId=%s\n",
		c.Instance.IdentityStoreID, g.ID, u.ID,
	)
	return m, err
}
