package scimserver_test

import (
	"os"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/scimserver"
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
