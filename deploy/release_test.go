package deploy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// version is what the tests release, and maintainer whom users of it write to.
const version, maintainer = "v1.2.3", "Ada Tester <ada@example.com>"

// release is what scripts/release makes, twice: in this folder, and in a copy of it elsewhere.
type release struct{ folder, here, elsewhere string }

// releases makes both once for all tests, for this machine's kind only, with a key of its own.
var releases = sync.OnceValues(func() (r release, err error) {
	if r.folder, err = os.MkdirTemp("", "gatehouse-release-"); err != nil {
		return r, err
	}
	left = append(left, r.folder)
	r.here, r.elsewhere = filepath.Join(r.folder, "here"), filepath.Join(r.folder, "elsewhere")
	key, copied := filepath.Join(r.folder, "key"), filepath.Join(r.folder, "copy")
	if out, err := outcome("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "release", "-f", key); err != nil {
		return r, fmt.Errorf("ssh-keygen: %w: %s", err, out)
	}
	// a clone, and what has changed here since
	clone := "git clone -q --shared . " + copied + " && git ls-files -z --cached --others --exclude-standard |" +
		" xargs -0 ls -d 2>/dev/null | tar -c -T - | tar -x -C " + copied
	if out, err := outcome("bash", "-c", clone); err != nil {
		return r, fmt.Errorf("copy: %w: %s", err, out)
	}
	var both sync.WaitGroup
	failures := make([]error, 2)
	for i, of := range []struct{ source, dist string }{{"..", r.here}, {copied, r.elsewhere}} {
		both.Go(func() {
			cmd := exec.Command("scripts/release", version)
			cmd.Dir = of.source
			cmd.Env = append(
				os.Environ(), "PLATFORMS=linux/"+runtime.GOARCH, "DIST="+of.dist, "SIGNING_KEY="+key, "BUILDER_ID=test",
				"MAINTAINER="+maintainer, "NFPM="+of.dist+"-nfpm",
			)
			if out, err := cmd.CombinedOutput(); err != nil {
				failures[i] = fmt.Errorf("scripts/release: %w: %s", err, out)
			}
		})
	}
	both.Wait()
	return r, errors.Join(failures...)
})

func TestMain(m *testing.M) {
	sqldbtest.Main(m, func() {
		for _, folder := range left {
			_ = os.RemoveAll(folder)
		}
	})
}

// left are folders that several tests use.
var left []string

// made is the release.
func made(t *testing.T) release {
	t.Helper()
	if testing.Short() {
		t.Skip("packing takes half a minute")
	}
	if runtime.GOOS != "linux" {
		sqldbtest.Skip(t, "packages are for Linux")
	}
	r, err := releases()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// released is a file of the release, by the end of its name.
func released(t *testing.T) (file func(suffix string) string) {
	t.Helper()
	folder := made(t).here
	return func(suffix string) string {
		found, err := filepath.Glob(filepath.Join(folder, "*"+suffix))
		if err != nil || len(found) != 1 {
			t.Fatalf("%v %v", found, err)
		}
		return found[0]
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file) // #nosec G304 -- ours
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestAReleaseIsTheSameWhereverItIsMade compares the checksums of both, which name every file.
func TestAReleaseIsTheSameWhereverItIsMade(t *testing.T) {
	r := made(t)
	here, elsewhere := read(t, r.here+"/SHA256SUMS"), read(t, r.elsewhere+"/SHA256SUMS")
	if here != elsewhere {
		t.Errorf("here:\n%selsewhere:\n%s", here, elsewhere)
	}
	var names []string
	for line := range strings.Lines(here) {
		names = append(names, strings.Fields(line)[1])
	}
	kind := "gatehouse-linux-" + runtime.GOARCH
	want := []string{
		"gatehouse-chart-1.2.3.tgz", "gatehouse-image-linux-" + runtime.GOARCH + ".tar", kind + ".cdx.json",
		kind + ".deb", kind + ".rpm", kind + ".tar.gz", "gatehouse.rb",
	}
	if strings.Join(names, " ") != strings.Join(want, " ") {
		t.Errorf("it has %q", names)
	}
	output(t, "bash", "-c", "cd "+r.here+" && sha256sum --quiet -c SHA256SUMS")
}

// TestAReleaseSaysWhereItIsFrom: the stamp in the program, the list of its modules, and the
// provenance of each file.
func TestAReleaseSaysWhereItIsFrom(t *testing.T) {
	r := made(t)
	file := released(t)
	folder := t.TempDir()
	output(t, "tar", "-xzf", file(".tar.gz"), "-C", folder, "--strip-components=1")
	program := folder + "/gatehouse"
	var stamp struct {
		Version, Commit, Date string
		Modified              bool
	}
	if err := json.Unmarshal([]byte(output(t, program, "version", "--json")), &stamp); err != nil {
		t.Fatal(err)
	}
	commit := strings.TrimSpace(output(t, "git", "rev-parse", "HEAD"))
	if stamp.Version != version || stamp.Commit != commit || stamp.Date == "" || stamp.Modified {
		t.Errorf("%+v", stamp)
	}
	for _, name := range []string{"LICENSE", "NOTICE", "THIRD_PARTY_NOTICES.md"} {
		if read(t, folder+"/"+name) != read(t, "../"+name) {
			t.Errorf("%s is another one", name)
		}
	}
	var bom struct {
		BOMFormat  string
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal([]byte(read(t, file(".cdx.json"))), &bom); err != nil {
		t.Fatal(err)
	}
	modules := strings.Count(output(t, "go", "version", "-m", program), "\n\tdep\t")
	if bom.BOMFormat != "CycloneDX" || len(bom.Components) != modules || modules < 50 {
		t.Errorf("%d of %d modules are listed", len(bom.Components), modules)
	}
	var provenance struct {
		Subject []struct {
			Name   string
			Digest struct{ SHA256 string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, r.here+"/provenance.intoto.json")), &provenance); err != nil {
		t.Fatal(err)
	}
	sums := read(t, r.here+"/SHA256SUMS")
	for _, s := range provenance.Subject {
		if !strings.Contains(sums, s.Digest.SHA256+"  "+s.Name+"\n") {
			t.Errorf("%+v is not of the release", s)
		}
	}
	if len(provenance.Subject) != strings.Count(sums, "\n") {
		t.Errorf("the provenance names %d files", len(provenance.Subject))
	}
}

// TestASignedRelease verifies the signature as docs/deploy.md has it, and sums that were changed.
func TestASignedRelease(t *testing.T) {
	r := made(t)
	signers := filepath.Join(t.TempDir(), "signers")
	if err := os.WriteFile(signers, []byte("releases@gatehouse "+read(t, r.folder+"/key.pub")), 0o600); err != nil {
		t.Fatal(err)
	}
	verify := func(sums string) error {
		_, err := outcome(
			"bash", "-c", "ssh-keygen -Y verify -f "+signers+" -I releases@gatehouse -n gatehouse-release -s "+
				r.here+"/SHA256SUMS.sig <"+sums,
		)
		return err
	}
	if err := verify(r.here + "/SHA256SUMS"); err != nil {
		t.Error(err)
	}
	changed := filepath.Join(t.TempDir(), "SHA256SUMS")
	text := strings.Replace(read(t, r.here+"/SHA256SUMS"), "gatehouse", "Gatehouse", 1)
	if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if verify(changed) == nil {
		t.Error("other sums have the same signature")
	}
}

// TestWhatIsNoRelease: a version that would break the files, and a key that is not there, before
// anything is built.
func TestWhatIsNoRelease(t *testing.T) {
	for _, command := range []string{
		"scripts/release 'v1\"; rm'", "scripts/release '-X main.x=y'", "SIGNING_KEY=/nowhere scripts/release v1.2.3",
		"MAINTAINER=somebody scripts/packages $DIST v1.2.3",
	} {
		out, err := outcome("bash", "-c", "export DIST="+t.TempDir()+"; "+command)
		if err == nil || !regexp.MustCompile("is no version|cannot be read|use Name <address>").MatchString(out) {
			t.Errorf("%s: %v: %s", command, err, out)
		}
	}
}

// formula evaluates a formula as Homebrew does, for a system and a processor.
const formula = `
class Formula
  def self.on_macos; yield if $os == "macos"; end
  def self.on_linux; yield if $os == "linux"; end
  def self.on_arm; yield if $cpu == "arm"; end
  def self.on_intel; yield if $cpu == "intel"; end
  def self.build; Struct.new(:head?).new(false); end
  def self.url(text) = puts("url #{text}")
  def self.sha256(text) = puts("sha256 #{text}")
  def self.version(text) = puts("version #{text}")
  def self.test = nil
  def self.method_missing(*) = nil
  def self.respond_to_missing?(*) = true
end
$os, $cpu = ARGV[1], ARGV[2]
load ARGV[0]
`

// TestTheFormula reads it with Ruby. Homebrew itself does not run here.
func TestTheFormula(t *testing.T) {
	r := made(t)
	if _, err := exec.LookPath("ruby"); err != nil {
		sqldbtest.Skip(t, "ruby is not installed (apt-get install ruby)")
	}
	for _, file := range []string{r.here + "/gatehouse.rb", "deploy/homebrew/gatehouse.rb"} {
		if out := output(t, "ruby", "-c", "-W2", file); strings.TrimSpace(out) != "Syntax OK" {
			t.Error(out)
		}
	}
	cpu := map[string]string{"amd64": "intel", "arm64": "arm"}[runtime.GOARCH]
	got := output(t, "ruby", "-e", formula, r.here+"/gatehouse.rb", "linux", cpu)
	name := "gatehouse-linux-" + runtime.GOARCH + ".tar.gz"
	sum, _, _ := strings.Cut(output(t, "sha256sum", r.here+"/"+name), " ")
	want := "version 1.2.3\nurl https://github.com/gatehouse-id/gatehouse/releases/download/v1.2.3/" + name +
		"\nsha256 " + sum + "\n"
	if got != want {
		t.Errorf("%s instead of %s", got, want)
	}
	for _, system := range []string{"macos arm", "macos intel", "linux arm", "linux intel"} {
		of := strings.Fields(system)
		text := output(t, "ruby", "-e", formula, "deploy/homebrew/gatehouse.rb", of[0], of[1])
		kind := strings.NewReplacer("macos", "darwin", "intel", "amd64", "arm", "arm64").Replace(of[0] + "-" + of[1])
		if !strings.Contains(text, "/gatehouse-"+kind+".tar.gz\n") || !strings.Contains(text, "sha256 @"+kind+"@\n") {
			t.Errorf("%s downloads %s", system, text)
		}
	}
}

// TestTheProgramStaysSmall: it has room below 64 MiB, and nothing of clients of which a few
// operations are called. A type of ours that holds such a client would bring all of it back; see
// docs/dependencies.md.
func TestTheProgramStaysSmall(t *testing.T) {
	const most = 62 << 20
	archive := released(t)(".tar.gz")
	program := output(t, "tar", "-xzOf", archive, "gatehouse-linux-"+runtime.GOARCH+"/gatehouse")
	if len(program) > most {
		t.Errorf("it has %d bytes", len(program))
	}
	for _, c := range []struct{ service, called, other string }{
		{"cloudtrail", "LookupEvents", "CreateTrail"}, {"iam", "CreateRole", "CreateUser"},
		{"organizations", "ListRoots", "CreateAccount"},
	} {
		method := "github.com/aws/aws-sdk-go-v2/service/" + c.service + ".(*Client)."
		if !strings.Contains(program, method+c.called+"\x00") || strings.Contains(program, method+c.other+"\x00") {
			t.Errorf("of %s it has not what is called, or more than that", c.service)
		}
	}
}
