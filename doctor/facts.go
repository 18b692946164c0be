package doctor

import (
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi/trail"
	"github.com/gatehouse-id/gatehouse/graph"
)

// Facts are what both sides say of themselves at one moment, in the words of the wire: Microsoft's
// on Entra's side, AWS's on the other. A side that nobody asked for is nil.
type Facts struct {
	Now   time.Time `json:"now"`
	Entra *Entra    `json:"entra,omitempty"`
	AWS   *AWS      `json:"aws,omitempty"`
	// Endpoints are the addresses that the two sides name, as they answered.
	Endpoints []Endpoint `json:"endpoints,omitempty"`
	// Profiles are those of the AWS configuration file that sign in by Identity Center.
	Profiles []Profile `json:"profiles,omitempty"`
	// Unread has a line for each source that did not answer.
	Unread map[Source]Unread `json:"unread,omitempty"`
}

// Unread says why a source could not be looked at.
type Unread struct {
	// Missing is the permission that would open it. It is empty where no public API has the facts.
	Missing string `json:"missing,omitempty"`
	Reason  string `json:"reason"`
	Do      string `json:"do,omitempty"` // what to do, where that is known
	// Behind is the source without which this one could not be asked. It is told of that one alone.
	Behind Source `json:"behind,omitempty"`
}

// Entra is what Microsoft Graph says. The maps are by service principal, or by job.
type Entra struct {
	// AdminURL is the admin center's address; empty: it is not Microsoft's, and has no such pages.
	AdminURL          string                                 `json:"adminCenter,omitempty"`
	TenantID          string                                 `json:"tenantId"`
	VerifiedDomains   []string                               `json:"verifiedDomains,omitempty"`
	SubscribedSkus    []SKU                                  `json:"subscribedSkus,omitempty"`
	Applications      []graph.Application                    `json:"applications,omitempty"`
	ServicePrincipals []graph.ServicePrincipal               `json:"servicePrincipals,omitempty"`
	Assigned          []graph.AppRoleAssignment              `json:"appRoleAssignedTo,omitempty"`
	Jobs              map[string][]graph.SynchronizationJob  `json:"jobs,omitempty"`
	Schemas           map[string]graph.SynchronizationSchema `json:"schemas,omitempty"`
	Secrets           map[string][]graph.KeyValue            `json:"secrets,omitempty"`
	ClaimsPolicies    map[string][]ClaimsPolicy              `json:"claimsMappingPolicies,omitempty"`
	CustomClaims      map[string]CustomClaims                `json:"claimsPolicy,omitempty"`
	Metadata          map[string]Metadata                    `json:"federationMetadata,omitempty"`
	TenantMetadata    *Metadata                              `json:"tenantFederationMetadata,omitempty"`
	Users             []DirectoryUser                        `json:"users,omitempty"`
	Deleted           []DirectoryUser                        `json:"deletedUsers,omitempty"`
	Groups            []graph.Group                          `json:"groups,omitempty"`
	Members           *Roster                                `json:"members,omitempty"`
	Provisioning      []graph.ProvisioningObjectSummary      `json:"provisioningLog,omitempty"`
	SignIns           []SignIn                               `json:"signIns,omitempty"`
	Connections       []Connection                           `json:"objectConnections,omitempty"`
	Audits            []Audit                                `json:"directoryAudits,omitempty"`
	Dynamic           map[string]string                      `json:"dynamicGroups,omitempty"`
	EligibleMembers   map[string][]string                    `json:"eligibleMembers,omitempty"`
	Consent           *Consent                               `json:"consent,omitempty"`
}

// Consent is which permissions of Graph the program that looks was registered with, and which of
// them an administrator granted. Source: application, requiredResourceAccess; appRoleAssignment.
type Consent struct {
	AppID    string   `json:"appId"`
	Required []string `json:"required"`
	Granted  []string `json:"granted"`
}

// SKU is a subscription. Source: subscribedSku resource type.
type SKU struct {
	SKUPartNumber    string `json:"skuPartNumber"`
	CapabilityStatus string `json:"capabilityStatus,omitempty"`
	ServicePlans     []struct {
		ServicePlanName string `json:"servicePlanName"`
	} `json:"servicePlans,omitempty"`
}

// ClaimsPolicy is a claims mapping policy that a service principal was given.
type ClaimsPolicy struct {
	ID          string   `json:"id"`
	DisplayName string   `json:"displayName,omitempty"`
	Definition  []string `json:"definition"`
}

// CustomClaims is the policy behind the portal's Attributes & Claims.
type CustomClaims = graph.CustomClaims

// Metadata is what federation metadata says: the issuer, and the SHA-256 of each certificate.
type Metadata struct {
	EntityID    string   `json:"entityId"`
	SignInURL   string   `json:"signInUrl,omitempty"`
	Thumbprints []string `json:"thumbprints"`
}

// SignIn is an entry of the sign-in log. Source: signIn resource type.
type SignIn struct {
	CreatedDateTime         time.Time `json:"createdDateTime"`
	UserPrincipalName       string    `json:"userPrincipalName"`
	UserID                  string    `json:"userId,omitempty"`
	AppID                   string    `json:"appId,omitempty"`
	AppDisplayName          string    `json:"appDisplayName,omitempty"`
	IPAddress               string    `json:"ipAddress,omitempty"`
	ConditionalAccessStatus string    `json:"conditionalAccessStatus,omitempty"`
	Status                  struct {
		ErrorCode     int    `json:"errorCode"`
		FailureReason string `json:"failureReason,omitempty"`
	} `json:"status"`
}

// Audit is an entry of the directory's audit log. Source: directoryAudit resource type.
type Audit struct {
	ActivityDateTime    time.Time `json:"activityDateTime"`
	ActivityDisplayName string    `json:"activityDisplayName"`
	TargetResources     []struct {
		ID string `json:"id"`
	} `json:"targetResources"`
}

// Connection is which object of the target a job matched with an object of the directory.
type Connection struct {
	SourceID string `json:"sourceId"`
	TargetID string `json:"targetId"`
}

// AWS is what the center's side says. Its fields have the names of AWS's own outputs.
type AWS struct {
	Region          string // that was asked
	Endpoint        string `json:",omitempty"` // that stands for all of AWS, such as AWS_ENDPOINT_URL's
	Caller          Caller
	Organization    *Organization
	Instances       []Instance
	IdentityStoreID string   `json:"IdentityStoreId,omitempty"`
	Network         *Network `json:"NetworkConfiguration,omitempty"`
	// what AWS shows only in its console, and a Gatehouse center by its API
	Directory      *adminapi.Directory       `json:",omitempty"`
	SP             *adminapi.ServiceProvider `json:"ServiceProvider,omitempty"`
	Configurations []adminapi.Configuration  `json:",omitempty"`
	Certificates   []adminapi.Certificate    `json:",omitempty"`
	Tenants        []adminapi.Tenant         `json:",omitempty"`
	Tokens         []adminapi.BearerToken    `json:"BearerTokens,omitempty"`

	Users       []User
	Groups      []Group
	Memberships *Roster `json:"GroupMemberships"`

	PermissionSets []PermissionSet
	Assignments    []Assignment `json:"AccountAssignments"`
	Failed         []Request    `json:"FailedRequests,omitempty"`
	Accounts       []Account
	Events         []trail.Event `json:"CloudTrailEvents,omitempty"`
	Probe          *Probe        `json:"ScimProbe,omitempty"`
	// Explained is what a Gatehouse center recorded under the reference that was asked about.
	Explained       []adminapi.Event `json:",omitempty"`
	ControlPolicies []string         `json:",omitempty"` // names of SCPs that deny what Identity Center needs
}

// Caller is who asks. Source: sts GetCallerIdentity.
type Caller struct{ Account, Arn string }

// Organization is the organization of the caller's account.
type Organization struct {
	MasterAccountID string   `json:"MasterAccountId"`
	Delegated       []string `json:"DelegatedAdministrators,omitempty"`
}

// Instance is an instance of IAM Identity Center. Source: sso-admin DescribeInstance.
type Instance struct {
	InstanceArn, OwnerAccountID, Status, StatusReason string
	IdentityStoreID                                   string `json:"IdentityStoreId"`
	PrimaryRegion                                     string
	Regions                                           []string
	Encryption                                        *Encryption `json:"EncryptionConfigurationDetails,omitempty"`
	PermissionSetsEnabled                             *bool
}

// Encryption is the key that the instance's data is encrypted with.
type Encryption struct {
	KeyType, KmsKeyArn, EncryptionStatus, EncryptionStatusReason string
}

// Network is the network controls of an identity store or an instance.
type Network struct {
	VpceAccessRequired    *bool
	APIAllowSourceIPs     []string `json:"ApiAllowSourceIps,omitempty"`
	APIRestrictSourceVPCs []string `json:"ApiRestrictSourceVpcs,omitempty"`
	SCIMAllowSourceIPs    []string `json:"ScimAllowSourceIps,omitempty"`
}

// User is a user of the identity store.
type User struct {
	UserID      string `json:"UserId"`
	UserName    string
	DisplayName string
	Name        unasked
	Emails      []Email
	ExternalIDs []ExternalID `json:"ExternalIds,omitempty"`
	UserStatus  string
	CreatedBy   string     `json:",omitempty"`
	CreatedAt   *time.Time `json:",omitempty"`
}

// unasked is what no check asks for.
type unasked struct{}

// UnmarshalJSON takes anything.
func (*unasked) UnmarshalJSON([]byte) error { return nil }

// Email is an address of a user.
type Email struct {
	Value   string
	Primary unasked
}

// ExternalID is the identifier that a provider of identities has for a user or a group.
type ExternalID struct {
	Issuer string
	ID     string `json:"Id"`
}

// Group is a group of the identity store.
type Group struct {
	GroupID     string `json:"GroupId"`
	DisplayName string
	ExternalIDs []ExternalID `json:"ExternalIds,omitempty"`
	CreatedAt   *time.Time   `json:",omitempty"`
}

// PermissionSet is a permission set, with the accounts whose role is not what it says.
type PermissionSet struct {
	PermissionSetArn, Name string
	CustomerManaged        []string `json:"CustomerManagedPolicyReferences,omitempty"`
	Provisioned            []string `json:"ProvisionedAccounts,omitempty"`
	Outdated               []string `json:"OutdatedAccounts,omitempty"`
}

// Assignment is a permission set that a principal has in an account.
type Assignment struct {
	AccountID        string `json:"AccountId"`
	PermissionSetArn string
	PrincipalType    string // USER or GROUP
	PrincipalID      string `json:"PrincipalId"`
}

// Request is a request for an assignment or for provisioning that failed.
type Request struct {
	Status, FailureReason string
	PermissionSetArn      string
	AccountID             string `json:"AccountId"`
	PrincipalID           string `json:"PrincipalId,omitempty"`
	CreatedDate           time.Time
}

// Account is an AWS account of the organization.
type Account struct {
	ID           string `json:"Id"`
	Name, Status string
}

// Probe is what the SCIM service answered to GET ServiceProviderConfig and a search for nobody,
// with the token that the operator gave.
type Probe struct {
	URL    string
	Status int    // of the answer
	Detail string `json:",omitempty"`
}

// Endpoint is an address as it answered.
type Endpoint struct {
	URL      string    `json:"url"`
	Error    string    `json:"error,omitempty"` // of DNS, of the connection or of TLS
	NotAfter time.Time `json:"notAfter"`        // of its certificate
	Date     time.Time `json:"date"`            // by its clock
	Asked    time.Time `json:"asked"`           // by ours
}

// Profile is a profile of the AWS configuration file.
type Profile struct {
	Name      string `json:"name"`
	StartURL  string `json:"sso_start_url"`
	Region    string `json:"sso_region"`
	AccountID string `json:"sso_account_id,omitempty"`
	RoleName  string `json:"sso_role_name,omitempty"`
}
