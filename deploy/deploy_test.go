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
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// TestPackages unpacks the deb and the image, each where nothing else is, starts what the unit and
// the image name, as a user without rights, and signs an administrator in.
func TestPackages(t *testing.T) {
	file := released(t)
	t.Run("deb", func(t *testing.T) {
		root := t.TempDir()
		output(t, "dpkg-deb", "-x", file(".deb"), root)
		control := output(t, "dpkg-deb", "-f", file(".deb"))
		if !strings.Contains(control, "Package: gatehouse\n") || !strings.Contains(control, "Version: 1.2.3\n") ||
			!strings.Contains(control, "Maintainer: "+maintainer+"\n") {
			t.Errorf("%s", control)
		}
		documented(t, root, file(".deb"))
		for _, half := range []string{"center", "tenant"} {
			unit := filepath.Join(root, "lib/systemd/system/gatehouse-"+half+".service")
			judged(t, root, unit)
			ready := started(t, root, command(t, unit), nil)
			signIn(t, half, "http://"+ready.address, nil)
		}
	})
	t.Run("rpm", func(t *testing.T) {
		text, err := os.ReadFile(file(".rpm"))
		if err != nil || !bytes.HasPrefix(text, []byte{0xed, 0xab, 0xee, 0xdb}) ||
			!bytes.Contains(text, []byte("gatehouse-1.2.3-1")) || !bytes.Contains(text, []byte(maintainer)) {
			t.Errorf("it is no rpm: %v", err)
		}
	})
	t.Run("image", func(t *testing.T) {
		root, config := unpacked(t, file("image-linux-"+runtime.GOARCH+".tar"))
		if config.User != "65532:65532" || len(config.Entrypoint) != 1 {
			t.Errorf("%+v", config)
		}
		for _, shell := range []string{"bin/sh", "usr/bin/sh", "bin/busybox"} {
			if _, err := os.Lstat(filepath.Join(root, shell)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is in the image: %v", shell, err)
			}
		}
		ready := started(t, root, append(config.Entrypoint, config.Cmd...), config.Env)
		signIn(t, "center", "http://"+ready.address, nil)
	})
}

// documented looks at what Debian wants beside a program, by lintian too where that is installed.
func documented(t *testing.T, root, deb string) {
	t.Helper()
	for name, want := range map[string]string{
		"man/man1/gatehouse-serve.1.gz": "Run the center", "man/man1/gatehouse-tenant-backup.1.gz": "NAME",
		"doc/gatehouse/changelog.gz": "gatehouse (1.2.3) ", "doc/gatehouse/NEWS.gz": "# Changelog",
	} {
		if text := output(t, "gzip", "-dc", filepath.Join(root, "usr/share", name)); !strings.Contains(text, want) {
			t.Errorf("%s says %.200s", name, text)
		}
	}
	err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := e.Info()
		if err == nil && (info.Mode()&(os.ModeSymlink|os.ModeSetuid|os.ModeSetgid) != 0 || info.Mode()&0o022 != 0) {
			t.Errorf("%s has the mode %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := exec.LookPath("lintian"); err != nil {
		t.Log("there is no lintian")
		return
	}
	if out, err := outcome("lintian", "--allow-root", "--fail-on", "error,warning", deb); err != nil {
		t.Errorf("lintian: %v: %s", err, out)
	}
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
