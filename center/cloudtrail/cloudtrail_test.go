package cloudtrail_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/audit/chain"
	"github.com/gatehouse-id/gatehouse/awsapi/trail"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/cloudtrail"
)

var instance = center.Instance{
	ARN: "arn:aws:sso:::instance/ssoins-1111111111111111", IdentityStoreID: "d-1234567890",
	OwnerAccountID: "111122223333", Region: "eu-central-1",
}

// TestEventsAreWhatReadersOfCloudTrailExpect reads records as doctor reads AWS's.
func TestEventsAreWhatReadersOfCloudTrailExpect(t *testing.T) {
	by := func(kind audit.Kind) audit.Actor {
		return audit.Actor{Kind: kind, Name: "ada", Address: "192.0.2.1", RequestID: "r"}
	}
	did := func(action string, kind audit.Kind) audit.Event { return audit.Event{Action: action, Actor: by(kind)} }
	const (
		ssoSource     = "sso.amazonaws.com"
		scimSource    = "identitystore-scim.amazonaws.com"
		consoleSource = "sso-directory.amazonaws.com"
	)
	refused := audit.Event{
		Action: "ExternalIdPDirectoryLogin", Actor: by(audit.User), Result: audit.Refused, Code: "AssertionRefused",
		Detail: "Assertion is no longer valid", Check: "time", Want: "a", Got: "b",
	}
	for _, x := range []struct {
		event                    audit.Event
		source, name, kind, user string
	}{
		{did("CreateUser", audit.Provisioning), scimSource, "CreateUser", "AwsApiCall", "WebIdentityUser"},
		{did("CreateGroupMembership", audit.Provisioning), scimSource, "PatchGroup", "AwsApiCall", "WebIdentityUser"},
		{
			did("CreateGroupMembership", audit.AccessKey), "identitystore.amazonaws.com", "CreateGroupMembership",
			"AwsApiCall", "IAMUser",
		},
		{did("CreateGroupMembership", audit.Administrator), consoleSource, "AddMemberToGroup", "AwsApiCall", "IAMUser"},
		{did("CreateBearerToken", audit.Administrator), consoleSource, "CreateBearerToken", "AwsApiCall", "IAMUser"},
		{did("DeletePermissionSet", audit.AccessKey), ssoSource, "DeletePermissionSet", "AwsApiCall", "IAMUser"},
		{did("Federate", audit.User), ssoSource, "Federate", "AwsApiCall", "IdentityCenterUser"},
		{did("ApproveAccess", audit.User), "gatehouse", "ApproveAccess", "AwsServiceEvent", "IdentityCenterUser"},
		{did("ApplyAssignmentRule", audit.System), "gatehouse", "ApplyAssignmentRule", "AwsServiceEvent", "AWSService"},
		{refused, "signin.amazonaws.com", "ExternalIdPDirectoryLogin", "AwsConsoleSignIn", "IdentityCenterUser"},
	} {
		e := x.event
		e.ID, e.Subject = "id", "subject"
		e.Time = time.UnixMilli(1_800_000_000_000)
		if e.Result == "" {
			e.Result = audit.Granted
		}
		doc, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		p := chain.Parcel{Position: 7, Hash: "ab", Line: chain.Line{Doc: string(doc)}}
		text, err := cloudtrail.Format(instance)(p)
		if err != nil {
			t.Fatal(err)
		}
		var got trail.Event
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if got.EventSource != x.source || got.EventName != x.name || got.UserIdentity["type"] != x.user ||
			!got.EventTime.Equal(e.Time) || got.AWSRegion != "eu-central-1" || got.AdditionalData["position"] != "7" ||
			!strings.Contains(string(text), `"eventType":"`+x.kind+`"`) {
			t.Errorf("%s by %s: %s", e.Action, e.Actor.Kind, text)
		}
		if e.Result == audit.Refused && (got.ErrorCode != "" || got.ErrorMessage != e.Detail ||
			got.ResponseElements["ExternalIdPDirectoryLogin"] != "Failure" || got.AdditionalData["received"] != "b") {
			t.Errorf("a refusal: %s", text)
		}
	}
}

// portal are events of sso.amazonaws.com that are no operations of sso-admin. Source: IAM Identity
// Center User Guide, "Logging IAM Identity Center API calls with AWS CloudTrail".
var portal = []string{"Logout", "Federate", "CreateToken", "UpdateApplicationInstance", "CreateApplicationInstance",
	"DeleteApplicationInstance"}

// TestEachActionHasASource fails when an action is new and AWS has no event of its name: say which
// source it has.
func TestEachActionHasASource(t *testing.T) {
	known := map[string]int{}
	for _, name := range center.ActionNames() {
		r := cloudtrail.Of(instance, audit.Event{Action: name, Actor: audit.Actor{Kind: audit.AccessKey}})
		known[r.EventSource]++
		if r.EventName == "" || r.EventType == "" {
			t.Errorf("%s: %+v", name, r)
		}
		_, operation := reflect.TypeFor[*ssoadmin.Client]().MethodByName(r.EventName)
		listed := slices.ContainsFunc(portal, func(begin string) bool { return strings.HasPrefix(r.EventName, begin) })
		if r.EventSource == "sso.amazonaws.com" && !operation && !listed {
			t.Errorf("AWS has no event %s of that source", r.EventName)
		}
	}
	for _, source := range []string{
		"sso.amazonaws.com", "sso-oauth.amazonaws.com", "identitystore.amazonaws.com", "sso-directory.amazonaws.com",
		"signin.amazonaws.com", "sts.amazonaws.com", "gatehouse",
	} {
		if known[source] == 0 {
			t.Errorf("no action has the source %s", source)
		}
	}
}
