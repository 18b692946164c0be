package mail

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// server is a mail server that keeps one message, and how it was asked.
func server(t *testing.T, greeting string) (address string, received chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	received = make(chan string, 1)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn, greeting, received)
		}
	}()
	return l.Addr().String(), received
}

func serve(conn net.Conn, greeting string, received chan string) {
	defer conn.Close() //nolint:errcheck // the test looks at what came before
	say := func(line string) { _, _ = fmt.Fprint(conn, line+"\r\n") }
	say(greeting)
	var all strings.Builder
	body := false
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		line := lines.Text()
		all.WriteString(line + "\n")
		switch verb := strings.ToUpper(strings.SplitN(line, " ", 2)[0]); {
		case body && line != ".":
		case body:
			body = false
			say("250 kept")
			received <- all.String()
		case verb == "EHLO":
			say("250 test")
		case verb == "DATA":
			body = true
			say("354 go on")
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 yes")
		}
	}
}

func TestSMTPDelivers(t *testing.T) {
	address, received := server(t, "220 test")
	s, err := NewSMTP("smtp://"+address, "AWS access <no-reply@example.com>")
	if err != nil {
		t.Fatal(err)
	}
	m := Message{To: "ada@example.com", Subject: "Grüße", Text: "Your code is\n\n  123456\n", At: time.Now()}
	if err := s.Deliver(context.Background(), m); err != nil {
		t.Fatal(err)
	}
	got := <-received
	for _, want := range []string{
		"MAIL FROM:<no-reply@example.com>", "RCPT TO:<ada@example.com>", "=?UTF-8?", "  123456", "Message-ID: <",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if err := s.Deliver(
		context.Background(), Message{To: "ada@example.com\r\nBcc: eve@example.com", Subject: "x"},
	); err == nil {
		t.Error("an address with a line break was taken")
	}
}

func TestMailServersAreNamedByURL(t *testing.T) {
	for server, ok := range map[string]bool{
		"smtp://mail.example.com":                  true,
		"smtps://user:secret@mail.example.com:465": true,
		"mail.example.com:25":                      false,
		"https://example.com":                      false,
		"smtp://":                                  false,
		"smtp://h:x":                               false,
	} {
		if _, err := NewSMTP(server, "no-reply@example.com"); (err == nil) != ok {
			t.Errorf("%s: %v", server, err)
		} else if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
	if _, err := NewSMTP("smtp://localhost", "nobody"); err == nil {
		t.Error("a sender without an address was taken")
	}
}

// unwilling fails a few times.
type unwilling struct {
	Outbox
	left int
}

func (u *unwilling) Deliver(ctx context.Context, m Message) error {
	if u.left--; u.left >= 0 {
		return errors.New("451 try again later")
	}
	return u.Outbox.Deliver(ctx, m)
}

func TestTheQueueTriesAgainAndGivesUp(t *testing.T) {
	for failures, want := range map[int]int{0: 1, attempts - 1: 1, attempts: 0} {
		u := &unwilling{left: failures}
		q := NewQueue(u, slog.New(slog.DiscardHandler))
		q.pause = time.Millisecond
		q.deliver(context.Background(), letter{t.Context(), Message{To: "ada@example.com"}})
		if got := len(u.Messages()); got != want {
			t.Errorf("after %d failures %d were delivered, want %d", failures, got, want)
		}
	}
}

func TestTheOutboxKeepsTheNewest(t *testing.T) {
	o := &Outbox{}
	q := NewQueue(o, slog.New(slog.DiscardHandler))
	for i := range maxWaiting + 1 { // one too many
		q.Send(t.Context(), Message{Subject: fmt.Sprint(i)})
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { q.Run(ctx); close(done) }()
	deadline := time.Now().Add(10 * time.Second)
	for len(o.Messages()) < maxKept || o.Messages()[0].Subject != fmt.Sprint(maxWaiting-1) {
		if time.Now().After(deadline) {
			t.Fatalf("%d messages, the newest %v", len(o.Messages()), o.Messages()[:1])
		}
		time.Sleep(time.Millisecond) // a poll
	}
	stop()
	<-done
	if n := len(o.Messages()); n != maxKept {
		t.Errorf("%d messages are kept", n)
	}
}

type ofRequest struct{}

// lines notes which request the lines of a log are of.
type lines struct {
	slog.Handler
	of *[]any
}

// Enabled implements slog.Handler.
func (lines) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (l lines) Handle(ctx context.Context, _ slog.Record) error {
	*l.of = append(*l.of, ctx.Value(ofRequest{}))
	return nil
}

// TestALineAboutAMailIsOfTheRequestThatSentIt: by that it gets the request's trace.
func TestALineAboutAMailIsOfTheRequestThatSentIt(t *testing.T) {
	var of []any
	q := NewQueue(&unwilling{left: attempts}, slog.New(lines{slog.DiscardHandler, &of}))
	q.pause = time.Millisecond
	request, answered := context.WithCancel(context.WithValue(t.Context(), ofRequest{}, "that"))
	q.Send(request, Message{To: "ada@example.com"})
	answered()
	q.deliver(t.Context(), <-q.waiting)
	want := slices.Repeat([]any{"that"}, attempts+1)
	if !slices.Equal(of, want) {
		t.Errorf("the lines are of %v", of)
	}
}
