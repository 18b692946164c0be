package aws

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
)

var _ connect.TokenKeeper = (*Center)(nil)

// BearerTokens has the one that the tenant has, and another that runs remember: one that was never
// saved, or one that was replaced. Only the console lists them all. A token of AWS's lives for a
// year.
func (c *Center) BearerTokens(context.Context, string) (list []adminapi.BearerToken, err error) {
	j := c.journal
	if j.TokenAt.IsZero() {
		return nil, nil
	}
	add := func(id string, made time.Time) {
		if end := made.AddDate(1, 0, 0); id == "" || !made.IsZero() && end.After(time.Now()) {
			list = append(list, adminapi.BearerToken{
				TokenID: id, TenantID: j.SCIM.TenantID, CreationTime: made, ExpirationTime: end,
			})
		}
	}
	add("", j.TokenAt)
	add(c.unsaved(), j.PastedAt)
	add(c.replaced(), j.ReplacedAt)
	return list, nil
}

// How the tokens beside that in use are named: AWS's own names are in its console only.
func (c *Center) unsaved() string {
	return "that was brought on " + minute(c.journal.PastedAt) + " and not saved in the tenant"
}

func (c *Center) replaced() string {
	return "that was brought on " + minute(c.journal.ReplacedAt) + " and replaced"
}

func minute(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 UTC") }

// dated says which of two tokens is meant, by the dates that the console shows. They were generated
// a little before they were brought.
func dated(which string, goes, stays time.Time) string {
	if !goes.IsZero() {
		which += ", which was generated shortly before " + minute(goes)
	}
	if !stays.IsZero() {
		which += ", and not that of " + minute(stays) + ", which the tenant has"
	}
	return which
}

// TokenSaved makes the token that was brought last that of the tenant.
func (c *Center) TokenSaved(before bool) error {
	return c.note(func(j *journal) {
		if before {
			j.ReplacedAt = j.TokenAt
		}
		j.TokenAt, j.PastedAt = j.PastedAt, time.Time{}
		if j.TokenAt.IsZero() {
			j.TokenAt = time.Now().UTC()
		}
	})
}

// CreateBearerToken gives the token that was brought, once, or has a person make another.
func (c *Center) CreateBearerToken(ctx context.Context, _, _ string) (adminapi.BearerToken, error) {
	if !c.scimProved() {
		c.hand.mu.Lock()
		c.hand.endpoint = c.journal.SCIM
		c.hand.mu.Unlock()
		idle := dated("older one first", c.journal.ReplacedAt, c.journal.TokenAt)
		if at := c.journal.PastedAt; !at.IsZero() { // that of a run that ended early
			idle = dated("newer one first", at, c.journal.TokenAt)
		} else if at := c.journal.TokenAt; c.journal.ReplacedAt.IsZero() && !at.IsZero() { // of no run's, old or new
			idle = "one first that is not of " + minute(at) + ", which the tenant has"
		}
		err := c.do(ctx, Task{
			Title: "Generate an access token",
			Why: "The tenant's token does not work, or its settings change, and nobody gives a saved token back. " +
				ofSCP,
			Link: c.settings(),
			Clicks: []string{
				"Identity source tab: Actions > Manage provisioning",
				"Generate token (if there are two already, delete the " + idle + ")",
				"Copy the access token: AWS shows it only now",
			},
			Wants:  []Want{c.wantToken()},
			Proved: func(context.Context) (bool, error) { return c.scimProved(), nil },
		})
		if err != nil {
			return adminapi.BearerToken{}, err
		}
		if err := c.note((*journal).pasted); err != nil {
			return adminapi.BearerToken{}, err
		}
	}
	c.hand.mu.Lock()
	defer c.hand.mu.Unlock()
	token := c.hand.token
	c.hand.token = "" // the next one is another
	return adminapi.BearerToken{Value: token}, nil
}

// DeleteBearerToken has a person delete a token: the older one of two, unless it is that which the
// tenant has not saved.
func (c *Center) DeleteBearerToken(ctx context.Context, _, id string) error {
	which, why := "older", "The tenant has a new one, and it works."
	goes := c.journal.ReplacedAt
	if !c.journal.PastedAt.IsZero() && id == c.unsaved() {
		which, goes = "newer", c.journal.PastedAt
		why = "A run that ended early had it generated, and the tenant did not save it. The older one is in use."
	}
	err := c.do(ctx, Task{
		Title: "Delete the " + which + " access token",
		Why:   why,
		Link:  c.settings(),
		Clicks: []string{
			"Identity source tab: Actions > Manage provisioning",
			"Under Access tokens, select the " + dated(which+" one", goes, c.journal.TokenAt) + ", and Delete (if " +
				"there is one only, leave it)",
			"Type DELETE, and choose Delete access token", "Type DONE below",
		},
		Copy:   "DELETE",
		Wants:  []Want{c.word()},
		Proved: func(context.Context) (bool, error) { return c.saidSo(), nil },
	})
	if err != nil {
		return err
	}
	return c.note(func(j *journal) {
		if which == "newer" {
			j.PastedAt = time.Time{}
		} else {
			j.ReplacedAt = time.Time{}
		}
	})
}
