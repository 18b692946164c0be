package center

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Reach says whether who has a permission set can administer the account: do everything, or give
// themselves everything. The rule names rather too many: conditions of policies are not weighed.
type Reach struct {
	Administers bool
	// Why is the reason, or which policies nobody here has read.
	Why string
	// Unread says that the set has policies that are in the accounts only.
	Unread bool
}

// administrative are AWS managed policies that allow everything, or to change anybody's policies.
// Source: AWS managed policy reference.
var administrative = []string{"AdministratorAccess", "IAMFullAccess"}

const managedPrefix = "arn:aws:iam::aws:policy/"

// becoming are actions of IAM by which somebody can give themselves whatever there is. Source: IAM
// user guide, "Understand access level summaries" (permissions management), and what each does.
var becoming = []string{
	"iam:addusertogroup", "iam:attachgrouppolicy", "iam:attachrolepolicy", "iam:attachuserpolicy",
	"iam:createaccesskey", "iam:createloginprofile", "iam:createpolicyversion", "iam:putgrouppolicy",
	"iam:putrolepolicy", "iam:putuserpolicy", "iam:setdefaultpolicyversion", "iam:updateassumerolepolicy",
	"iam:updateloginprofile",
}

// running are actions that run somebody's code, or template, under a role that iam:PassRole hands
// over.
var running = []string{
	"cloudformation:createstack", "codebuild:createproject", "ec2:runinstances", "ecs:registertaskdefinition",
	"glue:createjob", "lambda:createfunction", "sagemaker:createnotebookinstance", "states:createstatemachine",
}

// everyOfAKind is a resource that is all, or all of a kind in IAM.
var everyOfAKind = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(\*|arn:[^:]*:iam::[^:]*:(\*|(role|user|group|policy)/\*))$`)
})

// Reach judges by the policies that the center knows: AWS managed ones by name, the inline policy
// by what it allows. A permissions boundary that is not administrative itself takes away all that
// is judged here.
func (p PermissionSet) Reach() Reach {
	if IsRoleARN(p.ARN) {
		return Reach{Unread: true, Why: "a role that is not the center's: its policies are not read"}
	}
	if b := p.Boundary; b != nil && b.ManagedPolicy != "" && !isAdministrative(b.ManagedPolicy) {
		return Reach{}
	}
	for _, arn := range p.ManagedPolicies {
		if isAdministrative(arn) {
			return Reach{Administers: true, Why: strings.TrimPrefix(arn, managedPrefix)}
		}
	}
	if why := inlineReach(p.InlinePolicy); why != "" {
		return Reach{Administers: true, Why: why}
	}
	var unread []string
	for _, own := range p.CustomerPolicies {
		unread = append(unread, own.Name)
	}
	if len(unread) > 0 {
		return Reach{Unread: true, Why: "customer managed policies, not read: " + strings.Join(unread, ", ")}
	}
	return Reach{}
}

func isAdministrative(arn string) bool {
	return slices.Contains(administrative, strings.TrimPrefix(arn, managedPrefix))
}

// PolicyTexts is one text or a list of them, as the elements of IAM's policies are.
type PolicyTexts []string

// UnmarshalJSON implements json.Unmarshaler.
func (t *PolicyTexts) UnmarshalJSON(from []byte) error {
	var one string
	if json.Unmarshal(from, &one) == nil {
		*t = PolicyTexts{one}
		return nil
	}
	return json.Unmarshal(from, (*[]string)(t))
}

type statement struct {
	Effect                                   string
	Action, NotAction, Resource, NotResource PolicyTexts
	Condition                                json.RawMessage
}

// statements is one statement or a list of them.
type statements []statement

// UnmarshalJSON implements json.Unmarshaler.
func (s *statements) UnmarshalJSON(from []byte) error {
	var one statement
	if json.Unmarshal(from, &one) == nil {
		*s = statements{one}
		return nil
	}
	return json.Unmarshal(from, (*[]statement)(s))
}

// inlineReach says by what an inline policy is administrative, or "".
func inlineReach(policy string) string {
	if policy == "" {
		return ""
	}
	var document struct{ Statement statements }
	if err := json.Unmarshal([]byte(policy), &document); err != nil {
		return "an inline policy that cannot be read"
	}
	all := document.Statement
	if all.allows("iam:x", true) && all.allows("s3:x", true) {
		return "the inline policy allows everything"
	}
	for _, action := range becoming {
		if all.allows(action, true) {
			return "the inline policy allows " + action + " on all"
		}
	}
	if all.allows("iam:passrole", true) {
		for _, action := range running {
			if all.allows(action, false) {
				return "the inline policy allows iam:PassRole on all roles, and " + action
			}
		}
	}
	return ""
}

// allows says whether an action, in lower case, is allowed: on all resources of a kind, or on any.
// What a deny without a condition takes from all resources is not allowed.
func (s statements) allows(action string, onAll bool) bool {
	allowed := false
	for _, x := range s {
		switch {
		case !x.matches(action):
		case x.Effect == "Deny":
			if len(x.Condition) == 0 && slices.Contains(x.Resource, "*") {
				return false
			}
		case x.Effect == "Allow":
			allowed = allowed || !onAll || len(x.NotResource) > 0 ||
				slices.ContainsFunc(x.Resource, everyOfAKind().MatchString)
		}
	}
	return allowed
}

func (s statement) matches(action string) bool {
	covers := func(pattern string) bool { return wildcard(strings.ToLower(pattern), action) }
	if len(s.NotAction) > 0 {
		return !slices.ContainsFunc(s.NotAction, covers)
	}
	return slices.ContainsFunc(s.Action, covers)
}

// wildcard matches a text with a pattern in which * is any text and ? any character. Source: IAM
// user guide, "IAM JSON policy elements: Action".
func wildcard(pattern, text string) bool {
	p, t := 0, 0
	star, mark := -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p, t = p+1, t+1
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
