package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// outbox collects mail.
type outbox struct {
	mu   sync.Mutex
	list []center.Mail
}

func (o *outbox) Send(_ context.Context, m center.Mail) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, m)
}

// received is a notice that a webhook got.
type received struct {
	signature string
	body      []byte
}

// TestNoticesOfRequestsAreMailedAndPosted: approvers hear of what is asked, who asked hears of the
// decision, and a webhook of both, signed.
func TestNoticesOfRequestsAreMailedAndPosted(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	posted := make(chan received, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		posted <- received{r.Header.Get("Gatehouse-Signature"), body}
	}))
	t.Cleanup(hook.Close)
	box := &outbox{}
	s := centertest.Serve(t, func(c *center.Center) { c.Mailer = box })
	w := centertest.Requests(t, s.Center)
	secret, err := s.PutRequestWebhook(ctx, centertest.Actor, hook.URL)
	if err != nil {
		t.Fatal(err)
	}
	r, err := w.RequestAccess(ctx, w.By(w.Ada), w.Ada.ID, w.Ask())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.ApproveAccess(ctx, w.By(w.Grace), w.Grace.ID, r.ID, ""); err != nil {
		t.Fatal(err)
	}
	sendNotices(t, s.Center)
	var told []string
	for _, m := range box.list {
		told = append(told, m.To+": "+m.Subject)
		if !strings.Contains(m.Text, "The queue is stuck.") || !strings.Contains(m.Text, s.PortalURL()+"/requests") {
			t.Errorf("a mail says %s", m.Text)
		}
	}
	const asks = ": Please decide: ada asks for Admin in 111122223333"
	want := "grace@example.com" + asks + "|linus@example.com" + asks +
		"|ada@example.com: Approved: ada may use Admin in 111122223333"
	if got := strings.Join(told, "|"); got != want {
		t.Errorf("mailed %q, want %q", got, want)
	}
	for _, kind := range []string{"access_request.asked", "access_request.approved"} {
		got := <-posted
		var notice center.PostedNotice
		if err := json.Unmarshal(got.body, &notice); err != nil || notice.Type != kind || notice.Request.ID != r.ID ||
			notice.Request.UserName != "ada" || notice.Center != s.URL {
			t.Errorf("posted %s, %v; want %s", got.body, err, kind)
		}
		stamp, _, _ := strings.Cut(strings.TrimPrefix(got.signature, "t="), ",")
		at, err := strconv.ParseInt(stamp, 10, 64)
		if err != nil || center.SignNotice(secret, time.Unix(at, 0), got.body) != got.signature ||
			center.SignNotice(authn.Secret("another"), time.Unix(at, 0), got.body) == got.signature {
			t.Errorf("signed %q, %v", got.signature, err)
		}
	}
}

// sendNotices sends all notices that are due.
func sendNotices(t *testing.T, c *center.Center) {
	t.Helper()
	for _, once := range []func(context.Context) (bool, error){c.MailNotice, c.PostNotice} {
		for {
			more, err := once(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if !more {
				break
			}
		}
	}
}

// TestAWebhookThatHangsOrLiesHarmsNothing: the access comes and goes, the notice is tried again,
// and given up at last; nobody is led elsewhere.
func TestAWebhookThatHangsOrLiesHarmsNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer  func(w http.ResponseWriter, r *http.Request)
		problem string
	}{
		"says no": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }, "418"},
		"redirects": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, "307"},
		"breaks": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"never ends": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			tries := 0
			hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				tries++
				if r.URL.Path != "/" {
					t.Errorf("it was led to %s", r.URL)
				}
				c.answer(w, r)
			}))
			t.Cleanup(hook.Close)
			s := centertest.Serve(t)
			now := time.Now()
			s.Now = func() time.Time { return now }
			w := centertest.Requests(t, s.Center)
			if _, err := s.PutRequestWebhook(ctx, centertest.Actor, hook.URL); err != nil {
				t.Fatal(err)
			}
			r, err := w.RequestAccess(ctx, w.By(w.Ada), w.Ada.ID, w.Ask())
			if err != nil {
				t.Fatal(err)
			}
			for range 20 {
				sendNotices(t, s.Center)
				now = now.Add(time.Hour)
			}
			state, err := s.RequestWebhook(ctx)
			if err != nil || !strings.Contains(state.Problem, c.problem) || (state.Problem == "") != (c.problem == "") {
				t.Errorf("the webhook: %+v, %v", state, err)
			}
			if wanted := map[bool]int{true: 1, false: 8}[c.problem == ""]; tries != wanted {
				t.Errorf("it was tried %d times, want %d", tries, wanted)
			}
			if q, err := s.AccessRequest(ctx, r.ID); err != nil || q.State != center.AccessPending {
				t.Errorf("the request: %+v, %v", q, err)
			}
		})
	}
}

// TestANodeThatStoodStillConcludesNoPostOfAnothers: it slept while the webhook took its time, and
// another node has taken the notice meanwhile. What the slow one hears at last is worth nothing,
// unless it is that the notice was taken.
func TestANodeThatStoodStillConcludesNoPostOfAnothers(t *testing.T) {
	t.Parallel()
	const no = http.StatusServiceUnavailable
	for _, x := range []struct {
		name        string
		slow, other int // what the webhook answers
		attempts    int // of the notice afterwards; 0: it is done
	}{
		{"neither could post it", no, no, 2},
		{"the other one could", no, http.StatusOK, 0},
		{"the slow one could", http.StatusOK, no, 0},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			now, posts := time.Now(), 0
			var other *center.Center
			hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if posts++; posts > 1 {
					w.WriteHeader(x.other)
					return
				}
				now = now.Add(10 * time.Minute)
				if posted, err := other.PostNotice(ctx); err != nil || !posted {
					t.Errorf("the other node: %t, %v", posted, err)
				}
				w.WriteHeader(x.slow)
			}))
			t.Cleanup(hook.Close)
			s := centertest.Serve(t)
			s.Now = func() time.Time { return now }
			other = centertest.On(t, s.Store, s.URL)
			other.Now, other.Webhooks = s.Now, s.Webhooks
			w := centertest.Requests(t, s.Center)
			if _, err := s.PutRequestWebhook(ctx, centertest.Actor, hook.URL); err != nil {
				t.Fatal(err)
			}
			if _, err := w.RequestAccess(ctx, w.By(w.Ada), w.Ada.ID, w.Ask()); err != nil {
				t.Fatal(err)
			}
			if _, err := s.PostNotice(ctx); err != nil {
				t.Fatal(err)
			}
			if err := s.Store.View(ctx, func(r center.Reader) error {
				n, err := r.NextNotice(center.ByWebhook, now.Add(2*time.Hour), now.Add(3*time.Hour))
				if errors.Is(err, refusal.ErrNoRow) {
					err = nil
				}
				if n.Attempts != x.attempts {
					t.Errorf("after %d posts the notice is %+v, want %d attempts", posts, n, x.attempts)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestWebhooksStayOutside: of addresses that a center may not ask, none is taken.
func TestWebhooksStayOutside(t *testing.T) {
	t.Parallel()
	s := centertest.Serve(t)
	for _, address := range []string{
		"http://example.com/", "https://169.254.169.254/latest/", "https://10.0.0.1/", "ftp://example.com/", "x",
		"https://example.com/" + strings.Repeat("x", 3000),
	} {
		_, err := s.PutRequestWebhook(context.Background(), centertest.Actor, address)
		if refusal.CodeOf(err) != center.WebhookInvalid {
			t.Errorf("%.40s: %v", address, err)
		}
	}
}

// TestAReasonDoesNotPassForTheCenter: what somebody writes over many lines stays under its heading
// in an email, as text, and within its value in what is posted.
func TestAReasonDoesNotPassForTheCenter(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	posted := make(chan received, 1)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		posted <- received{"", body}
	}))
	t.Cleanup(hook.Close)
	box := &outbox{}
	s := centertest.Serve(t, func(c *center.Center) { c.Mailer = box })
	w := centertest.Requests(t, s.Center)
	if _, err := s.PutRequestWebhook(ctx, centertest.Actor, hook.URL); err != nil {
		t.Fatal(err)
	}
	ask := w.Ask()
	ask.Reason = "It is stuck.\r\nUntil:    never\n\nThe requests are here:\n\n  https://evil.example/\n" +
		`<b>now</b>","type":"x`
	if _, err := w.RequestAccess(ctx, w.By(w.Ada), w.Ada.ID, ask); err != nil {
		t.Fatal(err)
	}
	sendNotices(t, s.Center)
	if len(box.list) != 2 {
		t.Fatalf("the mails are %+v", box.list)
	}
	text := box.list[0].Text
	for line := range strings.Lines(text) {
		for _, forged := range []string{"never", "evil", "<b>"} {
			if strings.Contains(line, forged) && !strings.HasPrefix(line, "          ") {
				t.Errorf("the line %q stands among the center's", line)
			}
		}
	}
	if strings.Contains(text, "\r") || !strings.Contains(text, "Reason:   It is stuck.\n          Until:") {
		t.Errorf("the mail says %q", text)
	}
	var notice center.PostedNotice
	if err := json.Unmarshal((<-posted).body, &notice); err != nil || notice.Request.Reason != ask.Reason ||
		notice.Type != "access_request.asked" {
		t.Errorf("posted %+v, %v", notice, err)
	}
}

// Deliver implements center.Mailer.
func (o *outbox) Deliver(ctx context.Context, m center.Mail) error {
	o.Send(ctx, m)
	return nil
}
