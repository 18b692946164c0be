package store_test

import (
	"context"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
)

// TestTheLastAdministratorStaysOnAllNodes: two remove one another at the same time, on two nodes,
// and one of them stays.
func TestTheLastAdministratorStaysOnAllNodes(t *testing.T) {
	twoNodes(t, func(t *testing.T, nodes [2]*center.Center, _ center.User) {
		ctx, names := context.Background(), [2]string{"ada", "bob"}
		for range 5 {
			for _, name := range names {
				if err := nodes[0].SetAdministrator(ctx, audit.SystemActor, name, rightPassword); err != nil {
					t.Fatal(err)
				}
			}
			var all sync.WaitGroup
			var failed [2]error
			for i, node := range nodes {
				all.Go(func() {
					_, failed[i] = node.RemoveAdministrator(
						ctx,
						audit.Actor{Kind: audit.Administrator, Name: names[i]},
						names[1-i],
					)
				})
			}
			all.Wait()
			left, err := nodes[1].Administrators(ctx)
			if err != nil || len(left) != 1 || (failed[0] == nil) == (failed[1] == nil) {
				t.Fatalf("left are %+v, %v; removing failed with %v and %v", left, err, failed[0], failed[1])
			}
		}
	})
}
