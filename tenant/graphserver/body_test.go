package graphserver

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// FuzzBody reads bodies as a change of a group: no panic, and what is taken has known names only,
// each once.
func FuzzBody(f *testing.F) {
	for _, body := range []string{`{"displayName":"x"}`, `{"@odata.type":"#microsoft.graph.group","description":null}`,
		`{"visibility":null,"theme":"x"}`,
		`{"members@odata.bind":["a/b"]}`, `{"displayName@odata.type":1,"displayName":"\ud83d\ude00"}`, `{"a":1,"a":2}`,
		`{"@odata.x":{"a":[{}]},"mailEnabled":false}`,
		`[[[[`, `null`, `{"displayName":1e999}`, "{\"displayName\":\"\xff\"}", `{} {}`,
		`{"\u0064isplayName":"x","displayName":"y"}`} {
		f.Add(body)
	}
	known := append(
		[]string{
			"displayName",
			"description",
			"mailNickname",
			"mailEnabled",
			"securityEnabled",
			"groupTypes",
			"members@odata.bind",
		},
		notKept["group"]...)
	f.Fuzz(func(t *testing.T, body string) {
		var in groupPatch
		r := request{Request: httptest.NewRequest("PATCH", root+"/groups/x", strings.NewReader(body))}
		if decode(r, &in) != nil {
			return
		}
		var names map[string]json.RawMessage
		if err := json.Unmarshal([]byte(body), &names); err != nil {
			t.Fatalf("%q was taken: %v", body, err)
		}
		for name, value := range names {
			if !slices.Contains(known, name) && !annotation(name) {
				t.Errorf("%q was taken with %q", body, name)
			}
			if name == "displayName" && string(value) != "null" {
				var want string
				if json.Unmarshal(value, &want) != nil || in.DisplayName.value == nil ||
					want != *in.DisplayName.value {
					t.Errorf("%q: displayName is %+v", body, in.DisplayName)
				}
			}
		}
	})
}
