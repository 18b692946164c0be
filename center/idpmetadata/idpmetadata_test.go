package idpmetadata_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/idpmetadata"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/saml"
)

const entityID = "https://idp.example/"

func metadata(t *testing.T, entityID, signIn string) []byte {
	t.Helper()
	key, err := saml.NewSigningKey(time.Now(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	data, err := saml.IdentityProviderMetadata(saml.IdentityProvider{EntityID: entityID, SignInURL: signIn}, key)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// publisher is an identity provider whose metadata is at an address.
type publisher struct {
	*httptest.Server
	answer http.HandlerFunc
	asked  int
}

func publish(t *testing.T) *publisher {
	t.Helper()
	p := &publisher{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked++
		p.answer(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func send(data []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) }
}

// watching returns a center that watches what is published, and its watch.
func watching(t *testing.T, address string) (*center.Center, func() center.Watch) {
	t.Helper()
	c := centertest.New(t, "http://127.0.0.1")
	centertest.Federate(t, c, entityID)
	if err := c.WatchMetadata(context.Background(), centertest.Actor, address); err != nil {
		t.Fatal(err)
	}
	return c, func() center.Watch {
		t.Helper()
		s, err := c.Source(context.Background())
		if err != nil || s.Watch == nil {
			t.Fatalf("%+v %v", s, err)
		}
		return *s.Watch
	}
}

func TestWhatIsWrongWithPublishedMetadataIsKept(t *testing.T) {
	thief := publish(t)
	thief.answer = send(metadata(t, entityID, "https://thief.example/"))
	ours := outbound.Policy{Loopback: true}
	for name, x := range map[string]struct {
		answer  http.HandlerFunc
		policy  outbound.Policy
		problem string
	}{
		"another identity provider": {send(metadata(t, "https://other.example/", "https://other.example/sso")), ours,
			`it is the metadata of "https://other.example/", not of "` + entityID + `"`},
		"no metadata": {send([]byte("<html></html>")), ours, "web page"},
		"nothing":     {http.NotFound, ours, "the server answered 404 Not Found"},
		"another address": {
			http.RedirectHandler(thief.URL, http.StatusFound).ServeHTTP, ours, "the server answered 302 Found",
		},
		"too large":       {send([]byte(strings.Repeat(" ", saml.MaxMetadataFile+1))), ours, "longer than"},
		"not to be asked": {nil, outbound.Policy{}, "127.0.0.1 is blocked"},
		"cut off on the way": {func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		}, ours, "it cannot be fetched"},
	} {
		t.Run(name, func(t *testing.T) {
			p := publish(t)
			p.answer = x.answer
			c, watch := watching(t, p.URL)
			if err := idpmetadata.NewWatcher(c, x.policy).LookIfDue(context.Background()); err != nil {
				t.Fatal(err)
			}
			w := watch()
			if !strings.Contains(w.Problem, x.problem) || w.Offered != nil || w.FetchedAt.IsZero() {
				t.Errorf("%+v, want the problem %q", w, x.problem)
			}
		})
	}
	if thief.asked != 0 {
		t.Error("a redirect was followed")
	}
}

func TestPublishedMetadataIsLookedAtEverySixHours(t *testing.T) {
	p := publish(t)
	c, watch := watching(t, p.URL)
	now := time.Now()
	c.Now = func() time.Time { return now }
	look := idpmetadata.NewWatcher(c, outbound.Policy{Loopback: true}).LookIfDue
	for _, x := range []struct {
		after  time.Duration
		signIn string
		asked  int
	}{
		{0, "https://idp.example/one", 1},
		{6*time.Hour - time.Second, "https://idp.example/one", 1},
		{2 * time.Second, "https://idp.example/two", 2},
	} {
		now = now.Add(x.after)
		p.answer = send(metadata(t, entityID, x.signIn))
		if err := look(context.Background()); err != nil {
			t.Fatal(err)
		}
		if w := watch(); p.asked != x.asked || w.Problem != "" || w.Offered == nil || w.Offered.SignInURL != x.signIn {
			t.Errorf("after %v: asked %d times, %+v", x.after, p.asked, w)
		}
	}
}

// TestWhoReadsExpiredMetadataIsTold: it is taken, and the administrator knows.
func TestWhoReadsExpiredMetadataIsTold(t *testing.T) {
	text := strings.Replace(string(metadata(t, entityID, "https://idp.example/sso")), ` entityID="`,
		` validUntil="2026-01-02T03:04:05Z" entityID="`, 1)
	for at, want := range map[string]string{
		"2026-01-01T00:00:00Z": "", "2026-02-01T00:00:00Z": "valid until 2026-01-02 03:04 UTC",
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		idp, err := idpmetadata.Parse([]byte(text), now)
		if notes := strings.Join(idp.Notes, "\n"); err != nil || (notes == "") != (want == "") ||
			!strings.Contains(notes, want) {
			t.Errorf("at %s: %q, %v; want %q", at, notes, err, want)
		}
	}
	c, seen := watching(t, "https://idp.example/metadata")
	if err := idpmetadata.ImportCertificates(context.Background(), c, centertest.Actor, []byte(text)); err != nil {
		t.Fatal(err)
	}
	s, err := c.Source(context.Background())
	if err != nil || len(s.IdP.Notes) != 1 || !strings.Contains(s.IdP.Notes[0], "valid until 2026-01-02") {
		t.Errorf("after certificates were imported from it: %q, %v, %+v", s.IdP.Notes, err, seen())
	}
}
