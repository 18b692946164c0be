package center

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"
)

// usualUser has what a directory usually sends.
func usualUser() User {
	return User{
		ID:                "90671f8c-1111-4222-8333-94a0c1b7d222",
		UserName:          "ada.lovelace@example.com",
		ExternalID:        "4b1c8d2e-0a43-4c6a-9ad2-3a0d62c1f9d1",
		Active:            true,
		Name:              PersonName{FamilyName: "Lovelace", GivenName: "Ada", Formatted: "Ada Lovelace"},
		DisplayName:       "Ada Lovelace",
		Title:             "Countess",
		PreferredLanguage: "en-GB",
		Emails:            []Value{{Value: "ada.lovelace@example.com", Type: "work", Primary: true}},
		PhoneNumbers:      []Value{{Value: "+44 20 7946 0000", Type: "work"}},
		Addresses:         []Address{{StreetAddress: "12 St James's Square", Locality: "London", Type: "work"}},
		Enterprise:        Enterprise{Department: "Engines", EmployeeNumber: "1815"},
		CreatedAt:         time.Unix(1_800_000_000, 0).UTC(),
		CreatedBy:         "scim",
		UpdatedAt:         time.Unix(1_800_000_000, 0).UTC(),
		UpdatedBy:         "scim",
	}
}

func BenchmarkRememberedUser(b *testing.B) {
	u := usualUser()
	record := appendUser(nil, u)
	b.Run("Write", func(b *testing.B) {
		b.ReportAllocs()
		b.ReportMetric(float64(len(record)), "B/user")
		for b.Loop() {
			record = appendUser(record[:0], u)
		}
	})
	text := string(record)
	b.Run("Read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			u = decodeUser(text)
		}
	})
	b.Run("Check", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := u.Check(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Source", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if u.sourceValue("${path:enterprise.department}") == "" {
				b.Fatal("no department")
			}
		}
	})
}

// BenchmarkUsersInMemory has 100,000 users remembered, and says with -v what they take.
func BenchmarkUsersInMemory(b *testing.B) {
	c := &Center{Store: unshared{}}
	const n = 100_000
	ids := make([]UserID, n)
	folded := make([]string, n)
	u := usualUser()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range n {
		ids[i] = UserID(fmt.Sprintf("90671f8c-1111-4222-8333-%012d", i))
		folded[i] = fmt.Sprintf("ada.lovelace%d@example.com", i)
		u.ID, u.UserName = ids[i], folded[i]
		c.keepUser(u, 0)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.Logf("%d bytes a user, with the texts of its keys", (after.HeapAlloc-before.HeapAlloc)/n)
	i := 0
	b.Run("ByID", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			i = (i + 7919) % n
			if _, ok := c.rememberedUser(context.Background(), ids[i]); !ok {
				b.Fatal(i)
			}
		}
	})
	b.Run("ByName", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			i = (i + 7919) % n
			if _, ok := c.rememberedName(context.Background(), folded[i]); !ok {
				b.Fatal(i)
			}
		}
	})
	b.Run("ForgetKeep", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			i = (i + 7919) % n
			c.users.Forget(string(ids[i]))
			u.ID, u.UserName = ids[i], folded[i]
			c.keepUser(u, c.users.Age())
		}
	})
}
