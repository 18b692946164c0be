package connect_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// TestAPlanThatIsMadeAgainTakesNothingNew: a colleague's application, or what a colleague has done
// with the job, was not there when somebody agreed, and the steps have the same names.
func TestAPlanThatIsMadeAgainTakesNothingNew(t *testing.T) {
	t.Parallel()
	pause := func(o other) { o.Change(http.MethodPost, o.JobPath()+"/pause", nil, nil) }
	elsewhere := func(o other) { o.PutSecrets(pairtest.NewWay(o.t, o.SCIM.BaseURL).URL) }
	for name, test := range map[string]struct {
		options   []gatehousetest.Option
		undo      bool
		meanwhile func(other)
		words     string
	}{
		"an application of the name": {
			options:   []gatehousetest.Option{gatehousetest.Unconnected()},
			meanwhile: func(o other) { o.application(appName) }, words: "“" + appName + "”",
		},
		"a job that is paused":              {meanwhile: pause, words: "paused"},
		"a job that writes elsewhere":       {meanwhile: elsewhere, words: "where the job writes"},
		"undo, a job that writes elsewhere": {undo: true, meanwhile: elsewhere, words: "where the job writes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := other{pairtest.Start(t, test.options...), t}
			cfg := config(o.Ends, http.DefaultClient, "Engineering")
			cfg.SyncAll = true
			var again func() error
			if test.undo {
				back, err := connect.ObserveUndo(t.Context(), cfg, connect.UndoOptions{})
				if err != nil {
					t.Fatal(err)
				}
				again = func() error { _, err := back.Again(t.Context(), cfg); return err }
			} else {
				plan, err := connect.Observe(t.Context(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				again = func() error { _, err := plan.Again(t.Context(), cfg, connect.Observe); return err }
			}
			if err := again(); err != nil {
				t.Fatalf("nothing has changed: %v", err)
			}
			test.meanwhile(o)
			if err := again(); !errors.Is(err, connect.ErrMoved) || !strings.Contains(err.Error(), test.words) {
				t.Errorf("it is %v; want %q", err, test.words)
			}
		})
	}
}
