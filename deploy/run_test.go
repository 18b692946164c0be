package deploy_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

const password = "Correct horse 1!"

// nobody runs the programs, as their packages' users do.
const nobody = 65532

// outcome runs a program to its end, in the repository.
func outcome(name string, args ...string) (out string, err error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "GOFLAGS=-trimpath -buildvcs=false")
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// output is what a program prints that must succeed.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := outcome(name, args...)
	if err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
	return out
}

// inside is how a program that is started in root names a path in it: where the tests may not
// change the root, by its path outside.
func inside(root, path string) string {
	if os.Getuid() == 0 {
		return path
	}
	return filepath.Join(root, path)
}

// place writes a file into a root that only its program's user can read.
func place(t *testing.T, root, path, text string) {
	t.Helper()
	file := filepath.Join(root, path)
	err := os.MkdirAll(filepath.Dir(file), 0o755) // #nosec G301 -- as in a container
	if err == nil {
		err = os.WriteFile(file, []byte(text), 0o400)
	}
	if err == nil && os.Getuid() == 0 {
		err = os.Chown(file, nobody, nobody)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// process is a half that runs.
type process struct {
	address string
	stop    func() // as a service is stopped
	log     *centertest.Output
}

// started starts a command line in a root of its own, as a user without rights, if the tests may,
// or beside it, and waits until it is ready at an address of ours.
func started(t *testing.T, root string, args, env []string) process {
	t.Helper()
	data := "/var/lib/gatehouse"
	for i, a := range args {
		if a == "--data" {
			data = args[i+1]
		}
	}
	if err := os.MkdirAll(filepath.Join(root, data), 0o755); err != nil { // #nosec G301 -- as in a system
		t.Fatal(err)
	}
	address := webtest.FreeAddress(t)
	cmd := exec.Command(args[0], args[1:]...) // #nosec G204 -- ours
	cmd.Env = append(append(cmd.Env, env...), "GATEHOUSE_LISTEN="+address, "HOME=/")
	if !strings.Contains(strings.Join(env, "\n"), "GATEHOUSE_ADMIN_PASSWORD_FILE=") {
		cmd.Env = append(cmd.Env, "GATEHOUSE_ADMIN_PASSWORD="+password)
	}
	confine(t, cmd, root, data)
	var log centertest.Output
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	var failure error
	go func() { failure = cmd.Wait(); close(ended) }()
	stop := func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		if failure != nil {
			t.Errorf("%q ended with %v: %s", args, failure, log.String())
		}
	}
	t.Cleanup(stop)
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		select {
		case <-ended:
			t.Fatalf("%q has ended: %s", args, log.String())
		default:
		}
		if isReady("http://" + address) {
			return process{address, stop, &log}
		}
		if time.Now().After(end) {
			t.Fatalf("%q is not ready: %s", args, log.String())
		}
	}
}

func isReady(url string) bool {
	res, err := http.Get(url + "/readyz") // #nosec G107 -- ours
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// confine has a command run in root as nobody, or with paths into root.
func confine(t *testing.T, cmd *exec.Cmd, root, data string) {
	t.Helper()
	cmd.Err = nil
	if os.Getuid() != 0 {
		cmd.Path = filepath.Join(root, cmd.Args[0])
		for i, a := range cmd.Args {
			if a == data {
				cmd.Args[i] = filepath.Join(root, data)
			}
		}
		cmd.Env = append(cmd.Env, "GATEHOUSE_DATA="+filepath.Join(root, data))
		return
	}
	for _, folder := range []string{data, "/var/lib/gatehouse"} {
		if err := os.Chown(filepath.Join(root, folder), nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	for folder := root; len(folder) > 1; folder = filepath.Dir(folder) { // t.TempDir's are root's alone
		if err := os.Chmod(folder, 0o755|special(folder)); err != nil { // #nosec G302 -- until the test ends
			t.Fatal(err)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Chroot: root, Credential: &syscall.Credential{Uid: nobody, Gid: nobody, NoSetGroups: false},
	}
	cmd.Dir = "/"
	cmd.Path = cmd.Args[0]
}

// special is the special bits of a folder's mode, which stay.
func special(folder string) os.FileMode {
	info, err := os.Stat(folder)
	if err != nil {
		return 0
	}
	return info.Mode() & (os.ModeSticky | os.ModeSetgid)
}

// signIn signs the first administrator in at a half's address; by says how it is reached.
func signIn(t *testing.T, half, url string, by http.RoundTripper) webtest.Visitor {
	t.Helper()
	office := map[string]string{"center": "/console/", "tenant": "/admin/"}[half]
	v := webtest.New(t, by)
	form := map[string][]string{"username": {"admin"}, "password": {password}}
	status, page := v.Send(http.MethodPost, url+office+"login", form)
	if status != http.StatusOK || !strings.Contains(page, "Sign out") {
		t.Errorf("the administrator of the %s cannot sign in: %d %s", half, status, page)
	}
	return v
}

// through reaches a half behind a proxy as its proxy does: the public name stays, the connection
// goes to one of its addresses.
type through struct{ address string }

// RoundTrip implements http.RoundTripper.
func (by through) RoundTrip(r *http.Request) (*http.Response, error) {
	to := r.Clone(r.Context())
	to.Host = r.URL.Host
	to.URL.Scheme, to.URL.Host = "http", by.address
	to.Header.Set("X-Forwarded-For", "192.0.2.7")
	res, err := http.DefaultTransport.RoundTrip(to)
	if res != nil {
		res.Request = r
	}
	return res, err
}
