// Package entralogs writes a tenant's events as Microsoft Entra's activity logs: as diagnostic
// settings of Azure Monitor hand them on to event hubs and storage accounts, so that what reads
// those of Entra reads these.
//
// Sources: Microsoft Entra documentation, "Interpret the Microsoft Entra audit log schema in Azure
// Monitor" and "Interpret the Microsoft Entra sign-in log schema in Azure Monitor"; resource types
// directoryAudit and signIn; "Microsoft Entra audit log categories and activities".
//
// It may import audit, audit/chain and tenant.
package entralogs

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/audit/chain"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// Record is a record of Azure Monitor. Properties is a DirectoryAudit or a SignIn.
type Record struct {
	Time              string `json:"time"`
	ResourceID        string `json:"resourceId"`
	OperationName     string `json:"operationName"`
	OperationVersion  string `json:"operationVersion"`
	Category          string `json:"category"`
	TenantID          string `json:"tenantId"`
	ResultType        string `json:"resultType,omitempty"`
	ResultSignature   string `json:"resultSignature"`
	ResultDescription string `json:"resultDescription,omitempty"`
	DurationMs        int    `json:"durationMs"`
	CallerIPAddress   string `json:"callerIpAddress,omitempty"`
	CorrelationID     string `json:"correlationId,omitempty"`
	Identity          string `json:"identity,omitempty"`
	Level             int    `json:"Level"`
	Properties        any    `json:"properties"`
}

// DirectoryAudit is an entry of the audit log.
type DirectoryAudit struct {
	ID                  string      `json:"id"`
	Category            string      `json:"category"`
	CorrelationID       string      `json:"correlationId"`
	Result              string      `json:"result"`
	ResultReason        string      `json:"resultReason"`
	ActivityDisplayName string      `json:"activityDisplayName"`
	ActivityDateTime    string      `json:"activityDateTime"`
	LoggedByService     string      `json:"loggedByService"`
	OperationType       string      `json:"operationType"`
	InitiatedBy         InitiatedBy `json:"initiatedBy"`
	TargetResources     []Target    `json:"targetResources"`
	AdditionalDetails   []Detail    `json:"additionalDetails"`
}

// InitiatedBy is who did it: a person or a program.
type InitiatedBy struct {
	User *User `json:"user,omitempty"`
	App  *App  `json:"app,omitempty"`
}

// User is a person.
type User struct {
	UserPrincipalName string `json:"userPrincipalName"`
	IPAddress         string `json:"ipAddress"`
}

// App is a program.
type App struct {
	AppID       string `json:"appId,omitempty"`
	DisplayName string `json:"displayName"`
}

// Target is what it was done to.
type Target struct {
	ID                 string `json:"id,omitempty"`
	DisplayName        string `json:"displayName,omitempty"`
	Type               string `json:"type"`
	UserPrincipalName  string `json:"userPrincipalName,omitempty"`
	ModifiedProperties []any  `json:"modifiedProperties"`
}

// Detail is something more about an entry.
type Detail struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// SignIn is an entry of the sign-in log.
type SignIn struct {
	ID                string   `json:"id"`
	CreatedDateTime   string   `json:"createdDateTime"`
	UserDisplayName   string   `json:"userDisplayName"`
	UserPrincipalName string   `json:"userPrincipalName"`
	AppDisplayName    string   `json:"appDisplayName"`
	IPAddress         string   `json:"ipAddress"`
	Status            Status   `json:"status"`
	ClientAppUsed     string   `json:"clientAppUsed"`
	CorrelationID     string   `json:"correlationId"`
	IsInteractive     bool     `json:"isInteractive"`
	AdditionalDetails []Detail `json:"additionalDetails"`
}

// Status is how a sign-in went: 0, or the number of the refusal.
type Status struct {
	ErrorCode     int    `json:"errorCode"`
	FailureReason string `json:"failureReason,omitempty"`
}

// Format writes the events of a tenant.
func Format(tenantID string) func(chain.Parcel) ([]byte, error) {
	return func(p chain.Parcel) ([]byte, error) {
		var e audit.Event
		if err := json.Unmarshal([]byte(p.Line.Doc), &e); err != nil {
			return nil, fmt.Errorf("the event at position %d: %w", p.Position, err)
		}
		return json.Marshal(Of(
			tenantID, e, Detail{"position", strconv.FormatInt(p.Position, 10)}, Detail{"hash", p.Hash},
		))
	}
}

// unnumbered is the number of a refused sign-in that Entra has none for: 0 would say that it was
// granted. Source: Microsoft Entra authentication and authorization error codes, AADSTS50000.
const unnumbered = 50000

// informational is the level of all records. Source: Azure Monitor, "Azure resource logs schema".
const informational = 4

// Of is an event of a tenant as a record, with more details.
func Of(tenantID string, e audit.Event, more ...Detail) Record {
	r := Record{
		Time: e.Time.UTC().Format(time.RFC3339Nano), ResourceID: "/tenants/" + tenantID + "/providers/Microsoft.aadiam",
		OperationName: e.Action, OperationVersion: "1.0", Category: "AuditLogs", TenantID: tenantID,
		ResultSignature: "None", ResultDescription: e.Detail, CallerIPAddress: e.Actor.Address,
		CorrelationID: e.Actor.RequestID, Identity: e.Actor.Name, Level: informational,
	}
	if e.Count > 0 {
		more = append(more, Detail{"count", strconv.Itoa(e.Count)})
	}
	if slices.Contains(tenant.SignInActions, e.Action) {
		s := tenant.SignInOf(e)
		if !s.Granted && s.AADSTS == 0 {
			s.AADSTS = unnumbered
		}
		r.OperationName, r.Category = "Sign-in activity", "SignInLogs"
		r.ResultType, r.Identity = strconv.Itoa(s.AADSTS), s.User
		if s.Granted {
			r.ResultType = "0"
		}
		r.Properties = signInOf(s, r.Time, more)
		return r
	}
	a := auditOf(e, r.Time, more)
	r.ResultType, r.Properties = a.Result, a
	return r
}

func signInOf(s tenant.SignIn, at string, more []Detail) SignIn {
	app := s.Application
	if app == "" {
		app = "My Apps"
	}
	return SignIn{
		ID: s.ID, CreatedDateTime: at, UserDisplayName: s.User, UserPrincipalName: s.PrincipalName(),
		AppDisplayName: app, IPAddress: s.Address, ClientAppUsed: "Browser", CorrelationID: s.RequestID,
		IsInteractive: true, Status: Status{ErrorCode: s.AADSTS, FailureReason: s.Reason}, AdditionalDetails: more,
	}
}

// kinds are what activities are about, by a word of their names, the first that fits; with the
// category, the type of what it is done to, and the service that Entra has them from.
var kinds = []struct{ word, category, target, service string }{
	{"provisioning", "ProvisioningManagement", "ServicePrincipal", "Account Provisioning"},
	{"attribute mappings", "ProvisioningManagement", "ServicePrincipal", "Account Provisioning"},
	{"provision on demand", "ProvisioningManagement", "ServicePrincipal", "Account Provisioning"},
	{"app role assignment", "UserManagement", "ServicePrincipal", "Core Directory"},
	{"permission grant", "ApplicationManagement", "ServicePrincipal", "Core Directory"},
	{"service principal", "ApplicationManagement", "ServicePrincipal", "Core Directory"},
	{"application", "ApplicationManagement", "Application", "Core Directory"},
	{"policy", "Policy", "Policy", "Core Directory"},
	{"security defaults", "Policy", "Policy", "Core Directory"},
	{"role", "RoleManagement", "Role", "Core Directory"},
	{"administrator", "RoleManagement", "User", ownService},
	{"group", "GroupManagement", "Group", "Core Directory"},
	{"authenticator", "UserManagement", "User", "Authentication Methods"},
	{"security key", "UserManagement", "User", "Authentication Methods"},
	{"sign-in method", "UserManagement", "User", "Authentication Methods"},
	{"security info", "UserManagement", "User", "Authentication Methods"},
	{"user", "UserManagement", "User", "Core Directory"},
	{"password", "UserManagement", "User", "Core Directory"},
	{"sessions", "UserManagement", "User", "Core Directory"},
}

// ownService is the service of what Entra has no activity for.
const ownService = "Gatehouse"

var uuid = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
})

func auditOf(e audit.Event, at string, more []Detail) DirectoryAudit {
	a := DirectoryAudit{
		ID: e.ID, Category: "Other", CorrelationID: e.Actor.RequestID, Result: "success", ResultReason: e.Detail,
		ActivityDisplayName: e.Action, ActivityDateTime: at, LoggedByService: ownService,
		OperationType: operation(e.Action), TargetResources: []Target{}, AdditionalDetails: more,
	}
	kind := "Other"
	name := strings.ToLower(e.Action)
	for _, k := range kinds {
		if strings.Contains(name, k.word) {
			a.Category, a.LoggedByService = k.category, k.service
			kind = k.target
			break
		}
	}
	if e.Result != audit.Granted {
		a.Result = "failure"
		if e.Code != "" {
			a.AdditionalDetails = append(a.AdditionalDetails, Detail{"code", e.Code})
		}
	}
	switch e.Actor.Kind {
	case audit.User, audit.Administrator:
		a.InitiatedBy.User = &User{UserPrincipalName: e.Actor.Name, IPAddress: e.Actor.Address}
	default:
		a.InitiatedBy.App = &App{DisplayName: e.Actor.Name}
		if uuid().MatchString(e.Actor.Name) {
			a.InitiatedBy.App.AppID = e.Actor.Name
		}
	}
	if e.Subject != "" {
		t := Target{DisplayName: e.Subject, Type: kind, ModifiedProperties: []any{}}
		if uuid().MatchString(e.Subject) {
			t.ID, t.DisplayName = e.Subject, ""
		} else if kind == "User" && strings.Contains(e.Subject, "@") {
			t.UserPrincipalName = e.Subject
		}
		a.TargetResources = append(a.TargetResources, t)
	}
	return a
}

// operation is the kind of operation, as directoryAudit's operationType has it.
func operation(action string) string {
	first, _, _ := strings.Cut(action, " ")
	switch first {
	case "Add", "Import", "Register":
		return "Add"
	case "Delete", "Hard", "Remove":
		return "Delete"
	case "Consent":
		return "Assign"
	}
	return "Update"
}
