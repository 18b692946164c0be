package awsapi

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Verifier checks Signature Version 4.
type Verifier struct {
	Region string // the only region accepted in the credential scope
	Now    func() time.Time
	// Lookup finds an access key. token is the session token, or "". It fails with an *Error.
	Lookup func(ctx context.Context, accessKeyID, token string) (Credential, error)

	keys signingKeys
}

const (
	algorithm        = "AWS4-HMAC-SHA256"
	amzDate          = "20060102T150405Z"
	maxSkew          = 15 * time.Minute //bound:life an AWS signature, before and after the server's time
	maxAuthorization = 4096             //bound:text the Authorization header of an AWS request, in bytes
	maxHeaders       = 64               //bound:list signed headers of an AWS request
)

// authorization is a parsed Authorization header.
type authorization struct {
	key, date, region, service string
	signed                     []string
	signature                  string
}

func incomplete(message string) error {
	return &Error{Code: "IncompleteSignatureException", Message: message}
}

func parseAuthorization(header string) (a authorization, err error) {
	if header == "" {
		return a, &Error{
			Code:    "MissingAuthenticationTokenException",
			Message: "Missing Authentication Token",
			Status:  http.StatusForbidden,
		}
	}
	rest, ok := strings.CutPrefix(header, algorithm+" ")
	if !ok || len(header) > maxAuthorization {
		return a, incomplete("Authorization header requires the algorithm " + algorithm)
	}
	var credential, signed, signature string
	for p := range strings.SplitSeq(rest, ",") {
		k, v, ok := strings.Cut(strings.TrimSpace(p), "=")
		var part *string
		switch k {
		case "Credential":
			part = &credential
		case "SignedHeaders":
			part = &signed
		case "Signature":
			part = &signature
		}
		if !ok || part == nil || *part != "" || v == "" {
			return a, incomplete("Authorization header is not well-formed")
		}
		*part = v
	}
	return newAuthorization(credential, signed, signature)
}

// newAuthorization reads the three parts that a signature has in a header and in a query.
func newAuthorization(credential, signed, signature string) (a authorization, err error) {
	scope := strings.Split(credential, "/")
	if len(scope) != 5 || scope[4] != "aws4_request" || scope[0] == "" {
		return a, incomplete("Credential must have the form key/date/region/service/aws4_request")
	}
	a = authorization{scope[0], scope[1], scope[2], scope[3], strings.Split(signed, ";"), signature}
	if len(a.signature) != 64 || len(a.signed) > maxHeaders || !ascend(a.signed) {
		return a, incomplete("a signature requires sorted SignedHeaders and a Signature")
	}
	return a, nil
}

// ascend says whether names of headers are in lower case and in their order, each once.
func ascend(names []string) bool {
	before := ""
	for _, name := range names {
		if name <= before || name != strings.ToLower(name) {
			return false
		}
		before = name
	}
	return true
}

// once are headers that a request must not have twice: one reader would take the first, another one
// the last, and the signature has both.
var once = []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Target"}

// Credential is the secret of an access key, and who it belongs to.
type Credential struct {
	Secret string
	Caller Caller
}

// Verify checks the signature of a request whose body has been read, for the service. It fails with
// an *Error; the caller is then what is known so far.
func (v *Verifier) Verify(r *http.Request, body []byte, service string) (Caller, error) {
	c, err := v.claim(r, service)
	if err != nil {
		return c.of, err
	}
	return v.prove(c, r, body)
}

// claim is what a request says of its caller, in its headers or in its query.
type claim struct {
	authorization
	stamp   string
	token   string // of the session
	inQuery bool
	secret  string
	of      Caller // as far as it is known
}

// claim is the claim of a request to a service of this Region.
func (v *Verifier) claim(r *http.Request, service string) (claim, error) {
	return v.claimOfHeaders(r, service, v.Region)
}

// claimOfHeaders checks all that can be checked without the body, so that no stranger's body is
// read.
func (v *Verifier) claimOfHeaders(r *http.Request, service, region string) (claim, error) {
	for _, name := range once {
		if len(r.Header.Values(name)) > 1 {
			return claim{}, incomplete("The request has more than one " + name + " header")
		}
	}
	a, err := parseAuthorization(r.Header.Get("Authorization"))
	if err != nil {
		return claim{}, err
	}
	c := claim{authorization: a, of: Caller{AccessKeyID: a.key}}
	c.stamp, c.token = r.Header.Get("X-Amz-Date"), r.Header.Get("X-Amz-Security-Token")
	return v.check(c, r, service, region)
}

// check looks at everything in a claim but the signature.
func (v *Verifier) check(c claim, r *http.Request, service, region string) (claim, error) {
	a := c.authorization
	at, err := time.Parse(amzDate, c.stamp)
	if err != nil || len(c.stamp) != len(amzDate) { // time.Parse takes fractions of a second as well
		return c, incomplete("X-Amz-Date is missing, or does not have the form " + amzDate)
	}
	if day := c.stamp[:8]; a.date != day { // exactly: a key that is made without a day would be good for ever
		return c, &Error{
			Code:   "InvalidSignatureException",
			Status: http.StatusForbidden,
			Message: "Date in Credential scope does not match " +
				"YYYYMMDD from ISO-8601 version of date from HTTP: '" + a.date + "' != '" + day + "', from '" +
				c.stamp + "'.",
		}
	}
	if a.region != region || a.service != service {
		return c, &Error{
			Code:    "InvalidSignatureException",
			Message: "Credential should be scoped to a valid region and service: want " + region + "/" + service,
			Status:  http.StatusForbidden,
		}
	}
	if err := requireSigned(r, a.signed); err != nil {
		return c, err
	}
	if err := current(c.stamp, at, v.Now()); err != nil {
		return c, err
	}
	known, err := v.Lookup(r.Context(), a.key, c.token)
	if err != nil {
		return c, err
	}
	c.secret, c.of = known.Secret, known.Caller
	return c, nil
}

// current refuses the signature of another time, in AWS's sentences.
func current(stamp string, at, now time.Time) error {
	off, says := now.Sub(at), ""
	now = now.UTC()
	switch span := strconv.Itoa(int(maxSkew/time.Minute)) + " min.)"; {
	case off > maxSkew:
		says = "Signature expired: " + stamp + " is now earlier than " + now.Add(-maxSkew).Format(amzDate) +
			" (" + now.Format(amzDate) + " - " + span
	case off < -maxSkew:
		says = "Signature not yet current: " + stamp + " is still later than " + now.Add(maxSkew).Format(amzDate) +
			" (" + now.Format(amzDate) + " + " + span
	default:
		return nil
	}
	return &Error{Code: "InvalidSignatureException", Message: says, Status: http.StatusForbidden}
}

// prove compares the signature of a claim with the one of the whole request.
func (v *Verifier) prove(c claim, r *http.Request, body []byte) (Caller, error) {
	a := c.authorization
	var query url.Values
	if r.URL.RawQuery != "" {
		var err error
		if query, err = url.ParseQuery(r.URL.RawQuery); err != nil { // the rest of it would not be signed
			return Caller{AccessKeyID: a.key}, incomplete("The query string contains a syntax error")
		}
	}
	if c.inQuery {
		delete(query, "X-Amz-Signature")
	}
	toSign := strings.Join(
		[]string{
			algorithm, c.stamp, a.date + "/" + a.region + "/" + a.service + "/aws4_request",
			hashHex(canonicalRequest(r, query, body, a.signed)),
		},
		"\n",
	)
	want := hex.EncodeToString(mac(v.keys.get(scopeOf{a.key, c.secret, a.date, a.region, a.service}), toSign))
	if subtle.ConstantTimeCompare([]byte(want), []byte(a.signature)) != 1 {
		return Caller{AccessKeyID: a.key}, &Error{
			Code:   "InvalidSignatureException",
			Status: http.StatusForbidden,
			Message: "The request signature we calculated does not match the signature you provided. Check your " +
				"AWS Secret Access Key and signing method.",
		}
	}
	return c.of, nil
}

// onTheWay are headers that CloudFront adds to a request which the client has signed before. They
// say nothing to a service. Source: CloudFront, "Request and response behavior for custom origins";
// IAM, "Create a signed AWS API request", asks that all others are signed.
var onTheWay = []string{"X-Amz-Cf-Id"}

// requireSigned demands that everything that gives the request its meaning is signed: host, the
// operation, the date, the token.
func requireSigned(r *http.Request, signed []string) error {
	if !slices.Contains(signed, "host") {
		return incomplete("SignedHeaders must contain host")
	}
	for name := range r.Header {
		if !strings.HasPrefix(name, "X-Amz-") { // net/http has brought names into this form
			continue
		}
		if lower := strings.ToLower(name); !slices.Contains(signed, lower) && !slices.Contains(onTheWay, name) {
			return incomplete("SignedHeaders must contain " + lower)
		}
	}
	return nil
}

// canonicalRequest is the request in the form that is signed. The body is hashed here; the header
// with its hash is not believed.
func canonicalRequest(r *http.Request, query url.Values, body []byte, signed []string) []byte {
	b := make([]byte, 0, 1024)
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	if path != "/" {
		path = escapePath(path)
	}
	b = append(append(append(append(b, r.Method...), '\n'), path...), '\n')
	b = append(append(b, canonicalQuery(query)...), '\n')
	for _, name := range signed {
		values := r.Header.Values(name)
		if name == "host" {
			values = []string{r.Host}
		}
		if name == "content-length" && len(values) == 0 {
			values = []string{strconv.FormatInt(r.ContentLength, 10)}
		}
		b = append(append(b, name...), ':')
		for i, v := range values {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, squeezed(v)...)
		}
		b = append(b, '\n')
	}
	b = append(b, '\n')
	for i, name := range signed {
		if i > 0 {
			b = append(b, ';')
		}
		b = append(b, name...)
	}
	return append(append(b, '\n'), hashHex(body)...)
}

// squeezed takes the blanks around a value away and makes those within single ones.
func squeezed(v string) string {
	if !strings.ContainsAny(v, " \t\r\n") {
		return v
	}
	return strings.Join(strings.Fields(v), " ")
}

// scopeOf is what a signing key is made of.
type scopeOf struct{ key, secret, date, region, service string }

// signingKeys remembers the keys that signatures are made with: one is good for a day, and making
// it costs four times as much as using it.
type signingKeys struct {
	mu   sync.RWMutex
	keys map[scopeOf][]byte
}

// maxSigningKeys bounds what is remembered.
const maxSigningKeys = 256 //bound:memory derived signing keys

func (s *signingKeys) get(scope scopeOf) []byte {
	s.mu.RLock()
	key := s.keys[scope]
	s.mu.RUnlock()
	if key != nil {
		return key
	}
	key = []byte("AWS4" + scope.secret)
	for _, part := range []string{scope.date, scope.region, scope.service, "aws4_request"} {
		key = mac(key, part)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil || len(s.keys) >= maxSigningKeys {
		s.keys = map[scopeOf][]byte{}
	}
	s.keys[scope] = key
	return key
}

// escapePath encodes the encoded path once more, as all services but S3 want it.
func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = escape(p)
	}
	return strings.Join(parts, "/")
}

// escape is RFC 3986 percent-encoding, with a blank as %20.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// canonicalQuery is sorted by names, and by values where names are the same.
func canonicalQuery(q url.Values) string {
	if len(q) == 0 {
		return ""
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(q)) {
		values := slices.Clone(q[name])
		for i, v := range values {
			values[i] = escape(name) + "=" + escape(v)
		}
		slices.Sort(values)
		pairs = append(pairs, values...)
	}
	return strings.Join(pairs, "&")
}

func hashHex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text)) // never fails
	return h.Sum(nil)
}
