package outlet_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit/chain"
	"github.com/gatehouse-id/gatehouse/audit/outlet"
)

func parcels(from, to int) (all []chain.Parcel) {
	for i := from; i < to; i++ {
		all = append(all, chain.Parcel{
			Position: int64(i), Hash: "aa", Before: "bb",
			Line: chain.Line{Time: 1_800_000_000_000, Doc: fmt.Sprintf(`{"ID":"e%d"}`, i)},
		})
	}
	return all
}

func open(t *testing.T, s outlet.Settings) chain.Outlet {
	t.Helper()
	s.Format, s.HTTP = outlet.JSON, http.DefaultClient
	o, err := outlet.Open(s)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func deliver(t *testing.T, o chain.Outlet, from, to int) {
	t.Helper()
	if err := o.Deliver(t.Context(), parcels(from, to)); err != nil {
		t.Fatal(err)
	}
}

func TestWhereEventsMayGo(t *testing.T) {
	for to, ok := range map[string]bool{
		"file:/tmp/x": true, "syslog:/dev/log": true, "syslog+tcp://h:514": true, "syslog+tls://h:6514": true,
		"https://h/x?key=secret": true, "http://127.0.0.1:1/": true, "http://localhost:1/": true,
		"": false, "file:": false, "/tmp/x": false, "syslog:dev": false, "syslog+tcp://h": false, "ftp://h/": false,
		"http://siem.example/": false, "https://user:pass@h/": false, "http://127.0.0.1.example/": false,
	} {
		o, err := outlet.Open(outlet.Settings{To: to, HTTP: http.DefaultClient})
		if (err == nil) != ok || strings.Contains(o.Name, "secret") {
			t.Errorf("%q: %q, %v", to, o.Name, err)
		}
	}
}

// TestAFileIsGoneOnWith has a line torn by a kill, and the file moved away.
func TestAFileIsGoneOnWith(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	o := open(t, outlet.Settings{To: "file:" + path})
	deliver(t, o, 1, 3)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"position":3,"bef`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	o = open(t, outlet.Settings{To: "file:" + path}) // after the kill
	deliver(t, o, 3, 5)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	deliver(t, o, 5, 6)
	for name, want := range map[string]int{path + ".1": 4, path: 1} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		if len(lines) != want {
			t.Errorf("%s: %q", name, lines)
		}
		for _, line := range lines {
			var e struct{ Event struct{ ID string } }
			if err := json.Unmarshal([]byte(line), &e); err != nil || e.Event.ID == "" {
				t.Errorf("%q: %v", line, err)
			}
		}
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

// TestAnEndpointIsSentWhatItTakes has one that takes two events at the most, and wants a key.
func TestAnEndpointIsSentWhatItTakes(t *testing.T) {
	var ids []string
	fail := false
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		lines := strings.Split(strings.TrimSpace(string(body)), "\n")
		switch {
		case r.Header.Get("Authorization") != "Bearer secret":
			w.WriteHeader(http.StatusUnauthorized)
		case fail:
			http.Error(w, "the disk is full", http.StatusInternalServerError)
		case len(lines) > 2:
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		default:
			for _, line := range lines {
				var e struct{ Event struct{ ID string } }
				if err := json.Unmarshal([]byte(line), &e); err != nil {
					t.Error(err)
				}
				ids = append(ids, e.Event.ID)
			}
			w.WriteHeader(http.StatusAccepted)
		}
	}))
	t.Cleanup(s.Close)
	o := open(t, outlet.Settings{To: s.URL + "?x=secret", Authorization: "Bearer secret"})
	deliver(t, o, 0, 5)
	if got := strings.Join(ids, " "); got != "e0 e1 e2 e3 e4" {
		t.Errorf("it has %s", got)
	}
	fail = true
	if err := o.Deliver(t.Context(), parcels(5, 6)); err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("%v", err)
	}
	gone := open(t, outlet.Settings{To: "http://127.0.0.1:1/?key=secret"})
	if err := gone.Deliver(t.Context(), parcels(5, 6)); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
	o = open(t, outlet.Settings{To: s.URL})
	if err := o.Deliver(t.Context(), parcels(5, 6)); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("%v", err)
	}
}

// TestCloudTrailsFormIsAList is what tools that read CloudTrail's files expect.
func TestCloudTrailsFormIsAList(t *testing.T) {
	var got struct{ Records []struct{ Position int } }
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(s.Close)
	deliver(t, open(t, outlet.Settings{To: s.URL, List: "Records"}), 1, 4)
	if len(got.Records) != 3 || got.Records[2].Position != 3 {
		t.Errorf("%+v", got)
	}
}

// server takes messages of syslog with their octets counted, and hangs up when it is told to.
type server struct {
	net.Listener
	mu   sync.Mutex
	seen map[string]bool
	last net.Conn
}

func (s *server) run() {
	for {
		c, err := s.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.last = c
		s.mu.Unlock()
		go func() {
			in := bufio.NewReader(c)
			for {
				n := 0
				if _, err := fmt.Fscanf(in, "%d ", &n); err != nil {
					return
				}
				message := make([]byte, n)
				if _, err := io.ReadFull(in, message); err != nil {
					return
				}
				_, doc, _ := strings.Cut(string(message), "audit - ")
				s.mu.Lock()
				if strings.HasPrefix(string(message), "<110>1 2027-01-15T08:00:00.000Z host gatehouse ") {
					s.seen[doc] = true
				}
				s.mu.Unlock()
			}
		}()
	}
}

// TestASyslogServerThatHangsUpMissesNothing sends again what it may not have read.
func TestASyslogServerThatHangsUpMissesNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Listener: l, seen: map[string]bool{}}
	go s.run()
	t.Cleanup(func() { _ = l.Close() })
	o := open(t, outlet.Settings{To: "syslog+tcp://" + l.Addr().String(), Host: "host"})
	for i := range 20 {
		if err := o.Deliver(t.Context(), parcels(5*i, 5*i+5)); err != nil {
			deliver(t, o, 5*i, 5*i+5) // the courier does so
		}
		if i%5 == 4 {
			s.mu.Lock()
			if s.last != nil {
				_ = s.last.Close()
			}
			s.mu.Unlock()
		}
	}
	deliver(t, o, 100, 101)
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		n := len(s.seen)
		s.mu.Unlock()
		if n == 101 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d of 101 events arrived", n)
		}
	}
}

func TestASocketOfThisMachineHasEachEvent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	o := open(t, outlet.Settings{To: "syslog:" + path})
	deliver(t, o, 1, 4)
	for i := 1; i < 4; i++ {
		text := make([]byte, 1<<16)
		n, _, err := l.ReadFrom(text)
		if err != nil || !strings.Contains(string(text[:n]), fmt.Sprintf(`"position":%d,`, i)) {
			t.Errorf("%q, %v", text[:n], err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := o.Deliver(t.Context(), parcels(4, 5)); err == nil {
		t.Error(errors.New("nobody took it"))
	}
}
