package deploy_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// called are the programs that scripts of packages call, and those that install packages.
var called = []string{"sh", "getent", "useradd", "rm", "tar", "dpkg-deb", "cat"}

// emptyRoot is a root with nothing but what scripts of packages call.
func emptyRoot(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	script := `
set -e
for name in "$@"; do
  path=$(command -v "$name")
  for file in "$path" $(ldd "$(readlink -f "$path")" | grep -o '/[^ ]*'); do
    mkdir -p "$ROOT$(dirname "$file")"
    [ -e "$ROOT$file" ] || cp -L "$file" "$ROOT$file"
  done
done
mkdir -p "$ROOT/bin" "$ROOT/etc" "$ROOT/tmp" "$ROOT/dev" "$ROOT/var/lib/dpkg/info" "$ROOT/var/lib/dpkg/updates"
[ -e "$ROOT/bin/sh" ] || cp -L /bin/sh "$ROOT/bin/sh"
cp /etc/login.defs "$ROOT/etc/"
echo root:x:0:0:root:/root:/bin/sh >"$ROOT/etc/passwd"
echo root:x:0: >"$ROOT/etc/group"
printf 'passwd: files\ngroup: files\n' >"$ROOT/etc/nsswitch.conf"
: >"$ROOT/etc/shadow" >"$ROOT/etc/gshadow" >"$ROOT/var/lib/dpkg/status" >"$ROOT/dev/null"
`
	output(t, "env", append([]string{"ROOT=" + root, "bash", "-c", script, "bash"}, called...)...)
	return root
}

// TestPackagesAreInstalledUpgradedAndRemoved, by dpkg and by rpm: whatever happens to the package,
// the data stays, and so do the settings that somebody has changed.
func TestPackagesAreInstalledUpgradedAndRemoved(t *testing.T) {
	file := released(t)
	if os.Geteuid() != 0 {
		sqldbtest.Skip(t, "only root changes the root")
	}
	tried := 0
	for suffix, by := range map[string]struct{ install, upgrade, remove, again []string }{
		".deb": {
			[]string{"dpkg", "--force-depends", "--root=ROOT", "-i", "FILE"},
			[]string{"dpkg", "--force-depends", "--root=ROOT", "-i", "FILE"},
			[]string{"dpkg", "--root=ROOT", "-r", "gatehouse"}, []string{"dpkg", "--root=ROOT", "-P", "gatehouse"},
		},
		".rpm": {
			[]string{"rpm", "--root=ROOT", "-i", "--nodeps", "FILE"},
			[]string{"rpm", "--root=ROOT", "-U", "--nodeps", "--replacepkgs", "FILE"},
			[]string{"rpm", "--root=ROOT", "-e", "gatehouse"}, nil,
		},
	} {
		if _, err := exec.LookPath(by.install[0]); err != nil {
			t.Logf("there is no %s", by.install[0])
			continue
		}
		tried++
		root := emptyRoot(t)
		run := func(line []string) string {
			words := strings.NewReplacer("ROOT", root, "FILE", file(suffix))
			for i, word := range line {
				line[i] = words.Replace(word)
			}
			return output(t, line[0], line[1:]...)
		}
		holds := func(when, name, want string) {
			text, err := os.ReadFile(filepath.Join(root, name)) // #nosec G304 -- ours
			if err != nil || !strings.Contains(string(text), want) {
				t.Errorf("%s, %s: %s has %q, %v", suffix, when, name, text, err)
			}
		}
		run(by.install)
		holds("installed", "etc/passwd", "gatehouse:x:")
		output(t, "chroot", root, "/usr/bin/gatehouse", "version")
		data, settings := "var/lib/gatehouse/center/center.db", "etc/gatehouse/center.yaml"
		err := errors.Join(
			os.MkdirAll(filepath.Join(root, filepath.Dir(data)), 0o700),
			os.WriteFile(filepath.Join(root, data), []byte("data"), 0o600),
			os.WriteFile(filepath.Join(root, settings), []byte("listen: 127.0.0.1:9999"), 0o600),
		)
		if err != nil {
			t.Fatal(err)
		}
		if said := run(by.upgrade); strings.Contains(said, "stays") {
			t.Errorf("%s, upgraded: %s", suffix, said)
		}
		holds("upgraded", data, "data")
		holds("upgraded", settings, "9999")
		if said := run(by.remove); !strings.Contains(said, "/var/lib/gatehouse stays; remove it by hand") {
			t.Errorf("%s, removed: %s", suffix, said)
		}
		if _, err := os.Stat(filepath.Join(root, "usr/bin/gatehouse")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s, removed: the program is there: %v", suffix, err)
		}
		if by.again != nil {
			holds("removed", settings, "9999")
			run(by.again)
		} else {
			holds("removed", settings+".rpmsave", "9999")
		}
		holds("gone", data, "data")
	}
	if tried == 0 {
		sqldbtest.Skip(t, "there is neither dpkg nor rpm")
	}
}
