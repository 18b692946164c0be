package center

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// NoticeKind says what people and programs are told of a request for access.
type NoticeKind string

// The kinds of notice.
const (
	NoticeAsked     NoticeKind = "asked"     // approvers
	NoticeEmergency NoticeKind = "emergency" // approvers
	NoticeExtension NoticeKind = "extension" // approvers
	NoticeApproved  NoticeKind = "approved"  // who asked
	NoticeDenied    NoticeKind = "denied"    // who asked
	NoticeEnded     NoticeKind = "ended"     // who asked
)

// Channel is how a notice is sent.
type Channel string

// The channels.
const (
	ByMail    Channel = "mail"
	ByWebhook Channel = "webhook"
)

// ofReviews is the channel for what is told of reviews. It is another one, so that a node of an
// earlier release, which knows requests only, does not take it for the notice of a request.
func (c Channel) ofReviews() Channel { return "review-" + c }

// Notice is something to tell of a request or a review, as it was then. It is kept until it is
// sent.
type Notice struct {
	ID       string
	Kind     NoticeKind
	Channel  Channel
	At       time.Time
	Request  AccessRequest
	Review   *ReviewNotice `json:",omitempty"` // it is about a review, not about a request
	Due      time.Time
	Attempts int
	Mailed   []UserID `json:",omitempty"` // who have it by mail already
	Failed   []UserID `json:",omitempty"` // for whom this try has failed, while it goes on for others
}

// held says whether what is there is this notice, in the hands of the node that has taken it.
func (n Notice) held(there Notice) bool {
	return n.Attempts == there.Attempts && n.Due.Equal(there.Due)
}

// RequestWebhook is where notices are posted.
type RequestWebhook struct {
	URL          string
	SealedSecret string
	CreatedAt    time.Time
	Problem      string    `json:",omitempty"` // why the last notice was not taken
	PostedAt     time.Time `json:",omitzero"`  // when one was taken last
}

// noticeReader reads notices and where they are posted.
type noticeReader interface {
	RequestWebhook() (RequestWebhook, error)
	Notice(id string) (Notice, error)
	// NextNotice is the one that has been due for longest. What is due later than never was noted
	// by a clock that was ahead: that has come.
	NextNotice(by Channel, now, never time.Time) (Notice, error)
	CountNotices() (int, error)
}

// noticeWriter writes notices and where they are posted.
type noticeWriter interface {
	PutRequestWebhook(RequestWebhook) error
	DeleteRequestWebhook() error
	PutNotice(Notice) error
	DeleteNotice(id string) error
}

// Webhooks posts to addresses that an administrator has named. The implementation is in
// center/server.
type Webhooks interface {
	// Check judges an address by its text.
	Check(address string) error
	// Post sends a body, and fails unless it is taken.
	Post(ctx context.Context, address, signature string, body []byte) error
}

const (
	noticeEach     = 5 * time.Second //bound:none how often, not how much
	noticeLease    = time.Minute     //bound:wait a node that sends a notice, before another takes over
	noticeTries    = 8               //bound:depth tries to post a notice
	maxNoticePause = time.Hour       //bound:wait the next try to post a notice, at the most
	maxNotices     = 10_000          //bound:queue notices of requests for access that wait
	maxMailed      = 50              //bound:list approvers who get an email about a request
	maxWebhookURL  = 2048            //bound:text the address of a webhook
)

const purposeWebhook = "request-webhook"

// PutRequestWebhook has notices of requests posted to an address, signed with the secret that is
// returned. An empty one ends that. It fails with WebhookInvalid.
func (c *Center) PutRequestWebhook(ctx context.Context, by audit.Actor, address string) (authn.Secret, error) {
	secret := authn.NewSecret(32)
	err := c.change(ctx, by, ActionPutRequestWebhook, func(tx Tx) (string, error) {
		if address == "" {
			return "", tx.DeleteRequestWebhook()
		}
		if len(address) > maxWebhookURL {
			return "", &refusal.Error{Code: WebhookInvalid, Detail: "longer than 2,048 characters"}
		}
		if c.Webhooks == nil {
			return address, &refusal.Error{Code: WebhookInvalid, Detail: "this center posts nothing"}
		}
		if err := c.Webhooks.Check(address); err != nil {
			return "", &refusal.Error{Code: WebhookInvalid, Detail: err.Error()}
		}
		return address, tx.PutRequestWebhook(RequestWebhook{
			URL: address, SealedSecret: c.Sealer.Seal(purposeWebhook, []byte(secret)), CreatedAt: c.now(),
		})
	})
	return authn.Secret(secret), err
}

// RequestWebhook says where notices are posted; the zero value: nowhere.
func (c *Center) RequestWebhook(ctx context.Context) (w RequestWebhook, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		w, err = r.RequestWebhook()
		if errors.Is(err, refusal.ErrNoRow) {
			err = nil
		}
		return err
	})
	return w, err
}

// tell queues what is to be told of a request.
func (c *Center) tell(tx Tx, kind NoticeKind, r AccessRequest) error {
	return c.queueNotice(tx, Notice{Kind: kind, Request: r}, true)
}

// queueNotice queues a notice for the webhook, and where somebody reads it for mail. Where too much
// waits already, nothing is: access must not depend on who listens.
func (c *Center) queueNotice(tx Tx, notice Notice, mailed bool) error {
	mailed = mailed && c.Mailer != nil
	_, err := tx.RequestWebhook()
	posts := err == nil && c.Webhooks != nil
	if err != nil && !errors.Is(err, refusal.ErrNoRow) {
		return err
	}
	if !posts && !mailed {
		return nil
	}
	n, err := tx.CountNotices()
	if err != nil || n >= maxNotices {
		return err
	}
	now, err := c.clock(tx)
	notice.At, notice.Due = now, now
	for channel, wanted := range map[Channel]bool{ByMail: mailed, ByWebhook: posts} {
		if wanted {
			if notice.ID = c.NewID(); notice.Review != nil {
				channel = channel.ofReviews()
			}
			notice.Channel = channel
			err = errors.Join(err, tx.PutNotice(notice))
		}
	}
	return err
}

// takeNotice leases the next notice of a channel, by the clock that all nodes share.
func (c *Center) takeNotice(ctx context.Context, by Channel) (n Notice, err error) {
	var now time.Time
	next := func(r Reader) (err error) {
		if now, err = c.clock(r); err != nil {
			return err
		}
		never := now.Add(longerThanAll)
		if n, err = r.NextNotice(by, now, never); errors.Is(err, refusal.ErrNoRow) {
			n, err = r.NextNotice(by.ofReviews(), now, never)
		}
		return err
	}
	if err := c.Store.View(ctx, next); err != nil { // most often there is none, and nothing to write
		return n, err
	}
	err = c.Store.Update(ctx, func(tx Tx) error {
		if err := next(tx); err != nil {
			return err
		}
		n.Due, n.Attempts = now.Add(noticeLease), n.Attempts+1
		return tx.PutNotice(n)
	})
	return n, err
}

// readersOf are those who are told by mail.
func readersOf(r Reader, n Notice) ([]User, error) {
	if n.Review != nil {
		return readersOfReview(r, *n.Review)
	}
	switch n.Kind {
	case NoticeApproved, NoticeDenied, NoticeEnded:
		u, err := r.User(n.Request.UserID)
		if errors.Is(err, refusal.ErrNoRow) {
			return nil, nil
		}
		return []User{u}, err
	case NoticeAsked, NoticeEmergency, NoticeExtension, NoticeReviewStarted, NoticeReviewReminder, NoticeReviewClosed:
	}
	return membersToMail(r, n.Request.Approvers, n.Request.UserID)
}

// membersToMail are those of a group who get an email, but for one.
func membersToMail(r Reader, group GroupID, but UserID) ([]User, error) {
	members, err := r.Memberships(MembershipQuery{GroupID: group, Limit: maxMailed + 1})
	var to []User
	for _, m := range members {
		if m.UserID == but || len(to) == maxMailed {
			continue
		}
		u, failed := r.User(m.UserID)
		if failed == nil {
			to = append(to, u)
		} else if !errors.Is(failed, refusal.ErrNoRow) {
			err = errors.Join(err, failed)
		}
	}
	return to, err
}

// noticeSubjects are the subjects of emails, which go on with the access.
var noticeSubjects = map[NoticeKind]string{
	NoticeAsked:     "Please decide: %s asks for %s in %s",
	NoticeEmergency: "EMERGENCY: %s has taken %s in %s",
	NoticeExtension: "Please decide: %s asks for more time with %s in %s",
	NoticeApproved:  "Approved: %s may use %s in %s",
	NoticeDenied:    "Not approved: %s, %s in %s",
	NoticeEnded:     "Ended: %s no longer has %s in %s",
}

func noticeMail(to User, n Notice, link string) Mail {
	r := n.Request
	text := fmt.Sprintf("Who:      %s\nAccess:   %s in %s (%s)\nFor:      %s\nReason:   %s\n",
		r.UserName, r.PermissionSetName, r.AccountName, r.AccountID, inShort(r.Length), inMail(r.Reason))
	if r.Ticket != "" {
		text += "Ticket:   " + inMail(r.Ticket) + "\n"
	}
	if n.Kind == NoticeExtension && r.Extension != nil {
		text += fmt.Sprintf("More:     %s, until %s\nBecause:  %s\n", inShort(r.Extension.Length),
			inWords(r.EndsAt.Add(r.Extension.Length)), inMail(r.Extension.Reason))
	}
	if r.State == AccessActive || r.State == AccessScheduled {
		if !r.Start.IsZero() {
			text += "From:     " + inWords(r.Start) + "\n"
		}
		if !r.EndsAt.IsZero() {
			text += "Until:    " + inWords(r.EndsAt) + "\n"
		}
	}
	if r.EndReason != "" {
		text += "Because:  " + inMail(r.EndReason) + "\n"
	}
	if n.Kind == NoticeEmergency {
		text += "\nThe access is open now. Review it, or end it, here:\n"
	} else {
		text += "\nThe requests are here:\n"
	}
	return Mail{
		To:      to.PrimaryEmail(),
		Subject: fmt.Sprintf(noticeSubjects[n.Kind], r.UserName, r.PermissionSetName, r.AccountID),
		Text:    text + "\n  " + link + "\n",
	}
}

// inMail is what somebody has written, as part of an email: further lines are set in under the
// first, so that they cannot pass for lines of the center, such as its link.
func inMail(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return strings.ContainsRune("\r\n\v\f\u0085\u2028\u2029", r)
	}), "\n          ")
}

func inWords(t time.Time) string { return t.UTC().Format("January 2, 2006, 15:04 UTC") }

// PostedNotice is the body of a webhook's request. Fields are added, never changed.
type PostedNotice struct {
	ID      string         `json:"id"` // the same in each try
	Type    string         `json:"type"`
	At      time.Time      `json:"at"`
	Center  string         `json:"center"`
	Request *PostedRequest `json:"request,omitempty"`
	Review  *PostedReview  `json:"review,omitempty"`
	Link    string         `json:"link"`
}

// PostedRequest is the request in a PostedNotice.
type PostedRequest struct {
	ID            string    `json:"id"`
	State         string    `json:"state"`
	Policy        string    `json:"policy"`
	UserID        string    `json:"userId"`
	UserName      string    `json:"userName"`
	AccountID     string    `json:"accountId"`
	AccountName   string    `json:"accountName"`
	PermissionSet string    `json:"permissionSet"`
	Seconds       int64     `json:"seconds"`
	Reason        string    `json:"reason"`
	Ticket        string    `json:"ticket,omitempty"`
	Emergency     bool      `json:"emergency"`
	EndsAt        time.Time `json:"endsAt,omitzero"`
	EndReason     string    `json:"endReason,omitempty"`
}

func (c *Center) posted(n Notice) PostedNotice {
	if n.Review != nil {
		return c.postedReview(n)
	}
	r := n.Request
	return PostedNotice{
		ID: n.ID, Type: "access_request." + string(n.Kind), At: n.At, Center: c.URL, Link: c.PortalURL() + "/requests",
		Request: &PostedRequest{
			ID: r.ID, State: string(r.State), Policy: r.PolicyName, UserID: string(r.UserID), UserName: r.UserName,
			AccountID: r.AccountID, AccountName: r.AccountName, PermissionSet: r.PermissionSetName,
			Seconds: int64(r.Length / time.Second), Reason: r.Reason, Ticket: r.Ticket, Emergency: r.Emergency,
			EndsAt: r.EndsAt, EndReason: r.EndReason,
		},
	}
}

// SignNotice is the signature of a body that is posted at a moment: what receivers compare.
func SignNotice(secret authn.Secret, at time.Time, body []byte) string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	return "t=" + stamp + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// PostNotice posts the next notice to the webhook, and says whether there was one. What is not
// taken is tried again, each time later, and given up at last. What the receiver answers changes
// nothing else.
func (c *Center) PostNotice(ctx context.Context) (bool, error) {
	n, err := c.takeNotice(ctx, ByWebhook)
	if errors.Is(err, refusal.ErrNoRow) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	to, err := c.RequestWebhook(ctx)
	if err != nil {
		return false, err
	}
	if to.URL == "" { // it was taken away
		return true, c.Store.Update(ctx, func(tx Tx) error { return tx.DeleteNotice(n.ID) })
	}
	secret, err := c.Sealer.Open(purposeWebhook, to.SealedSecret)
	if err != nil {
		return false, fmt.Errorf("open the webhook's secret: %w", err)
	}
	body, err := json.Marshal(c.posted(n))
	if err != nil {
		return false, fmt.Errorf("encode a notice: %w", err)
	}
	signature := SignNotice(authn.Secret(secret), n.Due.Add(-noticeLease), body) // now, by that clock
	said := c.Webhooks.Post(ctx, to.URL, signature, body)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	return true, c.concludeNotice(ctx, n, to, said)
}

// concludeNotice notes what became of a notice. A node that stood still, and of which another has
// taken it meanwhile, notes only that it was posted.
func (c *Center) concludeNotice(ctx context.Context, n Notice, to RequestWebhook, said error) error {
	problem := ""
	if said != nil {
		problem = strings.ToValidUTF8(said.Error(), "")
		problem = problem[:min(len(problem), maxReason)]
	}
	given := false
	err := c.Store.Update(ctx, func(tx Tx) error {
		given = false
		there, err := tx.Notice(n.ID)
		if errors.Is(err, refusal.ErrNoRow) || err == nil && said != nil && !n.held(there) {
			return nil
		}
		if err != nil {
			return err
		}
		at, err := c.clock(tx)
		if err != nil {
			return err
		}
		now, err := tx.RequestWebhook()
		switch {
		case errors.Is(err, refusal.ErrNoRow):
			return tx.DeleteNotice(n.ID)
		case err != nil:
			return err
		case now.URL == to.URL && said == nil:
			now.Problem, now.PostedAt = "", at
		case now.URL == to.URL:
			now.Problem = problem
		}
		err = tx.PutRequestWebhook(now)
		if given = said != nil && n.Attempts >= noticeTries; given || said == nil {
			return errors.Join(err, tx.DeleteNotice(n.ID))
		}
		n.Due = at.Add(min(2*time.Second<<min(2*n.Attempts, 20), maxNoticePause))
		return errors.Join(err, tx.PutNotice(n))
	})
	if err == nil && given {
		refused := &refusal.Error{
			Code: WebhookInvalid, Detail: "given up after " + strconv.Itoa(n.Attempts) + " tries: " + problem,
		}
		err = c.Refuse(ctx, audit.SystemActor, "PostRequestNotice", n.Request.ID, refused)
		if errors.Is(err, refused) { // which is recorded
			err = nil
		}
	}
	return err
}
