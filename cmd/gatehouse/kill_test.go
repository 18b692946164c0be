package main

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/killtest"
)

// TestWhateverDiesTheTwoSidesBecomeEqual kills the tenant, the center or both while people and
// groups change. Nothing acknowledged is lost; the center becomes what the tenant is; who leaves is
// refused. GATEHOUSE_SEED repeats the same chances.
func TestWhateverDiesTheTwoSidesBecomeEqual(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano()) // #nosec G115 -- any number will do
	if text := os.Getenv("GATEHOUSE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	kills := 30
	if testing.Short() {
		kills = 5
	}
	figures, err := killtest.Run(t.Context(), killtest.Config{
		Program: build(t),
		Folder:  t.TempDir(),
		Kills:   kills,
		Seed:    seed,
		Log:     t.Logf,
	})
	t.Log(figures)
	if err != nil {
		t.Fatal(err)
	}
	if err := figures.Missed(); err != nil {
		t.Error(err)
	}
}
