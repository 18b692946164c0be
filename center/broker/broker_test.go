package broker_test

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/broker"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/saml"
)

const account = "111122223333"

// world is a center with a user who is signed in and has a role.
type world struct {
	*center.Center
	choice center.RoleChoice
	by     audit.Actor
}

func newWorld(t *testing.T) world {
	t.Helper()
	ctx := context.Background()
	c := centertest.New(t, "https://center.example")
	person := centertest.Person("ada+lovelace@example.com")
	person.Enterprise.CostCenter = "4711"
	u, e1 := c.CreateUser(ctx, centertest.Actor, person)
	set, e2 := c.CreatePermissionSet(
		ctx,
		centertest.Actor,
		center.PermissionSet{
			Name:            "Admin",
			SessionDuration: 2 * time.Hour,
			RelayState:      "https://console.aws.amazon.com/s3/",
		},
	)
	e3 := c.PutAccount(ctx, centertest.Actor, center.Account{ID: account, Name: "Production"})
	_, e4 := c.CreateAssignment(
		ctx,
		centertest.Actor,
		center.Assignment{
			AccountID:        account,
			PermissionSetARN: set.ARN,
			PrincipalType:    center.PrincipalUser,
			PrincipalID:      string(u.ID),
		},
	)
	e5 := c.CreateAccessControl(
		ctx,
		centertest.Actor,
		[]center.AccessControlAttribute{
			{Key: "cost", Source: "${path:enterprise.costCenter}"}, {Key: "none", Source: "${path:nickName}"},
		},
	)
	digest := authn.Digest("secret")
	e6 := c.Store.Update(ctx, func(tx center.Tx) error {
		return tx.PutSession(center.Session{
			Digest:     digest,
			Kind:       center.PortalSession,
			UserID:     u.ID,
			ExpiresAt:  time.Now().Add(time.Hour),
			Attributes: map[string]string{"cost": "1", "team": "blue"},
		})
	})
	for _, err := range []error{e1, e2, e3, e4, e5, e6} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return world{
		c, center.RoleChoice{Session: digest, Account: account, PermissionSet: "Admin"},
		audit.Actor{Kind: audit.User, Name: u.UserName, RequestID: "r"},
	}
}

func (w world) federation() broker.Federation {
	return broker.Federation{Center: w.Center, URL: broker.SignInEndpoint, RolePath: "/"}
}

// stsAt is an STS client for an endpoint.
func stsAt(endpoint string) *sts.Client {
	return sts.New(sts.Options{
		Region:           "us-east-1",
		BaseEndpoint:     &endpoint,
		Credentials:      credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
		RetryMaxAttempts: 2,
	})
}

// TestTheConsoleIsSignedInToByASignedResponse reads the response as AWS does: signature first, then
// the attributes.
func TestTheConsoleIsSignedInToByASignedResponse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := &broker.SAML{Federation: w.federation()}
	form, err := w.SignInToConsole(context.Background(), w.by, b, w.choice, "")
	if err != nil || form.URL != broker.SignInEndpoint || form.RelayState != "https://console.aws.amazon.com/s3/" {
		t.Fatalf("the form goes to %s with %s, %v", form.URL, form.RelayState, err)
	}
	signer, err := w.FederationSigner(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	expect := saml.Expect{
		Issuer:        w.FederationEntityID(),
		Audience:      broker.SignInEndpoint,
		Recipient:     broker.SignInEndpoint,
		Now:           w.Now(),
		Certificates:  []*x509.Certificate{signer.Certificate},
		NameIDFormats: []string{saml.FormatPersistent},
	}
	a, err := saml.VerifyPOST(form.Response.Reveal(), expect)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, at := range a.Attributes {
		got[strings.TrimPrefix(at.Name, "https://aws.amazon.com/SAML/Attributes/")] = strings.Join(at.Values, " ")
	}
	role, provider, _ := strings.Cut(got["Role"], ",")
	if !strings.HasPrefix(role, "arn:aws:iam::"+account+":role/AWSReservedSSO_Admin_") ||
		provider != "arn:aws:iam::"+account+":saml-provider/"+w.SAMLProviderName() {
		t.Errorf("the role attribute is %q", got["Role"])
	}
	for name, want := range map[string]string{"RoleSessionName": "ada+lovelace@example.com",
		"SourceIdentity": "ada+lovelace@example.com", "SessionDuration": "7200",
		// the identity store's value wins over the assertion's
		"PrincipalTag:cost": "4711", "PrincipalTag:team": "blue", "PrincipalTag:none": ""} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if a.NotOnOrAfter.Sub(w.Now()) > 5*time.Minute {
		t.Errorf("the response is good until %s", a.NotOnOrAfter)
	}
	expect.Now = w.Now().Add(10 * time.Minute)
	if _, err := saml.VerifyPOST(form.Response.Reveal(), expect); err == nil {
		t.Error("the response is good ten minutes later")
	}
}

// TestWhatSTSRefusesIsSaid: a refusal, a throttling that does not end, a broken answer and silence
// are told apart, and recorded.
func TestWhatSTSRefusesIsSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	failure := func(status int, code string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/xml")
			rw.WriteHeader(status)
			_, _ = rw.Write(
				[]byte(
					`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>` +
						`<Code>` + code + `</Code><Message>no</Message></Error></ErrorResponse>`,
				),
			)
		}
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    refusal.Code
	}{
		"access denied":       {failure(http.StatusForbidden, "AccessDenied"), center.BrokerRefused},
		"an unknown provider": {failure(http.StatusBadRequest, "InvalidIdentityToken"), center.BrokerRefused},
		"throttled":           {failure(http.StatusTooManyRequests, "Throttling"), center.BrokerUnavailable},
		"broken":              {failure(http.StatusInternalServerError, "InternalFailure"), center.BrokerUnavailable},
		"half an answer": {func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Length", "1000")
			_, _ = rw.Write([]byte("<AssumeRole"))
		}, center.BrokerUnavailable},
		"garbage": {func(rw http.ResponseWriter, _ *http.Request) {
			_, _ = rw.Write([]byte("hello"))
		}, center.BrokerUnavailable},
	} {
		server := httptest.NewServer(c.handler)
		for kind, b := range map[string]center.Broker{
			"saml":        &broker.SAML{Federation: w.federation(), STS: stsAt(server.URL)},
			"assume-role": &broker.AssumeRole{Federation: w.federation(), STS: stsAt(server.URL)},
		} {
			_, err := w.RoleCredentials(context.Background(), w.by, b, w.choice)
			if refusal.CodeOf(err) != c.want {
				t.Errorf("%s, %s: %v, want %s", kind, name, err, c.want)
			}
		}
		server.Close()
		events, err := w.Events(context.Background(), center.EventQuery{Limit: 1})
		if err != nil || events[0].Action != "Federate" || events[0].Result != audit.Refused ||
			events[0].Code != c.want.String() {
			t.Errorf("%s: the audit log says %+v, %v", name, events, err)
		}
	}
	gone := stsAt("http://127.0.0.1:1")
	if _, err := w.RoleCredentials(
		context.Background(), w.by, &broker.SAML{Federation: w.federation(), STS: gone}, w.choice,
	); refusal.CodeOf(err) != center.BrokerUnavailable {
		t.Errorf("nobody there: %v", err)
	}
}

func TestWhoGetsNoRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := &broker.Sandbox{Sealer: w.Sealer, Now: w.Now, Federation: w.federation()}
	for name, c := range map[string]struct {
		choice center.RoleChoice
		want   refusal.Code
	}{
		"no session": {
			center.RoleChoice{Session: authn.Digest("other"), Account: account, PermissionSet: "Admin"},
			center.SessionInvalid,
		},
		"another role": {
			center.RoleChoice{Session: w.choice.Session, Account: account, PermissionSet: "Other"},
			center.RoleNotAssigned,
		},
		"another account": {
			center.RoleChoice{Session: w.choice.Session, Account: "222233334444", PermissionSet: "Admin"},
			center.RoleNotAssigned,
		},
	} {
		if _, err := w.RoleCredentials(context.Background(), w.by, b, c.choice); refusal.CodeOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if _, err := w.SignInToConsole(context.Background(), w.by, b, c.choice, ""); refusal.CodeOf(err) != c.want {
			t.Errorf("%s, console: %v, want %s", name, err, c.want)
		}
	}
}

// TestRolesAreOpenedAtAnEmulatorOfAWS uses moto, which nobody here wrote. It does not judge
// signatures; the test above does.
func TestRolesAreOpenedAtAnEmulatorOfAWS(t *testing.T) {
	t.Parallel()
	endpoint := centertest.Moto(t)
	w := newWorld(t)
	for kind, b := range map[string]center.Broker{
		"saml": &broker.SAML{
			Federation: w.federation(),
			STS: sts.New(sts.Options{
				Region:       "us-east-1",
				BaseEndpoint: &endpoint,
				Credentials:  aws.AnonymousCredentials{},
			}),
		},
		"assume-role": &broker.AssumeRole{Federation: w.federation(), STS: stsAt(endpoint)},
	} {
		got, err := w.RoleCredentials(context.Background(), w.by, b, w.choice)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if left := time.Until(got.Expiration); left < 110*time.Minute || left > 2*time.Hour+time.Minute {
			t.Errorf("%s: the credentials last %s, want two hours", kind, left)
		}
		client := sts.New(sts.Options{
			Region:       "us-east-1",
			BaseEndpoint: &endpoint,
			Credentials: credentials.NewStaticCredentialsProvider(
				got.AccessKeyID, got.SecretAccessKey.Reveal(), got.SessionToken.Reveal(),
			),
		})
		who, err := client.GetCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{})
		// moto keeps what is assumed without credentials in another account, and then does not know
		// it: the account is all it can say
		if kind == "saml" {
			if err != nil || aws.ToString(who.Account) != account {
				t.Errorf("saml: the credentials are those of %+v, %v", who, err)
			}
			continue
		}
		if err != nil || !strings.Contains(aws.ToString(who.Arn), ":assumed-role/AWSReservedSSO_Admin_") ||
			!strings.HasSuffix(aws.ToString(who.Arn), "/ada+lovelace@example.com") ||
			aws.ToString(who.Account) != account {
			t.Errorf(
				"%s: the credentials are those of %s in %s, %v", kind, aws.ToString(who.Arn),
				aws.ToString(who.Account), err,
			)
		}
	}
}

// TestTheSandboxKnowsItsOwn keeps what a session token says, and to whom it belongs.
func TestTheSandboxKnowsItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := &broker.Sandbox{Sealer: w.Sealer, Now: w.Now, Federation: w.federation()}
	got, err := w.RoleCredentials(context.Background(), w.by, b, w.choice)
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.Session(got.AccessKeyID, got.SessionToken.Reveal())
	if err != nil || s.SessionName != "ada+lovelace@example.com" || s.AccountID != account {
		t.Errorf("the session is %+v, %v", s, err)
	}
	if _, err := b.Session("ASIAOTHER", got.SessionToken.Reveal()); err == nil {
		t.Error("the token is good for another key")
	}
	if _, err := b.Session(got.AccessKeyID, base64.StdEncoding.EncodeToString([]byte("forged"))); err == nil {
		t.Error("a forged token is good")
	}
}

// TestEveryUserHasASessionNameOfTheirOwn: CloudTrail tells people apart by it.
func TestEveryUserHasASessionNameOfTheirOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := &broker.Sandbox{Sealer: w.Sealer, Now: w.Now, Federation: w.federation()}
	nameOf := func(userName string) string {
		t.Helper()
		got, err := b.Credentials(
			context.Background(),
			center.RoleRequest{
				Role:        center.Role{Account: center.Account{ID: account}, RoleName: "r"},
				SessionName: userName,
				Duration:    time.Hour,
			},
		)
		if err != nil {
			t.Fatal(err)
		}
		s, err := b.Session(got.AccessKeyID, got.SessionToken.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		return s.SessionName
	}
	for _, same := range []string{
		"ada+lovelace@example.com", "a_b=c,d.e@f-g", "ab", strings.Repeat("a", 64), "a=b=c@example.com",
		"ada=0123456789abcdef@example.com",
	} {
		if got := nameOf(same); got != same {
			t.Errorf("%s becomes %s", same, got)
		}
	}
	long := strings.Repeat("a", 64)
	names := []string{
		"a!b@x", "a#b@x", "a-b@x", "a b@x", "a", "a-", "a!", "!", "#", long, long + "b", long + "c", long[:63] + "!",
		"ä@x", "ö@x", "a😀", "A!b@x",
	}
	for _, n := range slices.Clone(names) { // somebody may be called like another one's session
		names = append(names, nameOf(n))
	}
	names = append(names, nameOf(nameOf("a!b@x")))
	of := map[string]string{}
	for _, n := range names {
		got := nameOf(n)
		if !regexp.MustCompile(`^[\w+=,.@-]{2,64}$`).MatchString(got) {
			t.Errorf("%q becomes %q, which STS does not take", n, got)
		}
		if other, taken := of[got]; taken && other != n {
			t.Errorf("%q and %q are both %q", n, other, got)
		}
		of[got] = n
	}
}
