package connect_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// TestALockOfAHostWithoutANameSaysWhoHasIt, as of a container.
func TestALockOfAHostWithoutANameSaysWhoHasIt(t *testing.T) {
	t.Parallel()
	cfg := config(pairtest.Start(t), http.DefaultClient)
	cfg.Folder = t.TempDir()
	release, err := cfg.Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	locks, err := filepath.Glob(filepath.Join(cfg.Folder, "*.lock"))
	if err != nil || len(locks) != 1 {
		t.Fatal(locks, err)
	}
	if err := os.WriteFile(locks[0], []byte(`{"process":1,"since":"2026-01-02T03:04:05Z"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = cfg.Hold(t.Context())
	if !errors.Is(err, connect.ErrHeld) || !strings.Contains(err.Error(), ": process 1, since 2026-01-02 03:04 UTC") {
		t.Errorf("it is %v", err)
	}
}

// copied is a center that is a copy of another, with the ids of that.
type copied struct {
	*adminapi.Client

	store string
}

func (c copied) DescribeDirectory(ctx context.Context) (adminapi.Directory, error) {
	d, err := c.Client.DescribeDirectory(ctx)
	d.IdentityStoreID = c.store
	return d, err
}

// TestARehearsalIsNotInTheWayOfItsOriginal: both have the same ids, and share a folder. Neither
// locks the other out, or takes the other's notes for its own.
func TestARehearsalIsNotInTheWayOfItsOriginal(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	of := func(m remembering) connect.Config {
		cfg := config(m.Ends, http.DefaultClient, "Engineering")
		cfg.Folder, cfg.Center = folder, copied{cfg.Center.(*adminapi.Client), "d-1234567890"}
		return cfg
	}
	original := of(remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, folder})
	rehearsal := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, folder}
	cfg := of(rehearsal)
	release, err := cfg.Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	asked := cfg
	killed := config(rehearsal.Ends, &http.Client{Transport: &dying{at: settingUp}}, "Engineering")
	asked.Graph, asked.HTTP = killed.Graph, killed.HTTP
	plan, err := connect.Observe(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Apply(t.Context(), connect.Confirmation, func(int, bool) {}); !errors.Is(err, errKilled) {
		t.Fatalf("it is not killed: %v", err)
	}
	notes, err := filepath.Glob(filepath.Join(folder, "*-application.json"))
	if err != nil || len(notes) != 1 {
		t.Fatal(notes, err)
	}
	free, err := original.Hold(t.Context())
	if err != nil {
		t.Fatalf("the original is held: %v", err)
	}
	defer free()
	if plan, err = connect.Observe(t.Context(), original); err == nil {
		err = plan.Apply(t.Context(), connect.Confirmation, func(int, bool) {})
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(notes[0]); err != nil {
		t.Errorf("the rehearsal's notes: %v", err)
	}
}

// TestNoCenterNamesAFileElsewhere: what it says that its id is leads into no other folder.
func TestNoCenterNamesAFileElsewhere(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	cfg := config(pairtest.Start(t, gatehousetest.Unconnected()), http.DefaultClient)
	cfg.Folder, cfg.Center = filepath.Join(top, "state"), copied{cfg.Center.(*adminapi.Client), "../elsewhere"}
	release, err := cfg.Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	own, _ := os.ReadDir(cfg.Folder)
	all, _ := os.ReadDir(top)
	if len(own) != 1 || len(all) != 1 {
		t.Errorf("its folder has %v, and the one above %v", own, all)
	}
}
