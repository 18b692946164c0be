package console

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/proof"
)

// leaverPages are the pages on people who leave, and on who has what.
var leaverPages = map[string]action{
	"GET /console/access":                      whoHas,
	"GET /console/leavers":                     leavers,
	"POST /console/leavers/remove":             removeLeaver,
	"POST /console/leavers/relink":             relinkLeaver,
	"GET /console/revocations":                 revocations,
	"GET /console/revocations/{id}":            revocation,
	"GET /console/revocations/{id}/proof.json": downloadProof,
}

// revocations are the newest first. A search finds them by who lost access and who ended it.
func revocations(p page) error {
	l := listing[center.Revocation]{Listing: p.Listing("")}
	s := seeking[center.Revocation]{
		Read: func(before string, limit int) ([]center.Revocation, error) {
			return p.h.Center.Revocations(p.Context(), center.RevocationQuery{Before: before, Limit: limit})
		},
		Name: func(r center.Revocation) string { return r.ID },
		Keep: keeps(l.Listing, func(r center.Revocation) []string {
			return []string{r.UserName, r.DisplayName, string(r.UserID), r.By, r.Action, r.ID}
		}),
	}
	if p.Exports() {
		columns := []string{"id", "at", "userId", "userName", "displayName", "action", "by", "sessions", "roles"}
		return p.Export("ended-access", columns, func(row func(...string) error) error {
			return s.all(func(r center.Revocation) error {
				return row(r.ID, inFile(r.At), string(r.UserID), r.UserName, r.DisplayName, r.Action, r.By,
					strconv.Itoa(len(r.Sessions)), strconv.Itoa(len(r.Roles)))
			})
		})
	}
	found, err := s.page(p.URL.Query().Get("after"))
	if err != nil {
		return err
	}
	l.Items, l.Pager = found.Items, l.After(found.Next, len(found.Items))
	return p.Render("revocations", "Ended access", "/console/leavers", l)
}

type revocationData struct {
	center.Proof
	Issuer string
	There  bool // the user is not deleted
}

// Programs counts the sessions that were of programs.
func (d revocationData) Programs() (n int) {
	for _, s := range d.Sessions {
		if s.Kind == center.ClientSession {
			n++
		}
	}
	return n
}

// IsLeft says whether a session that was open still is.
func (d revocationData) IsLeft(s center.EndedSession) bool {
	for _, left := range d.Left {
		if left.Digest == s.Digest {
			return true
		}
	}
	return false
}

// Accounts counts in how many accounts roles were open.
func (d revocationData) Accounts() int {
	accounts := map[string]struct{}{}
	for _, r := range d.Roles {
		accounts[r.AccountID] = struct{}{}
	}
	return len(accounts)
}

// Took is how long it took until the last role refused what was open.
func (d revocationData) Took() time.Duration {
	var last time.Duration
	for _, r := range d.Roles {
		if !r.RefusedAt.IsZero() {
			last = max(last, r.RefusedAt.Sub(d.At))
		}
	}
	return last.Round(time.Millisecond)
}

func revocation(p page) error {
	shown, err := p.h.Center.Proof(p.Context(), p.PathValue("id"))
	if err != nil {
		return err
	}
	d := revocationData{Proof: shown, Issuer: p.h.Center.IssuerURL(), There: shown.SignIn != "the user is deleted"}
	return p.Render("revocation", "Proof: "+d.UserName, "/console/leavers", d)
}

func downloadProof(p page) error {
	signed, err := proof.Of(p.Context(), p.h.Center, p.PathValue("id"))
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(signed, "", "  ")
	if err != nil {
		return err
	}
	return p.Download("proof-"+signed.ID+".json", "application/json", append(text, '\n'))
}

// ended leads to the proof of what has just been ended for a user, or to another page where there
// is none.
func (p page) ended(id center.UserID, otherwise, notice string) error {
	list, err := p.h.Center.Revocations(p.Context(), center.RevocationQuery{UserID: id, Limit: 1})
	if err != nil {
		return err
	}
	if len(list) > 0 {
		otherwise = "/console/revocations/" + list[0].ID
	}
	return p.Done(otherwise, notice)
}
