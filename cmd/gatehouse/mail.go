package main

import (
	"embed"
	"io/fs"
	"log/slog"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/mail"
	"github.com/gatehouse-id/gatehouse/web"
)

// mailServer is the settings for sending mail.
type mailServer struct{ server, from string }

func (m *mailServer) flags(cmd *cobra.Command, what, from string) {
	f := cmd.Flags()
	f.StringVar(
		&m.server, "smtp-server", "",
		"mail server for "+what+": smtp://[user:password@]host[:port], or smtps:// (default: none; better set by "+
			"GATEHOUSE_SMTP_SERVER, since other users of the machine see flags)",
	)
	f.StringVar(&m.from, "smtp-from", from, "sender of mails")
}

// queue returns the queue for the server, or nil when there is none.
func (m *mailServer) queue(log *slog.Logger) (*mail.Queue, error) {
	if m.server == "" {
		return nil, nil
	}
	s, err := mail.NewSMTP(m.server, m.from)
	if err != nil {
		return nil, usageError{err}
	}
	return mail.NewQueue(s, log), nil
}

// mailer hands the center's mails to a queue.
type mailer struct{ queue *mail.Queue }

// Send implements center.Mailer.
func (m mailer) Send(message center.Mail) {
	m.queue.Send(mail.Message{To: message.To, Subject: message.Subject, Text: message.Text})
}

// notifier hands a tenant's notifications to a queue.
func notifier(q *mail.Queue) func(to, subject, text string) {
	return func(to, subject, text string) { q.Send(mail.Message{To: to, Subject: subject, Text: text}) }
}

// outboxPath is where the demo shows the mails that it does not send.
const outboxPath = "/mail"

//go:embed pages/mail.html
var outboxPages embed.FS

// mountOutbox shows the mails on a page. Only the demo does: whoever reads them can sign in as
// anybody.
func mountOutbox(mux *http.ServeMux, c *center.Center, o *mail.Outbox) {
	dir, err := fs.Sub(outboxPages, "pages")
	if err != nil {
		panic(err)
	}
	pages := web.NewPages(dir, c.Log)
	mux.Handle("GET "+outboxPath, web.Guard(c.URL, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		pages.Render(
			w, http.StatusOK, "mail",
			web.View{Title: "Email", Product: "Gatehouse demo", Theme: "center", Home: outboxPath, Data: o.Messages()},
		)
	})))
}
