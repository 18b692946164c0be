package signin

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/gatehouse-id/gatehouse/graph"
)

// named tells errors of signing in from those of asking, and says what to do. A sign-in that failed
// is remembered for a moment: whoever asks for ten things at once must not be asked ten times to
// sign in.
type named struct {
	source oauth2.TokenSource

	mu     sync.Mutex
	failed error
	at     time.Time
}

const failedFor = 20 * time.Second //bound:wait a sign-in that failed is not tried again

// Token implements oauth2.TokenSource.
func (n *named) Token() (*oauth2.Token, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.failed != nil && time.Since(n.at) < failedFor {
		return nil, n.failed
	}
	t, err := n.source.Token()
	if n.failed = nil; err != nil {
		say := said(err)
		n.failed, n.at = &graph.SignInError{Err: err, Say: say, Do: remedy(say)}, time.Now()
		return nil, n.failed
	}
	return t, nil
}

const maxSaid = 400 //bound:text what a sign-in answered

// said is what the sign-in answered. Its answer has the reason; what the library puts around it has
// addresses.
func said(err error) string {
	var refused *oauth2.RetrieveError
	text := err.Error()
	switch {
	case errors.As(err, &refused) && refused.ErrorDescription != "":
		text = refused.ErrorDescription
	case refused != nil && refused.ErrorCode == "":
		text = fmt.Sprintf("the sign-in URL answered %d", refused.Response.StatusCode)
		if what := graph.WebPage(refused.Response.Header.Get("Content-Type"), refused.Body); what != "" {
			text += " with " + what
		}
	case strings.HasPrefix(text, "oauth2: cannot parse json"):
		text = "what answers at the sign-in URL is no token, such as the page of a proxy"
	}
	text, _, _ = strings.Cut(strings.Join(strings.Fields(text), " "), " Trace ID: ")
	if i := strings.Index(text, "AADSTS"); i > 0 { // the official library tells its requests before
		text = text[i:]
	}
	if runes := []rune(text); len(runes) > maxSaid {
		text = string(runes[:maxSaid]) + "…"
	}
	return text
}

const (
	again      = "sign in again (such as with az login), then run this again"
	newSecret  = "make a new client secret (App registrations > Certificates & secrets), give its value and not its id"
	condition  = "Conditional Access stops this sign-in: the entry in Entra's sign-in log names the policy"
	registered = "look at --client-id and --login-url: the application is registered in another tenant, or was deleted"
)

// remedies are by the number of an error. Source: "Microsoft Entra authentication and authorization
// error codes".
var remedies = map[string]string{
	"7000222": newSecret, "7000215": newSecret, "70002": newSecret,
	"700016": registered, "700011": registered, "7000112": "the application is disabled: enable it",
	"90002": "look at --login-url: no tenant has this id", "900023": "look at --login-url: no tenant has this id",
	"50059": "look at --login-url: it has no tenant id",
	"53003": condition, "53000": condition, "53001": condition, "53002": condition, "53004": condition,
	"530003": condition, "530032": condition, "530035": condition, "50131": condition, "50097": condition,
	"50005": condition,
	"50076": again + ": a second factor is asked for",
	"50079": again + ": a second factor has to be registered first",
	"50072": again + ": a second factor has to be registered first", "50078": again,
	"70043": again, "70044": again, "700082": again, "700084": again, "50173": again, "50132": again, "50133": again,
	"70008": again, "50089": again, "70000": again,
	"65001": "have an administrator grant consent to the application (API permissions > Grant admin consent)",
	"90094": "have an administrator grant consent to the application (API permissions > Grant admin consent)",
	"65002": "the client id is one of Microsoft's own, which may not ask for this: register an application of yours, " +
		"and give --client-id",
	"7000218": "the application is no public client: allow public client flows (Authentication), or use --sign-in " +
		"client",
	"700025": "the application is a public client and takes no secret: use --sign-in device-code or browser",
	"700027": "the certificate or the assertion is not one of the application's registration: upload it again",
	"700213": "no federated credential of the application fits this workload's token: compare issuer and subject",
	"500133": "the token that stands for the workload has expired, or a clock is wrong: set the clock",
	"500021": "a proxy's tenant restrictions do not list this tenant: have it added",
	"500022": "a proxy's tenant restrictions do not list this tenant: have it added",
	"50020":  "the account is no guest of this tenant: sign in with another one, or name its tenant with --login-url",
	"500011": "Microsoft Graph is not known to this tenant: name the right cloud with --login-url and --graph-url",
	"50034":  "this tenant has no such account: sign in with another one",
	"50057":  "the account is disabled: sign in with another one",
}

var number = regexp.MustCompile(`AADSTS(\d{4,8})`)

// remedy is what to do when a sign-in answered so.
func remedy(say string) string {
	do := ""
	if m := number.FindStringSubmatch(say); m != nil {
		if do = remedies[m[1]]; do == "" {
			do = "https://login.microsoftonline.com/error?code=" + m[1] + " says what that means"
		}
	}
	switch {
	case do != "":
	case strings.Contains(say, "az login"):
		do = "run az login, then run this again"
	case strings.Contains(say, "Azure CLI not found"):
		do = "install the Azure CLI, or use another --sign-in"
	case strings.Contains(say, "a web page"), strings.Contains(say, "the page of a proxy"):
		do = "a proxy or a sign-in page stands between, or --login-url is another address than the tenant's"
	case strings.Contains(say, "the sign-in URL answered"):
		do = "look at --login-url"
	default:
		do = "look at --sign-in and --login-url"
	}
	return strings.ToUpper(do[:1]) + do[1:]
}
