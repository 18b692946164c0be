package awsstandin

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Trouble is how both sides are not as they should be. What is nil is well; a status of 0 leaves
// the answer to the side itself.
type Trouble struct {
	AWS     func(service, region, operation string) (status int, body string)
	Entra   func(*http.Request) (status int, body string)
	Console string // what AWS's console says instead of making a token
	Source  string // the identity source that it shows
}

// otherStore begins the paths of an endpoint of another identity store in the same Region, which
// knows nobody and takes every token.
const otherStore = "/0b2c7d1e-1111-4222-8333-444455556666/"

// OtherEndpoint is the SCIM endpoint of another identity store.
func (a *AWS) OtherEndpoint() string { return "https://" + scimHost + otherStore + "scim/v2" }

// Listing is how both sides stand: two that are the same say that nothing was changed.
func (a *AWS) Listing() string {
	a.t.Helper()
	ctx := a.t.Context()
	d, err := a.admin.DescribeDirectory(ctx)
	a.must(err)
	configurations, err := a.admin.Configurations(ctx)
	a.must(err)
	tenants, err := a.admin.Tenants(ctx)
	a.must(err)
	apps, err := a.tenant.Applications(ctx)
	a.must(err)
	names := []string{}
	for _, x := range apps {
		names = append(names, x.DisplayName)
	}
	text, err := json.Marshal([]any{d, configurations, tenants, names})
	a.must(err)
	return string(text)
}

// Trouble begins, in place of what there was before.
func (a *AWS) Trouble(t Trouble) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trouble = t
}

func (a *AWS) troubled() Trouble {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.trouble
	if t.AWS == nil {
		t.AWS = func(string, string, string) (int, string) { return 0, "" }
	}
	if t.Entra == nil {
		t.Entra = func(*http.Request) (int, string) { return 0, "" }
	}
	return t
}

// elsewhere answers in another Region than the primary one: an instance is seen there only where it
// has been replicated to, and in every one of them by who asks for all.
func (a *AWS) elsewhere(w http.ResponseWriter, r *http.Request, at service) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	lists := strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".ListInstances")
	if lists && at.region != Additional && !bytes.Contains(body, []byte("ALL")) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, _ = io.WriteString(w, `{"Instances":[]}`)
		return
	}
	// #nosec G704 -- to our own center
	out, err := http.NewRequestWithContext(r.Context(), http.MethodPost, a.direct+"/", bytes.NewReader(body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	for _, name := range []string{"Content-Type", "X-Amz-Target"} {
		if v := r.Header.Get(name); v != "" {
			out.Header.Set(name, v)
		}
	}
	sum := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(
		r.Context(), aws.Credentials{AccessKeyID: a.admin.AccessKeyID, SecretAccessKey: a.admin.SecretAccessKey}, out,
		hex.EncodeToString(sum[:]), at.name, Region, time.Now(),
	)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	res, err := http.DefaultClient.Do(out) // #nosec G704 -- to our own center
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	w.Header().Set("Content-Type", res.Header.Get("Content-Type"))
	w.WriteHeader(res.StatusCode)
	_, _ = io.Copy(w, res.Body)
}
