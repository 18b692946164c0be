package center

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// tokenAction is the action that actor policies allow. Source: service authorization reference,
// "Actions defined by AWS IAM Identity Center OIDC service".
const tokenAction = "sso-oauth:CreateTokenWithIAM" // #nosec G101 -- a name

// Signatory is who has signed a request for tokens of an application.
type Signatory struct {
	ARN        string // of a user, or of the session of a role
	AccountID  string
	Everything bool // an administrator's access key: its account would let it do everything
}

// actorPolicy is a resource-based policy in the part of IAM's language that can be judged here.
// Source: IAM user guide, "IAM JSON policy elements reference".
type actorPolicy struct {
	Version   string
	ID        string `json:"Id"`
	Statement oneOrMore[actorStatement]
}

type actorStatement struct {
	Sid, Effect string
	Principal   actorPrincipal
	Action      oneOrMore[string]
	Resource    oneOrMore[string]
}

// oneOrMore is a list that may be written as its only entry.
type oneOrMore[T any] []T

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (o *oneOrMore[T]) UnmarshalJSONFrom(from *jsontext.Decoder) error {
	if from.PeekKind() == '[' {
		return json.UnmarshalDecode(from, (*[]T)(o))
	}
	*o = make([]T, 1)
	return json.UnmarshalDecode(from, &(*o)[0])
}

// actorPrincipal are principals of AWS. "*" is everybody.
type actorPrincipal []string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (p *actorPrincipal) UnmarshalJSONFrom(from *jsontext.Decoder) error {
	if from.PeekKind() == '"' {
		everybody, err := from.ReadToken()
		if err == nil && everybody.String() != "*" {
			err = errors.New(`a Principal is "*" or an object`)
		}
		*p = actorPrincipal{"*"}
		return err
	}
	var kinds struct{ AWS, Service, Federated, CanonicalUser oneOrMore[string] }
	err := json.UnmarshalDecode(from, &kinds)
	*p = append(actorPrincipal{}, kinds.AWS...) // the others are never those who ask here
	return err
}

func readActorPolicy(text string) (p actorPolicy, err error) {
	return p, json.Unmarshal([]byte(text), &p, json.RejectUnknownMembers(true))
}

// checkActorPolicy refuses a policy that could not be judged when somebody asks for tokens.
func checkActorPolicy(text string) error {
	if text == "" {
		return nil
	}
	refuse := func(detail string) error {
		return &refusal.Error{Code: InvalidValue, Field: "ActorPolicy", Detail: detail}
	}
	p, err := readActorPolicy(text)
	var wrong *json.SemanticError
	switch {
	case errors.As(err, &wrong) && errors.Is(wrong.Err, json.ErrUnknownName):
		name := wrong.JSONPointer.LastToken()
		return refuse("the element " + name[:min(len(name), maxElement)] + " cannot be judged by this center: use " +
			"Effect, Principal, Action and Resource")
	case errors.Is(err, jsontext.ErrDuplicateName):
		return refuse("an element stands twice")
	case errors.As(err, &wrong):
		at := strings.ReplaceAll(strings.Trim(string(wrong.JSONPointer), "/"), "/", ".")
		return refuse("not a policy of IAM: " + cmp.Or(at[:min(len(at), maxElement)], "the document") +
			" has the wrong type")
	case err != nil:
		return refuse("not a policy of IAM: " + err.Error())
	}
	for _, s := range p.Statement {
		if s.Effect != "Allow" && s.Effect != "Deny" || s.Principal == nil || len(s.Action) == 0 {
			return refuse("a statement needs an Effect, a Principal and an Action")
		}
	}
	return nil
}

// maxElement bounds how much of an element's name is repeated.
const maxElement = 64 //bound:none of a message

// lets says whether the policy of an application lets somebody ask for its tokens: a statement
// allows it, and none denies it. A policy that cannot be judged lets nobody.
func (a Application) lets(who Signatory) bool {
	p, err := readActorPolicy(a.ActorPolicy)
	if err != nil {
		return false
	}
	allowed := false
	for _, s := range p.Statement {
		if !slices.ContainsFunc(s.Action, func(text string) bool {
			return like(strings.ToLower(text), strings.ToLower(tokenAction))
		}) {
			continue
		}
		of := func(text string) bool { return like(text, a.ARN) }
		if len(s.Resource) > 0 && !slices.ContainsFunc(s.Resource, of) {
			continue
		}
		if !slices.ContainsFunc(s.Principal, func(text string) bool { return who.is(text, s.Effect == "Deny") }) {
			continue
		}
		if s.Effect != "Allow" {
			return false
		}
		allowed = true
	}
	return allowed
}

// is says whether a principal of a policy is this one. An account lets those ask whom it allows to
// do everything; a statement that denies it to an account denies it to all who belong to it.
func (s Signatory) is(principal string, denies bool) bool {
	account := s.AccountID != "" &&
		(principal == s.AccountID || principal == "arn:aws:iam::"+s.AccountID+":root")
	switch {
	case principal == "*", principal == s.ARN:
		return true
	case account:
		return denies || s.Everything
	}
	name, isRole := strings.CutPrefix(principal, "arn:aws:iam::"+s.AccountID+":role/")
	if !isRole || s.AccountID == "" {
		return false
	}
	// the ARN of a session has the name of its role without the path
	name = name[strings.LastIndexByte(name, '/')+1:]
	return name != "" && strings.HasPrefix(s.ARN, "arn:aws:sts::"+s.AccountID+":assumed-role/"+name+"/")
}

// like says whether a text matches a pattern of IAM: * is any text, ? any character. The time that
// it takes grows with the product of their lengths.
func like(pattern, text string) bool {
	star, back := -1, 0
	p := 0
	for t := 0; t < len(text); {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, back = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			back++
			p, t = star+1, back
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
