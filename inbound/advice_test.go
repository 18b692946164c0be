package inbound_test

import (
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/inbound"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestWhatCannotBeginSaysWhatToDo: files of a certificate that are not there or do not belong
// together, and ports that only root has.
func TestWhatCannotBeginSaysWhatToDo(t *testing.T) {
	cert, key, _ := webtest.Certificate(t, t.TempDir(), "localhost")
	_, other, _ := webtest.Certificate(t, t.TempDir(), "localhost")
	for _, c := range []struct{ cert, key, want string }{
		{cert, filepath.Join(t.TempDir(), "key.pem"), "Look at --tls-cert and --tls-key"},
		{cert, other, "Name two PEM files"},
		{key, key, "Name two PEM files"},
	} {
		_, err := inbound.Certificate(c.cert, c.key, slog.Default())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	err := inbound.Listening(":443", &fs.PathError{Op: "bind", Err: fs.ErrPermission})
	if !strings.Contains(err.Error(), "CAP_NET_BIND_SERVICE") {
		t.Error(err)
	}
}
