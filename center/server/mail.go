package server

import (
	"context"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/mail"
)

// Mailer has a center's mail sent by a queue.
func Mailer(q *mail.Queue) center.Mailer { return mailer{q} }

type mailer struct{ queue *mail.Queue }

// Send implements center.Mailer.
func (m mailer) Send(ctx context.Context, message center.Mail) {
	m.queue.Send(ctx, mail.Message{To: message.To, Subject: message.Subject, Text: message.Text})
}

// Deliver implements center.Mailer.
func (m mailer) Deliver(ctx context.Context, message center.Mail) error {
	return m.queue.Deliver(ctx, mail.Message{To: message.To, Subject: message.Subject, Text: message.Text})
}
