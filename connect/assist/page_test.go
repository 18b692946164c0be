package assist_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/connect/assist"
)

// written is what a terminal has shown.
type written struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

var link = regexp.MustCompile(`(http://127\.0\.0\.1:\d+)/#([\w-]+)`)

// links are the addresses and secrets that the terminal has shown.
func (w *written) links() (address string, secrets []string) {
	for _, m := range link.FindAllStringSubmatch(w.String(), -1) {
		address, secrets = m[1], append(secrets, m[2])
	}
	return address, secrets
}

// visitor is a browser, or what pretends to be one.
type visitor struct {
	t       *testing.T
	address string
	session string
	origin  string
	host    string
}

func (v visitor) send(method, path, body string) (status int, text string) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.address+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+v.session)
	if v.origin != "" {
		r.Header.Set("Origin", v.origin)
	}
	if v.host != "" {
		r.Host = v.host
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // a read body has nothing to lose
	data, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return res.StatusCode, string(data)
}

type shown struct {
	Proof string
	Done  []string
	Task  *struct {
		Title, Problem string
		Wants          []struct {
			Name, From, Problem, More string
			Taken, Hidden             bool
		}
	}
	Closing *struct {
		Title string
		Lines []string
	}
}

func (v visitor) state() (s shown) {
	v.t.Helper()
	status, text := v.send(http.MethodGet, "/state?after=-1", "")
	if status != http.StatusOK {
		v.t.Fatalf("state: %d %s", status, text)
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		v.t.Fatal(err)
	}
	return s
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: it never came", what)
		}
		time.Sleep(5 * time.Millisecond) // between two looks at the condition
	}
}

// console is where a person has something to do.
type console struct {
	mu     sync.Mutex
	taken  map[string]string
	proved bool
	err    error
}

func (c *console) take(name, want string) func(context.Context, []byte) error {
	return func(_ context.Context, value []byte) error {
		if !strings.Contains(string(value), want) {
			return errors.New("this is of another instance")
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.taken[name] = string(value)
		return nil
	}
}

func (c *console) set(proved bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.proved, c.err = proved, err
}

func (c *console) task() assist.Task {
	return assist.Task{
		Title: "Change it", Why: "Because.", Link: "https://console.example/#!/settings", Clicks: []string{"A > B"},
		Offer: &assist.File{Name: "idp.xml", Data: []byte("<idp/>")}, Copy: "ACCEPT",
		Wants: []assist.Want{
			{
				Name: "file", Label: "The file", File: true, Take: c.take("file", "mine"),
				Is: func(data []byte) bool { return bytes.Contains(data, []byte("<sp")) },
			},
			{Name: "endpoint", Label: "The endpoint", Take: c.take("endpoint", "https://")},
			{Name: "token", Label: "The token", Secret: true, Take: c.take("token", "good")},
		},
		Proved: func(context.Context) (bool, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.proved, c.err
		},
	}
}

// begin has a page do a task, and opens its link.
func begin(t *testing.T, folder string) (*assist.Page, *console, *written, visitor, <-chan error) {
	t.Helper()
	out := &written{}
	p := assist.NewPage(assist.Options{
		Env: func(name string) (string, bool) { return "/bin/true", name == "BROWSER" }, Out: out, Downloads: folder,
	})
	c := &console{taken: map[string]string{}}
	ended := make(chan error, 1)
	go func() { ended <- p.Do(t.Context(), c.task()) }()
	until(t, "the link", func() bool { _, secrets := out.links(); return len(secrets) == 1 })
	address, secrets := out.links()
	v := visitor{t: t, address: address, origin: address}
	v.session = v.trade(secrets[0])
	t.Cleanup(func() { p.Close(false, "Over") })
	return p, c, out, v, ended
}

func (v visitor) trade(secret string) string {
	v.t.Helper()
	status, text := v.send(http.MethodPost, "/session", secret)
	var got map[string]string
	if err := json.Unmarshal([]byte(text), &got); status != http.StatusOK || err != nil || got["session"] == "" {
		v.t.Fatalf("the link: %d %s %v", status, text, err)
	}
	return got["session"]
}

func TestATaskIsDoneWhenItIsProved(t *testing.T) {
	t.Parallel()
	p, c, _, v, ended := begin(t, "")
	if s := v.state(); s.Task == nil || s.Task.Title != "Change it" || !s.Task.Wants[1].Hidden ||
		s.Task.Wants[0].Hidden {
		t.Fatalf("it shows %+v", s.Task)
	}
	if status, text := v.send(http.MethodGet, "/offer", ""); status != http.StatusOK || text != "<idp/>" {
		t.Errorf("the prepared file: %d %s", status, text)
	}
	v.send(http.MethodPost, "/wants/token", "bad-secret-7")
	status, text := v.send(http.MethodGet, "/state?after=-1", "")
	if status != http.StatusOK || !strings.Contains(text, "another instance") ||
		strings.Contains(text, "bad-secret-7") {
		t.Errorf("a token that is refused: %s", text)
	}
	for name, value := range map[string]string{
		"file": "<sp mine>", "endpoint": "https://x", "token": "good-secret-8",
	} {
		if status, text := v.send(http.MethodPost, "/wants/"+name, value); status != http.StatusNoContent {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	status, text = v.send(http.MethodGet, "/state?after=-1", "")
	if status != http.StatusOK || strings.Contains(text, "good-secret-8") || strings.Count(text, `"taken":true`) != 3 {
		t.Errorf("what was taken: %s", text)
	}
	c.set(false, errors.New("the log is late"))
	until(t, "the reason", func() bool { s := v.state(); return s.Task != nil && s.Task.Problem == "the log is late" })
	select {
	case err := <-ended:
		t.Fatalf("it is done without a proof: %v", err)
	default:
	}
	c.set(true, nil)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if s := v.state(); s.Task != nil || !slices.Equal(s.Done, []string{"Change it"}) {
		t.Errorf("afterwards it shows %+v", s)
	}
	if status, text := v.send(http.MethodPost, "/wants/token", "late"); status != http.StatusConflict {
		t.Errorf("a value that comes late: %d %s", status, text)
	}
	go p.Close(false, "Connected", "It ends in a year.")
	until(t, "the last page", func() bool { s := v.state(); return s.Closing != nil && s.Closing.Title == "Connected" })
}

// TestWhatIsRightAndNotAllIsNoMistake: a value that lacks its other half is not refused, and its
// field stays open for the rest.
func TestWhatIsRightAndNotAllIsNoMistake(t *testing.T) {
	t.Parallel()
	both := map[string]bool{}
	var mu sync.Mutex
	task := assist.Task{
		Title: "Both", Proved: func(context.Context) (bool, error) { return false, nil },
		Wants: []assist.Want{{Name: "pair", Label: "Pair", Secret: true, Take: func(_ context.Context, v []byte) error {
			mu.Lock()
			defer mu.Unlock()
			if both[string(v)] = true; len(both) < 2 {
				return assist.Partial("Now the other one")
			}
			return nil
		}}},
	}
	out := &written{}
	p := assist.NewPage(assist.Options{Env: func(string) (string, bool) { return "/bin/true", true }, Out: out})
	t.Cleanup(func() { p.Close(false, "Over") })
	go func() { _ = p.Do(t.Context(), task) }()
	until(t, "the link", func() bool { _, secrets := out.links(); return len(secrets) == 1 })
	address, secrets := out.links()
	v := visitor{t: t, address: address, origin: address}
	v.session = v.trade(secrets[0])
	v.send(http.MethodPost, "/wants/pair", "one")
	if w := v.state().Task.Wants[0]; w.Taken || w.Problem != "" || w.More != "Now the other one" {
		t.Errorf("after the first half: %+v", w)
	}
	v.send(http.MethodPost, "/wants/pair", "two")
	if w := v.state().Task.Wants[0]; !w.Taken || w.Problem != "" || w.More != "" {
		t.Errorf("after both: %+v", w)
	}
}

// TestTheFileComesFromTheDownloadFolder: an older one, another one, and one that is being written
// are not taken; one of another instance is refused with its name.
func TestTheFileComesFromTheDownloadFolder(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("old.xml", "<sp mine old>")
	_, c, _, v, _ := begin(t, folder)
	put("notes.txt", "<sp mine text>")
	put("idp.xml", "<idp mine>")
	secret := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.WriteFile(secret, []byte("<sp mine link>"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(folder, "link.xml")); err != nil {
		t.Fatal(err)
	}
	put("metadata.xml", "<sp theirs>")
	until(t, "the refusal", func() bool { return v.state().Task.Wants[0].Problem != "" })
	if w := v.state().Task.Wants[0]; w.Taken || w.Problem != "metadata.xml: this is of another instance" {
		t.Errorf("another instance's: %+v", w)
	}
	put("Metadata (1).XML", "<sp mine new>")
	until(t, "the file", func() bool { return v.state().Task.Wants[0].Taken })
	put("forged.xml", "<sp mine forged>")
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := v.state().Task.Wants[0]; w.From != "Metadata (1).XML" || w.Problem != "" ||
		c.taken["file"] != "<sp mine new>" {
		t.Errorf("%+v, %q", w, c.taken["file"])
	}
}

// TestOnlyThePersonsBrowserIsLetIn: another user's program, a page of another site, a name that
// leads here, and whoever has found the link after its use.
func TestOnlyThePersonsBrowserIsLetIn(t *testing.T) {
	t.Parallel()
	_, c, out, v, _ := begin(t, "")
	port := v.address[strings.LastIndex(v.address, ":"):]
	for name, other := range map[string]visitor{
		"a page of another site": {origin: "https://evil.example", session: v.session},
		"another port":           {origin: "http://127.0.0.1:1", session: v.session},
		"no origin":              {session: v.session},
		"a name that leads here": {
			host: "evil.example" + port, origin: "http://evil.example" + port, session: v.session,
		},
		"localhost by name": {host: "localhost" + port, origin: v.address, session: v.session},
		"no session":        {origin: v.address},
		"a guess":           {origin: v.address, session: strings.Repeat("A", 43)},
	} {
		other.t, other.address = t, v.address
		for _, path := range []string{"/wants/endpoint", "/session"} {
			if status, text := other.send(http.MethodPost, path, "https://forged"); status < 400 {
				t.Errorf("%s: %s %d %s", name, path, status, text)
			}
		}
		if other.session == v.session && other.origin == "" && other.host == "" {
			continue // reading needs no origin
		}
		if status, text := other.send(http.MethodGet, "/state?after=-1", ""); status < 400 {
			t.Errorf("%s reads: %d %s", name, status, text)
		}
	}
	if len(c.taken) > 0 {
		t.Errorf("taken: %q", c.taken)
	}
	// the secret was used: whoever comes next has the terminal show another link, once
	_, secrets := out.links()
	if len(secrets) != 2 {
		t.Fatalf("%d links: %s", len(secrets), out)
	}
	v.state() // the open page goes on
	again := v
	again.session = again.trade(secrets[1])
	if status, _ := v.send(http.MethodGet, "/state", ""); status != http.StatusUnauthorized {
		t.Errorf("the first browser goes on beside the second: %d", status)
	}
	again.state()
}

func TestWhatIsServedSaysHowItMayBeUsed(t *testing.T) {
	t.Parallel()
	_, _, out, v, _ := begin(t, "")
	for _, path := range []string{"/", "/assist.js", "/assist.css", "/static/style.css"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK || res.Header.Get("X-Content-Type-Options") != "nosniff" ||
			res.Header.Get("Referrer-Policy") != "no-referrer" || len(res.Cookies()) > 0 {
			t.Errorf("%s: %d %v %v", path, res.StatusCode, res.Header, err)
		}
		if policy := res.Header.Get("Content-Security-Policy"); path == "/" &&
			(!strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") ||
				!strings.Contains(policy, "frame-ancestors 'none'")) {
			t.Errorf("%s: %s", path, policy)
		}
		_, secrets := out.links()
		if strings.Contains(string(text), secrets[0]) || strings.Contains(string(text), v.session) ||
			strings.Contains(string(text), "Change it") {
			t.Errorf("%s tells a stranger something", path)
		}
	}
	large := strings.Repeat("x", 1<<20+1)
	if status, _ := v.send(http.MethodPost, "/wants/file", large); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a huge file: %d", status)
	}
	if status, _ := v.send(http.MethodPost, "/session", large); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a huge secret: %d", status)
	}
}

func TestATaskEndsWithItsCommand(t *testing.T) {
	t.Parallel()
	out := &written{}
	p := assist.NewPage(assist.Options{
		Env: func(string) (string, bool) { return "/nowhere/browser", true }, Out: out,
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	ended := make(chan error, 1)
	go func() { ended <- p.Do(ctx, (&console{taken: map[string]string{}}).task()) }()
	until(t, "the link", func() bool { _, secrets := out.links(); return len(secrets) == 1 })
	cancel(stopped)
	if err := <-ended; !errors.Is(err, stopped) {
		t.Errorf("it ends with %v", err)
	}
	p.Close(true, "Stopped")
	p.Close(true, "Stopped") // again
	address, _ := out.links()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := http.DefaultClient.Do(r); err == nil {
		_ = res.Body.Close()
		t.Error("something is still served")
	}
}
