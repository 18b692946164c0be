package entralogs_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/audit/chain"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/entralogs"
)

// TestEventsAreWhatReadersOfEntrasLogsExpect reads records as a program would that reads those of
// an event hub.
func TestEventsAreWhatReadersOfEntrasLogsExpect(t *testing.T) {
	const (
		id    = "11111111-2222-3333-4444-555555555555"
		group = "99999999-2222-3333-4444-555555555555"
	)
	by := func(kind audit.Kind, name string) audit.Actor {
		return audit.Actor{Kind: kind, Name: name, Address: "192.0.2.1", RequestID: "r"}
	}
	ada := by(audit.User, "ada@example.com")
	for _, x := range []struct {
		event                            audit.Event
		category, operation, result, who string
		about, target                    string
	}{
		{
			audit.Event{Action: "Add member to group", Actor: by(audit.Application, id), Subject: group},
			"AuditLogs", "Add member to group", "success", id, "GroupManagement", "Group",
		},
		{
			audit.Event{Action: "Add user", Actor: by(audit.Administrator, "root"), Subject: "ada@example.com"},
			"AuditLogs", "Add user", "success", "root", "UserManagement", "User",
		},
		{
			audit.Event{
				Action: "Enable/start provisioning configuration", Actor: by(audit.Administrator, "root"), Subject: id,
				Result: audit.Refused, Code: "JobNotFound", Detail: "there is none",
			},
			"AuditLogs", "Enable/start provisioning configuration", "failure", "root", "ProvisioningManagement",
			"ServicePrincipal",
		},
		{audit.Event{Action: "UserLoggedIn", Actor: ada}, "SignInLogs", "Sign-in activity", "0", ada.Name, "", ""},
		{
			audit.Event{
				Action: "UserLoggedIn", Actor: ada, Result: audit.Refused, Code: "sign-in-failed", Detail: "wrong",
			},
			"SignInLogs", "Sign-in activity", "50126", ada.Name, "", "",
		},
		{
			audit.Event{Action: "UserLoggedIn", Actor: ada, Result: audit.Refused, Code: "not-allowed"},
			"SignInLogs", "Sign-in activity", "50000", ada.Name, "", "",
		},
	} {
		e := x.event
		e.ID, e.Time = "e", time.UnixMilli(1_800_000_000_000)
		if e.Result == "" {
			e.Result = audit.Granted
		}
		doc, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		line := chain.Parcel{Position: 7, Hash: "ab", Line: chain.Line{Doc: string(doc)}}
		text, err := entralogs.Format(id)(line)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Time                                time.Time
			ResourceID, OperationName, Category string
			TenantID, ResultType, Identity      string
			CallerIPAddress, CorrelationID      string
			ResultSignature, ResultDescription  string
			Properties                          struct {
				ID, Category, Result, UserPrincipalName string
				Status                                  struct{ ErrorCode int }
				TargetResources                         []struct{ ID, Type, DisplayName string }
				AdditionalDetails                       []struct{ Key, Value string }
				InitiatedBy                             struct {
					User struct{ UserPrincipalName, IPAddress string }
					App  struct{ AppID string }
				}
			}
		}
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		p := got.Properties
		if got.Category != x.category || got.OperationName != x.operation || got.ResultType != x.result ||
			got.TenantID != id || got.ResourceID != "/tenants/"+id+"/providers/Microsoft.aadiam" || p.ID != "e" ||
			!got.Time.Equal(e.Time) || got.CallerIPAddress != "192.0.2.1" || got.Identity != x.who ||
			p.AdditionalDetails[0].Value != "7" || p.AdditionalDetails[1].Value != "ab" {
			t.Errorf("%s: %s", e.Action, text)
		}
		who := p.UserPrincipalName + p.InitiatedBy.User.UserPrincipalName + p.InitiatedBy.App.AppID
		if p.Category != x.about || who != x.who || x.target != "" && p.TargetResources[0].Type != x.target {
			t.Errorf("%s: %s", e.Action, text)
		}
	}
}

// TestEachActivityHasACategory fails when an action is new and nothing says what it is about.
func TestEachActivityHasACategory(t *testing.T) {
	own := map[string]bool{
		"Move clock": true, "Import members": true, "Replicate directory": true, "Replicate assignments": true,
		"Sign out": true, "Allow device": true, "Decline device": true,
	}
	for _, name := range tenant.ActionNames() {
		r := entralogs.Of("t", audit.Event{Action: name, Actor: audit.Actor{Kind: audit.System}})
		if a, ok := r.Properties.(entralogs.DirectoryAudit); ok && (a.Category == "Other") != own[name] {
			t.Errorf("%s has the category %s", name, a.Category)
		}
	}
}
