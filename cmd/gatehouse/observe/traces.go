package observe

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/spf13/pflag"

	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/telemetry/tracing"
	"github.com/gatehouse-id/gatehouse/terminal"
	"github.com/gatehouse-id/gatehouse/web"
)

// Traces is where traces go.
type Traces struct {
	given tracing.Given
	part  *pflag.Flag
}

// Flags adds the flags.
func (t *Traces) Flags(f *pflag.FlagSet) {
	f.StringVar(
		&t.given.To, "traces", "",
		"address of a collector of OpenTelemetry, such as http://127.0.0.1:4318, that traces are sent to by OTLP\n"+
			"(default: OTEL_EXPORTER_OTLP_ENDPOINT, else none); OpenTelemetry's other variables count too",
	)
	f.Float64Var(
		&t.given.Part, "traces-part", -1,
		"part of all traces that is recorded, from 0 to 1 (default: OTEL_TRACES_SAMPLER, else all, 100 a second at "+
			"most)",
	)
	t.part = f.Lookup("traces-part")
	f.StringVar(
		&t.given.Authorization, "traces-authorization", "",
		"Authorization header of --traces; set it with GATEHOUSE_TRACES_AUTHORIZATION or\n"+
			"GATEHOUSE_TRACES_AUTHORIZATION_FILE, since other users of the machine can see flags",
	)
}

// Open begins to send the traces of one half. Where both are in this process, the environment does
// not name them.
func (t *Traces) Open(
	ctx context.Context, env func(string) (string, bool), of tracing.Service, alone bool, log *slog.Logger,
) (*tracing.Tracing, error) {
	given := t.given
	given.Names = alone
	if t.part != nil && t.part.Changed && !(given.Part >= 0 && given.Part <= 1) { // nor NaN
		return nil, terminal.UsageError{Err: fmt.Errorf("--traces-part %s: use a number from 0 to 1", t.part.Value)}
	}
	settings, err := tracing.Read(given, env)
	if err != nil && given.To != "" {
		return nil, terminal.UsageError{Err: err}
	}
	var opened *tracing.Tracing
	if err == nil {
		opened, err = tracing.Open(ctx, settings, of, log)
	}
	if err != nil && given.To == "" { // a machine's environment, which may be meant for other programs, ends no half
		log.WarnContext(ctx, "traces are off: the settings of OpenTelemetry in the environment do not fit",
			"error", err)
		return nil, nil //nolint:nilnil // nil is off
	}
	return opened, err
}

// Requests has the requests of a half followed.
func Requests(t *tracing.Tracing) web.Trace {
	if t == nil {
		return nil
	}
	return func(r *http.Request, traceparent, id string) (f web.Followed) {
		f.Context, f.End = t.Request(r.Context(), r.Method, traceparent, id)
		f.Traceparent = tracing.Traceparent(f.Context)
		return f
	}
}

// Transactions has those of a half's database followed.
func Transactions(t *tracing.Tracing) sqldb.Option {
	if t == nil {
		return sqldb.Watch(nil)
	}
	return sqldb.Watch(func(ctx context.Context, kind string) sqldb.Witness {
		if at := t.Transaction(ctx, kind); at != nil {
			return at
		}
		return nil
	})
}

// Targets has the requests that a policy lets a half send followed.
func Targets(t *tracing.Tracing, p outbound.Policy) outbound.Policy {
	if t != nil {
		p.Around = t.Sending
	}
	return p
}
