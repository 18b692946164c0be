package sts_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/server"
)

const (
	action = "Action=GetCallerIdentity&Version=2011-06-15"
	form   = "application/x-www-form-urlencoded; charset=utf-8"
)

// verifier is a center, with the credentials of an access key and of a role.
type verifier struct {
	*centertest.Server
	t    *testing.T
	key  aws.Credentials
	role aws.Credentials
}

func newVerifier(t *testing.T) verifier {
	t.Helper()
	s := centertest.Serve(t)
	key, err := s.CreateAccessKey(t.Context(), centertest.Actor, "ada", center.RoleReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	v := verifier{Server: s, t: t, role: v4Session(t, s, time.Hour)}
	v.key = aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.SecretAccessKey.Reveal()}
	return v
}

// v4Session are the credentials of a role that somebody opened.
func v4Session(t *testing.T, s *centertest.Server, life time.Duration) aws.Credentials {
	t.Helper()
	opened, err := server.NewSandbox(s.Center).Credentials(t.Context(), center.RoleRequest{
		Role:        center.Role{Account: center.Account{ID: "111122223333"}, RoleName: "Reader"},
		SessionName: "ada",
		Duration:    life,
	})
	if err != nil {
		t.Fatal(err)
	}
	return aws.Credentials{AccessKeyID: opened.AccessKeyID, SecretAccessKey: opened.SecretAccessKey.Reveal(),
		SessionToken: opened.SessionToken.Reveal()}
}

// to makes a request with headers, given as name and value in turn.
func (v verifier) to(method, query, body string, headers ...string) *http.Request {
	v.t.Helper()
	r, err := http.NewRequestWithContext(
		context.Background(), method, v.URL+"/?"+query, io.NopCloser(strings.NewReader(body)),
	)
	if err != nil {
		v.t.Fatal(err)
	}
	r.ContentLength = int64(len(body))
	if body == "" {
		r.Body = http.NoBody
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func (v verifier) region() string { return v.Instance.Region }

// signed signs a request in its header.
func (v verifier) signed(r *http.Request, body string, who aws.Credentials, at time.Time) *http.Request {
	v.t.Helper()
	sum := sha256.Sum256([]byte(body))
	err := v4.NewSigner().SignHTTP(
		context.Background(), who, r, hex.EncodeToString(sum[:]), "sts", v.region(), at,
	)
	if err != nil {
		v.t.Fatal(err)
	}
	return r
}

// presigned signs a request in its query, and the headers that it has with it.
func (v verifier) presigned(r *http.Request, who aws.Credentials, region string, at time.Time) *http.Request {
	v.t.Helper()
	sum := sha256.Sum256(nil)
	address, _, err := v4.NewSigner().PresignHTTP(
		context.Background(), who, r, hex.EncodeToString(sum[:]), "sts", region, at,
	)
	if err != nil {
		v.t.Fatal(err)
	}
	if r.URL, err = url.Parse(address); err != nil {
		v.t.Fatal(err)
	}
	return r
}

// send sends a request, following nothing, and returns the answer with its text.
func (v verifier) send(r *http.Request) (*http.Response, string) {
	v.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return res, string(text)
}

// answer is what STS answers in XML.
type answer struct {
	Arn  string `xml:"GetCallerIdentityResult>Arn"`
	Code string `xml:"Error>Code"`
}

// want sends a request and checks the status and the error's code, or the identity.
func (v verifier) want(name string, r *http.Request, status int, code, arn string) {
	v.t.Helper()
	res, text := v.send(r)
	var a answer
	if err := xml.Unmarshal([]byte(text), &a); err != nil || res.StatusCode != status || a.Code != code ||
		!strings.Contains(a.Arn, arn) || res.Header.Get("Content-Type") != "text/xml" || (a.Arn == "") != (arn == "") {
		v.t.Errorf("%s: %d %s (%v), want %d %s %s", name, res.StatusCode, text, err, status, code, arn)
	}
}

// TestIdentitiesAreProvenByRequestsThatSomebodyElseSends: what EKS, Vault and Teleport hand over,
// and what the SDK's presign client makes.
func TestIdentitiesAreProvenByRequestsThatSomebodyElseSends(t *testing.T) {
	t.Parallel()
	v := newVerifier(t)
	now := time.Now()
	client := sts.New(sts.Options{
		Region: v.region(), BaseEndpoint: &v.URL,
		Credentials: credentials.NewStaticCredentialsProvider(
			v.role.AccessKeyID, v.role.SecretAccessKey, v.role.SessionToken,
		),
	})
	made, err := sts.NewPresignClient(client).PresignGetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(made.URL)
	if err != nil {
		t.Fatal(err)
	}
	const role, user = "assumed-role/Reader/ada", ":user/ada"
	bodied := "Action=GetCallerIdentity&Version=2011-06-15"
	global := v.to("GET", action, "")
	global.Host = "sts.amazonaws.com"
	for name, c := range map[string]struct {
		request *http.Request
		arn     string
	}{
		"the SDK's presign client": {v.to("GET", address.RawQuery, ""), role},
		"presigned, an access key": {v.presigned(v.to("GET", action, ""), v.key, v.region(), now), user},
		"EKS": {v.presigned(
			v.to("GET", action+"&X-Amz-Expires=60", "", "X-K8s-Aws-Id", "cluster"), v.role, v.region(), now,
		), role},
		"EKS, kept for fourteen minutes": {v.presigned(
			v.to("GET", action+"&X-Amz-Expires=60", "", "X-K8s-Aws-Id", "cluster"), v.role, v.region(),
			now.Add(-14*time.Minute),
		), role},
		"Vault": {v.signed(
			v.to("POST", "", bodied, "Content-Type", form, "X-Vault-Aws-Iam-Server-Id", "vault"), bodied, v.role, now,
		), role},
		"GET, signed in the header": {v.signed(v.to("GET", action, ""), "", v.key, now), user},
		"POST, named in the query":  {v.signed(v.to("POST", action, ""), "", v.key, now), user},
		"POST, presigned":           {v.presigned(v.to("POST", action, ""), v.key, v.region(), now), user},
		"the endpoint of no Region": {v.presigned(global, v.key, "us-east-1", now), user},
	} {
		v.want(name, c.request, http.StatusOK, "", c.arn)
	}
	// aws-iam-authenticator and Teleport ask for JSON
	var said struct {
		GetCallerIdentityResponse struct {
			GetCallerIdentityResult struct{ Account, Arn, UserId string }
			ResponseMetadata        struct{ RequestId string }
		}
	}
	res, text := v.send(v.presigned(
		v.to("GET", action, "", "Accept", "application/json", "X-Teleport-Challenge", "abc"), v.role, v.region(), now,
	))
	result := &said.GetCallerIdentityResponse
	if err := json.Unmarshal([]byte(text), &said); err != nil || res.StatusCode != http.StatusOK ||
		result.GetCallerIdentityResult.Account != "111122223333" ||
		!strings.HasSuffix(result.GetCallerIdentityResult.Arn, role) ||
		result.GetCallerIdentityResult.UserId == "" || result.ResponseMetadata.RequestId == "" {
		t.Errorf("as JSON: %d %s", res.StatusCode, text)
	}
	res, text = v.send(v.to("GET", action, "", "Accept", "application/json"))
	if res.StatusCode != http.StatusForbidden || !strings.Contains(text, `"Code":"MissingAuthenticationToken"`) {
		t.Errorf("an error as JSON: %d %s", res.StatusCode, text)
	}
}

// replaced is a request whose query has another text in it.
func replaced(r *http.Request, from, to string) *http.Request {
	r.URL.RawQuery = strings.Replace(r.URL.RawQuery, from, to, 1)
	return r
}

// TestForgedIdentitiesAreRefused: nothing that was signed may change, and nothing that gives the
// request its meaning may be left out.
func TestForgedIdentitiesAreRefused(t *testing.T) {
	t.Parallel()
	v := newVerifier(t)
	now := time.Now()
	body := action
	good := func(headers ...string) *http.Request {
		return v.presigned(v.to("GET", action, "", headers...), v.role, v.region(), now)
	}
	header := func(headers ...string) *http.Request {
		return v.signed(v.to("POST", "", body, append(headers, "Content-Type", form)...), body, v.role, now)
	}
	with := func(r *http.Request, name, value string) *http.Request {
		r.Header.Set(name, value)
		return r
	}
	stranger := v.key
	stranger.AccessKeyID = "AKIAIOSFODNN7EXAMPLE"
	guessed := v.key
	guessed.SecretAccessKey = "wrong"
	expired := v4Session(t, v.Server, -time.Second)
	put := good()
	put.Method = http.MethodPut
	posted := good()
	posted.Method = http.MethodPost
	elsewhere := good()
	elsewhere.Host = "sts.eu-west-1.amazonaws.com"
	old, early := now.Add(-16*time.Minute), now.Add(16*time.Minute)
	bodied := v.to("POST", action, body, "Content-Type", form)
	inHeader := header().Header.Get("Authorization")
	stamp := now.UTC().Format("20060102T150405Z")
	const wrong, incomplete, unknown = "SignatureDoesNotMatch", "IncompleteSignature", "InvalidClientTokenId"
	for name, c := range map[string]struct {
		request *http.Request
		status  int
		code    string
	}{
		"unsigned":             {v.to("GET", action, ""), 403, "MissingAuthenticationToken"},
		"unsigned, by POST":    {v.to("POST", "", body, "Content-Type", form), 403, "MissingAuthenticationToken"},
		"a bearer token":       {v.to("GET", action, "", "Authorization", "Bearer x"), 403, incomplete},
		"another secret":       {v.presigned(v.to("GET", action, ""), guessed, v.region(), now), 403, wrong},
		"an unknown key":       {v.presigned(v.to("GET", action, ""), stranger, v.region(), now), 403, unknown},
		"another Region":       {v.presigned(v.to("GET", action, ""), v.key, "eu-west-3", now), 403, wrong},
		"expired":              {v.presigned(v.to("GET", action, ""), v.key, v.region(), old), 403, wrong},
		"not yet":              {v.presigned(v.to("GET", action, ""), v.key, v.region(), early), 403, wrong},
		"expired, made longer": {replaced(good(), "X-Amz-Date=", "X-Amz-Expires=604800&X-Amz-Date="), 403, wrong},
		"an expired session":   {v.presigned(v.to("GET", action, ""), expired, v.region(), now), 403, "ExpiredToken"},
		"another method":       {posted, 403, wrong},
		"PUT":                  {put, 405, "UnsupportedProtocol"},
		"another host":         {elsewhere, 403, wrong},
		"another cluster":      {with(good("X-K8s-Aws-Id", "one"), "X-K8s-Aws-Id", "two"), 403, wrong},
		"no cluster":           {with(good("X-K8s-Aws-Id", "one"), "X-K8s-Aws-Id", ""), 403, wrong},
		"another server of Vault": {
			with(header("X-Vault-Aws-Iam-Server-Id", "one"), "X-Vault-Aws-Iam-Server-Id", "two"), 403, wrong,
		},
		"an unsigned header of AWS": {with(good(), "X-Amz-Extra", "1"), 403, incomplete},
		"a token beside it":         {with(good(), "X-Amz-Security-Token", "x"), 403, incomplete},
		"a date beside it":          {with(good(), "X-Amz-Date", stamp), 403, incomplete},
		"two signatures":            {with(good(), "Authorization", inHeader), 403, incomplete},
		"a signature beside the header's": {
			v.signed(v.to("GET", action+"&X-Amz-Signature=00", ""), "", v.key, now), 403, incomplete,
		},
		"a token cut off":     {replaced(good(), "X-Amz-Security-Token=", "X-Amz-Security-Token=A"), 403, unknown},
		"no token":            {replaced(good(), "X-Amz-Security-Token=", "Other="), 403, unknown},
		"a date twice":        {replaced(good(), "X-Amz-Date=", "X-Amz-Date=2026&X-Amz-Date="), 403, incomplete},
		"another algorithm":   {replaced(good(), "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"), 403, incomplete},
		"no signature":        {replaced(good(), "X-Amz-Signature=", "x="), 403, incomplete},
		"a life of years":     {replaced(good(), "X-Amz-Date=", "X-Amz-Expires=99999999&X-Amz-Date="), 403, incomplete},
		"host is not signed":  {replaced(good(), "SignedHeaders=host", "SignedHeaders=accept"), 403, incomplete},
		"another parameter":   {replaced(good(), "Action=", "Other=1&Action="), 403, wrong},
		"a semicolon":         {replaced(good(), "Action=", "a;b&Action="), 400, "MalformedQueryString"},
		"two actions":         {replaced(good(), "Action=", "Action=AssumeRole&Action="), 400, "ValidationError"},
		"an action in a body": {v.presigned(bodied, v.key, v.region(), now), 400, "ValidationError"},
		"a signed parameter that STS does not know": {
			v.presigned(v.to("GET", action+"&ExternalId=x", ""), v.key, v.region(), now), 400, "ValidationError",
		},
		"no action":       {replaced(good(), "Action=GetCallerIdentity", "x=y"), 400, "MissingAction"},
		"another version": {replaced(good(), "2011-06-15", "2012-06-15"), 400, "InvalidAction"},
		"no version":      {replaced(good(), "Version=2011-06-15", "x=y"), 400, "InvalidAction"},
		"another action":  {replaced(good(), "GetCallerIdentity", "AssumeUser"), 400, "InvalidAction"},
	} {
		v.want(name, c.request, c.status, c.code, "")
	}
}

// TestRefusedProofsAreRecorded: somebody who tries forged identities leaves events, and who tries
// again and again is counted.
func TestRefusedProofsAreRecorded(t *testing.T) {
	t.Parallel()
	v := newVerifier(t)
	events := func() []audit.Event {
		t.Helper()
		all, err := v.Events(t.Context(), center.EventQuery{})
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(all, func(e audit.Event) bool { return e.Result != audit.Refused })
	}
	forged := v.key
	forged.SecretAccessKey = "forged"
	for _, c := range []struct {
		request      *http.Request
		action, code string
		kind         audit.Kind
	}{
		{v.presigned(v.to("GET", action, ""), forged, v.region(), time.Now()), "GetCallerIdentity",
			"SignatureDoesNotMatch", audit.Anonymous},
		{v.to("GET", action, ""), "GetCallerIdentity", "MissingAuthenticationToken", audit.Anonymous},
		{v.to("GET", strings.Replace(action, "GetCallerIdentity", "AssumeUser", 1), ""), "AssumeUser",
			"InvalidAction", audit.Anonymous},
		{v.presigned(v.to("GET", action+"&ExternalId=x", ""), v.key, v.region(), time.Now()), "GetCallerIdentity",
			"ValidationError", audit.AccessKey},
	} {
		before := len(events())
		if res, text := v.send(c.request); res.StatusCode < 400 || !strings.Contains(text, c.code) {
			t.Errorf("%s: %d %s", c.action, res.StatusCode, text)
		}
		if now := events(); len(now) != before+1 || now[0].Action != c.action || now[0].Actor.Kind != c.kind ||
			now[0].Code != center.InvalidRequest.String() || now[0].Detail == "" {
			t.Errorf("%s %s: %d events, the last %+v", c.action, c.code, len(now), now[0])
		}
	}
	before := len(events())
	for range 100 {
		v.send(v.to("GET", action, ""))
	}
	if err := v.FlushRefusals(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	now := events()
	counted := 0
	for _, e := range now[:len(now)-before] {
		counted += max(e.Count, 1)
	}
	if counted != 100 || len(now)-before > 20 {
		t.Errorf("of 100 requests %d are accounted for, in %d events", counted, len(now)-before)
	}
}

// TestNoRequestToAWSEndsInAPage: who verifies an identity looks at the status first, and an SDK
// that is led to a page says nothing that helps.
func TestNoRequestToAWSEndsInAPage(t *testing.T) {
	t.Parallel()
	v := newVerifier(t)
	for _, path := range []string{
		"/", "/start", "/start/", "/start/applications", "/platform/login", "/platform/account", "/console",
		"/console/users", "/start/device", "/authorize", "/nowhere", "//token", "/token", "/logout",
		"/assignment/accounts", "/federation/credentials", "/client/register", "/static/style.css",
		"/tenant/scim/v2/Users",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE"} {
			for _, shape := range []string{
				"Authorization: AWS4-HMAC-SHA256 Credential=x", "Authorization: aws4-hmac-sha256 x",
				"X-Amz-Target: AWSIdentityStore.ListUsers", "X-Amz-Date: 20260101T000000Z", "X-Amz-Security-Token: x",
				"X-Amz-Sso_bearer_token: x", "Amz-Sdk-Invocation-Id: x", "?X-Amz-Signature=00",
				"?x%2Damz-algorithm=AWS4-HMAC-SHA256", "?AWSAccessKeyId=x&Signature=y", "Amz-Sdk-Request: attempt=1",
				"X-Amz-User-Agent: aws-sdk-js/3", "?Action=GetCallerIdentity&Version=2011-06-15",
			} {
				r := v.to(method, "", "")
				r.URL.Path = path
				if name, value, ok := strings.Cut(shape, ": "); ok {
					r.Header.Set(name, value)
				} else {
					r.URL.RawQuery = shape[1:]
				}
				res, text := v.send(r)
				if res.StatusCode < 400 || strings.Contains(res.Header.Get("Content-Type"), "html") ||
					strings.Contains(res.Header.Get("Content-Type"), "text/plain") {
					t.Errorf("%s %s with %s: %d %s %.80s", method, path, shape, res.StatusCode,
						res.Header.Get("Content-Type"), text)
				}
			}
		}
	}
	for _, query := range []string{"Action=GetCallerIdentity", "Version=2011-06-15"} {
		if res, text := v.send(v.to("GET", query, "")); res.StatusCode < 400 || !strings.HasPrefix(text, "<") {
			t.Errorf("%s: %d %.80s", query, res.StatusCode, text)
		}
	}
	for _, path := range []string{"/", "//", "/.", "/%2F", "/start", "/nowhere"} {
		for _, host := range []string{
			"", "sts.amazonaws.com", "sts.eu-west-1.amazonaws.com", "sts.eu-west-1.api.aws:443",
		} {
			query := action
			if host != "" {
				query = ""
			}
			r := v.to("GET", query, "")
			r.Host, r.URL.Opaque = host, path
			res, text := v.send(r)
			if res.StatusCode < 400 || !strings.HasPrefix(text, "<ErrorResponse") {
				t.Errorf("%s at %q: %d %.80s", path, host, res.StatusCode, text)
			}
		}
	}
	for _, host := range []string{"center-1.us-east-1.elb.amazonaws.com", "sts.example.com"} {
		r := v.to("GET", "", "")
		r.Host = host
		if res, _ := v.send(r); res.StatusCode != http.StatusFound {
			t.Errorf("a browser at %s: %d", host, res.StatusCode)
		}
	}
	if res, _ := v.send(v.to("GET", "", "")); res.StatusCode != http.StatusFound {
		t.Errorf("a browser is no longer led to the portal: %d", res.StatusCode)
	}
}

// TestTheCLIsTokenForEKSProvesItsBearer: `aws eks get-token` makes it, and aws-iam-authenticator
// sends it to STS with the name of its own cluster.
func TestTheCLIsTokenForEKSProvesItsBearer(t *testing.T) {
	t.Parallel()
	v := newVerifier(t)
	cli := centertest.NewAWSCLI(t, v.URL, v.region(), v.role.AccessKeyID, v.role.SecretAccessKey)
	cmd := cli.Command(t.Context(), "eks", "get-token", "--cluster-name", "prod", "--output", "json")
	cmd.Env = append(cmd.Env, "AWS_SESSION_TOKEN="+v.role.SessionToken, "AWS_STS_REGIONAL_ENDPOINTS=regional")
	out, err := cmd.Output()
	var made struct{ Status struct{ Token string } }
	if err == nil {
		err = json.Unmarshal(out, &made)
	}
	if err != nil {
		t.Fatalf("aws eks get-token: %v %s", err, out)
	}
	signed, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(made.Status.Token, "k8s-aws-v1."))
	if err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(string(signed))
	if err != nil {
		t.Fatal(err)
	}
	for cluster, status := range map[string]int{"prod": http.StatusOK, "staging": http.StatusForbidden} {
		r := v.to("GET", address.RawQuery, "", "X-K8s-Aws-Id", cluster, "Accept", "application/json")
		r.Host = address.Host // the name that STS has for those who sign
		res, text := v.send(r)
		if res.StatusCode != status || strings.Contains(text, "assumed-role/Reader/ada") != (status == http.StatusOK) {
			t.Errorf("the token at the cluster %s: %d %s", cluster, res.StatusCode, text)
		}
	}
}

// TestEveryOperationOfTheModelIsServedOrRefused: none ends in an unknown action, and what is
// refused says why in AWS's form. Requests that nobody signs at AWS need no signature here either.
func TestEveryOperationOfTheModelIsServedOrRefused(t *testing.T) {
	t.Parallel()
	v := newVerifier(t)
	const role = "RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2FReader"
	const root = "TargetPrincipal=111122223333&TaskPolicyArn.arn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2Fx"
	const saml = "&PrincipalArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Asaml-provider%2Fx&SAMLAssertion=PHg+"
	const web = "&RoleSessionName=ada&WebIdentityToken=a.b.c"
	const signing = "Audience.member.1=x&SigningAlgorithm=RS256"
	for operation, c := range map[string]struct {
		query  string
		signed bool
		status int
		code   string
	}{
		"AssumeRole":                 {role + "&RoleSessionName=ada", true, 403, "AccessDenied"},
		"AssumeRoleWithSAML":         {role + saml, false, 403, "AccessDenied"},
		"AssumeRoleWithWebIdentity":  {role + web, false, 403, "AccessDenied"},
		"AssumeRoot":                 {root, true, 403, "AccessDenied"},
		"DecodeAuthorizationMessage": {"EncodedMessage=x", true, 400, "InvalidAuthorizationMessageException"},
		"GetAccessKeyInfo":           {"AccessKeyId=" + v.key.AccessKeyID, true, 200, ""},
		"GetCallerIdentity":          {"", true, 200, ""},
		"GetDelegatedAccessToken":    {"TradeInToken=x", true, 403, "AccessDenied"},
		"GetFederationToken":         {"Name=ada", true, 403, "AccessDenied"},
		"GetSessionToken":            {"DurationSeconds=900", true, 403, "AccessDenied"},
		"GetWebIdentityToken":        {signing, true, 403, "OutboundWebIdentityFederationDisabledException"},
	} {
		body := "Action=" + operation + "&Version=2011-06-15"
		ask := func(body string, signed bool) (*http.Response, string) {
			r := v.to("POST", "", body, "Content-Type", form)
			if signed {
				r = v.signed(r, body, v.key, time.Now())
			}
			return v.send(r)
		}
		whole := body
		if c.query != "" {
			whole += "&" + c.query
		}
		res, text := ask(whole, c.signed)
		if res.StatusCode != c.status || c.code != "" && !strings.Contains(text, "<Code>"+c.code+"</Code>") {
			t.Errorf("%s: %d %s, want %d %s", operation, res.StatusCode, text, c.status, c.code)
		}
		if !strings.HasPrefix(text, "<"+operation+"Response xmlns=") &&
			!strings.HasPrefix(text, "<ErrorResponse xmlns=") {
			t.Errorf("%s: %s", operation, text)
		}
		res, text = ask(whole+"&Nonsense.member.1=x", c.signed)
		if res.StatusCode != 400 || !strings.Contains(text, "ValidationError") || !strings.Contains(text, "Nonsense") {
			t.Errorf("%s with a parameter that it does not know: %d %s", operation, res.StatusCode, text)
		}
		if operation != "GetCallerIdentity" && operation != "GetSessionToken" {
			res, text = ask(body, c.signed)
			if res.StatusCode != 400 || !strings.Contains(text, "Member must not be null") {
				t.Errorf("%s without what it needs: %d %s", operation, res.StatusCode, text)
			}
		}
		res, text = ask(whole, false)
		if c.signed && (res.StatusCode != 403 || !strings.Contains(text, "MissingAuth")) {
			t.Errorf("%s unsigned: %d %s", operation, res.StatusCode, text)
		}
	}
	for query, code := range map[string]string{
		"Tags.member.1.Key=a&Tags.member.1.Value=b&Tags.member.1.Key=c": "ValidationError",

		"Tags.1.Key=a": "ValidationError", "Tags.member.0.Key=a": "ValidationError",
		"Tags.member.01.Key=a": "ValidationError", "Tags.member.99999.Key=a": "ValidationError",
		"Tags.member.1=a": "ValidationError", "TransitiveTagKeys.member.1.x=a": "ValidationError",
		"RoleArn.x=a": "ValidationError", "DurationSeconds=x": "MalformedInput", "Tags=": "AccessDenied",
	} {
		body := action[:7] + "AssumeRole&Version=2011-06-15&" + role + "&RoleSessionName=ada&" + query
		res, text := v.send(v.signed(v.to("POST", "", body, "Content-Type", form), body, v.key, time.Now()))
		if !strings.Contains(text, "<Code>"+code+"</Code>") {
			t.Errorf("%s: %d %s, want %s", query, res.StatusCode, text, code)
		}
	}
}
