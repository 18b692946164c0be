package graphserver_test

import (
	"maps"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// TestSecretsKeepWhatIsNotSaid: what GET gave can be put back, and a part leaves the rest as it is.
func TestSecretsKeepWhatIsNotSaid(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	path := "/servicePrincipals/" + e.Tenant.ServicePrincipalID + "/synchronization/secrets"
	saved := func() map[string]string {
		var got graph.Secrets
		e.Change(http.MethodGet, path, nil, &got)
		values := map[string]string{}
		for _, kv := range got.Value {
			values[kv.Key] = kv.Value
		}
		return values
	}
	put := func(values ...graph.KeyValue) error {
		return e.Client.Do(t.Context(), http.MethodPut, path, graph.Secrets{Value: values}, nil)
	}
	works := func() error {
		return e.Client.Do(t.Context(), http.MethodPost, e.JobPath()+"/validateCredentials", graph.ValidateCredentials{
			UseSavedCredentials: true,
		}, nil)
	}
	const settings = `{"Enabled":true,"Recipients":"a@example.com","DeleteThresholdEnabled":true,` +
		`"DeleteThresholdValue":7}`
	all := graph.KeyValue{Key: graph.KeySyncAll, Value: "true"}
	if err := put(graph.KeyValue{Key: graph.KeyNotification, Value: settings}, all); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		graph.KeyBaseAddress: e.Center.SCIMEndpoint, graph.KeySecretToken: "*", graph.KeySyncAll: "true",
		graph.KeyNotification: settings,
	}
	if diff := cmp.Diff(want, saved()); diff != "" {
		t.Errorf("after a part (-want +have):\n%s", diff)
	}
	var back []graph.KeyValue
	for _, key := range []string{graph.KeySecretToken, graph.KeyBaseAddress, graph.KeySyncAll, graph.KeyNotification} {
		back = append(back, graph.KeyValue{Key: key, Value: saved()[key]})
	}
	if err := put(back...); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, saved()); diff != "" {
		t.Errorf("after all that GET gave (-want +have):\n%s", diff)
	}
	if err := works(); err != nil {
		t.Errorf("the saved token: %v", err)
	}
	masked := graph.ValidateCredentials{Credentials: back[:2]}
	if err := e.Client.Do(t.Context(), http.MethodPost, e.JobPath()+"/validateCredentials", masked, nil); err != nil {
		t.Errorf("what GET gave is tested: %v", err)
	}
	elsewhere := graph.KeyValue{Key: graph.KeyBaseAddress, Value: "http://127.0.0.1:1/scim"}
	for name, values := range map[string][]graph.KeyValue{
		"a masked token elsewhere": {elsewhere, {Key: graph.KeySecretToken, Value: "*"}},
		"no token elsewhere":       {elsewhere},
	} {
		if err := put(values...); err == nil {
			t.Errorf("%s is taken", name)
		}
		tested := graph.ValidateCredentials{
			Credentials: append(values, graph.KeyValue{Key: graph.KeySecretToken, Value: "*"})[:2],
		}
		err := e.Client.Do(t.Context(), http.MethodPost, e.JobPath()+"/validateCredentials", tested, nil)
		if err == nil {
			t.Errorf("%s is tested", name)
		}
	}
	if err := put(graph.KeyValue{Key: graph.KeySecretToken, Value: ""}); err != nil {
		t.Fatal(err)
	}
	gone := maps.Clone(want)
	delete(gone, graph.KeySecretToken)
	if diff := cmp.Diff(gone, saved()); diff != "" {
		t.Errorf("an empty token clears (-want +have):\n%s", diff)
	}
	if err := put(back[0]); err == nil {
		t.Error("a mask for which nothing is saved is taken")
	}
}
