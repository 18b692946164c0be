package ssoadmin

import (
	"context"
	"strings"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Handler serves the sso-admin API.
type Handler struct{ Center *center.Center }

// Service is the door for awsapi.Handler.
func (h *Handler) Service() awsapi.Service {
	var operations []awsapi.Operation
	for _, some := range [][]awsapi.Operation{
		h.instances(), h.applications(), h.tokenIssuers(),
	} {
		operations = append(operations, some...)
	}
	for _, op := range append(h.permissionSets(), h.assignments()...) {
		operations = append(operations, op.Behind(func(ctx context.Context) error {
			return h.Center.HasPermissionSets(ctx)
		}))
	}
	return awsapi.Service{
		Target:      "SWBExternalService",
		SigningName: "sso",
		Answer:      Answer,
		Refused:     awsdoor.Refused(h.Center),
		Admit:       awsdoor.AdmitFrom(h.Center, center.NetworkOfInstance),
		Authorize:   awsdoor.Authorize,
		Operations:  operations,
	}
}

// op is an operation whose input has the shape of the service model.
func op[In, Out any](name string, access awsapi.Access,
	fn func(context.Context, awsapi.Caller, In) (Out, error)) awsapi.Operation {
	return awsapi.OpOf(name, access, Shapes[name], fn)
}

// What an operation does, for whom may call it.
const reads, changes = awsapi.Reads, awsapi.Changes

// instance is the input that most operations have.
type instance struct{ InstanceArn string }

func (i instance) arn() string { return i.InstanceArn }

// within is op for an input that names the instance, which must be this one.
func within[In interface{ arn() string }, Out any](h *Handler, name string, access awsapi.Access,
	fn func(context.Context, awsapi.Caller, In) (Out, error)) awsapi.Operation {
	return op(name, access, func(ctx context.Context, who awsapi.Caller, in In) (Out, error) {
		if in.arn() != h.Center.Instance.ARN {
			var none Out
			return none, &refusal.Error{Code: center.InstanceNotFound, Subject: in.arn()}
		}
		return fn(ctx, who, in)
	})
}

// Answer maps an error to the wire. It is the only place that does.
func Answer(err error) *awsapi.Error {
	return awsdoor.Answer(err, func(refused *refusal.Error, e *awsapi.Error) {
		if said := sentence(refused); said != "" {
			e.Message = said
		}
	})
}

// sentence is AWS's own text for a refusal, where it is known: programs match on them. Sources:
// moto's tests, the Terraform provider's tests, and answers in public issue threads.
func sentence(refused *refusal.Error) string {
	switch refused.Code {
	case center.PermissionSetsOff:
		return "Permission Sets are not enabled for this instance"
	case center.PermissionSetNotFound:
		return "Could not find PermissionSet with id " + lastPart(refused.Subject)
	case center.PermissionSetTaken:
		return "PermissionSet with name " + refused.Subject + " already exists."
	case center.PermissionSetInUse:
		return "Could not delete because PermissionSet has ApplicationProfile associated with it"
	case center.PolicyTooLarge:
		return "Current size of the non-whitespace characters present in the " + refused.Field + " Document is " +
			refused.Got + " bytes which has exceeded the maximum limit of " + refused.Want + " bytes"
	case center.PolicyAttached, center.PolicyNotAttached, center.TooManyPolicies:
		return sentenceOfPolicy(refused)
	}
	return ""
}

// sentenceOfPolicy is about a policy of a permission set: a managed one, named by its ARN, or a
// customer managed one, named by its path.
func sentenceOfPolicy(refused *refusal.Error) string {
	slash := strings.LastIndexByte(refused.Subject, '/') + 1
	path, name := refused.Subject[:slash], refused.Subject[slash:]
	managed, set := strings.HasPrefix(refused.Subject, "arn:"), lastPart(refused.Within)
	switch {
	case refused.Code == center.TooManyPolicies && refused.Field == center.CustomerPolicyField:
		return "Cannot attach managed policy: number of attached managed policies is already at maximum " + refused.Want
	case refused.Code == center.TooManyPolicies:
		return "You have exceeded AWS SSO limits. Cannot create ManagedPolicy more than " + refused.Want + " for id " +
			set + ". Please refer to https://docs.aws.amazon.com/singlesignon/latest/userguide/limits.html"
	case refused.Code == center.PolicyAttached && managed:
		return "Permission set with id " + set + " already has a typed link attachment to a manged policy with " +
			refused.Subject
	case refused.Code == center.PolicyAttached:
		return "Given customer managed policy with name: " + name + "  and path " + path + " already attached"
	case managed:
		return "Could not find ManagedPolicy with arn " + refused.Subject
	}
	return "Given managed policy with name: " + name + "  and path " + path + " does not exist on PermissionSet"
}

// lastPart is the id at the end of an ARN.
func lastPart(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

func invalid(message string) error {
	return &awsapi.Error{Code: "ValidationException", Message: message}
}

type paging struct {
	MaxResults *int
	NextToken  string
}

// page is one page of a list: where it begins, and how long it is.
type page struct {
	list  string   // what is listed, filters included: a token is of no use elsewhere
	after []string // the key of the last entry of the page before; nil for the first page
	size  int
}

// keySeparator stands in no key.
const keySeparator = "|"

// of reads where a page of a list begins. Keys of entries have so many parts.
func (p paging) of(parts int, list ...string) (page, error) {
	out := page{list: strings.Join(list, keySeparator)}
	var err error
	if out.size, err = awsapi.PageSize(p.MaxResults); err != nil {
		return out, err
	}
	key, err := awsapi.DecodeToken(out.list, p.NextToken)
	if err != nil || key == "" {
		return out, err
	}
	if out.after = strings.Split(key, keySeparator); len(out.after) != parts {
		return out, invalid("NextToken is not a token of this operation")
	}
	return out, nil
}

// begin is the last key of the page before, of one part; "" for the first page.
func (p page) begin() string { return strings.Join(p.after, "") }

// limit is how many entries must be read to know whether another page follows.
func (p page) limit() int { return p.size + 1 }

// cut returns the entries of the page, and the token of the next one.
func cut[T any](p page, entries []T, key func(T) string) ([]T, string) {
	if len(entries) <= p.size {
		return entries, ""
	}
	entries = entries[:p.size]
	return entries, awsapi.EncodeToken(p.list, key(entries[p.size-1]))
}

// whole is the page of a list that was read whole, in the order of keys of one part.
func whole[T any](p page, all []T, key func(T) string) ([]T, string) {
	from := 0
	for from < len(all) && p.after != nil && key(all[from]) <= p.begin() {
		from++
	}
	return cut(p, all[from:], key)
}

func key(parts ...string) string { return strings.Join(parts, keySeparator) }

func same(s string) string { return s }
