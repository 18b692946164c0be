package center

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/refusal"
)

const (
	// mailFor is how long one node begins with the mails of a notice: the last one has as long as
	// the mail server may take, and all of that is within the lease.
	mailFor = 20 * time.Second //bound:wait the mails of one notice, before another notice has its turn
	// mailEach is how long the mail server may take for one recipient at the first try: as long
	// again at each further one, up to what it may take at all.
	mailEach = 10 * time.Second //bound:none the first of these bounds
	mailMost = 30 * time.Second //bound:wait the mail server, for one recipient of a notice
	// mailTries is how often a notice is mailed, about a day in all: nobody can ask for it again.
	mailTries = 34 //bound:depth tries to mail a notice
)

// MailNotice sends the next notice by mail, and says whether there was one. It is there until the
// mail server has taken it for everybody; for whom it has not, it is tried again, each time later.
// A try is over when it was made for everybody: one whose mail takes long keeps no other waiting.
func (c *Center) MailNotice(ctx context.Context) (bool, error) {
	if c.Mailer == nil {
		return false, nil
	}
	n, err := c.takeNotice(ctx, ByMail)
	if errors.Is(err, refusal.ErrNoRow) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var to []User
	err = c.Store.View(ctx, func(r Reader) (err error) {
		to, err = readersOf(r, n)
		return err
	})
	if err != nil {
		return false, err
	}
	to = slices.DeleteFunc(to, func(u User) bool {
		return !u.Active || u.PrimaryEmail() == "" || slices.Contains(n.Mailed, u.ID) || slices.Contains(n.Failed, u.ID)
	})
	left, failed := c.mailTo(ctx, &n, to)
	return true, c.concludeMail(ctx, n, left, failed)
}

// mailTo mails a notice to people, and notes who has it. left says that some were not tried.
func (c *Center) mailTo(ctx context.Context, n *Notice, to []User) (left bool, failed error) {
	for began, i := time.Now(), 0; i < len(to); i++ {
		if ctx.Err() != nil || time.Since(began) > mailFor {
			return true, failed
		}
		m := noticeMail(to[i], *n, c.PortalURL()+"/requests")
		if n.Review != nil {
			m = reviewMail(to[i], n.Kind, *n.Review, c.PortalURL()+"/reviews")
		}
		limited, cancel := context.WithTimeout(ctx, min(mailEach*time.Duration(n.Attempts), mailMost))
		err := c.Mailer.Deliver(limited, m)
		cancel()
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("to %s: %w", m.To, err))
		}
		switch {
		case err == nil:
			n.Mailed = append(n.Mailed, to[i].ID)
		case ctx.Err() == nil:
			n.Failed = append(n.Failed, to[i].ID)
		}
	}
	return false, failed
}

// concludeMail notes who has a notice by mail, at the end of the program too: otherwise they would
// get it again. A node that stood still, and of which another has taken it meanwhile, notes nothing
// else.
func (c *Center) concludeMail(ctx context.Context, n Notice, left bool, failed error) error {
	writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackWait)
	defer cancel()
	stopped, held := ctx.Err() != nil, false
	over := !left && ctx.Err() == nil // the try
	given := over && len(n.Failed) > 0 && n.Attempts >= mailTries
	err := c.Store.Update(writing, func(tx Tx) error {
		there, err := tx.Notice(n.ID)
		held = err == nil && n.held(there)
		switch {
		case errors.Is(err, refusal.ErrNoRow):
			return nil
		case err != nil:
			return err
		case over && len(n.Failed) == 0, held && given:
			return tx.DeleteNotice(n.ID)
		}
		for _, id := range n.Mailed {
			if !slices.Contains(there.Mailed, id) {
				there.Mailed = append(there.Mailed, id)
			}
		}
		if !held {
			return tx.PutNotice(there)
		}
		now, err := c.clock(tx)
		if there.Due, there.Failed = now, n.Failed; over {
			there.Due = now.Add(min(2*time.Second<<min(n.Attempts, 20), maxNoticePause))
			there.Failed = nil
		} else {
			there.Attempts = max(0, n.Attempts-1) // the same try goes on
		}
		return errors.Join(err, tx.PutNotice(there))
	})
	switch {
	case failed == nil || stopped || err == nil && !held:
	case given:
		c.Log.ErrorContext(ctx, "a notice was given up: the mail server does not take it", "error", failed)
	default:
		c.Log.WarnContext(ctx, "a notice could not be mailed: it is tried again", "try", n.Attempts, "error", failed)
	}
	return err
}
