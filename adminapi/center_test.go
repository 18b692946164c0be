package adminapi_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/server"
	"github.com/gatehouse-id/gatehouse/center/store"
)

// startCenter serves a new center with all its doors, and returns a client with the first access
// key and a function that ends it. An Example has no testing.TB that could.
func startCenter(ctx context.Context) (client *adminapi.Client, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "adminapi-")
	if err != nil {
		return nil, nil, err
	}
	s, err := store.Open(ctx, filepath.Join(dir, "center.db"))
	if err != nil {
		return nil, nil, err
	}
	sealer, err := authn.NewSealer(make([]byte, authn.MasterKeySize))
	if err != nil {
		return nil, nil, err
	}
	listener := httptest.NewUnstartedServer(nil)
	c, err := center.Open(ctx, center.Config{
		Store:  s,
		Sealer: sealer,
		URL:    "http://" + listener.Listener.Addr().String(),
		Log:    slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, nil, err
	}
	key, secret, err := c.CreateAccessKey(ctx, audit.SystemActor, "admin", center.RoleAdministrator)
	if err != nil {
		return nil, nil, err
	}
	listener.Config.Handler = server.Handler(c, server.Config{})
	listener.Start()
	client = &adminapi.Client{
		URL:             c.URL,
		Region:          c.Instance.Region,
		AccessKeyID:     key.ID,
		SecretAccessKey: secret.Reveal(),
		HTTP:            http.DefaultClient,
	}
	return client, func() error {
		listener.Close()
		return errors.Join(s.Close(), os.RemoveAll(dir))
	}, nil
}
