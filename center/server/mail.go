package server

import (
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/mail"
)

// Mailer has a center's mail sent by a queue.
func Mailer(q *mail.Queue) center.Mailer { return mailer{q} }

type mailer struct{ queue *mail.Queue }

// Send implements center.Mailer.
func (m mailer) Send(message center.Mail) {
	m.queue.Send(mail.Message{To: message.To, Subject: message.Subject, Text: message.Text})
}
