package server_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// reviewed begins a review of one line that Grace owns, which ends what nobody confirms.
func reviewed(t *testing.T, s *centertest.Server) (*centertest.RequestWorld, center.AccessReview) {
	t.Helper()
	ctx := context.Background()
	w := centertest.Requests(t, s.Center)
	if _, err := s.CreateAssignment(ctx, centertest.Actor, center.Assignment{
		AccountID: w.Account.ID, PermissionSetARN: w.Set.ARN, PrincipalType: center.PrincipalUser,
		PrincipalID: string(w.Ada.ID),
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.PutAccessOwner(ctx, centertest.Actor, center.AccessOwner{
		PermissionSetARN: w.Set.ARN, Owner: center.Principal{Type: center.PrincipalUser, ID: string(w.Grace.ID)},
	}); err != nil {
		t.Fatal(err)
	}
	v, err := s.StartAccessReview(ctx, centertest.Actor, center.AccessReview{
		Name: "Quarter", EndUnconfirmed: true, Deadline: s.Now().Add(24 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return w, v
}

// TestReviewsAreToldToAWebhook, by types of their own, and to their owner by mail.
func TestReviewsAreToldToAWebhook(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	var kinds []string
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var n center.PostedNotice
		if err := json.Unmarshal(body, &n); err != nil || n.Request != nil || n.Review == nil ||
			n.Review.Name != "Quarter" {
			t.Errorf("posted %s, %v", body, err)
		}
		kinds = append(kinds, n.Type)
	}))
	t.Cleanup(hook.Close)
	box := &outbox{}
	s := centertest.Serve(t, func(c *center.Center) { c.Mailer = box })
	now := time.Now()
	s.Now = func() time.Time { return now }
	if _, err := s.PutRequestWebhook(ctx, centertest.Actor, hook.URL); err != nil {
		t.Fatal(err)
	}
	reviewed(t, s)
	for range 4 {
		sendNotices(t, s.Center)
		now = now.Add(12*time.Hour + time.Minute)
		for range 3 {
			if _, err := s.WorkOnReviews(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	sendNotices(t, s.Center)
	if got := strings.Join(kinds, " "); got != "access_review.started access_review.reminder access_review.closed" {
		t.Errorf("posted %s", got)
	}
	if len(box.list) != 2 || box.list[0].To != "grace@example.com" ||
		!strings.HasPrefix(box.list[1].Subject, "Reminder: ") {
		t.Errorf("mailed %+v", box.list)
	}
}

// TestAReviewEndsWhateverItsWebhookDoes: it hangs until it is given up, refuses, or lies that all
// is confirmed; the line ends at its time, and the notice is tried again.
func TestAReviewEndsWhateverItsWebhookDoes(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request){
		"hangs": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then it hears that nobody waits anymore
			<-r.Context().Done()
		},
		"says no": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
		},
		"lies": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"verdict":"CONFIRM","lines":["0001"],"state":"CLOSED"}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			hook := httptest.NewServer(http.HandlerFunc(answer))
			t.Cleanup(hook.Close)
			s := centertest.Serve(t)
			var later atomic.Int64
			s.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
			if _, err := s.PutRequestWebhook(ctx, centertest.Actor, hook.URL); err != nil {
				t.Fatal(err)
			}
			w, v := reviewed(t, s)
			told := make(chan error, 1)
			go func() {
				_, err := s.PostNotice(ctx)
				told <- err
			}()
			later.Store(int64(25 * time.Hour))
			for range 3 {
				if _, err := s.WorkOnReviews(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if left, err := s.Assignments(ctx, center.AssignmentQuery{HeldBy: w.Ada.ID}); err != nil || len(left) != 0 {
				t.Errorf("left are %+v, %v", left, err)
			}
			if got, err := s.AccessReview(ctx, v.ID); err != nil || got.State != center.ReviewClosed {
				t.Errorf("the review is %s, %v", got.State, err)
			}
			if err := <-told; err != nil {
				t.Error(err)
			}
			if hooked, err := s.RequestWebhook(ctx); err != nil || (hooked.Problem == "") != (name == "lies") {
				t.Errorf("the webhook: %+v, %v", hooked, err)
			}
		})
	}
}
