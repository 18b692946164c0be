package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/awsstandin"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// typist is somebody over SSH who connects AWS: everything is asked at a real terminal, and what
// has no API is done at AWS's console.
type typist struct {
	*awsstandin.AWS

	t       *testing.T
	program string
	home    string
	region  string // that follows aws@

	command *exec.Cmd
	keys    *os.File // what is typed
	echo    *os.File // what the program has of the terminal
	screen  *buffer
	dark    chan struct{} // closed when all that the program has shown was read
	seen    int           // how much of the screen was read
	ended   chan struct{}
}

func newTypist(t *testing.T) *typist {
	t.Helper()
	p := &typist{AWS: awsstandin.Start(t), t: t, region: awsstandin.Region, program: build(t)}
	p.home, _ = awsstandin.Folder(t)
	return p
}

// types the command: connect or another one, with what says which two sides are meant.
func (p *typist) types(command string, more ...string) {
	p.t.Helper()
	args := append(strings.Fields(command), "--center", "aws@"+p.region, "--graph-url", p.Tenant.GraphURL,
		"--login-url", p.Tenant.URL+"/"+p.Tenant.TenantID, "--client-id", p.Tenant.ClientID, "--no-browser")
	p.command = exec.Command(p.program, append(args, more...)...) // #nosec G204 -- our own program
	p.command.Dir = p.home
	p.command.Env = append(
		p.Env, "HOME="+p.home, "AWS_ACCESS_KEY_ID="+p.Output.AWS.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY="+p.Output.AWS.SecretAccessKey, "GATEHOUSE_CLIENT_SECRET="+p.Tenant.ClientSecret,
		"AWS_EC2_METADATA_DISABLED=true", "PATH="+os.Getenv("PATH"), "TERM=xterm",
	)
	p.keys, p.echo = openTerminal(p.t)
	p.screen, p.seen = &buffer{}, 0
	p.dark = make(chan struct{})
	go func(keys io.Reader, shown io.Writer, dark chan struct{}) {
		defer close(dark)
		_, _ = io.Copy(shown, keys) // until nobody has the terminal any more
	}(p.keys, p.screen, p.dark)
	p.command.Stdin, p.command.Stdout = p.echo, p.echo
	p.command.Stderr = p.echo
	p.command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := p.command.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.ended = make(chan struct{})
	running, ended := p.command, p.ended
	go func() { defer close(ended); _ = running.Wait() }()
	p.t.Cleanup(func() { _ = running.Process.Kill() })
}

// sees waits until the terminal shows a text after what was seen before.
func (p *typist) sees(text string) {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		if i := strings.Index(p.screen.String()[p.seen:], text); i >= 0 {
			p.seen += i + len(text)
			return
		}
		select {
		case <-p.ended:
			p.t.Fatalf("never saw %q, and the program has ended\n%s", text, p.screen)
		default:
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("never saw %q\n%s", text, p.screen)
		}
		time.Sleep(5 * time.Millisecond) // between two looks at the condition
	}
}

// enters types lines.
func (p *typist) enters(text string) {
	p.t.Helper()
	if _, err := p.keys.WriteString(text + "\n"); err != nil {
		p.t.Fatal(err)
	}
}

// accepts the plan.
func (p *typist) accepts() {
	p.t.Helper()
	p.sees("Type ACCEPT to continue: ")
	p.enters("ACCEPT")
}

// begins to change the identity source, and pastes the ACS URL.
func (p *typist) begins() {
	p.t.Helper()
	p.sees("Begin to change the identity source")
	p.sees("give the path of the file: ")
	p.enters(p.ACS()[0] + "\n")
}

var prepared = regexp.MustCompile(`such as with scp: (\S+)`)

// changes the identity source, with the file that was prepared.
func (p *typist) changes() {
	p.t.Helper()
	p.sees("such as with scp: ")
	found := prepared.FindAllStringSubmatch(p.screen.String(), -1)
	data, err := os.ReadFile(found[len(found)-1][1])
	if err == nil {
		err = p.ChangeSource(data)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// brings the endpoint and a token, which the terminal does not show.
func (p *typist) brings(endpoint, token string) {
	p.t.Helper()
	p.sees("(it is not shown)")
	waitForNoEcho(p.t, p.echo)
	p.enters(endpoint + " " + token)
}

// copiesURLs brings the reply URLs of all Regions.
func (p *typist) copiesURLs() {
	p.t.Helper()
	p.sees("All ACS URLs, or the metadata file")
	p.sees("give the path of the file: ")
	p.enters(strings.Join(p.ACS(), "\n") + "\n")
}

// signsIn once.
func (p *typist) signsIn() {
	p.t.Helper()
	p.SignIn(pairtest.Amara)
}

// ends waits for the end of the command, and returns its exit code and what it has shown.
func (p *typist) ends() (code int, shown string) {
	p.t.Helper()
	select {
	case <-p.ended: // how, its exit code says
	case <-time.After(2 * time.Minute):
		p.t.Fatalf("the program does not end\n%s", p.screen)
	}
	_ = p.echo.Close()
	<-p.dark
	return p.command.ProcessState.ExitCode(), strings.Join(strings.Fields(p.screen.String()), " ")
}

// TestAPersonOverSSHConnectsAWS at a real terminal: stopped by Ctrl+C in the middle of a question,
// with a token of nothing first, and the token is never shown.
func TestAPersonOverSSHConnectsAWS(t *testing.T) {
	t.Parallel()
	p := newTypist(t)
	groups := []string{"--group", "Engineering", "--group", "Platform Engineering"}
	p.types("connect", groups...)
	p.accepts()
	p.begins()
	p.changes()
	p.sees("(it is not shown)")
	waitForNoEcho(t, p.echo)
	if shown := p.breaksOff(); !strings.Contains(shown, "Run the same command again") {
		t.Fatalf("after Ctrl+C: %s", shown)
	}
	p.types("connect", groups...)
	p.accepts()
	p.sees("Change the identity source")
	endpoint, token := p.NewToken()
	p.brings(endpoint, strings.Repeat("wrong-token", 9))
	p.sees("AWS does not take this token")
	p.brings("", token)
	p.copiesURLs()
	p.sees("Sign in once")
	p.sees("Waiting for the proof")
	p.signsIn()
	code, shown := p.ends()
	if code != exitDone || !strings.Contains(shown, "Connected.") || strings.Contains(p.screen.String(), token) {
		t.Errorf("%d, the token is shown: %v: %s", code, strings.Contains(p.screen.String(), token), shown)
	}
}

// TestAPersonOverSSHConnectsAWSWithoutAToken: the first sync is the connection's own. What has a
// token nowhere is in step, proved by reading back, and the command that goes on is said.
func TestAPersonOverSSHConnectsAWSWithoutAToken(t *testing.T) {
	t.Parallel()
	p := newTypist(t)
	tokenless := []string{"--tokenless", "--group", "Engineering", "--group", "Platform Engineering"}
	p.types("connect", append(tokenless, "--dry-run")...)
	if code, shown := p.ends(); code != exitChanges || !strings.Contains(shown, "write them by AWS's API: ") {
		t.Fatalf("dry run: %d %s", code, shown)
	}
	p.types("connect", tokenless...)
	p.accepts()
	p.begins()
	p.changes()
	p.copiesURLs()
	p.signsIn()
	code, shown := p.ends()
	for _, want := range []string{
		"First sync: 13 created", "11 users are at AWS's side, and 11 memberships in 2 groups", "A real sign-in",
		"What was there before is in ", "gatehouse connect undo --center aws@" + p.region + " --client-id ",
	} {
		if code != exitDone || !strings.Contains(shown, want) {
			t.Fatalf("%d, want %q in %s", code, want, shown)
		}
	}
	again := p.goesOn()
	for _, said := range []string{again.run(), again.run("--repair")} {
		if !strings.Contains(said, "Nothing to change") {
			t.Errorf("the command that goes on says %s", said)
		}
	}
	p.types("connect", tokenless...)
	if code, shown = p.ends(); code != exitDone || !strings.Contains(shown, "nothing to change") {
		t.Errorf("the next run: %d %s", code, shown)
	}
	p.Rename(pairtest.Amara, "Amara Okafor-Lindqvist")
	for _, c := range []struct {
		command, want string
		code          int
		more          []string
	}{
		{"connect status", "Users and groups at AWS (drifted): 1 changed", exitChanges, nil},
		{"connect repair", "First sync: 1 changed", exitDone, []string{"--accept"}},
		{"connect status", "The connection is converged", exitDone, nil},
	} {
		p.types(c.command, c.more...) // that there is no token, is remembered
		if code, shown = p.ends(); code != c.code || !strings.Contains(shown, c.want) {
			t.Errorf("%s: %d, want %q in %s", c.command, code, c.want, shown)
		}
	}
	p.takesBack(again)
	p.types("connect", tokenless...)
	p.accepts()
	p.changes()
	p.signsIn()
	code, shown = p.ends()
	if code != exitDone || !strings.Contains(shown, "First sync: 13 created") {
		t.Errorf("connected again: %d %s", code, shown)
	}
	if said := p.goesOn().run(); !strings.Contains(said, "Nothing to change") {
		t.Errorf("the command that goes on says %s", said)
	}
}

// takesBack undoes a connection without a token. What was forgotten on a schedule writes nobody
// again; what runs is to be ended first.
func (p *typist) takesBack(o onward) {
	p.t.Helper()
	snapshots, err := filepath.Glob(filepath.Join(p.home, ".config/gatehouse/connect/*Z.json"))
	if err != nil || len(snapshots) == 0 {
		p.t.Fatalf("snapshots %q, %v", snapshots, err)
	}
	undo := []string{"--snapshot", snapshots[0], "--delete-provisioned"}
	service := o.starts("--every", "1h")
	p.types("connect undo", undo...)
	p.sees("systemctl disable --now gatehouse-sync")
	p.accepts()
	p.says("undo while the sync runs", exitFailed, "end it first", "Completed steps are kept")
	if users, groups := p.Directory(); users != 11 || groups != 2 {
		p.t.Errorf("undo has left %d users and %d groups", users, groups)
	}
	if err := service.Process.Signal(os.Interrupt); err != nil {
		p.t.Fatal(err)
	}
	_ = service.Wait() // told to stop
	p.types("connect undo", undo...)
	p.sees("delete 11 users and 2 groups that provisioning made")
	p.accepts()
	p.sees("Change the identity source back")
	p.breaksOff()
	p.types("connect undo", undo...) // what the sync has made is known still
	p.sees("delete 11 users and 2 groups that provisioning made")
	p.accepts()
	p.sees("Change the identity source back")
	p.ChangeBack()
	p.sees("when the console says that it has succeeded")
	p.enters("DONE\n")
	p.says("undo", exitDone, "The connection is taken back.")
	if users, groups := p.Directory(); users != 0 || groups != 0 {
		p.t.Errorf("undo has left %d users and %d groups", users, groups)
	}
	if units, err := filepath.Glob(filepath.Join(p.home, ".config/gatehouse/connect/*.service")); len(units) > 0 {
		p.t.Errorf("undo has left %q, %v", units, err)
	}
	said, err := o.command().CombinedOutput()
	if err == nil || !strings.Contains(string(said), "undo took this connection back on") {
		p.t.Errorf("cron's line, forgotten: %v %s", err, said)
	}
	p.types("connect undo", undo...)
	p.says("undone twice", exitDone, "Nothing to take back.")
	p.types("connect status")
	p.says("after undo", exitChanges, "it is not connected: gatehouse connect undo took it back on")
}

// breaksOff ends the command by Ctrl+C.
func (p *typist) breaksOff() (shown string) {
	p.t.Helper()
	p.stops()
	code, shown := p.ends()
	if code != 130 {
		p.t.Fatalf("after Ctrl+C: %d %s", code, shown)
	}
	return shown
}

// onward is the command that goes on when connect has ended.
type onward struct {
	p         *typist
	arguments []string
}

var onwardLine = regexp.MustCompile(`\n +gatehouse (sync .*) --every 10m --repair-every 24h\r`)

// goesOn finds the command that the terminal names, and the unit for systemd.
func (p *typist) goesOn() onward {
	p.t.Helper()
	found := onwardLine.FindStringSubmatch(p.screen.String())
	units, err := filepath.Glob(filepath.Join(p.home, ".config/gatehouse/connect/*-sync.service"))
	if found == nil || err != nil || len(units) != 1 {
		p.t.Fatalf("units %q, %v, and on the screen\n%s", units, err, p.screen)
	}
	unit, err := os.ReadFile(units[0])
	if err != nil || !strings.Contains(string(unit), "ExecStart=/usr/local/bin/gatehouse "+found[1]) {
		p.t.Errorf("%v: the unit has\n%s", err, unit)
	}
	return onward{p, strings.Fields(found[1])}
}

// run runs it once, as cron does, and returns what it says.
func (o onward) run(more ...string) string {
	o.p.t.Helper()
	out, err := o.command(more...).CombinedOutput()
	if err != nil {
		o.p.t.Errorf("gatehouse %q: %v", o.arguments, err)
	}
	return string(out)
}

func (o onward) command(more ...string) *exec.Cmd {
	cmd := exec.Command(o.p.program, append(o.arguments, more...)...) // #nosec G204 -- our own program
	cmd.Env = o.p.command.Env
	return cmd
}

// starts it as a service does, and waits until it has its state open.
func (o onward) starts(more ...string) *exec.Cmd {
	o.p.t.Helper()
	said := &buffer{}
	cmd := o.command(more...)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		o.p.t.Fatal(err)
	}
	o.p.t.Cleanup(func() { _ = cmd.Process.Kill() })
	for deadline := time.Now().Add(time.Minute); !strings.Contains(said.String(), "Nothing to change"); {
		if time.Now().After(deadline) {
			o.p.t.Fatalf("the service says %s", said)
		}
		time.Sleep(5 * time.Millisecond) // between two looks at the condition
	}
	return cmd
}
