package awsapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// nested is a shape of every kind.
var nested = &Shape{Kind: Structure, Required: []string{"Id"}, Members: map[string]*Shape{
	"Id": {
		Kind:    String,
		Min:     1,
		Max:     36,
		Pattern: NewPattern(`d-[0-9a-f]{10}`),
	},
	"Max": {Kind: Integer, Min: 1, Max: 100}, "On": {Kind: Boolean}, "At": {Kind: Number}, "Any": {},
	"State": {
		Kind: String,
		Enum: []string{"A", "B"},
	},
	"List": {
		Kind: List,
		Min:  1,
		Max:  2,
		Of:   &Shape{Kind: Structure, Members: map[string]*Shape{"Value": {Kind: String, Max: 3, Sensitive: true}}},
	},
	"Map": {Kind: Map, Max: 2, Key: &Shape{Kind: String, Pattern: NewPattern(`[a-z]+`)}, Of: &Shape{}},
}}

func TestShapesNameEveryViolation(t *testing.T) {
	for body, want := range map[string]string{
		`{"Id":"d-0123456789","Max":100,"On":true,"At":1.5,"Any":[{}],"State":"A","List":[{"Value":"abc"}],
			"Map":{"k":1}}`: "",

		`{"Id":"d-0123456789","More":{"x":[1]}}`:                   "the member More is not known",
		`{"Id":"d-0123456789","List":[{"Value":"a","value":"b"}]}`: "the member list.1.member.value is not known",
		``:            "id' failed to satisfy constraint: Member must not be null",
		`{"Id":null}`: "must not be null",
		`{"Id":"x"}`: "Value 'x' at 'id' failed to satisfy constraint: Member must satisfy " +
			"regular expression pattern: d-[0-9a-f]{10}",
		`{"Id":"d-0123456789","Max":0}`: "Value '0' at 'max' failed to satisfy " +
			"constraint: Member must have value greater than or equal to 1",
		`{"Id":"d-0123456789","State":"C"}`: "satisfy enum value set: [A, B]",
		`{"Id":"d-0123456789","List":[]}`: "Value at 'list' failed to satisfy " +
			"constraint: Member must have length greater than or equal to 1",
		`{"Id":"d-0123456789","List":[{"Value":"abcd"}]}`:                  "Value at 'list.1.member.value' failed",
		`{"Id":"d-0123456789","Map":{"K":1}}`:                              "map.key",
		`{"Id":"x","Max":101}`:                                             "2 validation errors detected",
		`{"Id":"d-0123456789"}{}`:                                          "something follows",
		`{"Id":"d-0123456789","Max":1.5}`:                                  "max is not an integer",
		`{"Id":"d-0123456789","Max":99999999999}`:                          "max is not an integer",
		`{"Id":"d-0123456789","On":"true"}`:                                "on is not a boolean",
		`{"Id":"d-0123456789","Any":{"a":1,"a":2}}`:                        "duplicate",
		`{"Id":"d-0123456789","Any":` + strings.Repeat("[", 100_000) + `}`: "not JSON",
	} {
		err := nested.Check([]byte(body))
		if (want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%.60s: %v, want %q", body, err, want)
		}
	}
}

// FuzzBody checks and decodes bodies: no panic, and what passes the shape decodes.
func FuzzBody(f *testing.F) {
	for _, body := range []string{
		`{"Id":"d-0123456789"}`, `{"Id":"d-0123456789","List":[{"Value":"\ud83d\ude00"}],"Map":{"k":null}}`,
		`{"Id":"\u0000"}`, `[[[[`, "{\"Id\":\"\xff\"}", `{"Max":1e999}`, `null`, `{"Id":1,"Id":2}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var in struct {
			ID    string `json:"Id"`
			Max   *int
			State string
			Any   any
			On    *bool
			At    *float64
			List  []struct{ Value string }
			Map   map[string]any
		}
		if nested.Check(body) != nil {
			return
		}
		if err := decode(body, &in); err != nil {
			t.Fatalf("%q has the shape and does not decode: %v", body, err)
		}
		if len(in.ID) != 12 || (in.Max != nil && (*in.Max < 1 || *in.Max > 100)) || len(in.State) > 1 {
			t.Fatalf("%q passed as %+v", body, in)
		}
	})
}

// FuzzSignedRequest varies everything that a signature covers: nothing but what was signed is
// accepted.
func FuzzSignedRequest(f *testing.F) {
	f.Add("/", "20261123T120000Z", "host;x-amz-date", "application/x-amz-json-1.1", "127.0.0.1")
	f.Add("/a%20b/../c?x=%zz&x=1", "2026", ";;", " \t", "")
	f.Fuzz(func(t *testing.T, target, date, signedHeaders, contentType, host string) {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/", nil)
		if u, err := r.URL.Parse(target); err == nil {
			r.URL = u
		}
		r.Host = host
		r.Header["Authorization"] = []string{
			algorithm + " Credential=AKIATEST/20261123/us-east-1/sso/aws4_request, SignedHeaders=" + signedHeaders +
				", Signature=" + strings.Repeat("0", 64),
		}
		r.Header["X-Amz-Date"], r.Header["Content-Type"] = []string{date}, []string{contentType}
		if _, err := verifier().Verify(r, nil, "sso"); err == nil {
			t.Fatal("accepted")
		}
	})
}
