package center

import (
	"context"
	"fmt"
	"time"
)

// Mail is an email to one person, in plain text.
type Mail struct {
	To, Subject, Text string
}

// Mailer sends email. Send returns at once; the mailer's log has what cannot be sent. Deliver
// returns when the mail server has taken it, or says why not.
type Mailer interface {
	Send(ctx context.Context, m Mail)
	Deliver(ctx context.Context, m Mail) error
}

// background runs fn after the request that it belongs to has been answered. How many run at once
// is bounded; what comes beyond that is dropped, and in the log once a minute.
func (c *Center) background(ctx context.Context, fn func()) {
	select {
	case c.inBackground <- struct{}{}:
		go func() {
			defer func() { <-c.inBackground }()
			fn()
		}()
	default:
		c.dropped.Do(func() { c.Log.WarnContext(ctx, "too many background tasks: requests are dropped") })
	}
}

// maxBackground bounds what is done after its request.
const maxBackground = 16 //bound:queue work of the center that goes on after its request

func passwordMail(u User, link string, invitation bool, until time.Time) Mail {
	name := u.DisplayName
	if name == "" {
		name = u.UserName
	}
	if invitation {
		return Mail{
			To:      u.PrimaryEmail(),
			Subject: "Invitation to the AWS access portal",
			Text: fmt.Sprintf(`Hello %s,

You can now sign in to the AWS access portal. Your user name is

  %s

First, set a password:

  %s

The link works once, until %s.
`, name, u.UserName, link, until.UTC().Format("January 2, 2006, 15:04 UTC")),
		}
	}
	return Mail{
		To:      u.PrimaryEmail(),
		Subject: "Your password for the AWS access portal",
		Text: fmt.Sprintf(`Hello %s,

You or an administrator requested a new password for your user name %s. Set it here:

  %s

The link works once, until %s. If you did not request it, no action is needed: your password does not change.
`, name, u.UserName, link, until.UTC().Format("January 2, 2006, 15:04 UTC")),
	}
}

func codeMail(u User, code string) Mail {
	return Mail{
		To:      u.PrimaryEmail(),
		Subject: "Your sign-in code for the AWS access portal",
		Text: fmt.Sprintf(`Your code is

  %s

It works once, within ten minutes, for the sign-in that you started.
If you did not start one, someone knows your password: change it.
`, code),
	}
}
