// Package cloudtrail writes a center's events as records of AWS CloudTrail, with AWS's sources and
// names of events, so that what reads those of IAM Identity Center reads these.
//
// Sources: CloudTrail User Guide, "CloudTrail record contents"; IAM Identity Center User Guide,
// "Logging IAM Identity Center API calls with AWS CloudTrail" and "Logging SCIM API calls".
//
// It may import audit, audit/chain and center.
package cloudtrail

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/audit/chain"
	"github.com/gatehouse-id/gatehouse/center"
)

// Record is a record of CloudTrail.
type Record struct {
	EventVersion     string            `json:"eventVersion"`
	UserIdentity     Identity          `json:"userIdentity"`
	EventTime        string            `json:"eventTime"`
	EventSource      string            `json:"eventSource"`
	EventName        string            `json:"eventName"`
	AWSRegion        string            `json:"awsRegion"`
	SourceIPAddress  string            `json:"sourceIPAddress"`
	UserAgent        string            `json:"userAgent"`
	ErrorCode        string            `json:"errorCode,omitempty"`
	ErrorMessage     string            `json:"errorMessage,omitempty"`
	Request          map[string]string `json:"requestParameters"`
	Response         map[string]string `json:"responseElements"`
	Additional       map[string]string `json:"additionalEventData,omitempty"`
	RequestID        string            `json:"requestID,omitempty"`
	EventID          string            `json:"eventID"`
	ReadOnly         bool              `json:"readOnly"`
	EventType        string            `json:"eventType"`
	ManagementEvent  bool              `json:"managementEvent"`
	RecipientAccount string            `json:"recipientAccountId"`
	ServiceDetails   map[string]string `json:"serviceEventDetails,omitempty"`
	EventCategory    string            `json:"eventCategory"`
}

// Identity is who asked. Source: CloudTrail User Guide, "CloudTrail userIdentity element"; the user
// of an identity center is IdentityCenterUser (AWS Security Blog, "Modifications to AWS CloudTrail
// event data of IAM Identity Center").
type Identity struct {
	Type        string      `json:"type"`
	AccountID   string      `json:"accountId,omitempty"`
	AccessKeyID string      `json:"accessKeyId,omitempty"`
	UserName    string      `json:"userName,omitempty"`
	InvokedBy   string      `json:"invokedBy,omitempty"`
	OnBehalfOf  *OnBehalfOf `json:"onBehalfOf,omitempty"`
}

// OnBehalfOf is the user of an identity store.
type OnBehalfOf struct {
	UserID           string `json:"userId,omitempty"`
	IdentityStoreARN string `json:"identityStoreArn"`
}

// The sources of events.
const (
	ssoSource       = "sso.amazonaws.com"
	oauthSource     = "sso-oauth.amazonaws.com"
	storeSource     = "identitystore.amazonaws.com"
	directorySource = "sso-directory.amazonaws.com"
	scimSource      = "identitystore-scim.amazonaws.com"
	signInSource    = "signin.amazonaws.com"
	stsSource       = "sts.amazonaws.com"
	iamSource       = "iam.amazonaws.com"
	accountSource   = "account-access.amazonaws.com"
	ownSource       = "gatehouse" // of what AWS has no event for
)

// The types of events.
const (
	apiCall       = "AwsApiCall"
	consoleSignIn = "AwsConsoleSignIn"
	serviceEvent  = "AwsServiceEvent"
)

// Format writes the events of an instance.
func Format(i center.Instance) func(chain.Parcel) ([]byte, error) {
	return func(p chain.Parcel) ([]byte, error) {
		var e audit.Event
		if err := json.Unmarshal([]byte(p.Line.Doc), &e); err != nil {
			return nil, fmt.Errorf("the event at position %d: %w", p.Position, err)
		}
		r := Of(i, e)
		if r.Additional == nil {
			r.Additional = map[string]string{}
		}
		r.Additional["position"] = fmt.Sprint(p.Position)
		r.Additional["hash"] = p.Hash
		return json.Marshal(r)
	}
}

// Of is an event of an instance as a record.
func Of(i center.Instance, e audit.Event) Record {
	source, name, kind := origin(e)
	r := Record{
		EventVersion: "1.11", UserIdentity: identity(i, e), EventTime: e.Time.UTC().Format(time.RFC3339),
		EventSource: source, EventName: name, AWSRegion: i.Region, SourceIPAddress: e.Actor.Address,
		UserAgent: "Gatehouse", RequestID: e.Actor.RequestID, EventID: e.ID, EventType: kind, ManagementEvent: true,
		RecipientAccount: i.OwnerAccountID, EventCategory: "Management",
	}
	if r.SourceIPAddress == "" {
		r.SourceIPAddress = ownSource
	}
	if e.Subject != "" {
		r.Request = map[string]string{"subject": e.Subject}
	}
	outcome := "Success"
	if e.Result == audit.Refused {
		outcome = "Failure"
		r.ErrorCode, r.ErrorMessage = e.Code, e.Detail
	}
	if kind != apiCall { // the outcome of a sign-in is no error of a call
		details := map[string]string{name: outcome}
		if kind == consoleSignIn {
			r.Response, r.ErrorCode = details, ""
		} else {
			r.ServiceDetails = details
		}
	}
	for key, value := range map[string]string{
		"check": e.Check, "expected": e.Want, "received": e.Got, "action": own(e.Action, name),
	} {
		if value != "" {
			if r.Additional == nil {
				r.Additional = map[string]string{}
			}
			r.Additional[key] = value
		}
	}
	if e.Count > 0 {
		r.Additional = map[string]string{"count": fmt.Sprint(e.Count)}
	}
	return r
}

// own is the center's name of an action, where AWS's is another one.
func own(action, name string) string {
	if action == name {
		return ""
	}
	return action
}

func identity(i center.Instance, e audit.Event) Identity {
	switch e.Actor.Kind {
	case audit.AccessKey, audit.Application:
		return Identity{Type: "IAMUser", AccountID: i.OwnerAccountID, AccessKeyID: e.Actor.Name}
	case audit.Administrator:
		return Identity{Type: "IAMUser", AccountID: i.OwnerAccountID, UserName: e.Actor.Name}
	case audit.Provisioning:
		if e.Result == audit.Granted {
			return Identity{Type: "WebIdentityUser", AccountID: i.OwnerAccountID, UserName: e.Actor.Name}
		}
	case audit.User:
		return Identity{
			Type: "IdentityCenterUser", AccountID: i.OwnerAccountID, UserName: e.Actor.Name,
			OnBehalfOf: &OnBehalfOf{IdentityStoreARN: i.IdentityStoreARN()},
		}
	case audit.System:
		return Identity{Type: "AWSService", InvokedBy: ownSource}
	case audit.Anonymous:
	}
	return Identity{Type: "Unknown", AccountID: i.OwnerAccountID}
}

// directory are the actions on users and groups, with the names that the SCIM service and the
// console give them.
var directory = map[string]struct{ scim, console string }{
	"CreateUser":            {"CreateUser", "CreateUser"},
	"UpdateUser":            {"PatchUser", "UpdateUser"},
	"DeleteUser":            {"DeleteUser", "DeleteUser"},
	"CreateGroup":           {"CreateGroup", "CreateGroup"},
	"UpdateGroup":           {"PatchGroup", "UpdateGroup"},
	"DeleteGroup":           {"DeleteGroup", "DeleteGroup"},
	"CreateGroupMembership": {"PatchGroup", "AddMemberToGroup"},
	"DeleteGroupMembership": {"PatchGroup", "RemoveMemberFromGroup"},
}

// elsewhere are the actions whose source is not that of sso-admin, and what else they are called.
var elsewhere = map[string]struct{ source, name, kind string }{
	"ExternalIdPDirectoryLogin": {signInSource, "ExternalIdPDirectoryLogin", consoleSignIn},
	"ConsoleLogin":              {signInSource, "ConsoleLogin", consoleSignIn},
	"CredentialVerification":    {signInSource, "CredentialVerification", serviceEvent},
	"SignOut":                   {ssoSource, "Logout", apiCall},
	"CreateTokenWithIAM":        {oauthSource, "CreateTokenWithIAM", apiCall},
	"AssumeRole":                {stsSource, "AssumeRole", apiCall},
	"UpdateIdentityStore":       {storeSource, "UpdateIdentityStore", apiCall},
	"CreateAccessKey":           {iamSource, "CreateAccessKey", apiCall},
	"UpdateAccessKey":           {iamSource, "UpdateAccessKey", apiCall},
	"DeleteAccessKey":           {iamSource, "DeleteAccessKey", apiCall},
	"CreateEntitlement":         {accountSource, "CreateEntitlement", apiCall},
	"DeleteEntitlement":         {accountSource, "DeleteEntitlement", apiCall},
}

// ofDirectory are beginnings of actions of the directory's own API.
var ofDirectory = []string{
	"EnableUser", "DisableUser", "SendPasswordLink", "UpdatePassword", "ForgotPassword", "RegisterMfaDevice",
	"UpdateMfaDevice", "DeleteMfaDevice", "CreateExternalIdP", "UpdateExternalIdP", "EnableExternalIdP",
	"DisableExternalIdP", "ImportExternalIdP", "DeleteExternalIdP", "CreateProvisioningTenant",
	"DeleteProvisioningTenant", "CreateBearerToken", "DeleteBearerToken",
}

// ofCenter are actions that AWS has no event for.
var ofCenter = []string{
	"RevokeUser", "SetAdministrator", "AddAdministrator", "ResetAdministrator", "SignOutAdministrator",
	"RemoveAdministrator", "UpdateSignInSettings", "RehearseIdentitySource", "UndoIdentitySourceChange",
	"StartRehearsal", "WatchIdPMetadata", "AcceptIdPMetadata", "PutAccount", "PutAccountLabel", "DeleteAccountLabel",
	"ImportAccounts", "ReplicateInstance", "RecheckRoles", "CreateAssignmentRule", "DeleteAssignmentRule",
	"ApplyAssignmentRule", "CreateRequestPolicy",
	"DeleteRequestPolicy", "PutRequestWebhook", "RequestAccess", "ExtendAccess", "ApproveAccess", "DenyAccess",
	"ReviewAccess", "StartAccess", "ExpireAccess", "EndAccess", "PutAccessOwner", "DeleteAccessOwner",
	"CloseAccessReview", "ConcludeAccessReview", "ConfirmReviewedAccess", "RemoveReviewedAccess",
	"RestoreReviewedAccess", "EndUnconfirmedAccess", "AuthorizeDevice", "DenyDevice", "AuthorizeClient",
	"DeleteSession", audit.SeveralKinds,
}

// origin is where AWS would have recorded an event, under which name, and of which type.
func origin(e audit.Event) (source, name, kind string) {
	if names, ok := directory[e.Action]; ok {
		switch e.Actor.Kind {
		case audit.Provisioning:
			return scimSource, names.scim, apiCall
		case audit.Administrator, audit.System:
			return directorySource, names.console, apiCall
		default:
			return storeSource, e.Action, apiCall
		}
	}
	if x, ok := elsewhere[e.Action]; ok {
		return x.source, x.name, x.kind
	}
	begins := func(beginnings []string) bool {
		for _, b := range beginnings {
			if strings.HasPrefix(e.Action, b) {
				return true
			}
		}
		return false
	}
	switch {
	case begins(ofDirectory):
		return directorySource, e.Action, apiCall
	case begins(ofCenter):
		return ownSource, e.Action, serviceEvent
	}
	return ssoSource, e.Action, apiCall
}
