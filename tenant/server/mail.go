package server

import "github.com/gatehouse-id/gatehouse/mail"

// Notifier has a tenant's notifications sent by a queue. It is for tenant.Tenant.Notify.
func Notifier(q *mail.Queue) func(to, subject, text string) {
	return func(to, subject, text string) { q.Send(mail.Message{To: to, Subject: subject, Text: text}) }
}
