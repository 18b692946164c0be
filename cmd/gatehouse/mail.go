package main

import (
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/mail"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// mailServer is the settings for sending email.
type mailServer struct{ server, from string }

func (m *mailServer) flags(cmd *cobra.Command, what, from string) {
	f := cmd.Flags()
	f.StringVar(
		&m.server, "smtp-server", "",
		"SMTP server for "+what+": smtp://[user:password@]host[:port] or smtps://… (default: none); set it with "+
			"GATEHOUSE_SMTP_SERVER, since other users of the machine can see flags",
	)
	f.StringVar(&m.from, "smtp-from", from, "sender of the emails")
}

// queue returns the queue for the server, or nil when there is none.
func (m *mailServer) queue(log *slog.Logger) (*mail.Queue, error) {
	if m.server == "" {
		return nil, nil
	}
	s, err := mail.NewSMTP(m.server, m.from)
	if err != nil {
		return nil, terminal.UsageError{Err: err}
	}
	return mail.NewQueue(s, log), nil
}
