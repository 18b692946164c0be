package oauth_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/google/go-cmp/cmp"
	abstractions "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoft/kiota-abstractions-go/serialization"
	kiotaauth "github.com/microsoft/kiota-authentication-azure-go"
	kiotajson "github.com/microsoft/kiota-serialization-json-go"
	msgraphcore "github.com/microsoftgraph/msgraph-sdk-go-core"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// TestTheOfficialJavaScriptClients runs tools/graphjs/check.mjs, which is Microsoft's own libraries
// and nothing else.
func TestTheOfficialJavaScriptClients(t *testing.T) {
	t.Parallel()
	const folder = "../../tools/graphjs"
	if _, err := os.Stat(folder + "/node_modules/@azure/identity"); err != nil {
		sqldbtest.Skip(t, "the JavaScript clients are not there: run scripts/deps")
	}
	s := newSecureTenant(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", "check.mjs", s.url, s.id, s.clientID) // #nosec G204 -- our own arguments
	node.Dir = folder
	node.Env = append(os.Environ(), "CLIENT_SECRET="+s.secret, "NODE_EXTRA_CA_CERTS="+s.caFile)
	out, err := node.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var seen map[string]any
	if err := json.Unmarshal(out, &seen); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	names, _ := seen["names"].([]any)
	sort.Slice(names, func(i, j int) bool { return names[i].(string) < names[j].(string) })
	want := map[string]any{
		"names":    []any{"Ada", "Bob", "Cy"},
		"filtered": []any{"Bob", "Cy"},
		"count":    "3",
		"members":  []any{"#microsoft.graph.user Ada"},
		"left":     "deleted",
		"batch":    []any{200.0, 404.0},
		"error":    []any{404.0, "Request_ResourceNotFound"},
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("the clients have seen (-want +have):\n%s", diff)
	}
}

// TestTheOfficialGoClient sends a request and a batch by the core of Microsoft's Graph SDK for Go.
// The SDK itself is the core with a type for every resource.
func TestTheOfficialGoClient(t *testing.T) {
	t.Parallel()
	s := newSecureTenant(t)
	credential, err := azidentity.NewClientSecretCredential(
		s.id, s.clientID, s.secret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: s.options(), DisableInstanceDiscovery: true},
	)
	if err != nil {
		t.Fatal(err)
	}
	auth, err := kiotaauth.NewAzureIdentityAuthenticationProviderWithScopesAndValidHosts(
		credential, []string{defaultScope}, []string{"127.0.0.1", strings.TrimPrefix(s.url, "https://")},
	)
	if err != nil {
		t.Fatal(err)
	}
	const asJSON = "application/json"
	parsers := serialization.DefaultParseNodeFactoryInstance
	parsers.ContentTypeAssociatedFactories[asJSON] = kiotajson.NewJsonParseNodeFactory()
	writers := serialization.DefaultSerializationWriterFactoryInstance
	writers.ContentTypeAssociatedFactories[asJSON] = kiotajson.NewJsonSerializationWriterFactory()
	newAdapter := msgraphcore.
		NewGraphRequestAdapterBaseWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient
	adapter, err := newAdapter(
		auth, msgraphcore.GraphClientOptions{GraphServiceVersion: "v1.0"},
		serialization.DefaultParseNodeFactoryInstance, serialization.DefaultSerializationWriterFactoryInstance,
		&http.Client{Transport: s.http.Transport},
	)
	if err != nil {
		t.Fatal(err)
	}
	adapter.SetBaseUrl(s.url + "/v1.0")
	ctx := context.Background()
	request := func(path string) *abstractions.RequestInformation {
		r := abstractions.NewRequestInformationWithMethodAndUrlTemplateAndPathParameters(
			abstractions.GET, "{+baseurl}"+path, map[string]string{"baseurl": s.url + "/v1.0"},
		)
		r.Headers.Add("Accept", "application/json")
		return r
	}
	found, err := adapter.Send(
		ctx, request("/organization"), serialization.CreateUntypedNodeFromDiscriminatorValue, nil,
	)
	if err != nil {
		t.Fatal(err)
	}
	if value := found.(*serialization.UntypedObject).GetValue()["value"].(*serialization.UntypedArray).GetValue(); len(
		value,
	) != 1 {
		t.Errorf("organizations: %v", value)
	}
	batch := msgraphcore.NewBatchRequest(adapter)
	good, e1 := batch.AddBatchRequestStep(*request("/users"))
	bad, e2 := batch.AddBatchRequestStep(*request("/users/nobody"))
	if e1 != nil || e2 != nil {
		t.Fatal(e1, e2)
	}
	answer, err := batch.Send(ctx, adapter)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := answer.GetResponseById(*good.GetId()), answer.GetResponseById(*bad.GetId()); *a.GetStatus() != 200 ||
		*b.GetStatus() != 404 {
		t.Errorf("the batch: %d, %d", *a.GetStatus(), *b.GetStatus())
	}
}
