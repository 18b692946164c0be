package aws_test

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/connect/aws"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/internal/awsstandin"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// limits stands between the driver and a center, and makes of it what AWS is: what has no public
// API has none. answer may answer an operation before the center does.
type limits struct {
	mu     sync.Mutex
	asked  []string // operations, in order
	answer func(operation string) (status int, body string)
	next   http.RoundTripper
	trail  []string // what CloudTrail has: events of sign-ins, as JSON
}

// lookUp answers as CloudTrail does.
func (l *limits) lookUp() string {
	type event struct{ CloudTrailEvent string }
	page := struct{ Events []event }{[]event{}}
	for _, text := range l.trail {
		page.Events = append(page.Events, event{text})
	}
	data, _ := json.Marshal(page) // strings
	return string(data)
}

func (l *limits) RoundTrip(r *http.Request) (*http.Response, error) {
	operation := r.Header.Get("X-Amz-Target")
	if operation == "" {
		operation = "sts" // the query protocol
	}
	l.mu.Lock()
	l.asked = append(l.asked, operation)
	l.mu.Unlock()
	status, body := 0, ""
	if l.answer != nil {
		status, body = l.answer(operation[strings.LastIndex(operation, ".")+1:])
	}
	if strings.HasPrefix(operation, "SWBUPService") {
		status, body = http.StatusBadRequest, `{"__type":"UnknownOperationException"}`
	}
	if status == 0 && strings.HasSuffix(operation, ".LookupEvents") {
		status, body = http.StatusOK, l.lookUp()
	}
	if err := awsstandin.Strict(r); err != nil && status == 0 {
		return nil, fmt.Errorf("AWS does not know this request: %w", err)
	}
	if status == 0 && l.next != nil {
		return l.next.RoundTrip(r)
	}
	if status == 0 {
		return http.DefaultTransport.RoundTrip(r)
	}
	kind := "application/x-amz-json-1.1"
	if operation == "sts" {
		kind = "text/xml"
	}
	return &http.Response{
		StatusCode: status,
		Header:     http.Header{"Content-Type": {kind}},
		Request:    r,
		Body:       io.NopCloser(strings.NewReader(body)),
	}, nil
}

// atAWS is how the driver reaches a pair's center as if it were AWS's.
func atAWS(p *gatehousetest.Pair, l *limits) aws.Config {
	cfg := p.AWSConfig()
	cfg.HTTPClient = &http.Client{Transport: l}
	cfg.RetryMode = sdk.RetryModeStandard
	return aws.Config{SDK: cfg, OwnCenter: true}
}

func TestDiscoveryReadsWhoIsThereByPublicAPIs(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	ctx := context.Background()
	l := &limits{}
	c, err := aws.Open(ctx, atAWS(e.Pair, l))
	if err != nil {
		t.Fatal(err)
	}
	if c.Instance.ARN != e.Center.InstanceARN || c.Instance.IdentityStoreID != e.Center.IdentityStoreID ||
		c.Delegated || !slices.Equal(c.Instance.Regions, []string{e.Center.Region}) || !connect.Independent(c.Caller) {
		t.Errorf("instance %+v, caller %s", c.Instance, c.Caller)
	}
	answered := 0
	s, err := c.Discover(ctx, func(done, _ int) { answered = max(answered, done) })
	if err != nil {
		t.Fatal(err)
	}
	members := 0
	for _, g := range s.Groups {
		members += len(g.Members)
	}
	if len(s.Users) == 0 || len(s.Groups) != 6 || members == 0 || len(s.PermissionSets) == 0 ||
		len(s.Assignments) == 0 || answered == 0 {
		t.Errorf("%d users, %d groups, %d members, %d sets, %d assignments", len(s.Users), len(s.Groups), members,
			len(s.PermissionSets), len(s.Assignments))
	}
	i := slices.IndexFunc(s.Users, func(u connect.StoreUser) bool { return u.UserName == pairtest.Amara })
	if i < 0 || s.Users[i].Email == "" || len(s.Users[i].ExternalIDs) == 0 {
		t.Errorf("users %+v", s.Users)
	}
	again, err := c.Discover(ctx, nil)
	again.Taken = s.Taken
	if first, second := asJSON(t, s), asJSON(t, again); err != nil || first != second {
		t.Errorf("the same state is read differently: %v\n%s\n%s", err, first, second)
	}
	for _, operation := range l.asked {
		if name := operation[strings.LastIndex(operation, ".")+1:]; operation != "sts" &&
			!strings.HasPrefix(name, "List") && !strings.HasPrefix(name, "Describe") {
			t.Errorf("%s was asked", operation)
		}
	}
	file := filepath.Join(t.TempDir(), "new", "snapshot.json")
	if err := connect.WriteFile(file, s); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	var back connect.Snapshot
	if err := connect.ReadFile(file, &back); err != nil || asJSON(t, back) != asJSON(t, s) {
		t.Errorf("it is read back as %+v, %v", back, err)
	}
	if data, _ := os.ReadFile(file); strings.Contains(string(data), e.AWS.SecretAccessKey) {
		t.Error("the snapshot has a secret")
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

const (
	denied = `{"__type":"AccessDeniedException","Message":"User: arn:aws:sts::1:assumed-role/x/y is not ` +
		`authorized to perform: sso:ListInstances on resource: * `
	theInstance = `{"Instances":[{"InstanceArn":"arn:aws:sso:::instance/ssoins-0123456789abcdef",` +
		`"IdentityStoreId":"d-9067000000","OwnerAccountId":"999999999999","Status":"ACTIVE",` +
		`"PrimaryRegion":"eu-west-1"}`
)

// TestWhatAWSRefusesIsSaidWithWhatToDo has a line for each way in which AWS is not as it should be.
func TestWhatAWSRefusesIsSaidWithWhatToDo(t *testing.T) {
	t.Parallel()
	p := gatehousetest.Start(t)
	instances := func(body string) func(string) (int, string) {
		return func(operation string) (int, string) {
			if operation != "ListInstances" {
				return 0, ""
			}
			return http.StatusOK, body
		}
	}
	refused := func(of, body string) func(string) (int, string) {
		return func(operation string) (int, string) {
			if operation != of {
				return 0, ""
			}
			return http.StatusBadRequest, body
		}
	}
	second := 0
	for name, c := range map[string]struct {
		answer func(string) (int, string)
		want   []string
	}{
		"no instance anywhere": {instances(`{"Instances":[]}`), []string{"no instance in us-east-1", "aws@REGION"}},
		"an instance in another Region": {
			func(operation string) (int, string) {
				if operation != "ListInstances" {
					return 0, ""
				}
				if second++; second == 1 {
					return http.StatusOK, `{"Instances":[]}`
				}
				return http.StatusOK, theInstance + `]}`
			},
			[]string{"one in eu-west-1", "--center aws@eu-west-1"},
		},
		"two instances": {
			instances(theInstance + `,{"InstanceArn":"arn:aws:sso:::instance/ssoins-fedcba9876543210",` +
				`"OwnerAccountId":"111111111111","Status":"ACTIVE"}]}`),
			[]string{"2 instances", "ssoins-fedcba9876543210 (of account 111111111111)", "--center aws:ssoins-"},
		},
		"an account instance": {instances(theInstance + `]}`), []string{"account instance", "999999999999"}},
		"an account without an organization": {
			refused("DescribeOrganization", `{"__type":"AWSOrganizationsNotInUseException"}`),
			[]string{"account instance", "management account"},
		},
		"no permission": {
			refused("ListInstances", denied+`because no identity-based policy allows the sso:ListInstances action"}`),
			[]string{"no permission for sso:ListInstances", "connect permissions"},
		},
		"a service control policy": {
			refused("ListInstances", denied+`with an explicit deny in a service control policy"}`),
			[]string{"service control policy (SCP)", "denies sso:ListInstances", "management account"},
		},
		"a permissions boundary": {
			refused("ListInstances", denied+`with an explicit deny in a permissions boundary"}`),
			[]string{"permissions boundary", "denies sso:ListInstances"},
		},
		"a resource control policy": {
			refused("ListInstances", denied+`with an explicit deny in a resource control policy"}`),
			[]string{"resource control policy (RCP)", "denies sso:ListInstances"},
		},
		"an SCP that does not allow": {
			refused("ListInstances", denied+`because no service control policy allows the sso:ListInstances action"}`),
			[]string{"service control policy (SCP)", "sso:ListInstances"},
		},
		"a VPC endpoint's policy": {
			refused("ListInstances", denied+`with an explicit deny in a VPC endpoint policy"}`),
			[]string{"a policy (VPC endpoint) denies sso:ListInstances"},
		},
		"a session's policy": {
			refused("ListInstances", denied+`because no session policy allows the sso:ListInstances action"}`),
			[]string{"the session policy of these credentials", "add it there too"},
		},
		"a boundary that does not allow": {
			refused("ListInstances", denied+`because no permissions boundary allows the sso:ListInstances action"}`),
			[]string{"the permissions boundary of these credentials"},
		},
		"no permission for the organization": {
			refused("DescribeOrganization", `{"__type":"AccessDeniedException","Message":"User: x is not `+
				`authorized to perform: organizations:DescribeOrganization because no identity-based policy allows `+
				`it"}`),
			[]string{"no permission for organizations:DescribeOrganization", "connect permissions"},
		},
		"expired credentials": {
			refused("DescribeInstance", `{"__type":"ExpiredTokenException","message":"The security token is expired"}`),
			[]string{"expired", "run this again"},
		},
		"a clock that is wrong": {
			refused("ListInstances", `{"__type":"InvalidSignatureException","message":"Signature expired: 1 is 2"}`),
			[]string{"clock"},
		},
		"a key that AWS does not know": {
			refused("ListInstances", `{"__type":"UnrecognizedClientException","message":"The token is invalid"}`),
			[]string{"does not know the access key"},
		},
		"a key that may not be used": {
			refused("DescribeInstance", `{"__type":"KMSAccessDeniedException","message":"no"}`),
			[]string{"customer managed key"},
		},
		"an instance that is being made": {
			func(operation string) (int, string) {
				if operation != "DescribeInstance" {
					return 0, ""
				}
				return http.StatusOK, `{"Status":"CREATE_IN_PROGRESS","PrimaryRegion":"us-east-1"}`
			},
			[]string{"CREATE_IN_PROGRESS"},
		},
		"an additional Region": {
			func(operation string) (int, string) {
				if operation != "DescribeInstance" {
					return 0, ""
				}
				return http.StatusOK, `{"Status":"ACTIVE","PrimaryRegion":"eu-west-1"}`
			},
			[]string{"additional Region", "--center aws@eu-west-1"},
		},
	} {
		_, err := aws.Open(context.Background(), atAWS(p, &limits{answer: c.answer}))
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		}
	}
}

// TestAnotherAccountsInstance: credentials of a member account see the organization's instance, and
// may change it only as those of the delegated administrator.
func TestAnotherAccountsInstance(t *testing.T) {
	t.Parallel()
	p := gatehousetest.Start(t)
	for delegated, want := range map[string]string{`[]`: "belongs to account", `[{"Id":"555555555555"}]`: ""} {
		c, err := aws.Open(context.Background(), atAWS(p, &limits{answer: func(operation string) (int, string) {
			switch operation {
			case "sts":
				return http.StatusOK, `<GetCallerIdentityResponse><GetCallerIdentityResult>` +
					`<Arn>arn:aws:iam::555555555555:user/x</Arn><Account>555555555555</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`
			case "ListDelegatedAdministrators":
				return http.StatusOK, `{"DelegatedAdministrators":` + delegated + `}`
			}
			return 0, ""
		}}))
		if want == "" && (err != nil || !c.Delegated) {
			t.Errorf("the delegated administrator: %v", err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("another account: %v", err)
		}
	}
}

// dated is an AWS whose clock is another one.
type dated time.Duration

func (d dated) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		res.Header.Set("Date", time.Now().Add(time.Duration(d)).UTC().Format(http.TimeFormat))
	}
	return res, err
}

// TestAClockThatTheSDKForgives: AWS's SDK signs with AWS's own time, and the proofs do not.
func TestAClockThatTheSDKForgives(t *testing.T) {
	t.Parallel()
	p := gatehousetest.Start(t)
	for off, want := range map[time.Duration]string{
		-10 * time.Minute: "this machine's clock is 10m", 4 * time.Minute: "set it and run this again", time.Minute: "",
	} {
		_, err := aws.Open(t.Context(), atAWS(p, &limits{next: dated(off)}))
		if (err != nil) != (want != "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", off, err, want)
		}
	}
}

const profiles = `[profile session]
sso_session = ours
sso_account_id = 123456789012
sso_role_name = Administrator
[sso-session ours]
sso_start_url = https://ours.awsapps.com/start
sso_region = eu-west-1
[profile expired]
sso_start_url = https://old.awsapps.com/start
sso_region = eu-west-1
sso_account_id = 123456789012
sso_role_name = Administrator
[profile mfa]
role_arn = arn:aws:iam::123456789012:role/admin
source_profile = keys
mfa_serial = arn:aws:iam::123456789012:mfa/me
[profile keys]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = secret
[profile program]
credential_process = false
[profile empty]
output = json
`

// TestWhatIsWrongWithAProfile: what AWS's SDK says before anything is asked of AWS.
func TestWhatIsWrongWithAProfile(t *testing.T) { // not parallel: it sets HOME
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	cache := filepath.Join(home, ".aws", "sso", "cache")
	sum := sha1.Sum([]byte("https://old.awsapps.com/start")) // as AWS's tools name the file
	file := filepath.Join(cache, hex.EncodeToString(sum[:])+".json")
	config := filepath.Join(home, "config")
	t.Setenv("AWS_CONFIG_FILE", config)
	old := `{"accessToken":"a","expiresAt":"2020-01-01T00:00:00Z"}`
	err := errors.Join(
		os.MkdirAll(cache, 0o700), os.WriteFile(file, []byte(old), 0o600),
		os.WriteFile(config, []byte(profiles), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	for profile, want := range map[string]string{
		"session": "aws sso login", "expired": "aws sso login", "mfa": "asks for MFA",
		"program": "run it by hand", "nowhere": "AWS_PROFILE names no profile", "empty": "there are no AWS credentials",
	} {
		t.Setenv("AWS_PROFILE", profile)
		_, err := aws.Settings{Place: "aws@eu-west-1"}.Config(t.Context(), connect.Config{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", profile, err, want)
		}
	}
}

// TestDiscoveryEndsWithItsFirstError: nothing is returned of half a reading.
func TestDiscoveryEndsWithItsFirstError(t *testing.T) {
	t.Parallel()
	p := gatehousetest.Start(t)
	c, err := aws.Open(context.Background(), atAWS(p, &limits{answer: func(operation string) (int, string) {
		if operation == "ListAccountAssignments" {
			return http.StatusBadRequest, `{"__type":"ExpiredTokenException","message":"expired"}`
		}
		return 0, ""
	}}))
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Discover(context.Background(), nil)
	if err == nil || !strings.Contains(err.Error(), "credentials have expired") || len(s.Users) > 0 {
		t.Errorf("%+v, %v", s, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
	defer cancel()
	if _, err := c.Discover(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with no time: %v", err)
	}
}

func TestThePlaceOfACenterAtAWS(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]aws.Place{
		"aws":                         {},
		"aws@eu-west-1":               {Region: "eu-west-1"},
		"aws:ssoins-0123456789abcdef": {Instance: "ssoins-0123456789abcdef"},
		"aws:0123456789abcdef@us-gov-west-1": {
			Instance: "ssoins-0123456789abcdef", Region: "us-gov-west-1",
		},
		"aws:arn:aws:sso:::instance/ssoins-0123456789abcdef@eu-west-1": {
			Instance: "ssoins-0123456789abcdef", Region: "eu-west-1",
		},
	} {
		if got, err := aws.ParsePlace(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "gcp", "awsx", "aws:", "aws@", "aws:short", "aws@Ireland", "aws@eu-west-1/..", "aws:a@b@c",
	} {
		if got, err := aws.ParsePlace(text); err == nil {
			t.Errorf("%q is taken: %+v", text, got)
		}
	}
}
