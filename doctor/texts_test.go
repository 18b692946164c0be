package doctor_test

import (
	"testing"

	"github.com/gatehouse-id/gatehouse/doctor"
)

// TestWhatPeopleSeeHasAMeaning asks about texts alone, as somebody does who has no access to
// either side.
func TestWhatPeopleSeeHasAMeaning(t *testing.T) {
	for text, want := range map[string]string{
		"AADSTS50105: Your administrator blocks users": "AADSTS50105",
		"aadsts700016":                     "AADSTS700016",
		"50011":                            "AADSTS50011",
		"AADSTS7000215 invalid secret":     "AADSTS7000215",
		"AADSTS999999":                     "AADSTS999999",
		"An unexpected error has occurred": "no user for the sign-in",
		"It's not you, it's us. We couldn't complete your request right now":     "no user for the sign-in",
		"Looks like this code isn't right. Please try again.":                    "no user for the sign-in",
		"Invalid MFA credentials":                                                "no user for the sign-in",
		"Refused to create a new, duplicate resource":                            "duplicate",
		"ConflictException: Duplicate GroupDisplayName":                          "duplicate",
		"Email address already exists":                                           "duplicate",
		"Request is unparsable or violates schema":                               "violates schema",
		"MissingValues: name.familyName":                                         "violates schema",
		"List attribute emails exceeds allowed limit of 1":                       "several values",
		"Currently list attributes only allow single item":                       "several values",
		"SystemForCrossDomainIdentityManagementCredentialValidationFailure":      "token refused",
		"unexpected response from your application: StatusCode 401":              "token refused",
		"with an explicit deny in a service control policy":                      "control policy",
		"KMS key policy does not allow kms:Decrypt":                              "key policy",
		"400 Replacing group memberships is not supported.":                      "members cannot be replaced",
		"The provisioning job is in quarantine":                                  "quarantine",
		"Skipped: NotEffectivelyEntitled":                                        "not entitled",
		"This operation is not supported for account instances":                  "account instance",
		"An error occurred (InvalidClientException): Invalid client provided":    "cli region",
		"ForbiddenException: No access":                                          "cli role",
		"You do not have any applications":                                       "nothing assigned",
		"Not authorized to perform sts:AssumeRoleWithSAML":                       "IAM federation",
		"Your request included an invalid SAML response. To logout, click here.": "IAM federation",
		"Not a valid response for the provided request id: aws_123":              "stale request",
		"Assertion is no longer valid":                                           "assertion too old",
		"Responses must contain exactly one Assertion":                           "encrypted assertion",
		"the number of deletions exceeded the accidental deletion threshold":     "deletion threshold",
		"You can't modify permission sets provisioned in the management account": "management account",
		"Cannot perform the operation on the protected role":                     "protected role",
		"Session token not found or invalid":                                     "session ended",
		"The SSO session associated with this profile has expired":               "session ended",
		"Token has expired and refresh failed":                                   "session ended",
		"Invalid RelayState from identity provider":                              "relay state",
		"Error loading SSO Token: Token for https://x does not exist":            "session ended",
		"Authentication_RequestFromNonPremiumTenantOrB2CTenant":                  "logs need a license",
		"Insufficient privileges to complete the operation.":                     "permission missing",
		"InvalidSAMLMetadata: the metadata file is too large":                    "metadata",
		"Could not connect to the endpoint URL: https://portal.sso.x":            "cli region",
	} {
		r := doctor.Diagnose(doctor.Facts{}, doctor.About{Text: text})
		if len(r.Findings) == 0 || r.Findings[0].Kind != want {
			t.Errorf("%q means %+v, want %s", text, r.Findings, want)
		}
	}
}
