package signin

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
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

var number = regexp.MustCompile(`AADSTS(\d{4,8})`)

// remedy is what to do when a sign-in answered so.
func remedy(say string) string {
	do := ""
	if m := number.FindStringSubmatch(say); m != nil {
		n, _ := strconv.Atoi(m[1]) // digits
		if do = graph.SignInCodeOf(n).Run; do == "" {
			do = "https://login.microsoftonline.com/error?code=" + m[1] + " says what that means"
		}
	}
	switch {
	case do != "":
	case strings.Contains(say, "az login"):
		do = "run az login, then run this again"
	case strings.Contains(say, "signal: killed"):
		do = "the Azure CLI did not answer within a minute, and was ended: see what az account get-access-token " +
			"says, or use another --sign-in"
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
