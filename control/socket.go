package control

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

	"github.com/gatehouse-id/gatehouse/sqldb"
)

const (
	socketFolder  = "control"
	socketName    = "socket"
	ordersPath    = "/administrators"
	maxOrder      = 1 << 20          //bound:body an order to a running server, and its answer
	maxSocketPath = 100              //bound:none what operating systems take as the address of a socket
	orderTimeout  = 30 * time.Second //bound:wait an order to a running server
	endTimeout    = 5 * time.Second  //bound:wait orders under way, when the program ends
)

// Serve has a server carry out orders on the administrators of a data folder until done is called.
// Without a socket, such as on a file system that has none, it warns, and the server takes no
// orders.
func Serve(data string, on Administrators, log *slog.Logger) (done func()) {
	l, err := listen(data)
	if err != nil {
		log.Warn("gatehouse administrators will not work while this server runs", "error", err)
		return func() {}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+ordersPath, func(w http.ResponseWriter, r *http.Request) {
		var o Order
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder)).Decode(&o); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer, err := carryOut(r.Context(), on, o)
		if err != nil {
			answer = Answer{Refused: err.Error()}
		}
		_ = json.NewEncoder(w).Encode(answer) // #nosec G117 -- to whoever may read the database
	})
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: orderTimeout,
		ReadTimeout:       orderTimeout,
		WriteTimeout:      orderTimeout,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("take orders", "error", err)
		}
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
		defer cancel()
		if err := errors.Join(server.Shutdown(ctx), l.cleanUp()); err != nil {
			log.WarnContext(ctx, "end taking orders", "error", err)
		}
		<-ended
	}
}

// socket is a socket that listens, in a folder of its own.
type socket struct {
	net.Listener
	cleanUp func() error // takes the folder away
}

// listen makes the socket, in a folder that is closed to others before the socket is there.
func listen(data string) (*socket, error) {
	folder, err := filepath.Abs(filepath.Join(data, socketFolder))
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, socketName)
	cleanUp := func() error { // nothing else in there is ours
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Remove(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := errors.Join(cleanUp(), os.Mkdir(folder, 0o700)); err != nil { // of a server that was killed
		return nil, err
	}
	if len(path) > maxSocketPath { // the socket is elsewhere, and a link leads there
		short, err := os.MkdirTemp("", "gatehouse-")
		if err != nil {
			return nil, errors.Join(err, cleanUp())
		}
		link := path
		cleanUp = func() error { return errors.Join(os.Remove(link), os.Remove(folder), os.RemoveAll(short)) }
		if err := os.Symlink(filepath.Join(short, socketName), path); err != nil {
			return nil, errors.Join(err, cleanUp())
		}
		path = filepath.Join(short, socketName)
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, errors.Join(err, cleanUp())
	}
	return &socket{l, cleanUp}, nil
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
		return fmt.Errorf("%s does not belong to the owner of the data folder", folder)
	}
	return nil
}

// errNoOrders says that the server which uses a data folder does not answer there.
var errNoOrders = errors.New("the server takes no orders: use its administrators page, or stop it and try again")

// send has the server that uses a data folder carry out an order.
func send(ctx context.Context, data string, o Order) (a Answer, err error) {
	refused := func(err error) (Answer, error) {
		return Answer{}, fmt.Errorf("%w: %s; %w (%w)", sqldb.ErrInUse, data, errNoOrders, err)
	}
	path, err := filepath.EvalSymlinks(filepath.Join(data, socketFolder, socketName))
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
	client := &http.Client{
		Timeout: orderTimeout,
		Transport: &http.Transport{DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "unix", path)
			}},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://gatehouse"+ordersPath, bytes.NewReader(body))
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
