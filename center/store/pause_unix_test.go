//go:build unix

package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// otherNode is a process that uses what it is told, again and again once it was good, so that it is
// in the middle of something whenever it is stopped.
type otherNode struct {
	t       *testing.T
	process *os.Process
	ask     func(question string)
	answer  *bufio.Reader
}

const nodeDSN = "GATEHOUSE_NODE_DSN"

// TestNodeHelper is that process; alone it does nothing.
func TestNodeHelper(t *testing.T) {
	dsn := os.Getenv(nodeDSN)
	if dsn == "" {
		return
	}
	ctx, c := context.Background(), centertest.On(t, open(t, dsn), "http://localhost")
	use := func(question string) error {
		words := strings.Fields(question)
		switch words[0] {
		case "token":
			return ignore(c.AuthenticateToken(ctx, words[1], words[2], "127.0.0.1"))
		case "key":
			return useKey(words[1])(ctx, c)
		case "run":
			go c.Run(ctx)
			return errors.New("it runs") // which is nothing to do again and again
		default:
			return activeUser(func(ctx context.Context, c *center.Center) (center.User, error) {
				return c.User(ctx, center.UserID(words[1]))
			})(ctx, c)
		}
	}
	for questions := bufio.NewScanner(os.Stdin); questions.Scan(); {
		question := questions.Text()
		err := use(question)
		fmt.Printf("answer: %v\n", err)
		if err == nil {
			for range 2 {
				go func() {
					for use(question) == nil {
					}
				}()
			}
		}
	}
	os.Exit(0)
}

func startNode(t *testing.T, dsn string) *otherNode {
	t.Helper()
	helper := exec.Command(os.Args[0], "-test.run=^TestNodeHelper$") // #nosec G204 -- this test itself
	helper.Env = append(os.Environ(), nodeDSN+"="+dsn)
	in, err := helper.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := helper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := helper.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = helper.Process.Kill()
		_ = helper.Wait()
	})
	ask := func(question string) { _, _ = fmt.Fprintln(in, question) }
	return &otherNode{t, helper.Process, ask, bufio.NewReader(out)}
}

func (n *otherNode) good() bool {
	n.t.Helper()
	for {
		line, err := n.answer.ReadString('\n')
		if err != nil {
			n.t.Fatal(err)
		}
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "answer: "); ok {
			return text == "<nil>"
		}
	}
}

// TestAPausedNodeDoesNotActOnWhatItRemembers stops a node, at whatever it is doing, revokes what it
// uses at another one, and asks it as soon as it goes on.
func TestAPausedNodeDoesNotActOnWhatItRemembers(t *testing.T) {
	dsn, ctx := sqldbtest.Postgres(t), context.Background()
	a := centertest.On(t, open(t, dsn), "http://localhost")
	w, b := newCompany(t, a), startNode(t, dsn)
	for range 10 {
		token, err := a.CreateBearerToken(ctx, centertest.Actor, "")
		if err != nil {
			t.Fatal(err)
		}
		u, _ := w.person()
		key := w.key()
		for question, revoke := range map[string]func() error{
			"token " + w.tenant.ID + " " + token.Secret.Reveal(): func() error {
				return a.DeleteBearerToken(ctx, centertest.Actor, token.ID)
			},
			"key " + key:           func() error { return a.DeleteAccessKey(ctx, centertest.Actor, key) },
			"user " + string(u.ID): func() error { return a.SetUserActive(ctx, centertest.Actor, u.ID, false) },
		} {
			for range 3 {
				if b.ask(question); !b.good() {
					t.Fatalf("%.10s is not good before it is revoked", question)
				}
			}
			if err := b.process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			err := revoke()
			b.ask(question)
			if err := b.process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			if b.good() {
				t.Fatalf("%.10s is good after it was revoked", question)
			}
		}
	}
}
