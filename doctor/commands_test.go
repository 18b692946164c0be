package doctor_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/doctor"
)

// TestACommandToPasteIsWhole: what a finding says to run names the store or the instance, and the
// Region, in every case that is known.
func TestACommandToPasteIsWhole(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/cases/*.json")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		s := read[scenario](t, file)
		for _, f := range doctor.Diagnose(state(t, s.Edits), s.About).Findings {
			words := strings.Fields(f.Fix.Command)
			if len(words) < 3 || words[0] != "aws" {
				continue
			}
			for _, need := range map[string][]string{
				"identitystore": {"--identity-store-id d-9367a1b2c3", "--region eu-west-1"},
				"sso-admin":     {"--instance-arn arn:aws:sso:::instance/ssoins-68042b7d", "--region eu-west-1"},
			}[words[1]] {
				seen[words[1]] = true
				if !strings.Contains(f.Fix.Command, need) {
					t.Errorf("%s: %s says to run %q, which has no %s", file, f.Check, f.Fix.Command, need)
				}
			}
		}
	}
	if !seen["identitystore"] || !seen["sso-admin"] {
		t.Errorf("only commands of %v were met", seen)
	}
}

// TestTheCommandOfSeveralSaysWhichOne: it deletes one assignment of those that name nobody, always
// the same one, and says so.
func TestTheCommandOfSeveralSaysWhichOne(t *testing.T) {
	t.Parallel()
	var edits [][]any
	for _, who := range []string{"c-gone", "a-gone", "b-gone"} {
		edits = append(edits, []any{"add", "aws/AccountAssignments", map[string]any{
			"AccountId": "300000000003", "PrincipalType": "USER", "PrincipalId": who,
			"PermissionSetArn": "arn:aws:sso:::permissionSet/ssoins-68042b7d/ps-audit",
		}})
	}
	for range 9 {
		for _, f := range doctor.Diagnose(state(t, edits), doctor.About{}).Findings {
			if f.Check == "orphaned-assignment" && (!strings.HasSuffix(f.Fix.Command, " a-gone") ||
				!strings.HasSuffix(f.Fix.Do, "The command deletes the first of 3")) {
				t.Fatalf("%s; run %s", f.Fix.Do, f.Fix.Command)
			}
		}
	}
}

// TestAnAddressOfTwoPeopleDeletesNobody: two people of the directory have one address. The user who
// has it at AWS is somebody's, with their access.
func TestAnAddressOfTwoPeopleDeletesNobody(t *testing.T) {
	t.Parallel()
	facts := state(t, [][]any{{"set", "entra/users/u-tariq/mail", "ines.moreau@harbor.example"}})
	for _, f := range doctor.Diagnose(facts, doctor.About{}).Findings {
		if f.Check != "email-clash" {
			continue
		}
		if f.Kind != "two people" || f.Fix.Command != "" || !strings.Contains(f.Fix.Do, "in Entra") {
			t.Errorf("%s: %s; run %q", f.Kind, f.Fix.Do, f.Fix.Command)
		}
		return
	}
	t.Error("the clash was not found")
}

// TestInOtherPartitionsNoAddressIsGuessed: the issuers of AWS in China and of GovCloud are not
// published. What the application has for the store is taken, and links lead to the right console.
func TestInOtherPartitionsNoAddressIsGuessed(t *testing.T) {
	t.Parallel()
	for region, host := range map[string]string{
		"cn-north-1": "console.amazonaws.cn", "us-gov-west-1": "console.amazonaws-us-gov.com",
		"eu-central-1": "eu-central-1.console.aws.amazon.com",
	} {
		facts := state(t, [][]any{{"set", "aws/Users/0/UserName", "another.name"}})
		facts.AWS.Region = region
		facts.AWS.Instances[0].PrimaryRegion, facts.AWS.Instances[0].Regions = region, []string{region}
		facts.Entra.ServicePrincipals[0].ServicePrincipalNames = []string{
			"https://" + region + ".signin-of-its-own.example/platform/saml/d-9367a1b2c3",
		}
		links, judged := 0, false
		for _, f := range doctor.Diagnose(facts, doctor.About{}).Findings {
			judged = judged || f.Check == "identifier"
			if strings.Contains(f.Fix.Link, "/singlesignon/") {
				links++
				if !strings.HasPrefix(f.Fix.Link, "https://"+host+"/singlesignon/home?region="+region) {
					t.Errorf("%s: %s leads to %s", region, f.Check, f.Fix.Link)
				}
			}
		}
		if links == 0 {
			t.Errorf("%s: no finding leads to the console", region)
		}
		if judged != (host == region+".console.aws.amazon.com") {
			t.Errorf("%s: the identifier is judged: %v", region, judged)
		}
	}
}
