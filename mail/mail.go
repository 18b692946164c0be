// Package mail sends messages to people: over SMTP, or into an outbox in memory that a page shows,
// for the demo.
//
// It knows neither half. The content of a message is secret: it never reaches the log.
//
// It imports nothing of ours.
package mail

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	smtp "github.com/wneessen/go-mail"
)

// Message is one message in plain text to one person.
type Message struct {
	To, Subject, Text string
	At                time.Time // when it was handed over
}

// Transport delivers a message, or fails.
type Transport interface {
	Deliver(ctx context.Context, m Message) error
}

// Queue delivers messages one after the other, and again when that fails. It is in memory: what is
// in it when the process ends is lost, and has to be asked for again.
type Queue struct {
	transport Transport
	log       *slog.Logger
	waiting   chan letter
	pause     time.Duration // before the second attempt; doubled before each further one
}

// letter is a message that waits, with the request that it is of, for the log.
type letter struct {
	of context.Context
	Message
}

// Bounds of a queue.
const (
	maxWaiting     = 256              //bound:queue emails that wait
	attempts       = 4                //bound:depth tries to send an email
	firstPause     = 2 * time.Second  //bound:none the shortest pause
	deliverTimeout = 30 * time.Second //bound:wait the email server
)

// NewQueue makes a queue, which delivers while Run runs.
func NewQueue(t Transport, log *slog.Logger) *Queue {
	return &Queue{transport: t, log: log, waiting: make(chan letter, maxWaiting), pause: firstPause}
}

// Send puts a message into the queue. It never waits: when the queue is full, the message is
// dropped and the log says so.
func (q *Queue) Send(ctx context.Context, m Message) {
	m.At = time.Now()
	select {
	case q.waiting <- letter{context.WithoutCancel(ctx), m}:
	default:
		q.log.ErrorContext(
			ctx, "an email was dropped: too many are waiting to be sent", "to", m.To, "subject", m.Subject,
		)
	}
}

// Deliver delivers a message past the queue, once, and returns when the server has taken it. It is
// for what is kept elsewhere until then.
func (q *Queue) Deliver(ctx context.Context, m Message) error {
	m.At = time.Now()
	limited, cancel := context.WithTimeout(ctx, deliverTimeout)
	defer cancel()
	return q.transport.Deliver(limited, m)
}

// Run delivers until ctx ends.
func (q *Queue) Run(ctx context.Context) {
	for {
		select {
		case m := <-q.waiting:
			q.deliver(ctx, m)
		case <-ctx.Done():
			return
		}
	}
}

func (q *Queue) deliver(ctx context.Context, m letter) {
	pause := q.pause
	for try := 1; ; try++ {
		limited, cancel := context.WithTimeout(ctx, deliverTimeout)
		err := q.transport.Deliver(limited, m.Message)
		cancel()
		if err == nil {
			return
		}
		q.log.WarnContext(
			m.of, "an email could not be sent", "to", m.To, "subject", m.Subject, "attempt", try, "error", err,
		)
		if try == attempts {
			q.log.ErrorContext(m.of, "an email was given up", "to", m.To, "subject", m.Subject)
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		pause *= 2
	}
}

// SMTP is a mail server.
type SMTP struct {
	client *smtp.Client
	from   string
}

// NewSMTP reads a server's address: smtp://[user:password@]host[:port], which switches to TLS
// (STARTTLS) and insists on it unless the server is this machine, or smtps://, which is TLS from
// the beginning. from is the sender, such as "AWS access <no-reply@example.com>".
func NewSMTP(server, from string) (*SMTP, error) {
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" || (u.Scheme != "smtp" && u.Scheme != "smtps") {
		return nil, fmt.Errorf("the SMTP server: use smtp://[user:password@]host[:port] or smtps://…")
	}
	if _, err := mail.ParseAddress(from); err != nil {
		return nil, fmt.Errorf("the sender %q is not an email address: %w", from, err)
	}
	options := []smtp.Option{smtp.WithTimeout(deliverTimeout)}
	switch ip := net.ParseIP(u.Hostname()); {
	case u.Scheme == "smtps":
		options = append(options, smtp.WithSSLPort(false))
	case u.Hostname() == "localhost" || (ip != nil && ip.IsLoopback()):
		options = append(options, smtp.WithTLSPortPolicy(smtp.TLSOpportunistic))
	default:
		options = append(options, smtp.WithTLSPortPolicy(smtp.TLSMandatory))
	}
	if port := u.Port(); port != "" {
		n, err := strconv.Atoi(port)
		if err != nil {
			return nil, fmt.Errorf("the SMTP server's port: %w", err)
		}
		options = append(options, smtp.WithPort(n))
	}
	if u.User != nil {
		password, _ := u.User.Password()
		options = append(
			options, smtp.WithSMTPAuth(smtp.SMTPAuthAutoDiscover), smtp.WithUsername(u.User.Username()),
			smtp.WithPassword(password),
		)
	}
	client, err := smtp.NewClient(u.Hostname(), options...)
	if err != nil {
		return nil, fmt.Errorf("the SMTP server: %w", err)
	}
	return &SMTP{client, from}, nil
}

// Deliver implements Transport.
func (s *SMTP) Deliver(ctx context.Context, m Message) error {
	out := smtp.NewMsg()
	if err := out.From(s.from); err != nil {
		return err
	}
	if err := out.To(m.To); err != nil {
		return err
	}
	out.Subject(m.Subject)
	out.SetDateWithValue(m.At)
	out.SetMessageID()
	out.SetBodyString(smtp.TypeTextPlain, m.Text)
	return s.client.DialAndSendWithContext(ctx, out)
}

// Outbox keeps the newest messages in memory instead of sending them.
type Outbox struct {
	mu       sync.Mutex
	messages []Message
}

const maxKept = 100 //bound:memory emails that the demo shows

// Deliver implements Transport.
func (o *Outbox) Deliver(_ context.Context, m Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.messages = append(o.messages, m)
	o.messages = o.messages[max(0, len(o.messages)-maxKept):]
	return nil
}

// Messages returns the messages, the newest first.
func (o *Outbox) Messages() []Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := slices.Clone(o.messages)
	slices.Reverse(all)
	return all
}
