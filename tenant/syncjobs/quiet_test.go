package syncjobs_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/scim"
)

// TestWhatFailedOnDemandIsTriedAgain: nothing changes in the directory after provisioning on demand
// has failed for a reason that may pass, and it is tried again all the same.
func TestWhatFailedOnDemandIsTriedAgain(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	center, err := url.Parse(e.Center.URL)
	if err != nil {
		t.Fatal(err)
	}
	var broken atomic.Bool
	through := httputil.NewSingleHostReverseProxy(center)
	way := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() && r.Method == http.MethodPatch {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		through.ServeHTTP(w, r)
	}))
	t.Cleanup(way.Close)
	e.PutSecrets(strings.Replace(e.Center.SCIMEndpoint, e.Center.URL, way.URL, 1))
	title := func() string { return e.Find("/Users", "userName", meiName).String("title") }
	e.Change(http.MethodPatch, "/users/"+meiName, map[string]any{"jobTitle": "Wizard"}, nil)
	e.Soon("a title by the new way", func() bool { return title() == "Wizard" })

	there := e.Find("/Users", "userName", meiName)
	err = e.SCIM.Patch(t.Context(), "/Users/"+there.String("id"), scim.Operation{
		Op: "replace", Path: "title", Value: []byte(`"Intruder"`),
	})
	if err != nil {
		t.Fatal(err)
	}
	broken.Store(true)
	var schema graph.SynchronizationSchema
	e.Change(http.MethodGet, e.JobPath()+"/schema", nil, &schema)
	var out graph.KeyValue
	e.Change(http.MethodPost, e.JobPath()+"/provisionOnDemand", map[string]any{"parameters": []any{map[string]any{
		"ruleId":   schema.Rules[0].ID,
		"subjects": []any{map[string]any{"objectId": e.User(meiName).ID, "objectTypeName": "User"}},
	}}}, &out)
	if !strings.Contains(out.Key, "Failure") {
		t.Errorf("on demand: %s %s", out.Key, out.Value)
	}
	if title() != "Intruder" {
		t.Error("the title was changed all the same")
	}
	broken.Store(false)
	e.Soon("the title", func() bool { return title() == "Wizard" })
}

// TestADeletedManagerIsNobodysManager: the reference to a manager goes with a deletion that can be
// undone, and comes back with the manager.
func TestADeletedManagerIsNobodysManager(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	const elena = "elena.popescu@northwind.example"
	boss := func() string {
		return e.Find("/Users", "userName", meiName).Object(enterprise).Object("manager").String("value")
	}
	user := e.User(elena)
	e.Change(http.MethodPut, "/users/"+meiName+"/manager/$ref", graph.Reference{ID: "x/" + user.ID}, nil)
	id := e.Find("/Users", "userName", elena).String("id")
	e.Soon("a manager", func() bool { return boss() == id })
	e.Change(http.MethodDelete, "/users/"+user.ID, nil, nil)
	e.Soon("no manager", func() bool { return boss() == "" })
	e.Change(http.MethodPost, items+user.ID+"/restore", nil, nil)
	e.Soon("the manager again", func() bool { return boss() == id })
	e.Change(http.MethodDelete, "/users/"+user.ID, nil, nil)
	e.Change(http.MethodDelete, items+user.ID, nil, nil)
	e.Soon("no manager for good", func() bool { return boss() == "" && e.Find("/Users", "userName", elena) == nil })
}

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

// TestWhoWasDeletedAtTheTargetIsMadeAnewOnDemand: whoever asks for one object gets it, though
// nothing has changed; and its groups follow.
func TestWhoWasDeletedAtTheTargetIsMadeAnewOnDemand(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	there := e.Find("/Users", "userName", meiName)
	if err := e.SCIM.Delete(t.Context(), "/Users/"+there.String("id")); err != nil {
		t.Fatal(err)
	}
	var schema graph.SynchronizationSchema
	e.Change(http.MethodGet, e.JobPath()+"/schema", nil, &schema)
	e.Change(http.MethodPost, e.JobPath()+"/provisionOnDemand", map[string]any{"parameters": []any{map[string]any{
		"ruleId":   schema.Rules[0].ID,
		"subjects": []any{map[string]any{"objectId": e.User(meiName).ID, "objectTypeName": "User"}},
	}}}, nil)
	e.Soon("the user, in her group", func() bool {
		u := e.Find("/Users", "userName", meiName)
		return u != nil && e.IsMember(e.Find("/Groups", "displayName", "Platform Engineering"), u)
	})
}
