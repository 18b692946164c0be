package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// signInAt signs an administrator in where a half's pages are.
func signInAt(t *testing.T, address, half, name, password string) {
	t.Helper()
	desk := map[string]string{"center": "/console/", "tenant": "/admin/"}[half]
	v := webtest.New(t, nil)
	if status, body := v.Send(http.MethodGet, address+desk, nil); status != http.StatusOK {
		t.Fatalf("%s: %d %s", desk, status, body)
	}
	form := url.Values{"username": {name}, "password": {password}}
	status, body := v.Send(http.MethodPost, address+desk+"login", form)
	if status != http.StatusOK || !strings.Contains(body, "Sign out") {
		t.Errorf("%s does not let %s in: %d %s", desk, name, status, body)
	}
}

// TestInitAsksWritesAndServes answers init at a terminal, as somebody who has just installed it,
// and starts serve with what was written.
func TestInitAsksWritesAndServes(t *testing.T) {
	t.Parallel()
	folder, address := t.TempDir(), webtest.FreeAddress(t)
	person, program := openTerminal(t)
	shown := screen(person)
	ended := make(chan int, 1)
	go func() {
		ended <- run(t.Context(), []string{"init", "--folder", folder}, program, program, program, noEnv)
	}()
	at := 0
	answer := func(question, text string) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) { // between two looks
			if i := strings.Index(shown.String()[at:], question); i >= 0 {
				at += i + len(question)
				break
			}
			if time.Now().After(end) {
				t.Fatalf("it never asked %q: %s", question, shown.String())
			}
		}
		if _, err := person.WriteString(text + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	const password = "Correct horse 1!"
	answer("a center (AWS's side) or a tenant", "center")
	answer("public URL", "ftp://nowhere")
	answer("use https://host", "http://"+address)
	answer("listen on", "")
	answer("data and the master key", filepath.Join(folder, "data"))
	answer("administrator's name", "root")
	answer("database, which is not shown", "")
	answer("password of root", "short")
	answer("password of root", password)
	answer("Repeat", password)
	select {
	case code := <-ended:
		if code != exitDone {
			t.Fatalf("it ended with %d: %s", code, shown.String())
		}
	case <-time.After(time.Minute):
		t.Fatalf("it goes on: %s", shown.String())
	}
	if strings.Contains(shown.String(), password) {
		t.Errorf("the password is on the screen: %s", shown.String())
	}
	config := filepath.Join(folder, "center.yaml")
	answer("Next:", "")
	for end := time.Now().Add(time.Minute); !strings.Contains(shown.String()[at:], "serve --config "+config); {
		if time.Now().After(end) {
			t.Fatalf("it says no next command: %s", shown.String())
		}
		time.Sleep(5 * time.Millisecond) // between two looks
	}
	startCommand(t, "serve", "--config", config)
	signInAt(t, "http://"+address, "center", "root", password)
}

// TestInitUnattended: flags and the environment answer, as in a script, for a tenant.
func TestInitUnattended(t *testing.T) {
	t.Parallel()
	const password = "Correct horse 1!"
	folder, address := t.TempDir(), webtest.FreeAddress(t)
	env := func(name string) (string, bool) {
		if name == "GATEHOUSE_ADMIN_PASSWORD_FILE" { // the flag's
			return filepath.Join(folder, "given"), true
		}
		return "", false
	}
	if err := os.WriteFile(filepath.Join(folder, "given"), []byte(password), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, said buffer
	args := []string{"init", "tenant", "--yes", "--json", "--folder", folder, "--url", "http://" + address, "--data",
		filepath.Join(folder, "data"), "--domain", "example.com"}
	if code := run(context.Background(), args, strings.NewReader(""), &out, &said, env); code != exitDone {
		t.Fatalf("%d: %s", code, said.String())
	}
	var wrote struct{ Next string }
	if err := json.Unmarshal([]byte(out.String()), &wrote); err != nil {
		t.Fatal(err)
	}
	startCommand(t, strings.Fields(wrote.Next)[1:]...)
	signInAt(t, "http://"+address, "tenant", "admin", password)
}
