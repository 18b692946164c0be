package server

import (
	"context"

	"github.com/gatehouse-id/gatehouse/mail"
)

// Notifier has a tenant's notifications sent by a queue. It is for tenant.Tenant.Notify.
func Notifier(q *mail.Queue) func(ctx context.Context, to, subject, text string) {
	return func(ctx context.Context, to, subject, text string) {
		q.Send(ctx, mail.Message{To: to, Subject: subject, Text: text})
	}
}
