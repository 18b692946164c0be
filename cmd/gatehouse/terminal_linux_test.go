package main

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatehouse-id/gatehouse/control"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// openTerminal opens a pseudo terminal: what a person types into, and what the program sees.
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = person.Close() })
	fd := int(person.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	return person, program
}

// screen is everything that a terminal has shown.
func screen(person *os.File) *buffer {
	seen := &buffer{}
	go func() {
		in := bufio.NewReader(person)
		for {
			b, err := in.ReadByte()
			if err != nil {
				return
			}
			_, _ = seen.Write([]byte{b})
		}
	}()
	return seen
}

func wait(t *testing.T, seen *buffer, text string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(seen.String(), text); {
		if time.Now().After(deadline) {
			t.Fatalf("never saw %q: %s", text, seen.String())
		}
		time.Sleep(5 * time.Millisecond) // between two looks at the condition
	}
}

// waitForNoEcho waits until the terminal shows no more what is typed: a question is printed a
// moment before that.
func waitForNoEcho(t *testing.T, program *os.File) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		state, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		if state.Lflag&unix.ECHO == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the terminal still shows what is typed")
		}
		time.Sleep(time.Millisecond) // between two looks at the condition
	}
}

// TestTheFirstPasswordIsAskedForOnATerminal, twice and without an echo; so is another one, later.
func TestTheFirstPasswordIsAskedForOnATerminal(t *testing.T) {
	t.Parallel()
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			person, program := openTerminal(t)
			seen := screen(person)
			ctx, cancel := context.WithCancel(context.Background())
			folder, at := t.TempDir(), webtest.FreeAddress(t)
			ended := make(chan int, 1)
			go func() {
				ended <- run(
					ctx, append(append([]string{}, k.serve...), "--data", folder, "--listen", at), program, program,
					program, noEnv,
				)
			}()
			say := func(after, line string) {
				t.Helper()
				wait(t, seen, after)
				waitForNoEcho(t, program)
				if _, err := person.WriteString(line + "\n"); err != nil {
					t.Fatal(err)
				}
			}
			say("(press Enter to generate one): ", "simple")
			wait(t, seen, "8 to")
			say("(press Enter to generate one): ", rootPassword)
			say("Repeat the password: ", "something else")
			wait(t, seen, "do not match")
			say("(press Enter to generate one): ", rootPassword)
			wait(t, seen, "do not match.\r\nPassword")
			for strings.Count(seen.String(), "Repeat the password: ") < 2 {
				time.Sleep(5 * time.Millisecond) // between two looks at the condition
			}
			waitForNoEcho(t, program)
			if _, err := person.WriteString(rootPassword + "\n"); err != nil {
				t.Fatal(err)
			}
			wait(t, seen, "is ready")
			o := webtest.Office("http://" + at + k.prefix)
			if v, _ := o.Enter(t, "admin", rootPassword); !o.In(v) {
				t.Error("the password opens nothing")
			}
			kept, err := os.ReadFile(filepath.Join(folder, control.FirstStartFile))
			if err != nil || strings.Contains(string(kept), rootPassword) ||
				strings.Contains(seen.String(), rootPassword) ||
				strings.Contains(seen.String(), "simple") {
				t.Errorf("the password was shown or written: %s %s, %v", seen.String(), kept, err)
			}

			go func() {
				ended <- run(
					ctx, append(append([]string{}, k.administrators...), "set-password", "admin", "--data", folder),
					program, program, program, noEnv,
				)
			}()
			say("New password for admin: ", otherPassword)
			for strings.Count(seen.String(), "Repeat the password: ") < 3 {
				time.Sleep(5 * time.Millisecond) // between two looks at the condition
			}
			if _, err := person.WriteString(otherPassword + "\n"); err != nil {
				t.Fatal(err)
			}
			wait(t, seen, "The password of admin is set")
			if code := <-ended; code != exitDone {
				t.Errorf("set-password ended with %d", code)
			}
			if v, _ := o.Enter(t, "admin", otherPassword); !o.In(v) || strings.Contains(seen.String(), otherPassword) {
				t.Error("the other password opens nothing, or was shown")
			}
			cancel()
			if code := <-ended; code != exitDone {
				t.Errorf("the server ended with %d", code)
			}
		})
	}
}

// TestAPromptEndsWithTheProgram, and leaves the terminal as it was.
func TestAPromptEndsWithTheProgram(t *testing.T) {
	t.Parallel()
	person, program := openTerminal(t)
	seen := screen(person)
	before, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() {
		ended <- run(
			ctx, []string{"serve", "--data", t.TempDir(), "--listen", webtest.FreeAddress(t)}, program, program,
			program,
			noEnv,
		)
	}()
	wait(t, seen, "(press Enter to generate one): ")
	for echo := true; echo; {
		now, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		if echo = now.Lflag&unix.ECHO != 0; echo {
			time.Sleep(5 * time.Millisecond) // between two looks at the condition
		}
	}
	cancel()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("it waits for a person")
	}
	if after, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS); err != nil || after.Lflag != before.Lflag {
		t.Errorf("the terminal is left without its echo: %v", err)
	}
}
