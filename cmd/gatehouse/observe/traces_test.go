package observe_test

import (
	"log/slog"
	"testing"

	"github.com/spf13/pflag"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/observe"
	"github.com/gatehouse-id/gatehouse/telemetry/tracing"
)

// TestAMachinesEnvironmentEndsNoHalf: settings that may be meant for other programs turn traces
// off; beside an address of the half's own they are a mistake.
func TestAMachinesEnvironmentEndsNoHalf(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c", "OTEL_EXPORTER_OTLP_CERTIFICATE": t.TempDir() + "/missing.pem",
	}
	get := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	for _, args := range [][]string{
		nil, {"--traces=https://c"}, {"--traces-part=-0.5"}, {"--traces-part=NaN"}, {"--traces-part=2"},
	} {
		var traces observe.Traces
		f := pflag.NewFlagSet("", pflag.ContinueOnError)
		traces.Flags(f)
		if err := f.Parse(args); err != nil {
			t.Fatal(err)
		}
		opened, err := traces.Open(
			t.Context(), get, tracing.Service{Name: "gatehouse"}, true, slog.New(slog.DiscardHandler),
		)
		if opened != nil || (err != nil) != (args != nil) {
			t.Errorf("%v: %v, %v", args, opened, err)
		}
	}
}
