package tokenless_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/connect/aws"
)

// refusing answers an operation in the center's place, after it has let some through, as often as
// it is to.
type refusing struct {
	mu        sync.Mutex
	operation string
	through   int
	times     int
	about     string // what a request has that is refused
	body      string
}

func (r *refusing) RoundTrip(request *http.Request) (*http.Response, error) {
	sent, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	request.Body = io.NopCloser(bytes.NewReader(sent))
	r.mu.Lock()
	mine := strings.HasSuffix(request.Header.Get("X-Amz-Target"), "."+r.operation) &&
		bytes.Contains(sent, []byte(r.about))
	if mine {
		r.through--
	}
	refuse := mine && r.through < 0 && r.times != 0
	if refuse {
		r.times--
	}
	r.mu.Unlock()
	if !refuse {
		return http.DefaultTransport.RoundTrip(request)
	}
	return &http.Response{
		StatusCode: http.StatusBadRequest, Request: request,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Body:   io.NopCloser(strings.NewReader(r.body)),
	}, nil
}

// TestAWriteThatAWSRefusesIsSaidAndCompleted: what AWS itself refuses in the middle of a run is
// named with its cause and what to do, nothing is half-done, and the next run has it all.
func TestAWriteThatAWSRefusesIsSaidAndCompleted(t *testing.T) {
	t.Parallel()
	const always = -1
	all := connect.Written{Created: 13}
	for _, c := range []struct {
		name, operation string
		through, times  int
		about, body     string
		ends            bool // the run ends; otherwise it goes on with the others
		refused         int
		want            []string
	}{
		{
			"an SCP", "CreateUser", 4, always,
			"",
			`{"__type":"AccessDeniedException","Message":"User: arn:aws:sts::1:assumed-role/x/y is not authorized to ` +
				`perform: identitystore:CreateUser with an explicit deny in a service control policy"}`, true, 0,
			[]string{"service control policy (SCP)", "identitystore:CreateUser", "management account"},
		},
		{
			"credentials that end", "CreateGroupMembership", 2, always,
			"",
			`{"__type":"ExpiredTokenException","Message":"The security token included in the request is expired"}`,
			true, 0, []string{"credentials have expired", "run this again"},
		},
		{
			"throttling that passes", "CreateUser", 3, 4,
			"",
			`{"__type":"ThrottlingException","Message":"Rate exceeded","RetryAfterSeconds":1}`, false, 0, nil,
		},
		{
			"a value of somebody else's", "CreateUser", 0, always,
			"amara.okafor@northwind.example",
			`{"__type":"ConflictException","Message":"Duplicate UserName or Email",` +
				`"Reason":"UNIQUENESS_CONSTRAINT_VIOLATION"}`,
			false, 1, []string{"identitystore:CreateUser", "another user or group at AWS has", "Rename or delete"},
		},
		{
			"a change by somebody else at the same time", "CreateUser", 4, 1,
			"",
			`{"__type":"ConflictException","Message":"Concurrent","Reason":"CONCURRENT_MODIFICATION"}`, false, 0, nil,
		},
		{
			"a quota", "CreateGroup", 1, always,
			"",
			`{"__type":"ServiceQuotaExceededException","Message":"You have exceeded the limit of groups"}`, false, 1,
			[]string{"identitystore:CreateGroup", "quota", "Service Quotas"},
		},
		{
			"a value that AWS does not take", "CreateUser", 4, 1,
			"",
			`{"__type":"ValidationException","Message":"Value at 'displayName' failed to satisfy constraint"}`,
			false, 1,
			[]string{"displayName", "correct it in the tenant"},
		},
		{
			"a membership that is refused once, and taken by itself", "CreateGroupMembership", 3, 1,
			"",
			`{"__type":"ServiceQuotaExceededException","Message":"You have exceeded the limit"}`, false, 0, nil,
		},
		{
			"a membership that is refused, and again by itself", "CreateGroupMembership", 3, always,
			"",
			`{"__type":"ServiceQuotaExceededException","Message":"You have exceeded the limit"}`, false, 2,
			[]string{"identitystore:CreateGroupMembership", "quota"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e, w := newWriter(t)
			of := world{e}
			scope := connect.Scope{Groups: []string{of.group("Engineering").ID, of.group("Platform Engineering").ID}}
			w.Explain = aws.Explain
			w.SDK.HTTPClient = &http.Client{Transport: &refusing{
				operation: c.operation, through: c.through, times: c.times, about: c.about,
				body: c.body,
			}}
			written, err := w.Write(t.Context(), scope)
			said := ""
			for _, f := range written.Failures {
				said += f.Name + ": " + f.Reason + "\n"
			}
			if err != nil {
				said += err.Error()
			}
			if (err != nil) != c.ends || len(written.Failures) != c.refused {
				t.Errorf("%+v, %v", written, err)
			}
			for _, want := range c.want {
				if !strings.Contains(said, want) {
					t.Errorf("want %q in %s", want, said)
				}
			}
			w.SDK.HTTPClient = http.DefaultClient
			next, err := w.Write(t.Context(), scope)
			if err != nil || len(next.Failures) > 0 {
				t.Errorf("the next run: %+v, %v", next, err)
			}
			d, err := e.Admin.DescribeDirectory(t.Context())
			if err != nil || d.UserCount+d.GroupCount != all.Created {
				t.Errorf("there are %d users and %d groups, %v", d.UserCount, d.GroupCount, err)
			}
			if again, err := w.Write(t.Context(), scope); err != nil || again.Changes() {
				t.Errorf("again: %+v, %v", again, err)
			}
		})
	}
}
