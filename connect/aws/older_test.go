package aws_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gatehouse-id/gatehouse/connect/aws"
)

// TestAJournalOfAnEarlierReleaseIsGoneOnWith: that one named it by the store alone, also where an
// endpoint stands for all of AWS. One that AWS itself has written stays AWS's.
func TestAJournalOfAnEarlierReleaseIsGoneOnWith(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	ctx := t.Context()
	if _, _, err := w.run(ctx); err != nil {
		t.Fatal(err)
	}
	store := w.Center.IdentityStoreID
	own := filepath.Join(w.folder, aws.FileStart(w.folder, store, w.Center.URL)+".json")
	old := filepath.Join(w.folder, store+".json")
	if err := os.Rename(own, old); err != nil {
		t.Fatal(err)
	}
	w.did = nil
	result, pending, err := w.run(ctx)
	if err != nil || pending != 0 || len(w.did) > 0 || len(result.Expires) != 2 {
		t.Errorf("after the upgrade: %d steps, %q, %+v, %v", pending, w.did, result, err)
	}
	if start := aws.FileStart(w.folder, store, "https://other.example"); start == store {
		t.Error("the journal is taken for that of another address")
	}
}
