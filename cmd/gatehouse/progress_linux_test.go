package main

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/terminal"
)

// shownAt is what a terminal shows in the end: a carriage return goes to the begin of the line. It
// fails for progress that fills a line.
func shownAt(t *testing.T, all string, columns int) string {
	t.Helper()
	var text []string
	for line := range strings.SplitSeq(strings.ReplaceAll(all, "\r\n", "\n"), "\n") {
		var shown []rune
		for drawn := range strings.SplitSeq(line, "\r") {
			if strings.Contains(line, "\r") && utf8.RuneCountInString(drawn) >= columns && drawn[0] != 'g' {
				t.Errorf("progress has filled a line of %d columns: %q", columns, drawn)
			}
			n := utf8.RuneCountInString(drawn)
			shown = append([]rune(drawn), shown[min(n, len(shown)):]...)
		}
		text = append(text, strings.TrimRight(string(shown), " "))
	}
	return strings.Join(text, "\n")
}

// held is an address where requests wait until the test answers them with nothing that a command
// understands.
func held(t *testing.T) (address string, answer func()) {
	t.Helper()
	until := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-until
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(s.Close)
	return s.URL, func() { close(until) }
}

// TestACommandThatWaitsShowsThatItDoes before the first is counted, on a terminal of 40 columns.
// When it fails, the line is empty for what is said then. A dumb terminal shows nothing of it.
func TestACommandThatWaitsShowsThatItDoes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ command, progress string }{
		"doctor":      {"doctor", "looking… 1s"},
		"roles check": {"roles check", "roles… 1s"},
	} {
		for kind, draws := range map[string]bool{"xterm": true, "dumb": false} {
			t.Run(name+" on "+kind, func(t *testing.T) {
				t.Parallel()
				p := newPage(t, 40)
				address, answer := held(t)
				env := map[string]string{
					"TERM": kind, "HOME": t.TempDir(), "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "x",
					"AWS_REGION": "us-east-1",
				}
				ended := make(chan int, 1)
				go func() {
					ended <- run(
						t.Context(), append(strings.Fields(c.command), "--center-url", address), strings.NewReader(""),
						p.program, p.program, func(name string) (string, bool) { v, ok := env[name]; return v, ok },
					)
				}()
				if draws {
					wait(t, p.seen, c.progress)
				}
				answer()
				<-ended
				_, _ = p.program.WriteString("[end]")
				wait(t, p.seen, "[end]")
				all := p.seen.String()
				shown := shownAt(t, all, 40)
				if strings.Contains(shown, "…") || strings.Contains(all, "\x1b") || len(shown) < 20 {
					t.Errorf("it ends with %q", shown)
				}
				if !draws && strings.Contains(strings.ReplaceAll(all, "\r\n", ""), "\r") {
					t.Errorf("a dumb terminal is moved: %q", all)
				}
			})
		}
	}
}

// TestProgressGivesWayToWhatIsPrinted: half a bar to an error, at the other stream, and nothing is
// drawn over a question.
func TestProgressGivesWayToWhatIsPrinted(t *testing.T) {
	t.Parallel()
	for _, columns := range []uint16{20, 40, 80} {
		p := newPage(t, columns)
		out, errOut := terminal.Writers(p.program, p.program, noEnv)
		bar := terminal.Bar(errOut, "Reading your accounts")
		bar(450, 1000)
		seen := map[uint16]string{20: "Reading your", 40: " 45% 450/1000", 80: "=   "}[columns]
		wait(t, p.seen, seen)
		fmt.Fprintln(out, "gatehouse: it failed")
		fmt.Fprint(errOut, "Type ACCEPT: ")
		bar(451, 1000)
		errOut.Flush()
		wait(t, p.seen, "Type ACCEPT: ")
		shown := shownAt(t, p.seen.String(), int(columns))
		if shown != "gatehouse: it failed\nType ACCEPT:" || strings.Contains(p.seen.String(), "\x1b") {
			t.Errorf("%d columns show %q of %q", columns, shown, p.seen)
		}
	}
}

// TestNoCommandWritesEscapeSequences: to a terminal without colors, to a dumb one, and to a pipe.
func TestNoCommandWritesEscapeSequences(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	env := map[string]string{
		"AWS_ACCESS_KEY_ID":     d.AWS.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": d.AWS.SecretAccessKey,
		"AWS_REGION":            d.AWS.Region,
		"GATEHOUSE_CENTER_URL":  d.Center.URL,
		"HOME":                  t.TempDir(),
	}
	data, people := filepath.Join(t.TempDir(), "center"), filepath.Join(t.TempDir(), "people.jsonl")
	if err := os.WriteFile(people, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, said := call(t, "", nil, "import", people, "--data", data); code != exitDone {
		t.Fatal(said)
	}
	for n, variable := range []string{"NO_COLOR=1", "TERM=dumb", ""} {
		own := maps.Clone(env)
		key, value, _ := strings.Cut(variable, "=")
		own[key] = value
		for _, command := range []string{
			"--help", "version", "users list", "users show " + d.People[0].UserName, "accounts list", "rules list",
			"roles list", "roles check", "audit search", "access policy list", "settings show", "provisioning status",
			"doctor", "doctor --json", "users show nobody", "no-such-command", "check --data " + data, "whoami",
			"backup " + filepath.Join(t.TempDir(), "b.db") + " --data " + data, "completion bash",
			"export --data " + data, "explain AADSTS700016",
		} {
			args := strings.Fields(command)
			if args[0] == "doctor" {
				args = append(args, "--center-url", d.Center.URL)
			}
			var text string
			if variable == "" {
				_, out, said := call(t, "", own, args...)
				text = out + said
			} else {
				p := newPage(t, 80)
				_ = run(t.Context(), args, strings.NewReader(""), p.program, p.program,
					func(name string) (string, bool) { v, ok := own[name]; return v, ok })
				end := fmt.Sprintf("[end of %d]", n)
				_, _ = p.program.WriteString(end)
				wait(t, p.seen, end)
				text = strings.TrimSuffix(p.seen.String(), end)
			}
			if text == "" && args[0] != "export" || strings.Contains(text, "\x1b") ||
				variable != "NO_COLOR=1" && strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\r") {
				t.Errorf("%s with %q writes %q", command, variable, text)
			}
		}
	}
}
