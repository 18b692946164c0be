package center_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
)

// TestADenialFitsIntoARole however many have left: nobody who is revoked may use what they have,
// and as few others as possible lose theirs.
func TestADenialFitsIntoARole(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		people, moments int
		statements      int
		named           int
	}{
		"nobody":               {0, 0, 0, 0},
		"some, now and then":   {5, 5, 5, 5},
		"many at once":         {80, 1, 1, 80},
		"many, now and then":   {80, 80, 1, 80},
		"one, again and again": {1, 60, 1, 1},
		"more than has room":   {500, 1, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var revoked []center.RoleRevocation
			for i := range max(c.people, c.moments) {
				revoked = append(revoked, center.RoleRevocation{
					Name:   fmt.Sprintf("person%d@example.com", i%c.people),
					Before: start.Add(time.Duration(i%c.moments) * time.Minute),
				})
			}
			policy, err := center.DenyRevoked(revoked)
			if err != nil || len(policy) > 4096 {
				t.Fatalf("%d bytes, %v", len(policy), err)
			}
			var is struct {
				Statement []struct {
					Condition struct {
						StringEquals map[string][]string
						DateLessThan map[string]time.Time
					}
				}
			}
			if err := json.Unmarshal([]byte(policy), &is); err != nil {
				t.Fatal(err)
			}
			named := 0
			for _, s := range is.Statement {
				named += len(s.Condition.StringEquals["sts:SourceIdentity"])
			}
			if len(is.Statement) != c.statements || named != c.named {
				t.Errorf("%d statements with %d names: %s", len(is.Statement), named, policy)
			}
			for _, r := range revoked {
				covered := false
				for _, s := range is.Statement {
					names := s.Condition.StringEquals["sts:SourceIdentity"]
					if until := s.Condition.DateLessThan["aws:TokenIssueTime"]; until.Before(r.Before) {
						continue
					}
					for _, n := range names {
						covered = covered || n == r.Name
					}
					covered = covered || names == nil
				}
				if !covered {
					t.Errorf("what %s had at %s is good", r.Name, r.Before)
				}
			}
		})
	}
}
