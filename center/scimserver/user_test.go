package scimserver_test

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/scimserver"
	"github.com/gatehouse-id/gatehouse/scim"
)

// everything is a user with every attribute.
func everything() center.User {
	value := func(kind string) []center.Value {
		return []center.Value{{Value: kind + "@1", Display: "shown", Type: "work"}, {Value: kind + "@2", Primary: true}}
	}
	return center.User{
		ID: "u", UserName: "ada", ExternalID: "x-1", Active: true, DisplayName: "Ada", NickName: "A",
		Name: center.PersonName{
			Formatted: "Augusta Ada King", FamilyName: "King", GivenName: "Ada", MiddleName: "Augusta",
			HonorificPrefix: "Lady", HonorificSuffix: "FRS",
		},
		ProfileURL: "https://example.com/ada", Title: "Countess", UserType: "Employee", PreferredLanguage: "en-GB",
		Locale: "en", Timezone: "Europe/London", Website: "https://ada.example", Birthdate: "1815-12-10",
		Emails: value("emails"), PhoneNumbers: value("phoneNumbers"), IMs: value("ims"), Photos: value("photos"),
		Entitlements: value("entitlements"), Roles: value("roles"), Certificates: value("certificates"),
		Addresses: []center.Address{{
			Formatted: "12 St James's Square\nLondon", StreetAddress: "12 St James's Square", Locality: "London",
			Region: "Greater London", PostalCode: "SW1Y", Country: "GB", Type: "home", Primary: true,
		}},
		Enterprise: center.Enterprise{
			EmployeeNumber: "7", CostCenter: "42", Organization: "Engines", Division: "Analytical",
			Department: "Numbers", Manager: "babbage",
		},
		CreatedAt: time.Unix(1_800_000_000, 0).UTC(), CreatedBy: "scim",
		UpdatedAt: time.Unix(1_800_000_060, 0).UTC(), UpdatedBy: "scim", Version: 3,
	}
}

// TestTheBytesOfAUser compares what is sent byte by byte: clients that synchronize compare what
// they read with what they have read before.
func TestTheBytesOfAUser(t *testing.T) {
	for _, profile := range []center.Profile{center.ProfileAWS, center.ProfileStandard} {
		u, golden := everything(), "testdata/everything-"+string(profile)+".json"
		got := scimserver.WriteUser(nil, profile, &u)
		if *updateGolden {
			if err := os.WriteFile(golden, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden) //#nosec G304 -- one of two
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s: the user is\n%s\nwant\n%s", profile, got, want)
		}
	}
}

// TestTheQuickReaderKnowsEveryAttribute would notice that users fall back to the general schema:
// the quick reader must read whatever AWS's profile shows, as the general one does.
func TestTheQuickReaderKnowsEveryAttribute(t *testing.T) {
	want := centertest.FullUser(1)
	body := scimserver.WriteUser(nil, center.ProfileAWS, &want)
	quick, ok := scimserver.ReadPlainUser(body)
	if !ok {
		t.Fatalf("the quick reader does not read %s", body)
	}
	unusual := bytes.Replace(body, []byte(`"active":true`), []byte(`"active":"True"`), 1)
	slow, plain, err := scimserver.ReadUser(unusual)
	if plain || err != nil || !reflect.DeepEqual(quick, slow) {
		t.Errorf("the quick reader reads\n%+v\nthe general one (%t, %v)\n%+v", quick, !plain, err, slow)
	}
	read := quick.TextAttributes()
	for i, text := range want.TextAttributes() {
		if text.Path == "website" || text.Path == "birthdate" { // SCIM has none
			continue
		}
		if *read[i].Value != *text.Value {
			t.Errorf("%s is read as %q, want %q", text.Path, *read[i].Value, *text.Value)
		}
	}
}

// FuzzPlainUser compares the quick reader with the general one: what it reads, that one reads too,
// and as the same.
func FuzzPlainUser(f *testing.F) {
	full := centertest.FullUser(1)
	body := string(scimserver.WriteUser(nil, center.ProfileAWS, &full))
	for _, seed := range []string{
		body, ada, strings.ReplaceAll(body, ",", " ,\n\t"), `{"userName":"a","userName":"b"}`, `{"userName":"a"} x`,
		`{"userName":"\u00e9\n","meta":{"a":[1,{}]},"id":"1"}`, "{\"userName\":\"\xff\"}", "{\"title\":\"a\tb\"}",
		`{"active":false,"emails":[{},{"value":"a","value":"b"}],"name":{},"addresses":[]}`, `{"active":trueish}`,
		`{"emails":[{"primary":true}],"roles":[],"schemas":["x"]}`, `{"USERNAME":"a"}`, `{"title":null}`, `{`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		quick, ok := scimserver.ReadPlainUser(body)
		if !ok || bytes.Contains(body, []byte("meta")) { // whose parts the quick reader does not look at
			return
		}
		general, err := scimserver.ReadGeneralUser(body)
		if err != nil || !reflect.DeepEqual(quick, general) {
			t.Errorf("%q is read as\n%+v\nand as\n%+v (%v)", body, quick, general, err)
		}
	})
}

// TestEveryTextOfTheSchemaIsKept finds attributes that clients may send, and that nobody keeps.
func TestEveryTextOfTheSchemaIsKept(t *testing.T) {
	var look func(prefix string, list []scim.Attribute)
	look = func(prefix string, list []scim.Attribute) {
		for _, a := range list {
			path := prefix + a.Name
			switch {
			case a.ReadOnly || path == "schemas" || a.Type == "reference" && prefix != "":
			case a.Kind == scim.Complex:
				look(path+".", a.Sub)
			case a.Kind == scim.Text:
				if _, ok := center.TextAttributeAt(path); !ok {
					t.Errorf("the schema has %s, and center's table has not", path)
				}
			}
		}
	}
	look("", scim.UserSchema.Attributes)
	look(center.EnterprisePrefix, scim.UserSchema.Extensions[scim.EnterpriseURN])
}
