package scimserver_test

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

var varying = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// TestWireShapes compares whole answers with golden files, so that a change of the wire is seen in
// review.
func TestWireShapes(t *testing.T) {
	e := newEndpoint(t)
	id := e.ada()
	group := e.want(201, "POST", "Groups", `{"displayName":"Engineers","externalId":"g-1"}`)["id"].(string)
	for name, path := range map[string]string{
		"user": "Users/" + id, "users": `Users?filter=userName eq "ada@example.com"`, "group": "Groups/" + group,
		"groups": "Groups", "not-found": "Users/99999999-2222-3333-4444-555555555555",
		"service-provider-config": "ServiceProviderConfig", "resource-types": "ResourceTypes", "schemas": "Schemas",
	} {
		_, body := e.send("GET", path, "")
		var b bytes.Buffer
		encoder := json.NewEncoder(&b)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(body); err != nil {
			t.Fatal(err)
		}
		got := varying.ReplaceAllString(strings.ReplaceAll(b.String(), e.center.URL, "http://center"), "UUID")
		got = regexp.MustCompile(`[0-9a-f]{3}UUID`).ReplaceAllString(got, "TENANT")
		file := "testdata/" + name + ".json"
		if *updateGolden {
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is\n%s\nwant\n%s", path, got, want)
		}
	}
}
