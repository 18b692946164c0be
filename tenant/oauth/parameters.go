package oauth

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// Parameters that nobody knows are ignored (RFC 6749, 3.1). Those that would change what a request
// means, and that this door does not do, are refused.

// repeated returns a parameter that is there twice, which RFC 6749, 3.1 and 3.2, forbids: two
// readers could each read another one.
func repeated(values url.Values) string {
	for name, all := range values {
		if len(all) > 1 {
			return name
		}
	}
	return ""
}

// The forms of a challenge by S256 and of a verifier, and of max_age.
var (
	challengeForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`) })
	verifierForm  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9._~-]+$`) })
	maxAgeForm    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9]{1,9}$`) })
)

// How long a verifier is (RFC 7636, 4.1).
const (
	minVerifier = 43  //bound:none how short, not how long
	maxVerifier = 128 //bound:text a code verifier of PKCE
)

func isVerifier(text string) bool {
	return len(text) >= minVerifier && len(text) <= maxVerifier && verifierForm().MatchString(text)
}

// prompts are the values of prompt. Sources: OpenID Connect Core, 3.1.2.1; Entra ID, "OAuth 2.0
// authorization code flow".
var prompts = []string{"login", "none", "consent", "select_account"}

// unsupported returns what is wrong with a request to /authorize that asks for something that this
// door does not do, or "".
func unsupported(q url.Values) (code, text string) {
	asked := strings.Fields(q.Get("prompt"))
	switch {
	case repeated(q) != "":
		return "invalid_request", "AADSTS9000411: The request is not properly formatted. The parameter '" + printable(
			repeated(q),
		) + "' is duplicated."
	case q.Has("request"):
		return "request_not_supported", "AADSTS900144: The parameter 'request' is not supported."
	case q.Has("request_uri"):
		return "request_uri_not_supported", "AADSTS900144: The parameter 'request_uri' is not supported."
	case q.Has("registration"):
		return "registration_not_supported", "AADSTS900144: The parameter 'registration' is not supported."
	case q.Has("resource"):
		return "invalid_request", "AADSTS901002: The 'resource' request parameter is not supported."
	case slices.ContainsFunc(asked, func(p string) bool { return !slices.Contains(prompts, p) }),
		slices.Contains(asked, "none") && len(asked) > 1:
		return "invalid_request", "AADSTS90023: Unsupported 'prompt' value."
	}
	return "", ""
}

// form reads the body of a request to an endpoint of programs. Without ok the request was answered.
func (h *Handler) form(w http.ResponseWriter, r *http.Request) (ok bool) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	number, text := 900144, ""
	switch err := r.ParseForm(); {
	case err != nil:
		text = "The request body is not a form."
	case repeated(r.PostForm) != "":
		number, text = 9000411, "The request is not properly formatted. The parameter '"+printable(
			repeated(r.PostForm),
		)+"' is duplicated."
	case r.PostForm.Has("resource"):
		number, text = 901002, "The 'resource' request parameter is not supported."
	default:
		return true
	}
	h.answer(w, r, http.StatusBadRequest, "invalid_request", number, text)
	return false
}

// oneProof refuses a request that proves the client in two ways. Source: RFC 6749, 2.3.
func oneProof(r *http.Request) error {
	proofs := 0
	for _, there := range []bool{
		r.Header.Get("Authorization") != "", r.PostForm.Get("client_secret") != "",
		r.PostForm.Get("client_assertion") != "",
	} {
		if there {
			proofs++
		}
	}
	if proofs > 1 {
		return &refusal.Error{Code: tenant.InvalidRequest, Detail: "The client must authenticate in exactly one way"}
	}
	return nil
}

// narrowScopes returns the scopes of tokens where a program asks for some of those that it was
// given. It fails with ScopeInvalid when it asks for others. Source: RFC 6749, 6.
func (h *Handler) narrowScopes(given []string, asked string) ([]string, error) {
	wanted := strings.Fields(asked)
	if _, known := h.permissions(wanted); !known {
		return nil, &refusal.Error{Code: tenant.ScopeInvalid}
	}
	all, _ := h.permissions(given)
	var some []string
	for _, s := range wanted {
		switch names, _ := h.permissions([]string{s}); {
		case slices.Contains(openID, s):
		case strings.HasSuffix(s, "/.default"), s == ".default": // what was given, as it is
			return given, nil
		case names[0] != "User.Read" && !slices.Contains(all, names[0]): // everybody may know who they are
			return nil, &refusal.Error{Code: tenant.ScopeInvalid, Detail: "the user has not allowed " + printable(s)}
		default:
			some = append(some, s)
		}
	}
	if len(some) == 0 {
		return given, nil
	}
	for _, s := range given {
		if slices.Contains(openID, s) {
			some = append(some, s)
		}
	}
	return some, nil
}
