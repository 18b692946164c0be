package deploy_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// output runs a program to its end.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "GOFLAGS=-trimpath -buildvcs=false")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
	return string(out)
}

// built are the packages and the image of this machine's kind.
func built(t *testing.T) (file func(suffix string) string) {
	t.Helper()
	if testing.Short() {
		t.Skip("packing takes a minute")
	}
	if runtime.GOOS != "linux" {
		sqldbtest.Skip(t, "packages are for Linux")
	}
	folder := t.TempDir()
	output(t, "scripts/packages", folder, "1.2.3")
	return func(suffix string) string {
		found, err := filepath.Glob(filepath.Join(folder, "*"+suffix))
		if err != nil || len(found) != 1 {
			t.Fatalf("%v %v", found, err)
		}
		return found[0]
	}
}

// TestPackages unpacks the deb and the image, each where nothing else is, starts what the unit and
// the image name, as a user without rights, and signs an administrator in.
func TestPackages(t *testing.T) {
	file := built(t)
	t.Run("deb", func(t *testing.T) {
		root := t.TempDir()
		output(t, "dpkg-deb", "-x", file(".deb"), root)
		control := output(t, "dpkg-deb", "-f", file(".deb"))
		if !strings.Contains(control, "Package: gatehouse\n") || !strings.Contains(control, "Version: 1.2.3\n") {
			t.Errorf("%s", control)
		}
		for _, half := range []string{"center", "tenant"} {
			unit := filepath.Join(root, "lib/systemd/system/gatehouse-"+half+".service")
			judged(t, root, unit)
			signIn(t, half, started(t, root, command(t, unit), nil))
		}
	})
	t.Run("rpm", func(t *testing.T) {
		text, err := os.ReadFile(file(".rpm"))
		if err != nil || !bytes.HasPrefix(text, []byte{0xed, 0xab, 0xee, 0xdb}) ||
			!bytes.Contains(text, []byte("gatehouse-1.2.3-1")) {
			t.Errorf("it is no rpm: %v", err)
		}
	})
	t.Run("image", func(t *testing.T) {
		root, config := unpacked(t, file(".tar"))
		if config.User != "65532:65532" || len(config.Entrypoint) != 1 {
			t.Errorf("%+v", config)
		}
		for _, shell := range []string{"bin/sh", "usr/bin/sh", "bin/busybox"} {
			if _, err := os.Lstat(filepath.Join(root, shell)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is in the image: %v", shell, err)
			}
		}
		signIn(t, "center", started(t, root, append(config.Entrypoint, config.Cmd...), config.Env))
	})
}

// judged looks at a unit as systemd does. What it says of users and folders of this machine is left
// out.
func judged(t *testing.T, root, unit string) {
	t.Helper()
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("there is no systemd-analyze")
		return
	}
	// #nosec G204 -- a fixed program
	verify := exec.Command(program, "verify", "--man=no", "--recursive-errors=no", "--root="+root, unit)
	out, err := verify.CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze verify: %v: %s", err, out)
	}
	// #nosec G204 -- a fixed program
	out, err = exec.Command(program, "security", "--offline=true", "--threshold=20", unit).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze security: %v: %s", err, out)
	}
}

// command is the command line of a unit.
func command(t *testing.T, unit string) []string {
	t.Helper()
	text, err := os.ReadFile(unit) // #nosec G304 -- ours
	if err != nil {
		t.Fatal(err)
	}
	_, line, ok := strings.Cut(string(text), "\nExecStart=")
	line, _, _ = strings.Cut(line, "\n")
	if !ok {
		t.Fatalf("%s starts nothing", unit)
	}
	return strings.Fields(line)
}

const password = "Correct horse 1!"

// nobody runs the programs, as their packages' users do.
const nobody = 65532

// started starts a command line in a folder of its own, as root can, or beside it, and returns
// where it listens.
func started(t *testing.T, root string, args, env []string) (address string) {
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
	address = webtest.FreeAddress(t)
	cmd := exec.Command(args[0], args[1:]...) // #nosec G204 -- ours
	cmd.Env = append(env, "GATEHOUSE_LISTEN="+address, "GATEHOUSE_ADMIN_PASSWORD="+password, "HOME=/")
	if os.Getuid() == 0 {
		for _, folder := range []string{data, "/var/lib/gatehouse"} {
			if err := os.Chown(filepath.Join(root, folder), nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}
		for folder := root; len(folder) > 1; folder = filepath.Dir(folder) { // t.TempDir's are root's alone
			if err := os.Chmod(folder, 0o755|fs(folder)); err != nil { // #nosec G302 -- until the test ends
				t.Fatal(err)
			}
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Chroot: root, Credential: &syscall.Credential{Uid: nobody, Gid: nobody, NoSetGroups: false},
		}
		cmd.Dir = "/"
		cmd.Path = args[0]
		cmd.Err = nil
	} else {
		cmd.Path = filepath.Join(root, args[0])
		cmd.Err = nil
		for i, a := range cmd.Args {
			if a == data {
				cmd.Args[i] = filepath.Join(root, data)
			}
		}
		cmd.Env = append(cmd.Env, "GATEHOUSE_DATA="+filepath.Join(root, data))
	}
	var log centertest.Output
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil {
			t.Errorf("it ended with %v: %s", err, log.String())
		}
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if len(ended) > 0 {
			t.Fatalf("it has ended: %s", log.String())
		}
		res, err := http.Get("http://" + address + "/readyz")
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return address
			}
		}
		if time.Now().After(end) {
			t.Fatalf("it is not ready: %s", log.String())
		}
	}
}

// fs is the special bits of a folder's mode, which stay.
func fs(folder string) os.FileMode {
	info, err := os.Stat(folder)
	if err != nil {
		return 0
	}
	return info.Mode() & (os.ModeSticky | os.ModeSetgid)
}

// signIn signs the first administrator in.
func signIn(t *testing.T, half, address string) {
	t.Helper()
	office := map[string]string{"center": "/console/", "tenant": "/admin/"}[half]
	v := webtest.New(t, nil)
	form := map[string][]string{"username": {"admin"}, "password": {password}}
	status, page := v.Send(http.MethodPost, "http://"+address+office+"login", form)
	if status != http.StatusOK || !strings.Contains(page, "admin") {
		t.Errorf("the administrator of the %s cannot sign in: %d %s", half, status, page)
	}
}

// imageConfig is how an image is run.
type imageConfig struct {
	User                 string
	Entrypoint, Cmd, Env []string
}

// unpacked unpacks an image as programs that run images do: by its index, with each digest
// verified.
func unpacked(t *testing.T, file string) (root string, config imageConfig) {
	t.Helper()
	f, err := os.Open(file) // #nosec G304 -- ours
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	files := map[string][]byte{}
	each(t, tar.NewReader(f), func(h *tar.Header, text []byte) { files[filepath.Clean(h.Name)] = text })
	type descriptor struct{ Digest, MediaType string }
	blob := func(d descriptor) []byte {
		t.Helper()
		name, _ := strings.CutPrefix(d.Digest, "sha256:")
		text := files["blobs/sha256/"+name]
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != name {
			t.Fatalf("%s is something else", d.Digest)
		}
		return text
	}
	read := func(text []byte, into any) {
		t.Helper()
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	var index struct{ Manifests []descriptor }
	read(files["index.json"], &index)
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	read(blob(index.Manifests[0]), &manifest)
	var of struct {
		Architecture string
		Config       imageConfig
		RootFS       struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	read(blob(manifest.Config), &of)
	z, err := gzip.NewReader(bytes.NewReader(blob(manifest.Layers[0])))
	if err != nil {
		t.Fatal(err)
	}
	layer, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(layer); of.RootFS.DiffIDs[0] != "sha256:"+hex.EncodeToString(sum[:]) ||
		of.Architecture != runtime.GOARCH {
		t.Errorf("the layer is not what the configuration names: %+v", of)
	}
	root = t.TempDir()
	each(t, tar.NewReader(bytes.NewReader(layer)), func(h *tar.Header, text []byte) {
		at := filepath.Join(root, filepath.Clean("/"+h.Name))
		var err error
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(at, 0o755) // #nosec G301 -- as in an image
		} else {
			err = os.WriteFile(at, text, os.FileMode(h.Mode)) // #nosec G115 G306 -- a mode
		}
		if err != nil {
			t.Fatal(err)
		}
		if home := strings.Contains(h.Name, "lib/gatehouse"); (h.Uid == nobody) != home {
			t.Errorf("%s belongs to %s", h.Name, strconv.Itoa(h.Uid))
		}
	})
	return root, of.Config
}

// each reads the files of an archive.
func each(t *testing.T, archive *tar.Reader, take func(*tar.Header, []byte)) {
	t.Helper()
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		text := []byte(nil)
		if err == nil {
			text, err = io.ReadAll(archive)
		}
		if err != nil {
			t.Fatal(fmt.Errorf("the archive: %w", err))
		}
		take(h, text)
	}
}
