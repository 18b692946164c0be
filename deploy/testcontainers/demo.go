package gatehouse

// Demo says how to reach both halves of a pair, and who and what is there. It is the JSON of
// gatehouse demo --json, an interface that docs/demo.md describes: fields are added, never changed
// or removed.
type Demo struct {
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
// AWS CLI with the profile gatehouse, which signs in at the portal. It is in the container.
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
