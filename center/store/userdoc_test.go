package store_test

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

// usual is the document of a user who has what a directory usually sends.
const usual = `{"ID":"90671f8c-1111-4222-8333-94a0c1b7d222","UserName":"ada.lovelace@example.com",` +
	`"ExternalID":"4b1c8d2e-0a43-4c6a-9ad2-3a0d62c1f9d1","Active":true,` +
	`"Name":{"Formatted":"Ada Lovelace","FamilyName":"Lovelace","GivenName":"Ada"},"DisplayName":"Ada Lovelace",` +
	`"Title":"Countess","PreferredLanguage":"en-GB",` +
	`"Emails":[{"Value":"ada.lovelace@example.com","Type":"work","Primary":true}],` +
	`"PhoneNumbers":[{"Value":"+44 20 7946 0000","Type":"work"}],` +
	`"Addresses":[{"StreetAddress":"12 St James's Square","Locality":"London","Type":"work"}],` +
	`"Enterprise":{"EmployeeNumber":"1815","Department":"Engines"},"CreatedAt":"2027-01-15T08:00:00Z",` +
	`"CreatedBy":"scim","UpdatedAt":"2027-01-15T08:00:00Z","UpdatedBy":"scim"}`

func BenchmarkReadUser(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if u, err := store.ReadUser(usual); err != nil || u.Enterprise.Department != "Engines" {
			b.Fatal(u, err)
		}
	}
}

// TestTheQuickOnesKnowEveryField would notice that users fall back to the general decoder and
// encoder: the quick ones must read and write every field, and as those do.
func TestTheQuickOnesKnowEveryField(t *testing.T) {
	for name, u := range map[string]center.User{
		"every field": centertest.FullUser(2),
		"no field":    {},
	} {
		doc := sqldb.Encode(u)
		if got, ok := store.ReadPlainUser(doc); !ok || !reflect.DeepEqual(got, u) {
			t.Errorf("%s: the quick reader reads (%t) from %s\n%+v\nwant\n%+v", name, ok, doc, got, u)
		}
		if got, ok := store.WritePlainUser(u); !ok || got != doc {
			t.Errorf("%s: the quick writer writes (%t)\n%s\nwant\n%s", name, ok, got, doc)
		}
	}
}

func BenchmarkWriteUser(b *testing.B) {
	b.ReportAllocs()
	u, err := store.ReadUser(usual)
	for b.Loop() {
		if doc, ok := store.WritePlainUser(u); !ok || doc != usual {
			b.Fatal(doc, ok, err)
		}
	}
}

// FuzzWriteUser compares the quick writer with the general encoder.
func FuzzWriteUser(f *testing.F) {
	f.Add("ada@example.com", "Ada \"the\" Countess\n", "Lovelace", "home\u2028", int64(1), int64(1800000000), 0)
	f.Add("<&>\x7f", "\xff", "", "", int64(-1), int64(-99999999999), 3600)
	f.Fuzz(func(t *testing.T, name, title, family, kind string, version, at int64, zone int) {
		u := center.User{
			ID: "1", UserName: name, Title: title, Name: center.PersonName{FamilyName: family}, Version: version,
			Emails: []center.Value{}, Roles: []center.Value{{Value: name, Type: kind}, {}}, Active: version > 0,
			Addresses: []center.Address{{}, {Locality: title, Type: kind, Primary: true}},
			CreatedAt: time.Unix(at, version), UpdatedAt: time.Unix(at, 0).In(time.FixedZone("", zone%86400)),
		}
		if doc, ok := store.WritePlainUser(u); ok && doc != sqldb.Encode(u) {
			t.Errorf("written as\n%s\nwant\n%s", doc, sqldb.Encode(u))
		}
	})
}

// TestADocumentOfAUser reads and writes one as earlier releases wrote it.
func TestADocumentOfAUser(t *testing.T) {
	data, err := os.ReadFile("testdata/user.json")
	if err != nil {
		t.Fatal(err)
	}
	doc := strings.TrimSpace(string(data))
	quick, ok := store.ReadPlainUser(doc)
	slow, err := sqldb.Decode[center.User](doc)
	if err != nil || !ok || !reflect.DeepEqual(quick, slow) {
		t.Errorf("read as\n%+v (%t) and\n%+v (%v)", quick, ok, slow, err)
	}
	if got := sqldb.Encode(quick); got != doc {
		t.Errorf("written again as\n%s\nwas\n%s", got, doc)
	}
}

// TestDocumentsThatAreUnusual go to the general decoder, and say the same.
func TestDocumentsThatAreUnusual(t *testing.T) {
	for name, c := range map[string]struct {
		doc   string
		plain bool
		want  center.User
	}{
		"another order": {`{"Title":"T","UserName":"a"}`, true, center.User{UserName: "a", Title: "T"}},
		"escapes": {
			`{"UserName":"a\\","Title":"\u0041\"\n"}`, true, center.User{UserName: `a\`, Title: "A\"\n"},
		},
		"a blank":             {"{ \"UserName\":\t\"a\"\n} ", true, center.User{UserName: "a"}},
		"a field of tomorrow": {`{"UserName":"a","Shoes":"7"}`, false, center.User{UserName: "a"}},
		"a part of tomorrow": {
			`{"Name":{"GivenName":"A","Shoes":"7"}}`, false, center.User{Name: center.PersonName{GivenName: "A"}},
		},
		"a null": {`{"UserName":"a","Emails":null}`, false, center.User{UserName: "a"}},
	} {
		_, plain := store.ReadPlainUser(c.doc)
		got, err := store.ReadUser(c.doc)
		if err != nil || plain != c.plain || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v (plain: %t), %v", name, got, plain, err)
		}
	}
}
