package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"text/tabwriter"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/connect"
	company "github.com/gatehouse-id/gatehouse/demo"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// The JSON of gatehouse demo --json. It is an interface, described in docs/demo.md: fields are
// added, never changed or removed.
type (
	demoOutput struct {
		Center   demoCenter    `json:"center"`
		AWS      demoAWS       `json:"aws"`
		Admin    demoAdmin     `json:"admin"`
		Tenant   demoTenant    `json:"tenant"`
		People   []demoPerson  `json:"people"`
		Accounts []demoAccount `json:"accounts"`
	}
	demoCenter struct {
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
	demoAWS struct {
		EndpointURL     string `json:"endpoint_url"`
		AccessKeyID     string `json:"access_key_id"`
		SecretAccessKey string `json:"secret_access_key"`
		Region          string `json:"region"`
		ConfigFile      string `json:"config_file"`
	}
	demoAdmin struct {
		UserName string `json:"user_name"`
		Password string `json:"password"`
	}
	demoTenant struct {
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
	demoPerson struct {
		UserName    string   `json:"user_name"`
		Password    string   `json:"password"`
		DisplayName string   `json:"display_name"`
		Active      bool     `json:"active"`
		Groups      []string `json:"groups"`
	}
	demoAccount struct {
		ID    string   `json:"id"`
		Name  string   `json:"name"`
		Roles []string `json:"roles"`
	}
)

func (d *demo) printJSON(ctx context.Context, s connect.State) error {
	i := d.center.Instance
	out := demoOutput{
		Center: demoCenter{
			d.center.URL, d.center.PortalURL(), d.center.ConsoleURL(), s.SCIM.ScimEndpoint, d.secrets.SCIMToken,
			i.ARN, i.IdentityStoreID, i.Region, i.OwnerAccountID,
		},
		AWS:   demoAWS{d.center.URL, d.secrets.AccessKeyID, d.secrets.SecretAccessKey, i.Region, d.configFile()},
		Admin: demoAdmin{company.AdminName, d.secrets.AdminPassword},
		Tenant: demoTenant{
			d.tenant.URL, d.tenant.Organization.ID, d.tenant.GraphURL(), d.tenant.TokenURL(), d.secrets.ClientID,
			d.secrets.ClientSecret, d.tenant.AdminCenterURL(), s.Application.ID, s.Principal.ID, s.Job.ID,
		},
	}
	var err error
	if out.People, err = d.listPeople(ctx); err != nil {
		return err
	}
	if out.Accounts, err = d.listAccounts(ctx); err != nil {
		return err
	}
	return json.NewEncoder(d.w.out).Encode(out)
}

func (d *demo) listPeople(ctx context.Context) ([]demoPerson, error) {
	people := []demoPerson{}
	err := d.tenant.Store.View(ctx, func(r tenant.Reader) error {
		people = people[:0]
		users, err := r.Users(tenant.Query{Limit: maxListed})
		if err != nil {
			return err
		}
		names := map[string]string{}
		for _, u := range users {
			p := demoPerson{u.UserPrincipalName, d.secrets.PersonPassword, u.DisplayName, u.Enabled, []string{}}
			in, err := r.MemberOf(u.ID)
			if err != nil {
				return err
			}
			for _, m := range in {
				if names[m.GroupID] == "" {
					g, err := r.Group(m.GroupID)
					if err != nil {
						return err
					}
					names[m.GroupID] = g.DisplayName
				}
				p.Groups = append(p.Groups, names[m.GroupID])
			}
			people = append(people, p)
		}
		return nil
	})
	return people, err
}

// listAccounts names, for each account, the permission sets that somebody has there.
func (d *demo) listAccounts(ctx context.Context) ([]demoAccount, error) {
	accounts, err := d.center.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	list := []demoAccount{}
	for _, a := range accounts {
		out := demoAccount{a.ID, a.Name, []string{}}
		assigned, err := d.center.Assignments(ctx, center.AssignmentQuery{AccountID: a.ID})
		if err != nil {
			return nil, err
		}
		seen := map[string]bool{}
		for _, x := range assigned {
			if seen[x.PermissionSetARN] {
				continue
			}
			seen[x.PermissionSetARN] = true
			p, err := d.center.PermissionSet(ctx, x.PermissionSetARN)
			if err != nil {
				return nil, err
			}
			out.Roles = append(out.Roles, p.Name)
		}
		list = append(list, out)
	}
	return list, nil
}

// printPage ends the walk: where to go, who can sign in, and what to type.
func (d *demo) printPage(ctx context.Context, s connect.State, failures []connect.Failure) error {
	out, i := d.w.out, d.center.Instance
	membershipCommand, err := d.membershipCommand(ctx)
	if err != nil {
		return err
	}
	for _, f := range failures {
		fmt.Fprintf(out, " ! %s was not provisioned: %s\n", inline(f.Name), inline(f.Reason))
	}
	fmt.Fprintln(out)
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(
		t, "Access portal\t%s\tamara.okafor@%s / %s\n", d.center.PortalURL(), d.tenant.Organization.Domain,
		d.secrets.PersonPassword,
	)
	fmt.Fprintf(t, "\t\tEveryone in the company has this password.\n")
	fmt.Fprintf(t, "Console\t%s\t%s / %s\n", d.center.ConsoleURL(), company.AdminName, d.secrets.AdminPassword)
	fmt.Fprintf(t, "Admin center\t%s\tthe same\n", d.tenant.AdminCenterURL())
	fmt.Fprintf(t, "Mail\t%s\twhat would be sent\n", d.center.URL+outboxPath)
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, `
On the command line:

  export AWS_ACCESS_KEY_ID=%s
  export AWS_SECRET_ACCESS_KEY=%s
  export AWS_REGION=%s
  export AWS_ENDPOINT_URL=%s

  aws --endpoint-url $AWS_ENDPOINT_URL sso-admin list-instances
  aws --endpoint-url $AWS_ENDPOINT_URL identitystore list-users --identity-store-id %s --query 'Users[].UserName'
%s
As a person, with the AWS CLI 2.13 or later:

  export AWS_CONFIG_FILE=%s
  aws sso login --profile gatehouse
  aws sts get-caller-identity --profile gatehouse
`, d.secrets.AccessKeyID, d.secrets.SecretAccessKey, i.Region, d.center.URL, i.IdentityStoreID, membershipCommand,
		d.configFile())
	if s.SCIM.ScimEndpoint == "" {
		fmt.Fprintf(out, `
Connect them by hand in the two consoles, or with:

  GATEHOUSE_CLIENT_SECRET=%s \
  gatehouse connect --center-url %s --graph-url %s --login-url %s/%s \
    --client-id %s --group "Platform Engineering" --group Engineering
`, d.secrets.ClientSecret, d.center.URL, d.tenant.GraphURL(), d.tenant.URL, d.tenant.Organization.ID,
			d.secrets.ClientID)
	}
	fmt.Fprintln(out, "\nCtrl-C stops it.")
	return nil
}

// configFile is where the demo writes a configuration of the AWS CLI for people.
func (d *demo) configFile() string { return filepath.Join(d.data, "aws-config") }

// writeConfig writes a profile that signs in at this center. The start URL is the portal's in AWS's
// form, since the demo has no TLS, which the CLI demands of any other. The role is one of Amara
// Okafor's.
func (d *demo) writeConfig(ctx context.Context) error {
	account, role := "ACCOUNT", "ROLE" // before there is anybody
	u, err := d.center.UserByName(ctx, "amara.okafor@"+d.tenant.Organization.Domain)
	if err == nil {
		var access []center.AccountAccess
		if access, err = d.center.Access(ctx, center.AccessQuery{User: u.ID, ByName: true, Limit: 1}); len(
			access,
		) > 0 &&
			len(access[0].PermissionSets) > 0 {
			account, role = access[0].Account.ID, access[0].PermissionSets[0].Name
		}
	}
	if err != nil && refusal.CodeOf(err) != center.UserNotFound {
		return err
	}
	region, endpoint := d.center.Instance.Region, d.center.URL
	text := fmt.Sprintf(`[sso-session gatehouse]
sso_start_url = %s
sso_region = %s
sso_registration_scopes = sso:account:access

[profile gatehouse]
sso_session = gatehouse
sso_account_id = %s
sso_role_name = %s
region = %s
services = gatehouse

[services gatehouse]
`, d.center.AWSStartURL(), region, account, role, region)
	for _, service := range []string{"sso", "sso_oidc", "sts", "identitystore", "sso_admin"} {
		text += service + " =\n  endpoint_url = " + endpoint + "\n"
	}
	return authn.WritePrivate(d.configFile(), []byte(text))
}

// membershipCommand is the walk's step 7 with real ids: it makes somebody of one group a member of
// another. Nothing while they are not there.
func (d *demo) membershipCommand(ctx context.Context) (string, error) {
	g, err := d.center.GroupByName(ctx, "Finance")
	if refusal.CodeOf(err) == center.GroupNotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	u, err := d.center.UserByName(ctx, "mei.tanaka@"+d.tenant.Organization.Domain)
	if refusal.CodeOf(err) == center.UserNotFound {
		return "", nil
	}
	return fmt.Sprintf(
		"  aws --endpoint-url $AWS_ENDPOINT_URL identitystore create-group-membership --identity-store-id %s \\\n "+
			"   --group-id %s --member-id UserId=%s     # %s joins %s\n",
		d.center.Instance.IdentityStoreID, g.ID, u.ID, u.DisplayName, g.DisplayName,
	), err
}
