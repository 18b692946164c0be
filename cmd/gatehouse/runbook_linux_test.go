package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// notRunHere are the commands of the page that the test cannot run, and why.
var notRunHere = map[string]string{
	"apt install ./gatehouse-linux-amd64.deb": "would replace what is on this machine; deploy's tests do it apart",
	"rpm -U gatehouse-linux-amd64.rpm":        "would replace what is on this machine; deploy's tests do it apart",
	"createdb center":                         "the test's server makes the empty database",
	"gatehouse roles check":                   "asks AWS; keptroles_test.go asks a stand-in",
	"gatehouse roles provision --dry-run":     "asks AWS; keptroles_test.go asks a stand-in",
	"gatehouse sync":                          "names what runs where there is no tenant of ours",
}

// says is what the answer to a command must have in it, by the command's beginning.
var says = map[string]string{
	"curl -fsS -H ":                     "gatehouse_store_up",
	"curl -fsS http://127.0.0.1:9091":   "gatehouse_tenant_store_up",
	"gatehouse check ":                  "0 problems",
	"gatehouse tenant check ":           "0 problems",
	"gatehouse connect status":          "in step since",
	"gatehouse restore ":                "Restored into",
	"gatehouse tenant restore ":         "Restored into",
	"gatehouse administrators list ":    "admin",
	"gatehouse scim-tokens list":        " aws ",
	"gatehouse access-keys create ":     "AWS_SECRET_ACCESS_KEY=",
	"gatehouse access-keys list":        "administrator",
	"gatehouse revoke ":                 "ada@example.com",
	"gatehouse explain ":                "signature",
	"gatehouse identity-source add-cer": "certificate",
}

// TestTheRunbookWorks runs every command of docs/operations.md, of the drill of docs/reliability.md
// and of what docs/running.md has on administrators and access keys, as it is printed, in the order
// of the page, against an installation as the packages make one.
func TestTheRunbookWorks(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts real halves many times")
	}
	t.Parallel()
	program := build(t)
	page := slices.Concat(
		commandsOf(t, "../../docs/operations.md", "", ""),
		commandsOf(t, "../../docs/reliability.md", "### The drill", "## Who leaves"),
		commandsOf(t, "../../docs/running.md", "## Administrators", "## Email"),
	)
	for engine, shell := range map[string]string{"SQLite": "bash", "PostgreSQL": "zsh"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			path, err := exec.LookPath(shell)
			if err != nil {
				sqldbtest.Skip(t, shell+" is not installed (Debian: apt-get install "+shell+")")
			}
			i := install(t, program, engine == "PostgreSQL")
			i.shell = append([]string{path}, shells[shell]...)
			used := map[string]bool{}
			for _, p := range page {
				if _, listed := notRunHere[p.text]; listed {
					used[p.text] = true
					continue
				}
				i.run(p, used)
			}
			for _, what := range []map[string]string{notRunHere, says} {
				for command := range what {
					if !used[command] {
						t.Errorf("%q is a command of the page no more", command)
					}
				}
			}
		})
	}
}

// printed is what a page has in one place: a block of commands, one in the text, or a file.
type printed struct {
	at   string // the page and the line
	file bool
	text string
}

var (
	// quoted is what stands between backquotes.
	quoted = regexp.MustCompile("`([^`]+)`")
	// foreign are programs that would reach beyond the installation.
	foreign = []string{"apt", "rpm", "helm", "kubectl", "docker", "psql", "createdb", "make"}
	// programs are what a command in the text begins with.
	programs = []string{
		"gatehouse", "apt", "rpm", "helm", "kubectl", "docker", "systemctl", "install", "curl", "openssl", "cp", "mv",
		"chown", "chmod", "psql", "createdb", "make", "aws",
	}
)

// commandsOf reads a page from one line to another, or all of it.
func commandsOf(t *testing.T, path, from, to string) []printed {
	t.Helper()
	text, err := os.ReadFile(path) // #nosec G304 -- one of our pages
	if err != nil {
		t.Fatal(err)
	}
	var found []printed
	fence, within := false, from == ""
	for i, line := range strings.Split(string(text), "\n") {
		kind, opens := strings.CutPrefix(line, "```")
		at := fmt.Sprintf("%s:%d", filepath.Base(path), i+1)
		if within = within || line == from; to != "" && strings.HasPrefix(line, to) {
			within = false
		}
		switch {
		case !within:
		case opens && fence:
			fence = false
		case opens:
			fence = true
			found = append(found, printed{at: at, file: kind == "ini"})
		case fence:
			found[len(found)-1].text += line + "\n"
		default:
			for _, q := range quoted.FindAllStringSubmatch(line, -1) {
				if words := strings.Fields(q[1]); len(words) > 1 && slices.Contains(programs, words[0]) {
					found = append(found, printed{at: at, text: q[1]})
				}
			}
		}
	}
	if len(found) == 0 {
		t.Fatalf("%s has no commands", path)
	}
	return found
}

// run runs what the page has in one place.
func (i *installation) run(p printed, used map[string]bool) {
	i.t.Helper()
	if p.file {
		name, _, _ := strings.Cut(strings.TrimPrefix(p.text, "# "), "\n")
		i.write(i.here(name), i.here(p.text), 0o600)
		return
	}
	i.typed = "set -a; . /etc/gatehouse/operator.env; set +a\n" // a new shell
	for command := range strings.Lines(p.text) {
		command = strings.TrimSuffix(command, "\n")
		only, postgres := strings.CutSuffix(command, "# PostgreSQL")
		if postgres && !i.postgres {
			continue
		}
		if strings.Contains(command, "…") {
			i.t.Errorf("%s: %q is not all that is to be typed, and not on the list", p.at, only)
			return
		}
		if word, _, _ := strings.Cut(command, " "); slices.Contains(foreign, word) {
			i.t.Errorf("%s: %q would change this machine, and is not on the list", p.at, command)
			return
		}
		before := i.before(command)
		out, err := i.paste(command)
		if err != nil {
			i.t.Errorf("%s: %s: %v\n%s\n%s", p.at, i.here(command), err, out, i.logs())
			return
		}
		for beginning, want := range says {
			if strings.HasPrefix(command, beginning) {
				used[beginning] = true
				if !strings.Contains(out, want) {
					i.t.Errorf("%s: %s: no %q in %s", p.at, i.here(command), want, out[max(0, len(out)-2_000):])
				}
			}
		}
		if before != nil {
			before()
		}
		if strings.HasPrefix(command, "export ") {
			i.typed += command + "\n" // holds for what comes in the same shell
		}
	}
}

// paste runs a command in a shell that knows what was set before.
func (i *installation) paste(command string) (out string, err error) {
	i.t.Helper()
	script := i.here("set -e\n" + i.typed + command + "\n")
	cmd := exec.CommandContext( // #nosec G204 -- the commands under test
		i.t.Context(), i.shell[0], append(slices.Clone(i.shell[1:]), script)...,
	)
	cmd.Env, cmd.Dir = i.env, i.root
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// before does what the world does before a command, and returns what is to be looked at after it.
func (i *installation) before(command string) (after func()) {
	i.t.Helper()
	switch {
	case strings.HasPrefix(command, "systemctl stop "):
		half := strings.TrimPrefix(command, "systemctl stop gatehouse-")
		restore := strings.TrimPrefix(half+" ", "center ") + "restore /backups/" + half + "-$(date +%F).db"
		where := ""
		if i.postgres {
			where = "export GATEHOUSE_DATABASE_FILE=/etc/gatehouse/" + half + "-database\n"
		}
		out, err := i.paste(where + "gatehouse " + restore + " --force --data /var/lib/gatehouse/" + half)
		if err == nil || !strings.Contains(out, "in use") && !strings.Contains(out, "nodes serve") {
			i.t.Errorf("over a %s that runs: %v %s", half, err, out)
		}
	case strings.HasPrefix(command, "install ") && strings.Contains(command, "new-cert.pem"):
		old := i.served()
		return func() { i.until("the new certificate is served", func() bool { return i.served() != old }) }
	case strings.Contains(command, " backup "): // another night
		half := "center"
		if strings.HasPrefix(command, "gatehouse tenant ") {
			half = "tenant"
		}
		if out, err := i.paste("rm -f /backups/" + half + "-$(date +%F).db"); err != nil {
			i.t.Errorf("%v: %s", err, out)
		}
	case strings.HasPrefix(command, "install -d ") && strings.HasSuffix(command, "/center"):
		i.lose("center")
	case strings.HasPrefix(command, "gatehouse explain "):
		out, err := i.paste("AWS_SECRET_ACCESS_KEY=another gatehouse access-keys list")
		reference := regexp.MustCompile(`[0-9a-f]{8}-[-0-9a-f]{27}`).FindString(out)
		if err == nil || reference == "" {
			i.t.Errorf("another secret is refused without a reference: %v %s", err, out)
		}
		i.names = append(i.names, "REFERENCE", reference)
	case strings.HasPrefix(command, "echo 'traces:"):
		return func() { i.tracing = true }
	case strings.HasPrefix(command, "systemctl restart") && i.tracing:
		return func() {
			_, _ = i.paste("gatehouse connect status")
			i.until("a trace has come", func() bool { return i.traces.Load() > 0 })
			i.tracing = false
		}
	case strings.HasPrefix(command, "gatehouse rotate scim-token --accept"),
		strings.HasPrefix(command, "gatehouse rotate certificate --accept"):
		list := "gatehouse identity-source show"
		if strings.Contains(command, "scim-token") {
			list = "gatehouse scim-tokens list"
		}
		old, err := i.paste(list)
		return func() {
			if now, e := i.paste(list); errors.Join(err, e) != nil || now == old {
				i.t.Errorf("%s has replaced nothing: %s %s", command, old, now)
			}
		}
	}
	return nil
}

// unitUser is whom the services run as: somebody else than root, where root runs the test.
func unitUser() (uid, gid int) {
	if os.Geteuid() == 0 {
		return 65534, 65534
	}
	return os.Geteuid(), os.Getegid()
}

// here puts what there is on this machine in the place of what the page has for names.
func (i *installation) here(text string) string {
	uid, gid := unitUser()
	return strings.NewReplacer(append([]string{
		"/etc/gatehouse", filepath.Join(i.root, "etc"),
		"/var/lib/gatehouse", filepath.Join(i.root, "lib"),
		"/backups/", filepath.Join(i.root, "backups") + "/",
		"/safe/", filepath.Join(i.root, "safe") + "/",
		"-o gatehouse -g gatehouse", fmt.Sprintf("-o %d -g %d", uid, gid),
		"id.example.com:9090", "localhost" + i.port("center metrics"),
		"metrics: :9090", "metrics: " + i.port("center metrics"),
		"127.0.0.1:9091", "127.0.0.1" + i.port("tenant metrics"),
		"id.example.com", "localhost" + i.port("center"),
		"login.example.com", "localhost" + i.port("tenant"),
		"http://127.0.0.1:4318", i.collector,
		"USER", "ada@example.com",
	}, i.names...)...).Replace(text)
}

// collect counts the traces that come.
func (i *installation) collect(_ http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v1/traces" {
		i.traces.Add(1)
	}
}
