package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	"golang.org/x/time/rate"

	"github.com/gatehouse-id/gatehouse/awsapi/inventory"
)

// stub answers as AWS does within its rates, without a network: time is the test's own.
type stub struct {
	mu        sync.Mutex
	buckets   map[string]*rate.Limiter
	throttled []string
	asked     map[string]int
	answer    func(operation, body string) (status int, text string)
}

func (s *stub) take(lane string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[lane] == nil {
		s.buckets[lane] = rate.NewLimiter(20, 20)
	}
	if s.buckets[lane].Allow() {
		return true
	}
	s.throttled = append(s.throttled, lane)
	return false
}

// Do implements aws.HTTPClient.
func (s *stub) Do(r *http.Request) (*http.Response, error) {
	target := r.Header.Get("X-Amz-Target")
	operation := target[strings.LastIndexByte(target, '.')+1:]
	lane := operation
	if strings.HasPrefix(target, "SWBExternalService") {
		lane = "sso-admin"
	}
	body := new(strings.Builder)
	if r.Body != nil {
		b := make([]byte, 4096)
		n, _ := r.Body.Read(b)
		body.Write(b[:n])
	}
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if !s.take(lane) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.WriteString(`{"__type":"ThrottlingException","Message":"Rate exceeded"}`)
		return w.Result(), nil
	}
	s.mu.Lock()
	s.asked[operation]++
	status, text := s.answer(operation, body.String())
	s.mu.Unlock()
	w.WriteHeader(status)
	_, _ = w.WriteString(text)
	return w.Result(), nil
}

func reader(s *stub, rates *inventory.Rates) *inventory.Reader {
	s.buckets, s.asked = map[string]*rate.Limiter{}, map[string]int{}
	cfg := aws.Config{
		Region: "eu-west-1", HTTPClient: s, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
	}
	if rates != nil {
		cfg = rates.Pace(cfg)
	}
	return inventory.Open(cfg).Of("arn:aws:sso:::instance/ssoins-0123456789abcdef", "d-0123456789")
}

// TestReadingKeepsToAWSsRates reads the members of a thousand groups and describes some permission
// sets beside that: AWS throttles nothing, and it takes little longer than its rates demand.
func TestReadingKeepsToAWSsRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const groups, sets = 1000, 100
		s := &stub{answer: func(operation, body string) (int, string) {
			switch operation {
			case "ListGroups":
				from, list := 0, []string{}
				if _, token, found := strings.Cut(body, `"NextToken":"p`); found {
					_, _ = fmt.Sscanf(token, "%d", &from)
				}
				for i := range 100 {
					list = append(list, fmt.Sprintf(`{"GroupId":"g%d","IdentityStoreId":"d"}`, from+i))
				}
				next := ""
				if from+100 < groups {
					next = fmt.Sprintf(`,"NextToken":"p%d"`, from+100)
				}
				return http.StatusOK, `{"Groups":[` + strings.Join(list, ",") + `]` + next + `}`
			case "ListGroupMemberships":
				return http.StatusOK, `{"GroupMemberships":[{"MemberId":{"UserId":"u"},"IdentityStoreId":"d"}]}`
			}
			return http.StatusOK, `{"PermissionSet":{"Name":"ReadOnly"}}`
		}}
		var asked int
		var mu sync.Mutex
		r := reader(s, &inventory.Rates{Asked: func(string, string) { mu.Lock(); asked++; mu.Unlock() }})
		began := time.Now()
		var parts sync.WaitGroup
		parts.Go(func() {
			members := 0
			err := inventory.Parallel(t.Context(), inventory.Each(r.Groups(t.Context(), "")),
				func(ctx context.Context, g types.Group) error {
					all, err := inventory.All(r.Members(ctx, aws.ToString(g.GroupId), ""))
					mu.Lock()
					defer mu.Unlock()
					members += len(all)
					return err
				})
			if err != nil || members != groups {
				t.Errorf("%d members, %v", members, err)
			}
		})
		parts.Go(func() {
			for range sets {
				if _, err := r.PermissionSet(t.Context(), "arn"); err != nil {
					t.Error(err)
				}
			}
		})
		parts.Wait()
		took, allowed := time.Since(began), groups*time.Second/inventory.PerOperation
		if len(s.throttled) > 0 || took > allowed*11/10 {
			t.Errorf("it took %s, the rates demand %s; throttled: %v", took, allowed, s.throttled)
		}
		if want := groups + groups/100 + sets; asked != want {
			t.Errorf("%d requests were told of, want %d", asked, want)
		}
	})
}

// TestThrottlingIsWaitedOut has AWS throttle for a while, because somebody else works there: the
// request is sent again, after the time that AWS asks for.
func TestThrottlingIsWaitedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := 0
		s := &stub{answer: func(string, string) (int, string) {
			if refused++; refused <= 3 {
				return http.StatusBadRequest, `{"__type":"ThrottlingException","RetryAfterSeconds":7}`
			}
			return http.StatusOK, `{"Users":[{"UserId":"u","IdentityStoreId":"d"}]}`
		}}
		r, began := reader(s, &inventory.Rates{}), time.Now()
		all, err := inventory.All(r.Users(t.Context(), ""))
		if took := time.Since(began); err != nil || len(all) != 1 || took < 21*time.Second || took > time.Minute {
			t.Errorf("%d users, %v, after %s", len(all), err, took)
		}
	})
}

// TestWhatCannotBeReadIsSaid: the permission is named, what was read before stays, and the end of
// the caller's context is no failure of AWS's.
func TestWhatCannotBeReadIsSaid(t *testing.T) {
	for name, x := range map[string]struct{ text, permission string }{
		"AWS names the action": {
			`{"__type":"AccessDeniedException","Message":"User: arn:aws:iam::1:user/x is not authorized to perform: ` +
				`identitystore:ListUsers on resource: arn because no identity-based policy allows it"}`,
			"identitystore:ListUsers",
		},
		"AWS names nothing": {`{"__type":"AccessDeniedException"}`, "identitystore:ListUsers"},
		"something else":    {`{"__type":"ValidationException","Message":"no"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := &stub{answer: func(_, body string) (int, string) {
				if strings.Contains(body, "NextToken") {
					return http.StatusBadRequest, x.text
				}
				return http.StatusOK, `{"Users":[{"UserId":"u","IdentityStoreId":"d"}],"NextToken":"more"}`
			}}
			all, err := inventory.All(reader(s, nil).Users(t.Context(), ""))
			var unread *inventory.Unread
			if !errors.As(err, &unread) || unread.Permission != x.permission || unread.What != "the users" {
				t.Errorf("%v", err)
			}
			if len(all) != 1 {
				t.Errorf("%d users were kept, want those of the page before", len(all))
			}
		})
	}
	t.Run("the caller gives up", func(t *testing.T) {
		s := &stub{answer: func(string, string) (int, string) { return http.StatusOK, `{}` }}
		ctx, cancel := context.WithCancelCause(t.Context())
		stopped := errors.New("stopped")
		cancel(stopped)
		if _, err := inventory.All(reader(s, &inventory.Rates{}).Users(ctx, "")); !errors.Is(err, stopped) {
			t.Errorf("%v", err)
		}
	})
	t.Run("the same page again and again", func(t *testing.T) {
		s := &stub{answer: func(string, string) (int, string) {
			return http.StatusOK, `{"Users":[{"UserId":"u","IdentityStoreId":"d"}],"NextToken":"more"}`
		}}
		all, err := inventory.All(reader(s, nil).Users(t.Context(), ""))
		if err == nil || s.asked["ListUsers"] != 2 {
			t.Errorf("%d users, %v, after %d requests", len(all), err, s.asked["ListUsers"])
		}
	})
}

// TestTheFirstErrorEndsTheRest: a worker that fails stops the others, and the list.
func TestTheFirstErrorEndsTheRest(t *testing.T) {
	failed := errors.New("failed")
	called := 0
	var mu sync.Mutex
	err := inventory.Parallel(t.Context(), inventory.List(make([]int, 10_000)),
		func(ctx context.Context, _ int) error {
			mu.Lock()
			defer mu.Unlock()
			if called++; called > 20 {
				return failed
			}
			return nil
		})
	if !errors.Is(err, failed) || called > 100 {
		t.Errorf("%v after %d", err, called)
	}
}

// keeping answers at once, and keeps the body of the request, as net/http does: it looks whether
// there is more than the length says.
type keeping struct{ body io.Reader }

// Do implements aws.HTTPClient.
func (k *keeping) Do(r *http.Request) (*http.Response, error) {
	k.body = r.Body
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(`{"GroupMemberships":[]}`)),
	}, nil
}

// TestARequestThatWasAnsweredAtOnceHasNotFailed: its body is closed by then, and has nothing more.
// To fail would close the connection under the answer.
func TestARequestThatWasAnsweredAtOnceHasNotFailed(t *testing.T) {
	t.Parallel()
	sent := &keeping{}
	r := inventory.Open(aws.Config{
		Region: "eu-west-1", HTTPClient: sent, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
	}).Of("arn:aws:sso:::instance/ssoins-0123456789abcdef", "d-0123456789")
	if _, err := inventory.All(r.Members(t.Context(), "g", "")); err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, sent.body); n != 0 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}
