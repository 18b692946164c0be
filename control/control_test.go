package control_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/control"
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/tenant/server"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// administrators are those of a real tenant.
type administrators struct{ server.Controlled }

func (a administrators) Remove(ctx context.Context, by audit.Actor, name string) (string, error) {
	return "a notice", a.RemoveAdministrator(ctx, by, name)
}

// half is a data folder with a tenant, whose one administrator is Admin.
func half(t *testing.T, folder string) (data string, open control.Open) {
	t.Helper()
	open = func(ctx context.Context) (control.Data, error) {
		s, err := store.Open(ctx, filepath.Join(folder, "tenant.db"))
		if err != nil {
			return control.Data{}, err
		}
		on := administrators{server.Controlled{Tenant: tenanttest.On(t, s)}}
		return control.Data{On: on, Close: s.Close}, nil
	}
	opened, err := open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	made := opened.On.SetAdministrator(context.Background(), audit.SystemActor, "Admin", "a long password")
	if err := errors.Join(made, opened.Close()); err != nil {
		t.Fatal(err)
	}
	return folder, open
}

// TestOrdersAreCarriedOutWithAndWithoutAServer gives the same orders on data that nobody uses, and
// on data that a server has open, in a folder with a short and one with a long name.
func TestOrdersAreCarriedOutWithAndWithoutAServer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		folder string
		server bool
	}{
		"no server":              {t.TempDir(), false},
		"a server":               {t.TempDir(), true},
		"a server, a long name":  {long(t), true},
		"no server, a long name": {long(t), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			data, open := half(t, c.folder)
			if c.server {
				opened, err := open(ctx)
				if err != nil {
					t.Fatal(err)
				}
				done := control.Serve(data, opened.On, slog.New(slog.DiscardHandler))
				defer func() {
					done()
					if err := opened.Close(); err != nil {
						t.Error(err)
					}
					if _, err := os.Lstat(filepath.Join(data, control.SocketFolder)); !errors.Is(err, os.ErrNotExist) {
						t.Errorf("the socket is left: %v", err)
					}
				}()
			}
			run := func(do, name string) (control.Answer, error) {
				return control.Run(ctx, data, control.Order{
					Do:       do,
					Name:     name,
					Password: "another password",
					By:       "test",
				}, open)
			}
			if a, err := run(control.Add, "bob"); err != nil || a.Password == "" {
				t.Errorf("add: %+v, %v", a, err)
			}
			if a, err := run(control.OneTimePassword, "ADMIN"); err != nil || a.Password == "" {
				t.Errorf("a one-time password: %+v, %v", a, err)
			}
			for _, do := range []string{control.SetPassword, control.ResetMFA, control.SignOut} {
				if a, err := run(do, "admin"); err != nil || a.Password != "" {
					t.Errorf("%s: %+v, %v", do, a, err)
				}
				if _, err := run(do, "nobody"); err == nil || !strings.Contains(err.Error(), "nobody") {
					t.Errorf("%s of nobody: %v", do, err)
				}
			}
			if a, err := run(control.Remove, "bob"); err != nil || a.Notice != "a notice" {
				t.Errorf("remove: %+v, %v", a, err)
			}
			a, err := run(control.List, "")
			if err != nil || len(a.List) != 1 || a.List[0].Name != "Admin" || a.List[0].OneTimePassword {
				t.Errorf("list: %+v, %v", a, err)
			}
			if _, err := run("dance", ""); err == nil || !strings.Contains(err.Error(), `"dance"`) {
				t.Errorf("an unknown order: %v", err)
			}
		})
	}
}

// long is a folder whose name is longer than the address of a socket may be.
func long(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestAServerThatTakesNoOrdersIsNamed(t *testing.T) {
	t.Parallel()
	data, open := half(t, t.TempDir())
	opened, err := open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close() //nolint:errcheck // nothing was written to it
	_, err = control.Run(context.Background(), data, control.Order{Do: control.List}, open)
	if !errors.Is(err, control.ErrNoOrders) || !errors.Is(err, sqldb.ErrInUse) {
		t.Errorf("the error is %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := control.Run(ctx, data, control.Order{Do: control.List}, open); err == nil {
		t.Error("an order that was taken back was carried out")
	}
}

// TestASocketOfSomebodyElseIsNotAsked finds a folder that others may write to where the socket
// should be.
func TestASocketOfSomebodyElseIsNotAsked(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if err := os.Mkdir(filepath.Join(data, control.SocketFolder), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(data, control.SocketFolder), 0o777); err != nil { // #nosec G302 -- what is refused
		t.Fatal(err)
	}
	if err := control.ClosedToOthers(filepath.Join(data, control.SocketFolder), data); err == nil {
		t.Error("a folder that is open to others is taken for the server's")
	}
}
