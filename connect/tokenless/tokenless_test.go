package tokenless_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/connect/tokenless"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/store"
)

// openState opens a folder as the program does.
func openState(ctx context.Context, folder string) (*tenant.Tenant, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, filepath.Join(folder, "tenant.db"))
	if err != nil {
		return nil, err
	}
	sealer, err := authn.NewSealer(make([]byte, authn.MasterKeySize))
	if err != nil {
		return nil, err
	}
	return tenant.Open(ctx, tenant.Config{Store: s, Sealer: sealer})
}

func newWriter(t *testing.T) (pairtest.Ends, *tokenless.Writer) {
	t.Helper()
	e := pairtest.Start(t, gatehousetest.Unconnected())
	return e, &tokenless.Writer{
		Graph: e.Client, SDK: e.AWSConfig(), Store: e.Center.IdentityStoreID,
		Folder: filepath.Join(t.TempDir(), "a folder", "sync"), OpenState: openState, HTTP: http.DefaultClient,
		Log: slog.New(slog.DiscardHandler), SignIn: []string{"--sign-in", "azure-cli"}, AsPerson: true,
	}
}

func (w world) group(name string) graph.Group {
	w.T.Helper()
	found, err := graph.All[graph.Group](w.T.Context(), w.Client, "/groups"+graph.Filter("displayName", name))
	if err != nil || len(found) != 1 {
		w.T.Fatalf("%s: %+v, %v", name, found, err)
	}
	return found[0]
}

type world struct{ pairtest.Ends }

// TestTheWriterWritesWhatItHasForeseen: a preview changes nothing and says what the run then does;
// groups come beside an application; the second run has nothing to do.
func TestTheWriterWritesWhatItHasForeseen(t *testing.T) {
	t.Parallel()
	e, w := newWriter(t)
	of := world{e}
	ctx := t.Context()
	app := graph.ApplicationServicePrincipal{}
	path := "/applicationTemplates/" + graph.AWSTemplateID + "/instantiate"
	if err := e.Client.Do(ctx, http.MethodPost, path, map[string]string{"displayName": "AWS"}, &app); err != nil {
		t.Fatal(err)
	}
	id := app.ServicePrincipal.ID
	assignment := graph.AppRoleAssignment{
		PrincipalID: of.group("Engineering").ID, ResourceID: id, AppRoleID: graph.UserRoleID,
	}
	path = "/servicePrincipals/" + id + "/appRoleAssignedTo"
	if err := e.Client.Do(ctx, http.MethodPost, path, assignment, nil); err != nil {
		t.Fatal(err)
	}
	scope := connect.Scope{Application: id, Groups: []string{of.group("Platform Engineering").ID}}
	foreseen, err := w.Preview(ctx, scope)
	if err != nil || foreseen.Created == 0 || len(foreseen.Failures) > 0 {
		t.Fatalf("%+v, %v", foreseen, err)
	}
	if d, err := e.Admin.DescribeDirectory(ctx); err != nil || d.UserCount != 0 {
		t.Fatalf("a preview has made %d users, %v", d.UserCount, err)
	}
	if written, err := w.Write(ctx, scope); err != nil || written.Created != foreseen.Created {
		t.Errorf("%+v, %v; foreseen %+v", written, err, foreseen)
	}
	d, err := e.Admin.DescribeDirectory(ctx)
	if err != nil || d.GroupCount != 2 || d.UserCount+d.GroupCount != foreseen.Created {
		t.Errorf("there are %d users and %d groups, %v; foreseen %+v", d.UserCount, d.GroupCount, err, foreseen)
	}
	if made, err := w.Made(ctx); err != nil || len(made) != foreseen.Created {
		t.Errorf("it remembers %d of %d, %v", len(made), foreseen.Created, err)
	}
	if again, err := w.Write(ctx, scope); err != nil || again.Changes() {
		t.Errorf("again: %+v, %v", again, err)
	}
}

// unreadable answers in the place of a tenant that does not let somebody be read.
type unreadable struct {
	next http.RoundTripper
	path string
}

func (u unreadable) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, u.path) {
		return u.next.RoundTrip(r)
	}
	return &http.Response{
		StatusCode: http.StatusUnprocessableEntity, Request: r, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(`{"error":{"code":"Odd","message":"no"}}`)),
	}, nil
}

// TestWhoCannotBeReadIsCounted: somebody is restored, and the tenant does not let them be read.
// AWS refuses nobody.
func TestWhoCannotBeReadIsCounted(t *testing.T) {
	t.Parallel()
	e, w := newWriter(t)
	ctx := t.Context()
	group := world{e}.group("Engineering").ID
	scope := connect.Scope{Groups: []string{group}}
	users, err := graph.All[graph.DirectoryObject](ctx, e.Client, "/groups/"+group+"/members/microsoft.graph.user")
	if err != nil || len(users) == 0 {
		t.Fatalf("%+v, %v", users, err)
	}
	path := "/users/" + users[0].ID
	for _, change := range []func() error{
		func() error { return nil },
		func() error { return e.Client.Do(ctx, http.MethodDelete, path, nil, nil) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if written, err := w.Write(ctx, scope); err != nil || !written.Changes() || written.Unread > 0 {
			t.Fatalf("%+v, %v", written, err)
		}
	}
	restore := "/directory/deletedItems/" + users[0].ID + "/restore"
	if err := e.Client.Do(ctx, http.MethodPost, restore, nil, nil); err != nil {
		t.Fatal(err)
	}
	source := *e.Client
	source.HTTP = &http.Client{Transport: unreadable{e.Client.HTTP.Transport, path}}
	w.Graph = &source
	for name, run := range map[string]func(context.Context, connect.Scope) (connect.Written, error){
		"a preview": w.Preview, "a run": w.Write,
	} {
		if written, err := run(ctx, scope); err != nil || written.Unread != 1 || len(written.Failures) > 0 {
			t.Errorf("%s: %+v, %v", name, written, err)
		}
	}
}

// TestAnotherSyncKeepsTheState: what has the folder open goes on, and that is no mistake.
func TestAnotherSyncKeepsTheState(t *testing.T) {
	t.Parallel()
	_, w := newWriter(t)
	state, err := openState(t.Context(), w.Folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = state.Store.Close() })
	if _, err := w.Preview(t.Context(), connect.Scope{}); !errors.Is(err, connect.ErrWriterBusy) {
		t.Errorf("%v", err)
	}
	if _, err := w.Made(t.Context()); !errors.Is(err, connect.ErrWriterBusy) {
		t.Errorf("%v", err)
	}
}

// TestHowItGoesOn: a shell and systemd read the words as they are meant.
func TestHowItGoesOn(t *testing.T) {
	t.Parallel()
	_, w := newWriter(t)
	if err := os.MkdirAll(w.Folder, 0o700); err != nil {
		t.Fatal(err)
	}
	lines, err := w.Next(connect.Scope{Application: "an id"})
	text := strings.Join(lines, "\n")
	want := `gatehouse sync --to ` + "identitystore:" + w.Store + "@" + w.SDK.Region + ` --state "` + w.Folder +
		`" --sign-in azure-cli --application "an id"`
	if err != nil || !strings.Contains(text, want+" --every 10m --repair-every 24h") ||
		!slices.Contains(lines, "  */10 * * * * "+want) || !slices.Contains(lines, "  5 3 * * * "+want+" --repair") ||
		!strings.Contains(text, "sign-in to the tenant ends") {
		t.Errorf("%v\n%s\nwant %s", err, text, want)
	}
	unit, err := os.ReadFile(w.Folder + ".service")
	if err != nil || !strings.Contains(string(unit), "ExecStart=/usr/local/bin/gatehouse sync --to identitystore:") {
		t.Errorf("%v\n%s", err, unit)
	}
}
