package doctor

import (
	"cmp"
	"regexp"
	"strings"
	"sync"
)

// plain is what a shell takes as one word.
var plain = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`) })

// shell is a command that can be pasted whole: its words come from both sides, and may have what a
// shell would act on.
func shell(words ...string) string {
	out := make([]string, len(words))
	for i, w := range words {
		if out[i] = w; !plain().MatchString(w) {
			out[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}

// ofStore is a command of the AWS CLI on the identity store.
func (l *look) ofStore(operation string, words ...string) string {
	store := l.a.IdentityStoreID
	if l.instance != nil {
		store = cmp.Or(store, l.instance.IdentityStoreID)
	}
	return l.awsCLI("identitystore", operation, "--identity-store-id", store, words)
}

// ofInstance is a command of the AWS CLI on the instance.
func (l *look) ofInstance(operation string, words ...string) string {
	arn := ""
	if l.instance != nil {
		arn = l.instance.InstanceArn
	}
	return l.awsCLI("sso-admin", operation, "--instance-arn", arn, words)
}

// awsCLI is "" where it would lack something.
func (l *look) awsCLI(service, operation, of, id string, words []string) string {
	region := cmp.Or(append(l.regions(), l.a.Region)...)
	if id == "" || region == "" {
		return ""
	}
	return shell(append([]string{"aws", service, operation, of, id, "--region", region}, words...)...)
}

// accessOf shows what a user of AWS's side is assigned, by groups too.
func (l *look) accessOf(id string) string {
	return l.ofInstance(
		"list-account-assignments-for-principal", "--principal-type", "USER", "--principal-id", id,
	)
}

// deleteAssignment is the command that takes an assignment away.
func (l *look) deleteAssignment(x Assignment) string {
	return l.ofInstance(
		"delete-account-assignment", "--target-type", "AWS_ACCOUNT", "--target-id", x.AccountID,
		"--permission-set-arn", x.PermissionSetArn, "--principal-type", x.PrincipalType,
		"--principal-id", x.PrincipalID,
	)
}
