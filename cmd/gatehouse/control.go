package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

// A server on SQLite is the only one that may write to its data folder. So that "gatehouse
// administrators" works meanwhile, the server takes its orders over a socket in that folder, which
// nobody can reach who cannot write the database itself.

const (
	controlFolder = "control"
	controlSocket = "socket"
	controlPath   = "/administrators"
	maxOrder      = 1 << 20          //bound:body an order to a running server, and its answer
	maxSocketPath = 100              //bound:none what operating systems take as the address of a socket
	orderTimeout  = 30 * time.Second //bound:wait an order to a running server
)

// takeOrders has a server carry out orders until done is called. Where the database is shared,
// commands write to it by themselves.
func (h *half) takeOrders(on administratorsOf) (done func()) {
	if h.database != "" {
		return func() {}
	}
	l, cleanUp, err := listenForOrders(h.data)
	if err != nil { // such as a file system without sockets
		h.log.Warn("gatehouse administrators will not work while this server runs", "error", err)
		return func() {}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+controlPath, func(w http.ResponseWriter, r *http.Request) {
		var o administratorOrder
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder)).Decode(&o); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer, err := on.order(r.Context(), audit.Actor{Kind: audit.System, Name: o.By}, o)
		if err != nil {
			answer = administratorAnswer{Refused: err.Error()}
		}
		_ = json.NewEncoder(w).Encode(answer) // #nosec G117 -- to whoever may read the database
	})
	server := &http.Server{Handler: mux,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: orderTimeout, WriteTimeout: orderTimeout,
		ErrorLog: slog.NewLogLogger(h.log.Handler(), slog.LevelDebug)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			h.log.Error("take orders", "error", err)
		}
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		if err := errors.Join(server.Shutdown(ctx), cleanUp()); err != nil {
			h.log.Warn("end taking orders", "error", err)
		}
		<-ended
	}
}

// listenForOrders makes the socket in a folder of its own, which is closed to others before the
// socket is there.
func listenForOrders(data string) (l net.Listener, cleanUp func() error, err error) {
	folder, err := filepath.Abs(filepath.Join(data, controlFolder))
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(folder, controlSocket)
	cleanUp = func() error { // nothing else in there is ours
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Remove(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := errors.Join(cleanUp(), os.Mkdir(folder, 0o700)); err != nil { // of a server that was killed
		return nil, nil, err
	}
	if len(path) > maxSocketPath { // the socket is elsewhere, and a link leads there
		short, err := os.MkdirTemp("", "gatehouse-")
		if err != nil {
			return nil, nil, errors.Join(err, cleanUp())
		}
		link := path
		cleanUp = func() error { return errors.Join(os.Remove(link), os.Remove(folder), os.RemoveAll(short)) }
		if err := os.Symlink(filepath.Join(short, controlSocket), path); err != nil {
			return nil, nil, errors.Join(err, cleanUp())
		}
		path = filepath.Join(short, controlSocket)
	}
	if l, err = (&net.ListenConfig{}).Listen(context.Background(), "unix", path); err != nil {
		return nil, nil, errors.Join(err, cleanUp())
	}
	return l, cleanUp, nil
}

// closedToOthers refuses the folder of a socket that somebody else may have made: one outside the
// data folder can have been cleared away, and its name taken.
func closedToOthers(folder, data string) error {
	at, err := os.Lstat(folder)
	if err != nil {
		return err
	}
	of, err := os.Stat(data)
	if err != nil {
		return err
	}
	if !at.IsDir() || !sameOwner(at, of) {
		return fmt.Errorf("%s is not of the user whose data folder it is", folder)
	}
	return nil
}

// errNoOrders says that the server which uses a data folder does not answer there.
var errNoOrders = errors.New("the server there takes no orders: use its page, or stop it and try again")

// overSocket has the server that uses a data folder carry out an order.
func overSocket(ctx context.Context, data string, o administratorOrder) (a administratorAnswer, err error) {
	refused := func(err error) (administratorAnswer, error) {
		return administratorAnswer{}, fmt.Errorf("%w: %s; %w (%w)", sqldb.ErrInUse, data, errNoOrders, err)
	}
	path, err := filepath.EvalSymlinks(filepath.Join(data, controlFolder, controlSocket))
	if err == nil {
		err = closedToOthers(filepath.Dir(path), data)
	}
	if err != nil {
		return refused(err)
	}
	body, err := json.Marshal(o) // #nosec G117 -- to the server whose password it is
	if err != nil {
		return a, err
	}
	client := &http.Client{Timeout: orderTimeout, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://gatehouse"+controlPath, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	res, err := client.Do(req)
	if err != nil {
		return refused(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxOrder))
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(string(answer))
	}
	if err == nil {
		err = json.Unmarshal(answer, &a)
	}
	if err != nil {
		return refused(err)
	}
	if a.Refused != "" {
		err = errors.New(a.Refused)
	}
	return a, err
}
