package aws_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/connect/aws"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// TestThePlanSaysWhatBecomesOfPeople reads both sides through their doors, changes what the walk
// changes, and reads AWS's side back.
func TestThePlanSaysWhatBecomesOfPeople(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t, gatehousetest.Unconnected())
	ctx := context.Background()
	e.CLI().Run(nil, "identitystore", "create-user", "--identity-store-id", e.Center.IdentityStoreID, "--user-name",
		"stranger@northwind.example", "--display-name", "S", "--name", "GivenName=S,FamilyName=T")
	c, err := aws.Open(ctx, atAWS(e.Pair, &limits{}))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "snapshot.json")
	cfg := connect.Config{
		Graph: graph.NewClient(
			ctx, e.Tenant.GraphURL, e.Tenant.TokenURL, e.Tenant.ClientID, e.Tenant.ClientSecret, http.DefaultClient,
		),
		Center:       e.Admin,
		LoginURL:     e.AuthorityURL(),
		AppName:      "AWS IAM Identity Center",
		Groups:       []string{"Engineering"},
		Cert:         "AWS IAM Identity Center",
		Discover:     c.Discover,
		SnapshotFile: file,
	}
	plan, err := connect.Observe(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if plan.People.Counts[connect.Stops] != 1 || plan.People.Counts[connect.Created] != 7 ||
		plan.People.Counts[connect.Nested] == 0 || plan.People.New != 1 {
		t.Errorf("%+v", plan.People)
	}
	if err := plan.Apply(ctx, connect.Confirmation, func(int, bool) {}); err != nil {
		t.Fatal(err)
	}
	var before connect.Snapshot
	if err := connect.ReadFile(file, &before); err != nil || len(before.Users) != 1 {
		t.Errorf("the snapshot has %+v, %v", before, err)
	}
	if _, err := plan.Verify(ctx, func(int, int) {}); err != nil {
		t.Fatal(err)
	}
	plan, err = connect.Observe(ctx, cfg)
	if err != nil || plan.Pending() != 0 || plan.People.Counts[connect.Keeps] != 7 || plan.People.Adopted != 1 {
		t.Errorf("afterwards: %+v, %v", plan.People, err)
	}
}

// TestNobodyLocksHimselfOut: whoever has a permission set's role does not change the identity
// source unless they say that they know.
func TestNobodyLocksHimselfOut(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t, gatehousetest.Unconnected())
	ctx := context.Background()
	cfg := connect.Config{
		Graph: e.Client, Center: e.Admin, LoginURL: e.AuthorityURL(), AppName: "AWS IAM Identity Center",
		Cert: "AWS IAM Identity Center",
		Discover: func(context.Context, func(int, int)) (connect.Snapshot, error) {
			return connect.Snapshot{Caller: "arn:aws:sts::1:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/me"}, nil
		},
	}
	plan, err := connect.Observe(ctx, cfg)
	if err != nil || len(plan.Notes) == 0 {
		t.Fatal(plan, err)
	}
	if err := plan.Apply(ctx, connect.Confirmation, func(int, bool) {}); !errors.Is(err, connect.ErrLockout) {
		t.Errorf("it goes on: %v", err)
	}
	cfg.AllowLockout = true
	if plan, err = connect.Observe(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	if err := plan.Apply(ctx, connect.Confirmation, func(int, bool) {}); err != nil {
		t.Errorf("with leave: %v", err)
	}
}
