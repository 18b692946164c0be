package store_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

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

// TestTheQuickReaderKnowsEveryField would notice that users fall back to the general decoder: the
// quick reader must read whatever the store writes, in every field, and as the decoder does.
func TestTheQuickReaderKnowsEveryField(t *testing.T) {
	for name, u := range map[string]center.User{
		"every field": centertest.FullUser(2),
		"no field":    {},
	} {
		doc := sqldb.Encode(u)
		if got, ok := store.ReadPlainUser(doc); !ok || !reflect.DeepEqual(got, u) {
			t.Errorf("%s: the quick reader reads (%t) from %s\n%+v\nwant\n%+v", name, ok, doc, got, u)
		}
	}
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
		"a blank":             {`{"UserName": "a"}`, false, center.User{UserName: "a"}},
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
