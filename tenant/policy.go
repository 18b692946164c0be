package tenant

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// PolicyKind is what a policy is about.
type PolicyKind string

// The kinds.
const (
	ClaimsMapping PolicyKind = "claimsMapping" // what is in tokens
	TokenIssuance PolicyKind = "tokenIssuance" // how they are signed
)

// maxDefinition bounds the definition of a policy, in bytes.
const maxDefinition = 64 << 10 //bound:text the definition of a policy of the tenant, in bytes

// PolicyID is a policy's object id: a UUID.
type PolicyID string

// Policy is a claims mapping or a token issuance policy: a definition that service principals are
// given. What it says replaces their own settings.
type Policy struct {
	ID          PolicyID
	Kind        PolicyKind
	DisplayName string
	Definition  string // JSON
}

// policyReader reads policies.
type policyReader interface {
	Policy(id PolicyID) (Policy, error)
	Policies() ([]Policy, error)
}

// policyWriter writes policies.
type policyWriter interface {
	PutPolicy(Policy) error
	DeletePolicy(id PolicyID) error
}

// definition is the JSON in a policy. Sources: claims mapping policy reference;
// tokenIssuancePolicy.
type definition struct {
	ClaimsMappingPolicy *struct {
		Version      int
		ClaimsSchema []struct{ Source, ID, Value, SamlClaimType, SAMLNameForm string }

		ClaimsTransformation []any
	}
	TokenIssuancePolicy *struct {
		Version                    int
		TokenResponseSigningPolicy string
	}
}

const nameIdentifier = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"

// apply puts what a policy says into an application, or fails with InvalidValue.
func (p Policy) apply(a *Application) error {
	invalid := func(detail string) error {
		return &refusal.Error{Code: InvalidValue, Subject: "definition", Detail: detail}
	}
	var d definition
	if err := json.Unmarshal([]byte(p.Definition), &d); err != nil {
		return invalid("not the JSON of a policy")
	}
	if p.Kind == TokenIssuance {
		if d.TokenIssuancePolicy == nil || d.TokenIssuancePolicy.Version != 1 {
			return invalid("use a TokenIssuancePolicy of version 1")
		}
		signing, ok := map[string]Signing{
			"":                 SignAssertion,
			"TokenOnly":        SignAssertion,
			"ResponseOnly":     SignResponse,
			"ResponseAndToken": SignBoth,
		}[d.TokenIssuancePolicy.TokenResponseSigningPolicy]
		if !ok {
			return invalid("TokenResponseSigningPolicy must be TokenOnly, ResponseOnly or ResponseAndToken")
		}
		a.Signing = signing
		return nil
	}
	c := d.ClaimsMappingPolicy
	if c == nil || c.Version != 1 {
		return invalid("use a ClaimsMappingPolicy of version 1")
	}
	if len(c.ClaimsTransformation) > 0 {
		return invalid("claims transformations are not supported: use an expression in the admin center")
	}
	a.NameID, a.Claims = NameIDSource{}, nil
	for _, s := range c.ClaimsSchema {
		attribute := ""
		if s.Value == "" {
			i := slices.IndexFunc(
				SourceAttributes(KindUser), func(name string) bool { return strings.EqualFold(name, s.ID) },
			)
			if !strings.EqualFold(s.Source, "user") || i < 0 {
				return invalid("there is no source " + s.Source + "." + s.ID)
			}
			attribute = SourceAttributes(KindUser)[i]
		}
		switch {
		case s.SamlClaimType == "": // for tokens of another protocol
		case s.SamlClaimType == nameIdentifier:
			a.NameID = NameIDSource{Attribute: attribute, Format: s.SAMLNameForm}
		case s.Value != "":
			a.Claims = append(
				a.Claims,
				Claim{s.SamlClaimType, `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s.Value) + `"`},
			)
		default:
			a.Claims = append(a.Claims, Claim{s.SamlClaimType, "[" + attribute + "]"})
		}
	}
	return a.checkClaims()
}

// PutPolicy makes a policy, or changes the one with its id and the applications that have it. It
// fails with InvalidValue or PolicyNotFound.
func (t *Tenant) PutPolicy(ctx context.Context, by audit.Actor, p Policy) (Policy, error) {
	fresh := p.ID == ""
	if fresh {
		p.ID = PolicyID(t.NewID())
	}
	err := t.change(ctx, by, ActionSetPolicy, func(tx Tx, _ *Touched) (string, error) {
		if !fresh {
			old, err := tx.Policy(p.ID)
			if err != nil {
				return string(p.ID), refusal.IfNoRow(err, PolicyNotFound, string(p.ID))
			}
			p.Kind = old.Kind
		}
		if err := checkDisplayName(p.DisplayName); err != nil {
			return string(p.ID), err
		}
		if len(p.Definition) > maxDefinition {
			return string(p.ID), &refusal.Error{Code: InvalidValue, Subject: "definition", Detail: "longer than 64 KiB"}
		}
		if err := p.apply(&Application{}); err != nil {
			return string(p.ID), err
		}
		apps, err := tx.Applications()
		if err != nil {
			return string(p.ID), err
		}
		for _, a := range apps {
			if *a.policy(p.Kind) != p.ID {
				continue
			}
			if err := p.apply(&a); err != nil {
				return string(p.ID), err
			}
			if err := tx.PutApplication(a); err != nil {
				return string(p.ID), err
			}
		}
		return string(p.ID), tx.PutPolicy(p)
	})
	return p, err
}

// policy is where an application names its policy of a kind.
func (a *Application) policy(kind PolicyKind) *PolicyID {
	if kind == TokenIssuance {
		return &a.IssuancePolicyID
	}
	return &a.ClaimsPolicyID
}

// AttachPolicy gives an application a policy, of which it may have one of each kind; with an empty
// id it takes it away, and the defaults are back.
func (t *Tenant) AttachPolicy(
	ctx context.Context, by audit.Actor, id AnyApplicationID, kind PolicyKind, policyID PolicyID,
) error {
	return t.change(ctx, by, ActionAttachPolicy, func(tx Tx, _ *Touched) (string, error) {
		a, err := tx.Application(id)
		if err != nil {
			return string(id), refusal.IfNoRow(err, ApplicationNotFound, string(id))
		}
		p := Policy{Kind: kind, Definition: `{"ClaimsMappingPolicy":{"Version":1},"TokenIssuancePolicy":{"Version":1}}`}
		if policyID != "" {
			if *a.policy(kind) != "" {
				return string(id), &refusal.Error{Code: PolicyAttached, Subject: string(*a.policy(kind))}
			}
			if p, err = tx.Policy(policyID); err == nil && p.Kind != kind {
				err = refusal.ErrNoRow
			}
			if err != nil {
				return string(id), refusal.IfNoRow(err, PolicyNotFound, string(policyID))
			}
		}
		*a.policy(kind) = policyID
		if err := p.apply(&a); err != nil {
			return string(id), err
		}
		return string(id), tx.PutApplication(a)
	})
}

// DeletePolicy removes a policy that no application has. It fails with PolicyNotFound or
// PolicyAttached.
func (t *Tenant) DeletePolicy(ctx context.Context, by audit.Actor, id PolicyID) error {
	return t.change(ctx, by, ActionDeletePolicy, func(tx Tx, _ *Touched) (string, error) {
		p, err := tx.Policy(id)
		if err != nil {
			return string(id), refusal.IfNoRow(err, PolicyNotFound, string(id))
		}
		apps, err := tx.Applications()
		if err != nil {
			return string(id), err
		}
		for _, a := range apps {
			if *a.policy(p.Kind) == id {
				return string(id), &refusal.Error{Code: PolicyAttached, Subject: a.DisplayName}
			}
		}
		return string(id), tx.DeletePolicy(id)
	})
}

// Policy returns a policy of a kind, or PolicyNotFound.
func (t *Tenant) Policy(ctx context.Context, kind PolicyKind, id PolicyID) (p Policy, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		p, err = r.Policy(id)
		if err == nil && p.Kind != kind {
			err = refusal.ErrNoRow
		}
		return refusal.IfNoRow(err, PolicyNotFound, string(id))
	})
	return p, err
}

// Policies lists the policies of a kind.
func (t *Tenant) Policies(ctx context.Context, kind PolicyKind) (list []Policy, err error) {
	err = t.Store.View(ctx, func(r Reader) error {
		all, err := r.Policies()
		list = slices.DeleteFunc(all, func(p Policy) bool { return p.Kind != kind })
		return err
	})
	return list, err
}
