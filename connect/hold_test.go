package connect_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/connect"
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
