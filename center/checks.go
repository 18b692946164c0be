package center

// The checks of a response that take the center's memory. All others are saml's.
const (
	checkFresh      = "fresh"
	checkAttributes = "attributes"
)

// checkRemedies says what to do about a response that failed a check, by the check's name. A test
// compares them with the checks that there are.
var checkRemedies = map[string]string{
	"encoding": "look for a proxy or a browser extension that rewrites forms between the identity provider and " +
		"this center",
	"document": "the message is not a plain SAML response: make sure that the identity provider's software is up " +
		"to date",
	"status": "the identity provider refused the sign-in: see its sign-in log for the reason",
	"one-assertion": "configure the identity provider to send exactly one assertion; if it already does, " +
		"somebody has tampered with the response",
	"not-encrypted": "in the identity provider, turn off assertion (token) encryption for this application",
	"signature": "the identity provider signs with a certificate that is not stored here: download its metadata " +
		"again and add the certificate in Settings. If the certificate is the same, the response was " +
		"altered in transit",
	"algorithm": "in the identity provider, set the application's signing algorithm to SHA-256 and leave " +
		"canonicalization at its default",
	"size": "configure the identity provider to send fewer attributes, or fewer values such as group names",
	"destination": "in the identity provider, set the application's reply URL (assertion consumer service) to the " +
		"expected value",
	"recipient": "in the identity provider, set the application's reply URL (assertion consumer service) to the " +
		"expected value",
	"audience": "in the identity provider, set the application's identifier (entity ID, audience) to the expected " +
		"value",
	"issuer": "the metadata stored here belongs to another identity provider or tenant: upload the metadata of " +
		"this application",
	"time": "the clocks of the identity provider and of this machine differ by more than three minutes: " +
		"synchronize both (NTP)",
	"in-response-to": "the response answers another request than it says: start the sign-in again; if it fails " +
		"again, look for tampering",
	"bearer":  "configure the identity provider to confirm the subject as a bearer, which is the default",
	"version": "configure the identity provider to use SAML 2.0",
	"subject": "configure the identity provider to name the user in the assertion's subject",
	"name-id": "in the identity provider, set the application's name identifier to the format emailAddress and " +
		"to the value that is the user name here",
	"response-version": "configure the identity provider to use SAML 2.0: its response has another version",
	"issue-instant": "the identity provider issued the response more than an hour ago, or in the future: start the " +
		"sign-in again; if it fails again, synchronize both clocks (NTP)",
	"condition": "the identity provider adds a condition to its assertions that this center does not know or must " +
		"not meet: remove it from the application's settings there",
	"validity": "in the identity provider, shorten the lifetime of assertions (tokens) for this application to a " +
		"day at most; an hour is enough",
	"authn-statement": "configure the identity provider to say in an AuthnStatement when the user signed in, " +
		"which is the default",
	"authn-instant": "the identity provider says that the user signed in at a time in the future: synchronize both " +
		"clocks (NTP). Three minutes are allowed",
	"idp-initiated": "sign-in that starts at the identity provider is turned off here: start at the access " +
		"portal, or allow it in Settings or with gatehouse identity-source idp-initiated on",

	checkFresh: "configure the identity provider to honor ForceAuthn for this application, and to say in " +
		"AuthnInstant when the user signed in",
	checkAttributes: "send at most 50 attributes for access control, each once and with one plain value: change the " +
		"claims in the identity provider",
}
