package deploy_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// freshSystem runs a script in this machine's system as it is, with whatever is written going
// nowhere: packages are really installed, by dpkg and its scripts, and nothing of it stays. Only
// the index of all manual pages is not made anew each time, which takes longer than all else.
const freshSystem = `
set -eu
mount -t tmpfs none "$1" && mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
rm -f var/lib/man-db/auto-update
mount --rbind /dev dev && mount -t proc none proc && mount -t tmpfs none run && mount -t tmpfs none tmp
cp -r "$2" tmp/of
exec chroot . bash -euo pipefail /tmp/of/script
`

// lifecycle is what becomes of a package: the first run, an upgrade, its removal, and its end.
const lifecycle = `
cd /tmp/of
./first-run old.deb
echo '# mine' >>/etc/gatehouse/center.yaml
dpkg -i new.deb >/dev/null
echo "upgraded to $(dpkg-query -W -f '${Version}' gatehouse), with $(tail -n 1 /etc/gatehouse/center.yaml)"
runuser -u gatehouse -- gatehouse administrators list --data /var/lib/gatehouse/center
gatehouse backup center.backup --data /var/lib/gatehouse/center >/dev/null
gatehouse restore center.backup --data /var/lib/gatehouse/center --force >/dev/null
echo "restored by root for $(find /var/lib/gatehouse -printf '%u %#m\n' | sort -u | paste -sd' ')"
runuser -u gatehouse -- gatehouse check --data /var/lib/gatehouse/center >/dev/null
of="/etc/gatehouse/center.env /etc/gatehouse/center-admin-password /var/lib/gatehouse/center/master.key"
for file in $of; do
  ! runuser -u nobody -- cat "$file" 2>/dev/null || exit 1
done
echo "nobody else reads $(stat -c '%U %#a' $of | paste -sd' ')"
dpkg -r gatehouse 2>&1 | grep stays
echo "removed: $(ls -d /etc/gatehouse/center.yaml | xargs -n1 basename)"
test ! -e /usr/bin/gatehouse
dpkg -P gatehouse 2>&1 | grep stays
echo "purged: $(cd /var/lib/gatehouse/center && ls -d center.db master.key | paste -sd' ')"
test ! -e /etc/gatehouse/tenant.yaml
dpkg -i old.deb >/dev/null
echo "again: $(runuser -u gatehouse -- gatehouse check --data /var/lib/gatehouse/center | tail -n 1)"
`

// TestTheFirstRun installs the deb as a package manager does and signs an administrator in, in
// under three minutes; then the package is upgraded, removed and purged, and the data is there.
func TestTheFirstRun(t *testing.T) {
	if os.Getuid() != 0 {
		sqldbtest.Skip(t, "only root may mount a system of its own")
	}
	of := t.TempDir()
	deb := released(t)(".deb")
	output(t, "cp", deb, of+"/old.deb")
	output(t, "cp", "scripts/first-run", of)
	folder := t.TempDir()
	output(t, "tar", "-xzf", released(t)(".tar.gz"), "-C", folder, "--strip-components=1")
	output(t, "env", "NFPM="+made(t).here+"-nfpm", "scripts/packages", folder, "v1.2.4", runtime.GOARCH,
		folder+"/gatehouse")
	output(t, "cp", filepath.Join(folder, filepath.Base(deb)), of+"/new.deb")
	for name, text := range map[string]string{"script": lifecycle, "fresh": freshSystem} {
		if err := os.WriteFile(of+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, port, err := net.SplitHostPort(webtest.FreeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	// #nosec G204 -- ours
	cmd := exec.Command("unshare", "--mount", "--pid", "--fork", "bash", of+"/fresh", t.TempDir(), of)
	cmd.Env = append(os.Environ(), "PORT="+port)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	times := regexp.MustCompile(`(?m)^ *([0-9.]+) s  in all$`).FindStringSubmatch(string(out))
	if times == nil {
		t.Fatal("the script does not say how long it took")
	}
	if seconds, err := strconv.ParseFloat(times[1], 64); err != nil || seconds > 180 {
		t.Errorf("the first run takes %s s", times[1])
	}
	for _, want := range []string{
		"admin is signed in to the console", "upgraded to 1.2.4, with # mine", "\nadmin  ",
		"restored by root for gatehouse 0600 gatehouse 0700\n",
		"nobody else reads root 0600 gatehouse 0600 gatehouse 0600\n",
		"removed: center.yaml", "gatehouse: /var/lib/gatehouse stays", "purged: center.db master.key",
		"again: audit log: ", " events are as they were written, ",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("it does not say %q", want)
		}
	}
}
