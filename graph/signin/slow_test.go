package signin

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// asked is a credential that remembers how long it may take, and is ended as az is.
type asked struct{ until time.Time }

func (a *asked) GetToken(ctx context.Context, _ policy.TokenRequestOptions) (azcore.AccessToken, error) {
	a.until, _ = ctx.Deadline()
	return azcore.AccessToken{}, errors.New("AzureCLICredential: signal: killed. To troubleshoot, visit …")
}

// TestASlowAzureCLIIsWaitedFor for longer than the library does, and is named when it does not
// answer.
func TestASlowAzureCLIIsWaitedFor(t *testing.T) {
	t.Parallel()
	credential, began := &asked{}, time.Now()
	_, err := (&named{source: azureTokens{t.Context(), credential, "scope", cliTime}}).Token()
	if err == nil || !strings.Contains(err.Error(), "Azure CLI did not answer") {
		t.Errorf("it says %v", err)
	}
	if credential.until.Before(began.Add(cliTime)) {
		t.Errorf("it may take until %s, from %s", credential.until, began)
	}
}
