package rehearse

import (
	"testing"

	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// TestNothingOfACopyLeadsToTheOriginal: the addresses of AWS's side become those of the copy, in
// all forms that AWS has, and others stay.
func TestNothingOfACopyLeadsToTheOriginal(t *testing.T) {
	t.Parallel()
	c := centertest.New(t, "http://127.0.0.1:8090")
	at := addresses(c)
	for from, want := range map[string]string{
		"https://eu-west-1.signin.aws.amazon.com/platform/saml/d-0123456789":  c.EntityID(),
		"https://eu-west-1.signin.aws.amazon.com/platform/saml/acs/0123-4567": c.ACSURL(),
		"https://eu-west-1.sso.signin.aws/platform/saml/acs/0123-4567":        c.ACSURL(),
		"https://d-0123456789.awsapps.com/start":                              c.PortalURL(),
		"https://ssoins-0123456789abcdef.eu-west-1.portal.amazonaws.com":      c.PortalURL(),
		"https://ssoins-0123456789abcdef.portal.eu-west-1.app.aws":            c.PortalURL(),
		"http://127.0.0.1:8080/start":                                         c.PortalURL(),
		"https://reports.example/saml":                                        "https://reports.example/saml",
		"":                                                                    "",
	} {
		if got := at(from); got != want {
			t.Errorf("%s becomes %s, want %s", from, got, want)
		}
	}
}
