package center

import (
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// The kinds of notice about reviews.
const (
	NoticeReviewStarted  NoticeKind = "started"  // owners
	NoticeReviewReminder NoticeKind = "reminder" // owners who have not decided yet
	NoticeReviewClosed   NoticeKind = "closed"   // the webhook
)

// ReviewNotice is what is told of a review: to one owner, or of its end.
type ReviewNotice struct {
	ID, Name       string
	Deadline       time.Time
	EndUnconfirmed bool
	Owner          Principal // zero: administrators
	Lines          int       // that wait for the owner
}

// tellOwners queues what owners are to be told of a review.
func (c *Center) tellOwners(tx Tx, kind NoticeKind, v AccessReview) error {
	owned := []OwnedLines{{}}
	if kind != NoticeReviewClosed {
		var err error
		if owned, err = tx.OpenLinesOfOwners(v.ID); err != nil {
			return err
		}
	}
	for _, o := range owned {
		told := Notice{Kind: kind, Review: &ReviewNotice{
			v.ID, v.Name, v.Deadline, v.EndUnconfirmed, o.Owner, o.Lines,
		}}
		if err := c.queueNotice(tx, told, kind != NoticeReviewClosed && o.Owner.ID != ""); err != nil {
			return err
		}
	}
	return nil
}

// readersOfReview are the owner, or the members of the group that is.
func readersOfReview(r Reader, n ReviewNotice) ([]User, error) {
	if n.Owner.Type == PrincipalGroup {
		return membersToMail(r, GroupID(n.Owner.ID), "")
	}
	u, err := r.User(UserID(n.Owner.ID))
	if errors.Is(err, refusal.ErrNoRow) {
		return nil, nil
	}
	return []User{u}, err
}

func reviewMail(to User, kind NoticeKind, n ReviewNotice, link string) Mail {
	subject := "Please review who has access: " + n.Name
	if kind == NoticeReviewReminder {
		subject = "Reminder: " + subject
	}
	text := fmt.Sprintf("Review:   %s\nWaiting:  %d for you to confirm or remove\nUntil:    %s\n",
		n.Name, n.Lines, inWords(n.Deadline))
	if n.EndUnconfirmed {
		text += "\nWhat nobody has confirmed by then ends.\n"
	}
	return Mail{To: to.PrimaryEmail(), Subject: subject, Text: text + "\nThe review is here:\n\n  " + link + "\n"}
}

// PostedReview is the review in a PostedNotice.
type PostedReview struct {
	ID             string    `json:"id"`
	Name           string    `json:"name"`
	Deadline       time.Time `json:"deadline"`
	EndUnconfirmed bool      `json:"endUnconfirmed"`
	OwnerType      string    `json:"ownerType,omitempty"` // USER or GROUP; absent: administrators
	OwnerID        string    `json:"ownerId,omitempty"`
	Lines          int       `json:"lines"` // that wait for the owner
}

func (c *Center) postedReview(n Notice) PostedNotice {
	v := n.Review
	return PostedNotice{
		ID: n.ID, Type: "access_review." + string(n.Kind), At: n.At, Center: c.URL, Link: c.PortalURL() + "/reviews",
		Review: &PostedReview{
			v.ID, v.Name, v.Deadline, v.EndUnconfirmed, string(v.Owner.Type), v.Owner.ID, v.Lines,
		},
	}
}
