// Package graph is Microsoft Graph v1.0 on the wire: the resources that are needed to connect an
// enterprise application, the error body, OData pages, and a client that pages, retries and signs
// in. The tenant's Graph door and connect both speak it; the client works with the real Microsoft
// Graph as well.
//
// It holds no storage and no policy.
//
// It may import names.
package graph

import (
	"crypto/sha1" //nolint:gosec // a certificate's name; nothing rests on it
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Well-known ids. Sources: Microsoft Graph SAML and provisioning tutorials.
const (
	AWSTemplateID      = "21ed01d2-ec13-4e9e-86c1-cd546719ebc4" // gallery entry "AWS IAM Identity Center"
	AWSTemplateName    = "AWS IAM Identity Center (successor to AWS Single Sign-On)"
	AWSSyncTemplate    = "aWSSingleSignon"
	UserRoleID         = "8774f594-1d59-4279-b9d9-59ef09a23530" // the app role "User"
	MsiamAccessRoleID  = "e7f1a7f3-9eda-48e0-9963-bd67bf531afd"
	KeyBaseAddress     = "BaseAddress"
	KeySecretToken     = "SecretToken"
	KeySyncAll         = "SyncAll"
	KeyNotification    = "SyncNotificationSettings"
	KeySkipOutOfScope  = "SkipOutOfScopeDeletions"
	DirectoryUserType  = "#microsoft.graph.user"
	DirectoryGroupType = "#microsoft.graph.group"
)

// Page is one page of a collection.
type Page[T any] struct {
	Context  string `json:"@odata.context,omitempty"`
	Count    *int   `json:"@odata.count,omitempty"`
	NextLink string `json:"@odata.nextLink,omitempty"`
	Value    []T    `json:"value"`
}

// DeltaPage is one page of a delta query. The last one has the link to ask by the next time.
type DeltaPage[T any] struct {
	Context   string `json:"@odata.context,omitempty"`
	NextLink  string `json:"@odata.nextLink,omitempty"`
	DeltaLink string `json:"@odata.deltaLink,omitempty"`
	Value     []T    `json:"value"`
}

// Removed is in an object of a delta query that no longer exists: "changed" may come back,
// "deleted" never.
type Removed struct {
	Reason string `json:"reason"`
}

// MemberDelta is a member that came to a group, or left it.
type MemberDelta struct {
	ODataType string   `json:"@odata.type"`
	ID        string   `json:"id"`
	Removed   *Removed `json:"@removed,omitempty"`
}

// User is a person in the tenant.
type User struct {
	ODataType         string           `json:"@odata.type,omitempty"`
	ID                string           `json:"id,omitempty"`
	AccountEnabled    *bool            `json:"accountEnabled,omitempty"`
	DisplayName       string           `json:"displayName,omitempty"`
	GivenName         string           `json:"givenName,omitempty"`
	Surname           string           `json:"surname,omitempty"`
	UserPrincipalName string           `json:"userPrincipalName,omitempty"`
	Mail              string           `json:"mail,omitempty"`
	MailNickname      string           `json:"mailNickname,omitempty"`
	JobTitle          string           `json:"jobTitle,omitempty"`
	Department        string           `json:"department,omitempty"`
	EmployeeID        string           `json:"employeeId,omitempty"`
	MobilePhone       string           `json:"mobilePhone,omitempty"`
	BusinessPhones    []string         `json:"businessPhones,omitempty"`
	CompanyName       string           `json:"companyName,omitempty"`
	OfficeLocation    string           `json:"officeLocation,omitempty"`
	StreetAddress     string           `json:"streetAddress,omitempty"`
	City              string           `json:"city,omitempty"`
	State             string           `json:"state,omitempty"`
	PostalCode        string           `json:"postalCode,omitempty"`
	Country           string           `json:"country,omitempty"`
	UserType          string           `json:"userType,omitempty"`
	PreferredLanguage string           `json:"preferredLanguage,omitempty"`
	UsageLocation     string           `json:"usageLocation,omitempty"`
	Manager           *DirectoryObject `json:"manager,omitempty"` // only where it is expanded
	PasswordProfile   *PasswordProfile `json:"passwordProfile,omitempty"`

	// extensionAttribute1 to extensionAttribute15
	Extensions map[string]string `json:"onPremisesExtensionAttributes,omitempty"`
}

// PasswordProfile sets a password; it is never given back.
type PasswordProfile struct {
	Password                      string `json:"password,omitempty"`
	ForceChangePasswordNextSignIn *bool  `json:"forceChangePasswordNextSignIn,omitempty"`
}

// Group is a security group.
type Group struct {
	ODataType       string   `json:"@odata.type,omitempty"`
	ID              string   `json:"id,omitempty"`
	DisplayName     string   `json:"displayName,omitempty"`
	Description     string   `json:"description,omitempty"`
	MailEnabled     *bool    `json:"mailEnabled,omitempty"`
	MailNickname    string   `json:"mailNickname,omitempty"`
	SecurityEnabled *bool    `json:"securityEnabled,omitempty"`
	GroupTypes      []string `json:"groupTypes,omitempty"`
}

// DirectoryObject is a member of a group: a user or a group, told apart by its type.
type DirectoryObject struct {
	ODataType         string `json:"@odata.type"`
	ID                string `json:"id"`
	DisplayName       string `json:"displayName,omitempty"`
	UserPrincipalName string `json:"userPrincipalName,omitempty"`
}

// Reference names another object by its address.
type Reference struct {
	ID string `json:"@odata.id"`
}

// ApplicationTemplate is an entry of the application gallery.
type ApplicationTemplate struct {
	ID                         string   `json:"id"`
	DisplayName                string   `json:"displayName"`
	HomePageURL                string   `json:"homePageUrl,omitempty"`
	Publisher                  string   `json:"publisher,omitempty"`
	Description                string   `json:"description,omitempty"`
	Categories                 []string `json:"categories,omitempty"`
	SupportedSingleSignOnModes []string `json:"supportedSingleSignOnModes,omitempty"`
	SupportedProvisioningTypes []string `json:"supportedProvisioningTypes,omitempty"`
}

// Web is the web platform settings of an application.
type Web struct {
	RedirectURIs []string `json:"redirectUris"`
	HomePageURL  string   `json:"homePageUrl,omitempty"`
	LogoutURL    string   `json:"logoutUrl,omitempty"`
}

// AppRole is a role of an application.
type AppRole struct {
	ID                 string   `json:"id"`
	DisplayName        string   `json:"displayName"`
	Description        string   `json:"description"`
	IsEnabled          bool     `json:"isEnabled"`
	Origin             string   `json:"origin"`
	Value              *string  `json:"value"`
	AllowedMemberTypes []string `json:"allowedMemberTypes"`
}

// KeyCredential is a certificate of a service principal.
type KeyCredential struct {
	CustomKeyIdentifier string    `json:"customKeyIdentifier,omitempty"` // base64 of the SHA-1 of the certificate
	DisplayName         string    `json:"displayName,omitempty"`
	StartDateTime       time.Time `json:"startDateTime"`
	EndDateTime         time.Time `json:"endDateTime"`
	KeyID               string    `json:"keyId"`
	Type                string    `json:"type"`
	Usage               string    `json:"usage"`
	Key                 string    `json:"key,omitempty"`
	Thumbprint          string    `json:"thumbprint,omitempty"` // only in the answer of addTokenSigningCertificate
}

// SignsWith says whether the tenant can sign with the certificate that a credential verifies.
// Others are those of programs that sign in as the application.
func SignsWith(keys []KeyCredential, verifies KeyCredential) bool {
	return verifies.Usage == "Verify" && slices.ContainsFunc(keys, func(k KeyCredential) bool {
		return k.Usage == "Sign" && k.CustomKeyIdentifier == verifies.CustomKeyIdentifier
	})
}

// Application is the definition of an application in the tenant.
type Application struct {
	ID                    string     `json:"id,omitempty"`
	AppID                 string     `json:"appId,omitempty"`
	ApplicationTemplateID string     `json:"applicationTemplateId,omitempty"`
	DisplayName           string     `json:"displayName,omitempty"`
	IdentifierURIs        []string   `json:"identifierUris"`
	SignInAudience        string     `json:"signInAudience,omitempty"`
	AppRoles              []AppRole  `json:"appRoles,omitempty"`
	Web                   *Web       `json:"web,omitempty"`
	CreatedDateTime       *time.Time `json:"createdDateTime,omitempty"`
	TokenEncryptionKeyID  *string    `json:"tokenEncryptionKeyId,omitempty"`
	// ServiceManagementReference says to what of another system it belongs.
	ServiceManagementReference *string `json:"serviceManagementReference"`
	// KeyCredentials are the certificates that tokens are encrypted with.
	KeyCredentials      []KeyCredential      `json:"keyCredentials"`
	PasswordCredentials []PasswordCredential `json:"passwordCredentials"`

	RequiredResourceAccess []RequiredResourceAccess `json:"requiredResourceAccess,omitempty"`
}

// RequiredResourceAccess is what an application says that it needs of an API.
type RequiredResourceAccess struct {
	ResourceAppID  string           `json:"resourceAppId"`
	ResourceAccess []ResourceAccess `json:"resourceAccess"`
}

// ResourceAccess is one permission of an API: a Scope, or a Role.
type ResourceAccess struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// PasswordCredential is a secret of an application or a service principal. Its text is said once,
// when it is made.
type PasswordCredential struct {
	CustomKeyIdentifier *string   `json:"customKeyIdentifier"`
	DisplayName         *string   `json:"displayName"`
	EndDateTime         time.Time `json:"endDateTime"`
	Hint                string    `json:"hint"`
	KeyID               string    `json:"keyId"`
	SecretText          *string   `json:"secretText"`
	StartDateTime       time.Time `json:"startDateTime"`
}

// ServicePrincipal is the instance of an application in the tenant: what the portal calls an
// enterprise application.
type ServicePrincipal struct {
	ID                                 string          `json:"id,omitempty"`
	AppID                              string          `json:"appId,omitempty"`
	ApplicationTemplateID              string          `json:"applicationTemplateId,omitempty"`
	DisplayName                        string          `json:"displayName,omitempty"`
	AppDisplayName                     string          `json:"appDisplayName,omitempty"`
	LogoutURL                          *string         `json:"logoutUrl,omitempty"`
	SignInAudience                     string          `json:"signInAudience,omitempty"`
	AccountEnabled                     *bool           `json:"accountEnabled,omitempty"`
	AppRoleAssignmentRequired          *bool           `json:"appRoleAssignmentRequired,omitempty"`
	PreferredSingleSignOnMode          *string         `json:"preferredSingleSignOnMode"`
	LoginURL                           *string         `json:"loginUrl"`
	PreferredTokenSigningKeyThumbprint *string         `json:"preferredTokenSigningKeyThumbprint"`
	NotificationEmailAddresses         []string        `json:"notificationEmailAddresses"`
	ReplyURLs                          []string        `json:"replyUrls"`
	ServicePrincipalNames              []string        `json:"servicePrincipalNames"`
	ServicePrincipalType               string          `json:"servicePrincipalType,omitempty"`
	AppRoles                           []AppRole       `json:"appRoles,omitempty"`
	KeyCredentials                     []KeyCredential `json:"keyCredentials,omitempty"`
	// PasswordCredentials are those of the service principal, not of its application.
	PasswordCredentials []PasswordCredential `json:"passwordCredentials"`
	Tags                []string             `json:"tags,omitempty"`
}

// ApplicationServicePrincipal is the answer of instantiate.
type ApplicationServicePrincipal struct {
	Context          string           `json:"@odata.context,omitempty"`
	Application      Application      `json:"application"`
	ServicePrincipal ServicePrincipal `json:"servicePrincipal"`
}

// AppRoleAssignment gives a user or a group a role of an application.
type AppRoleAssignment struct {
	ID                   string     `json:"id,omitempty"`
	AppRoleID            string     `json:"appRoleId"`
	PrincipalID          string     `json:"principalId"`
	PrincipalType        string     `json:"principalType,omitempty"` // User or Group
	PrincipalDisplayName string     `json:"principalDisplayName,omitempty"`
	ResourceID           string     `json:"resourceId"`
	ResourceDisplayName  string     `json:"resourceDisplayName,omitempty"`
	CreatedDateTime      *time.Time `json:"createdDateTime,omitempty"`
}

// KeyValue is a synchronization secret or credential.
type KeyValue struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Secrets is the body of PUT …/synchronization/secrets.
type Secrets struct {
	Value []KeyValue `json:"value"`
}

// With adds to settings all others that are saved: a PUT replaces the whole list. What is masked
// stays out, since the mask would be saved.
func (s Secrets) With(settings ...KeyValue) Secrets {
	out := slices.Clone(settings)
	for _, saved := range s.Value {
		given := slices.ContainsFunc(settings, func(kv KeyValue) bool { return strings.EqualFold(kv.Key, saved.Key) })
		if !given && strings.Trim(saved.Value, "*") != "" {
			out = append(out, saved)
		}
	}
	return Secrets{out}
}

// ValidateCredentials is the body of validateCredentials, the portal's Test Connection.
type ValidateCredentials struct {
	UseSavedCredentials bool       `json:"useSavedCredentials"`
	TemplateID          string     `json:"templateId,omitempty"`
	Credentials         []KeyValue `json:"credentials,omitempty"`
}

// Restart is the body of a job's restart.
type Restart struct {
	Criteria struct {
		ResetScope string `json:"resetScope"`
	} `json:"criteria"`
}

// SynchronizationJob is a provisioning job.
type SynchronizationJob struct {
	ID         string    `json:"id,omitempty"`
	TemplateID string    `json:"templateId"`
	Schedule   *Schedule `json:"schedule,omitempty"`
	Status     *Status   `json:"status,omitempty"`
}

// Schedule says how often a job runs.
type Schedule struct {
	Interval string `json:"interval"` // ISO 8601
	State    string `json:"state"`    // Active, Disabled or Paused
}

// Status is how a job is doing.
type Status struct {
	// NotConfigured, NotRun, Active, Paused or Quarantine
	Code                               string        `json:"code"`
	CountSuccessiveCompleteFailures    int           `json:"countSuccessiveCompleteFailures"`
	LastExecution                      *Execution    `json:"lastExecution"`
	LastSuccessfulExecution            *Execution    `json:"lastSuccessfulExecution"`
	Progress                           []Progress    `json:"progress"`
	Quarantine                         *Quarantine   `json:"quarantine"`
	SteadyStateFirstAchievedTime       time.Time     `json:"steadyStateFirstAchievedTime"`
	SteadyStateLastAchievedTime        time.Time     `json:"steadyStateLastAchievedTime"`
	SynchronizedEntryCountByType       []CountByType `json:"synchronizedEntryCountByType"`
	LastSuccessfulExecutionWithExports *Execution    `json:"lastSuccessfulExecutionWithExports"`
	// InStep is our own: Microsoft's service does not say it.
	InStep *InStep `json:"gatehouseInStep,omitempty"`
}

// InStep says whether a job's target is known to have what the directory has.
type InStep struct {
	Equal      bool      `json:"equal"`
	Since      time.Time `json:"sinceDateTime"` // since when that is so
	Uncertain  int       `json:"uncertain"`     // objects whose last request has no answer
	Failing    int       `json:"failing"`
	Pending    int       `json:"pending"`          // changes that no cycle has looked at
	ComparedAt time.Time `json:"comparedDateTime"` // with what the target has; the year 1: never
}

// Execution is one cycle of a job.
type Execution struct {
	ActivityIdentifier string     `json:"activityIdentifier"`
	State              string     `json:"state"` // Succeeded, Failed or EntryLevelErrors
	TimeBegan          time.Time  `json:"timeBegan"`
	TimeEnded          time.Time  `json:"timeEnded"`
	Error              *ErrorInfo `json:"error"`
	CountEntitled      int        `json:"countEntitled"`
	CountEscrowed      int        `json:"countEscrowed"`
	CountExported      int        `json:"countExported"`
	CountImported      int        `json:"countImported"`
}

// ErrorInfo is the error of a cycle.
type ErrorInfo struct {
	Code             string `json:"code"`
	Message          string `json:"message"`
	TenantActionable bool   `json:"tenantActionable"`
}

// Progress is how far the running cycle has come.
type Progress struct {
	CompletedUnits          int       `json:"completedUnits"`
	TotalUnits              int       `json:"totalUnits"`
	Units                   string    `json:"units"`
	ProgressObservationTime time.Time `json:"progressObservationDateTime"`
}

// Quarantine says why a job is held back.
type Quarantine struct {
	Reason       string     `json:"reason"`
	Error        *ErrorInfo `json:"error"`
	CurrentBegan time.Time  `json:"currentBegan"`
	NextAttempt  time.Time  `json:"nextAttempt"`
}

// CountByType is how many objects of a type have been synchronized.
type CountByType struct {
	Key   string `json:"key"`
	Value int    `json:"value"`
}

// ProvisioningObjectSummary is an entry of the provisioning log. Source: provisioningObjectSummary
// resource type, as are its parts.
type ProvisioningObjectSummary struct {
	ID                     string             `json:"id"`
	ActivityDateTime       time.Time          `json:"activityDateTime"`
	TenantID               string             `json:"tenantId"`
	JobID                  string             `json:"jobId"`
	CycleID                string             `json:"cycleId"`
	ChangeID               string             `json:"changeId"`
	ProvisioningAction     string             `json:"provisioningAction"`
	DurationInMilliseconds int                `json:"durationInMilliseconds"`
	InitiatedBy            Initiator          `json:"initiatedBy"`
	ServicePrincipal       NamedObject        `json:"servicePrincipal"`
	SourceSystem           ProvisioningSystem `json:"sourceSystem"`
	TargetSystem           ProvisioningSystem `json:"targetSystem"`
	SourceIdentity         Identity           `json:"sourceIdentity"`
	TargetIdentity         Identity           `json:"targetIdentity"`
	StatusInfo             ProvisioningStatus `json:"provisioningStatusInfo"`
	Steps                  []ProvisioningStep `json:"provisioningSteps"`
	ModifiedProperties     []ModifiedProperty `json:"modifiedProperties"`
}

// Initiator is who began a change: the service itself, or somebody.
type Initiator struct {
	ID            string `json:"id"`
	DisplayName   string `json:"displayName"`
	InitiatorType string `json:"initiatorType"`
}

// NamedObject is an object by its id and its name.
type NamedObject struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
}

// ProvisioningSystem is the source or the target of a change.
type ProvisioningSystem struct {
	ID          string            `json:"id"`
	DisplayName string            `json:"displayName"`
	Details     map[string]string `json:"details"`
}

// ProvisioningStep is a step of a change: import, scoping, matching or export.
type ProvisioningStep struct {
	Name        string            `json:"name"`
	Type        string            `json:"provisioningStepType"`
	Status      string            `json:"status"` // success, failure, skipped or warning
	Description string            `json:"description"`
	Details     map[string]string `json:"details"`
}

// ModifiedProperty is an attribute of the target before and after; null where it had no value.
type ModifiedProperty struct {
	DisplayName string  `json:"displayName"`
	OldValue    *string `json:"oldValue"`
	NewValue    *string `json:"newValue"`
}

// ProvisioningStatus is the outcome of one change.
type ProvisioningStatus struct {
	Status           string            `json:"status"` // success, failure, skipped or warning
	ErrorInformation *ProvisioningFail `json:"errorInformation"`
}

// ProvisioningFail says why a change failed.
type ProvisioningFail struct {
	ErrorCode         string  `json:"errorCode"`
	Reason            string  `json:"reason"`
	ErrorCategory     string  `json:"errorCategory"`
	AdditionalDetails *string `json:"additionalDetails"`
	RecommendedAction *string `json:"recommendedAction"`
}

// Identity is an object of the source or the target in the provisioning log.
type Identity struct {
	ID           string            `json:"id"`
	DisplayName  string            `json:"displayName"`
	IdentityType string            `json:"identityType"`
	Details      map[string]string `json:"details"`
}

// ErrorBody is the body of every answer that is no success.
type ErrorBody struct {
	Error ErrorDetail `json:"error"`
}

// ErrorDetail is the error in an ErrorBody.
type ErrorDetail struct {
	Code       string     `json:"code"`
	Message    string     `json:"message"`
	InnerError InnerError `json:"innerError"`
}

// InnerError carries the ids that lead to the log.
type InnerError struct {
	Date            string `json:"date"`
	RequestID       string `json:"request-id"`
	ClientRequestID string `json:"client-request-id"`
}

// Batch is the body of POST /$batch.
type Batch struct {
	Requests []BatchRequest `json:"requests"`
}

// BatchRequest is one request of a batch. The URL is relative to the version's root.
type BatchRequest struct {
	ID        string            `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers,omitempty"`
	Body      json.RawMessage   `json:"body,omitempty"`
	DependsOn []string          `json:"dependsOn,omitempty"`
}

// BatchAnswer is the answer to a batch. Its responses are in any order.
type BatchAnswer struct {
	Responses []BatchResponse `json:"responses"`
}

// BatchResponse is the answer to one request of a batch.
type BatchResponse struct {
	ID      string            `json:"id"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
}

// Thumbprint is how a tenant names a certificate: the SHA-1 of its DER form, in upper-case
// hexadecimal.
func Thumbprint(der []byte) string {
	sum := sha1.Sum(der) //nolint:gosec // a name; nothing rests on it
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}
