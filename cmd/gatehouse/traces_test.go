package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// span is what a collector was told of one.
type span struct {
	Service, Name     string
	Trace, ID, Parent string
	Attributes        map[string]string
}

// otlp is a collector that takes everything.
type otlp struct {
	*httptest.Server

	mu    sync.Mutex
	spans []span
}

func newOTLP(t *testing.T) *otlp {
	t.Helper()
	c := &otlp{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil && (r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf") {
			err = fmt.Errorf("%s %s", r.URL.Path, r.Header.Get("Content-Type"))
		}
		if err == nil {
			err = c.take(body)
		}
		if err != nil {
			t.Errorf("what came is no ExportTraceServiceRequest: %v", err)
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// take reads an ExportTraceServiceRequest by OpenTelemetry's own definitions.
func (c *otlp) take(body []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(body) > 0 {
		number, kind, n := protowire.ConsumeTag(body)
		if n < 0 || number != 1 || kind != protowire.BytesType {
			return fmt.Errorf("field %d of type %d", number, kind)
		}
		text, m := protowire.ConsumeBytes(body[n:])
		if m < 0 {
			return protowire.ParseError(m)
		}
		body = body[n+m:]
		var of tracepb.ResourceSpans
		if err := proto.Unmarshal(text, &of); err != nil {
			return err
		}
		service := attributes(of.GetResource().GetAttributes())["service.name"]
		for _, scope := range of.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				c.spans = append(c.spans, span{
					service, s.GetName(), hex.EncodeToString(s.GetTraceId()), hex.EncodeToString(s.GetSpanId()),
					hex.EncodeToString(s.GetParentSpanId()), attributes(s.GetAttributes()),
				})
			}
		}
	}
	return nil
}

func attributes(list []*commonpb.KeyValue) map[string]string {
	all := map[string]string{}
	for _, a := range list {
		all[a.GetKey()] = a.GetValue().GetStringValue()
	}
	return all
}

// whole waits for a trace in which all of the wanted are, by the service and the name, and the
// parents of all, but for one that a caller had. It returns its spans.
func (c *otlp) whole(t *testing.T, first string, wanted ...string) []span {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) { // between two looks
		c.mu.Lock()
		all := slices.Clone(c.spans)
		c.mu.Unlock()
		traces := map[string][]span{}
		for _, s := range all {
			traces[s.Trace] = append(traces[s.Trace], s)
		}
		for _, spans := range traces {
			missing := slices.Clone(wanted)
			for _, s := range spans {
				missing = slices.DeleteFunc(missing, func(w string) bool { return w == s.Service+": "+s.Name })
			}
			if len(missing) == 0 && len(orphans(spans, first)) == 0 {
				return spans
			}
		}
		if time.Now().After(end) {
			for _, s := range all {
				t.Logf("%s %s: %s, parent %s", s.Trace[:6], s.Service, s.Name, s.Parent)
			}
			t.Fatalf("no trace has all of %q", wanted)
		}
	}
}

// orphans are the spans whose parents have not come.
func orphans(spans []span, first string) []span {
	ids := map[string]bool{"": true, first: true}
	for _, s := range spans {
		ids[s.ID] = true
	}
	return slices.DeleteFunc(slices.Clone(spans), func(s span) bool { return ids[s.Parent] })
}

// linked fails where a span of a trace is neither the first nor has its parent in the trace.
func linked(t *testing.T, spans []span, first string) {
	t.Helper()
	roots := 0
	for _, s := range spans {
		if s.Parent == "" || s.Parent == first {
			roots++
		}
	}
	for _, s := range orphans(spans, first) {
		t.Errorf("%s: %s has the parent %s, which never came", s.Service, s.Name, s.Parent)
	}
	if roots != 1 {
		t.Errorf("the trace has %d beginnings", roots)
	}
}

// TestASignInIsOneTrace follows a person from the portal through the tenant and back, with all that
// both databases were asked, and looks that nothing of the person is in it.
func TestASignInIsOneTrace(t *testing.T) {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
	c := newOTLP(t)
	d, _ := startDemo(t, "--traces", c.URL)
	both := of(t, d)
	both.SignIn(pairtest.Amara)
	const center, tenant = "gatehouse-center: ", "gatehouse-tenant: "
	spans := c.whole(
		t, "", center+"start GET /start", center+"platform GET /platform/login", tenant+"saml2 GET /{id}/saml2",
		tenant+"login GET /login", tenant+"login POST /login", center+"platform POST /platform/saml/acs/{tenant}",
		center+"transaction update", center+"INSERT sessions", tenant+"SELECT users",
	)
	linked(t, spans, "")
	for _, s := range spans {
		for key, value := range s.Attributes {
			for _, secret := range []string{"amara", "SAMLRe", both.People[0].Password, "127.0.0.1:"} {
				if strings.Contains(strings.ToLower(value), strings.ToLower(secret)) {
					t.Errorf("%s: the attribute %s has %q: %s", s.Name, key, secret, value)
				}
			}
		}
	}
}

// TestAChangeIsOneTraceToTheTargetsAnswer follows a change from a caller's own span by Microsoft
// Graph through the journal, the provisioning job and SCIM to the center's database.
func TestAChangeIsOneTraceToTheTargetsAnswer(t *testing.T) {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
	c := newOTLP(t)
	d, _ := startDemo(t, "--traces", c.URL)
	both := of(t, d)
	amara := "/users/" + both.User(pairtest.Amara).ID
	both.Change(http.MethodPatch, amara, map[string]any{"displayName": "Amara Told"}, nil)
	const center, tenant = "gatehouse-center: ", "gatehouse-tenant: "
	spans := c.whole(
		t, "", tenant+"graph PATCH /v1.0/users/{id}", tenant+"INSERT marks", tenant+"provision User", tenant+"PATCH",
		center+"scim PatchUser", center+"transaction update", center+"UPDATE users",
	)
	linked(t, spans, "")
}

// TestACollectorThatHangsHarmsNothing: people sign in, and the program ends, although the collector
// takes connections and never answers; and so it is where nobody listens.
func TestACollectorThatHangsHarmsNothing(t *testing.T) {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
	release := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(hangs.Close)
	t.Cleanup(func() { close(release) })
	for name, to := range map[string]string{"hangs": hangs.URL, "away": "http://" + webtest.FreeAddress(t)} {
		t.Run(name, func(t *testing.T) {
			d, stop := startDemo(t, "--traces", to)
			of(t, d).SignIn(pairtest.Amara)
			began := time.Now()
			if stop(); time.Since(began) > 30*time.Second {
				t.Errorf("the end took %v", time.Since(began))
			}
		})
	}
}

// TestLogLinesNameTheirTrace: a refusal that is logged has the ids of the request's span, and the
// caller's trace goes on.
func TestLogLinesNameTheirTrace(t *testing.T) {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
	c := newOTLP(t)
	address := webtest.FreeAddress(t)
	s := startCommand(t, "serve", "--data", t.TempDir(), "--listen", address, "--traces", c.URL, "--log-format", "json")
	const trace, first = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	r, err := http.NewRequestWithContext(
		context.Background(), http.MethodGet, "http://"+address+"/nothing/scim/v2/Users", bytes.NewReader(nil),
	)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Traceparent", "00-"+trace+"-"+first+"-01")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	linked(t, c.whole(t, first, "gatehouse-center: scim ListUsers"), first)
	for line := range strings.Lines(s.err.String()) {
		if strings.Contains(line, `"trace_id":"`+trace+`"`) && strings.Contains(line, `"span_id":"`) {
			return
		}
	}
	t.Errorf("no line names the trace: %s", s.err.String())
}
