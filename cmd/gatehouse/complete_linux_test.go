package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// awkward are names of accounts, and how somebody begins to type them in every shell, and in bash
// after an open quote of either kind and behind a flag's equals sign.
var awkward = map[string][]string{
	`Ops Team`:            {`Ops`, `Ops\ T`, `"Ops T`, `'Ops T`},
	`It's "quoted"`:       {`It`, `It\'s`},
	`Costs $HOME $(id)`:   {`Costs`, `"Costs `, `'Costs `},
	`eu:prod:Data Lake`:   {`eu`, `eu\:prod`, `eu:pr`, `'eu:prod`},
	`Größe 100% ; touch!`: {`Gr`, `'Gr`},
	`a*b=c&d`:             {`a`, `a\*b`},
}

// TestARealShellCompletesAwkwardNames, and the command takes what stands on the line then.
func TestARealShellCompletesAwkwardNames(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	program := build(t)
	env := map[string]string{
		"AWS_ACCESS_KEY_ID":     d.AWS.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": d.AWS.SecretAccessKey,
		"AWS_REGION":            d.AWS.Region,
		"GATEHOUSE_CENTER_URL":  d.Center.URL,
	}
	file, n := "id,name,email,status,tags\n", 0
	for name := range awkward {
		n++
		id := fmt.Sprintf("9000000000%02d", n)
		file += id + `,"` + strings.ReplaceAll(name, `"`, `""`) + `",` + id + "@example.com,ACTIVE,\n"
	}
	if code, _, said := call(t, file, env, "accounts", "import", "-"); code != exitDone {
		t.Fatal(said)
	}
	for shell, load := range map[string]string{
		"bash": `PS1='$ '; bind 'set enable-bracketed-paste off'; . <(gatehouse completion bash)`,
		"zsh":  `PS1='$ '; autoload -Uz compinit && compinit -u; . <(gatehouse completion zsh)`,
		"fish": `function fish_prompt; echo '$ '; end; gatehouse completion fish | source`,
	} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			s := openShell(t, shell, program, env)
			s.enters(load + "; echo rea''dy")
			s.sees("ready")
			isNotEvaluated(s)
			for name, ways := range awkward {
				for _, begun := range ways {
					open := strings.ContainsAny(begun[:1], `'"`)
					completes(s, "--account "+begun, name)
					if shell != "fish" || !open && begun != `Ops\ T` { // which offers nothing there
						completes(s, "--account="+begun, name)
					}
				}
			}
		})
	}
}

// completes presses the key behind what is typed, and runs what stands there then.
func completes(s *typist, typed, name string) {
	s.t.Helper()
	from := s.seen
	end := fmt.Sprintf("-%d-", from)
	s.enters("\x15gatehouse roles list " + typed + "\t && echo to''ok; echo do''ne" + end)
	s.sees("done" + end)
	if said := s.screen.String()[from:]; !strings.Contains(said, "took") {
		s.t.Errorf("%s for %s: %q", typed, name, said)
	}
}

// isNotEvaluated presses the key behind a line that would make a file, and takes the line back. In
// the word at the cursor, zsh expands by itself what a program would print.
func isNotEvaluated(s *typist) {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "made")
	for _, typed := range []string{
		"gatehouse roles list --account $(touch " + file + ") --", "gatehouse $(touch " + file + ") ",
		`gatehouse roles list --account "$(touch ` + file + `)" --`, "gatehouse users show `touch " + file + "` ",
	} {
		end := fmt.Sprintf("-%d-", s.seen)
		s.enters("\x15" + typed + "\t\x05\x15echo do''ne" + end)
		s.sees("done" + end)
		if _, err := os.Stat(file); err == nil {
			s.t.Fatalf("a key has run a part of %s", typed)
		}
	}
}

// openShell opens a shell at a terminal.
func openShell(t *testing.T, shell, program string, env map[string]string) *typist {
	t.Helper()
	path, err := exec.LookPath(shell)
	if err != nil {
		sqldbtest.Skip(t, shell+" is not installed (Debian: apt-get install "+shell+")")
	}
	p := &typist{t: t, ended: make(chan struct{})}
	p.keys, p.echo = openTerminal(t)
	p.screen = screen(p.keys)
	cmd := exec.Command(path, append(shells[shell][:1:1], "-i")...) // #nosec G204 -- a shell of this machine
	cmd.Env = []string{
		"HOME=" + t.TempDir(), "PATH=" + filepath.Dir(program) + ":/usr/bin:/bin", "TERM=xterm", "LANG=C.UTF-8",
	}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stdin, cmd.Stdout = p.echo, p.echo
	cmd.Stderr = p.echo
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(p.ended); _ = cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return p
}
