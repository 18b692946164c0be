package server

import (
	"context"

	"github.com/gatehouse-id/gatehouse/mail"
)

// Notifier has a tenant's notifications sent past a queue: the tenant keeps them until the mail
// server has them. It is for tenant.Tenant.Notify.
func Notifier(q *mail.Queue) func(ctx context.Context, to, subject, text string) error {
	return func(ctx context.Context, to, subject, text string) error {
		return q.Deliver(ctx, mail.Message{To: to, Subject: subject, Text: text})
	}
}
