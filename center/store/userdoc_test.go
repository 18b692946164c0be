package store_test

import (
	"testing"

	"github.com/gatehouse-id/gatehouse/center/store"
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
