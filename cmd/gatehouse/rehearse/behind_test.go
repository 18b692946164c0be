package rehearse

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/mirror"
	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
)

// mover brings a center into another one, by command.
type mover struct {
	t      *testing.T
	from   *centertest.Server
	folder string
}

func (m *mover) open(ctx context.Context, folder string, as *center.Identity) (*center.Center, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, filepath.Join(folder, "center.db"))
	if err != nil {
		return nil, err
	}
	sealer, err := authn.NewSealer(make([]byte, authn.MasterKeySize))
	if err != nil {
		return nil, err
	}
	return center.Open(ctx, center.Config{Store: s, Sealer: sealer, URL: "http://127.0.0.1", Identity: as})
}

// brings runs the command, and returns what it says.
func (m *mover) brings(flags ...string) Imported {
	m.t.Helper()
	var out bytes.Buffer
	admin := m.from.Admin()
	env := map[string]string{
		"AWS_ACCESS_KEY_ID": admin.AccessKeyID, "AWS_SECRET_ACCESS_KEY": admin.SecretAccessKey,
	}
	w := administer.World{Out: &out, Err: &out, In: strings.NewReader(""), Env: func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}}
	cmd := &cobra.Command{SilenceErrors: true, SilenceUsage: true}
	for _, name := range []string{"update", "dry-run", "json"} {
		cmd.Flags().Bool(name, false, "")
	}
	cmd.Flags().String("data", m.folder, "")
	cmd = Extend(cmd, w, Staying{
		Beside: func(ctx context.Context) (center.Store, error) {
			return store.OpenBeside(ctx, filepath.Join(m.folder, "center.db"))
		},
		Free: func(context.Context) error { return nil },
		Open: m.open,
	}, errDiffers)
	cmd.SetArgs(append([]string{"--from", m.from.URL, "--json"}, flags...))
	if err := cmd.ExecuteContext(m.t.Context()); err != nil && !errors.Is(err, errDiffers) {
		m.t.Fatalf("%v: %s", err, out.String())
	}
	var said Imported
	if err := json.Unmarshal(out.Bytes(), &said); err != nil {
		m.t.Fatalf("%v: %s", err, out.String())
	}
	return said
}

var errDiffers = errors.New("there is something to bring")

// TestAccessThatEndsIsNotBroughtForGood: what a request for access has given stays out of a center
// that does not know the request, also where it ended between the reading and the plan. What
// somebody has assigned beside it is brought.
func TestAccessThatEndsIsNotBroughtForGood(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	from := centertest.Serve(t)
	w := centertest.Requests(t, from.Center)
	lasting := center.Assignment{
		AccountID: w.Account.ID, PermissionSetARN: w.Set.ARN, PrincipalType: center.PrincipalUser,
		PrincipalID: string(w.Grace.ID),
	}
	if _, err := from.CreateAssignment(ctx, centertest.Actor, lasting); err != nil {
		t.Fatal(err)
	}
	r, err := w.RequestAccess(ctx, w.By(w.Ada), w.Ada.ID, w.Ask())
	if err == nil {
		_, err = w.ApproveAccess(ctx, w.By(w.Grace), w.Grace.ID, r.ID, "go ahead")
	}
	if err != nil || !w.Has(t) {
		t.Fatalf("the request gives nothing: %v", err)
	}
	m := &mover{t, from, t.TempDir()}
	assignments := func(said Imported) (d mirror.Difference) {
		t.Helper()
		i := slices.IndexFunc(said.Plan, func(d *mirror.Difference) bool { return d.Kind == mirror.Assignments })
		return *said.Plan[i]
	}
	said := m.brings("--dry-run")
	d := assignments(said)
	if d.New != 1 || d.Ends != 1 || !strings.Contains(strings.Join(d.Examples, "\n"), "for ada stays out: a request") {
		t.Errorf("the plan says %+v", d)
	}
	stay := strings.Join(said.StayBehind, "\n")
	if !strings.Contains(stay, "1 open request for access (1 of them in force)") ||
		!strings.Contains(stay, "1 policy of who may ask") {
		t.Errorf("what stays is told as %q", stay)
	}
	// it ends; what was read has it still
	if _, err := from.EndAccess(ctx, w.By(w.Ada), w.Ada.ID, r.ID, "done"); err != nil {
		t.Fatal(err)
	}
	if d := assignments(m.brings("--accept")); d.New != 1 || d.Ends != 1 {
		t.Errorf("after its end: %+v", d)
	}
	to, err := m.open(ctx, m.folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	list, err := to.Assignments(ctx, center.AssignmentQuery{})
	if err != nil || !slices.Equal(list, []center.Assignment{lasting}) {
		t.Errorf("%+v, %v", list, err)
	}
	if err := to.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		t.Fatal(err)
	}
	// whoever has it by hand too keeps it
	lasting.PrincipalID = string(w.Ada.ID)
	r, err = w.RequestAccess(ctx, w.By(w.Ada), w.Ada.ID, w.Ask())
	if err == nil {
		_, err = w.ApproveAccess(ctx, w.By(w.Grace), w.Grace.ID, r.ID, "go ahead")
	}
	if err == nil {
		_, err = from.CreateAssignment(ctx, centertest.Actor, lasting)
	}
	if err != nil {
		t.Fatal(err)
	}
	if d := assignments(m.brings("--dry-run")); d.New != 1 || d.Ends != 0 || d.Same != 1 {
		t.Errorf("assigned by hand too: %+v", d)
	}
}
