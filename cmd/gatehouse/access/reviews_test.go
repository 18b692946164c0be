package access_test

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// TestReviewsByCommand: an administrator names an owner and starts a review, the owner confirms and
// removes, the administrator exports it, gives something back and closes it.
func TestReviewsByCommand(t *testing.T) {
	c := newCommands(t)
	ctx := context.Background()
	for _, id := range []center.UserID{c.world.Ada.ID, c.world.Linus.ID} {
		if _, err := c.server.CreateAssignment(ctx, centertest.Actor, center.Assignment{
			AccountID: c.world.Account.ID, PermissionSetARN: c.world.Set.ARN, PrincipalType: center.PrincipalUser,
			PrincipalID: string(id),
		}); err != nil {
			t.Fatal(err)
		}
	}
	until := c.server.Now().AddDate(0, 0, 9).UTC().Format("2006-01-02")
	c.says("admin", "", "owner", "set", "--permission-set", "Admin", "--user", "grace")
	c.says("admin", "Admin  user  grace", "owner", "list")
	c.says("admin", `"OwnerName": "grace"`, "owner", "list", "--json")
	var made []adminapi.AccessReview
	text := c.says(
		"admin", "OPEN", "review", "start", "--name", "Quarter", "--until", until, "--end-unconfirmed", "--json",
	)
	if err := json.Unmarshal([]byte(text), &made); err != nil || len(made) != 1 || !made[0].EndUnconfirmed {
		t.Fatalf("%+v, %v", made, err)
	}
	id := made[0].ReviewID
	c.says("grace", "Quarter", "review", "list")
	c.says("grace", "the assignment to ada goes", "review", "show", "quarter")
	c.says("grace", "CONFIRMED", "review", "confirm", id, "0001")
	c.says("grace", "REMOVED", "review", "remove", "Quarter", "0002", "--comment", "has moved")
	c.says("admin", "linus", "review", "show", id, "--as-administrator")
	csv := c.says("admin", "has moved", "review", "export", "QUARTER")
	if lines := strings.Split(strings.TrimSpace(csv), "\n"); len(lines) != 3 || !strings.HasPrefix(lines[0], "Line,") {
		t.Errorf("the export: %s", csv)
	}
	c.says("admin", "OPEN", "review", "restore", "quarter", "0002", "--as-administrator")
	c.says("admin", "CLOSING", "review", "close", "Quarter", "--keep")
	c.says("admin", "Quarter", "review", "list", "--as-administrator")
	c.env["nobody"] = maps.Clone(c.env["admin"])
	c.env["nobody"]["AWS_SECRET_ACCESS_KEY"] = "another"
	for _, none := range [][]string{
		{"review", "export", id}, {"owner", "list"}, {"webhook", "show"}, {"policy", "list"}, {"review", "close", id},
		{"review", "list", "--as-administrator"}, {"review", "show", id, "--as-administrator"},
	} { // a failure prints nothing that a program takes for an answer
		if out, err := c.run("nobody", append(none, "--json")...); err == nil || out != "" {
			t.Errorf("%v: %v, and prints %q", none, err, out)
		}
	}
	for _, wrong := range [][]string{
		{"review", "confirm", id}, {"review", "start", "--name", "x"}, {"review", "show", id},
		{"review", "start", "--name", "x", "--until", "soon"}, {"owner", "set", "--permission-set", "Admin"},
	} {
		who := "admin"
		if wrong[1] == "show" {
			who = "ada"
		}
		if out, err := c.run(who, wrong...); err == nil {
			t.Errorf("%v is taken: %s", wrong, out)
		}
	}
}
