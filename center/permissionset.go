package center

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// PermissionSet is a named bundle of policies: a role that appears in the accounts where it is
// assigned.
type PermissionSet struct {
	ARN             string
	Name            string // 1–32 characters, never changes
	Description     string
	SessionDuration time.Duration // 1–12 hours
	SessionText     string        `json:",omitempty"` // SessionDuration as it was written; empty: nobody did
	RelayState      string
	ManagedPolicies []string // ARNs of AWS managed policies, in the order they were attached
	// CustomerPolicies name policies that each account must have itself, in the order they were
	// attached.
	CustomerPolicies []PolicyReference
	Boundary         *Boundary
	InlinePolicy     string // JSON, or empty
	Tags             []Tag  // in the order of their keys
	CreatedAt        time.Time
	// Revision counts the changes that reach accounts only when the set is provisioned there again.
	Revision int64
}

// PolicyReference names a customer managed policy, which must exist by this name and path in every
// account that the set is provisioned in.
type PolicyReference struct {
	Name string
	Path string // begins and ends with a slash
}

// Boundary is a permissions boundary: a managed policy, or a reference to a customer managed one.
type Boundary struct {
	ManagedPolicy  string // an ARN
	CustomerPolicy *PolicyReference
}

const (
	defaultSession = time.Hour //bound:none a default
	//bound:list managed policies of a permission set
	maxPolicies = 25 // managed and customer managed together. Source: user guide, quotas
	//bound:text an inline policy without white space, in bytes
	maxInline = 10240 // Source: user guide, quotas
	//bound:text an inline policy, in characters
	maxInlineWhole = 32768 // Source: the service model

	maxSetDescription = 700 //bound:text the description of a permission set, in characters
	maxRelayState     = 240 //bound:text the relay state of a permission set, in characters
	maxPolicyPath     = 512 //bound:text the path of a customer managed policy

	// MaxPermissionSets bounds the permission sets of an instance. Source: user guide, quotas.
	MaxPermissionSets = 3500 //bound:rows permission sets
)

var (
	permissionSetName = newPattern(`^[\w+=,.@-]{1,32}$`)
	policyName        = newPattern(`^[\w+=,.@-]{1,128}$`)
	policyPath        = newPattern(`^/([A-Za-z0-9.,+@=_-]+/)*$`)
	managedPolicyARN  = newPattern(`^arn:(aws|aws-us-gov|aws-cn):iam::aws:policy/[\w+=,.@/-]{1,512}$`)
)

// check applies the limits of the sso-admin model.
func (p PermissionSet) check() error {
	switch {
	case !permissionSetName.match(p.Name):
		return &refusal.Error{
			Code:   InvalidValue,
			Field:  "Name",
			Detail: "use 1 to 32 letters, digits or + = , . @ - _",
		}
	case utf8.RuneCountInString(p.Description) > maxSetDescription:
		return &refusal.Error{Code: InvalidValue, Field: "Description", Detail: "longer than 700 characters"}
	case p.SessionDuration < time.Hour || p.SessionDuration > longestRoleSession:
		return &refusal.Error{Code: InvalidValue, Field: "SessionDuration", Detail: "use 1 to 12 hours"}
	case utf8.RuneCountInString(p.RelayState) > maxRelayState:
		return &refusal.Error{Code: InvalidValue, Field: "RelayState", Detail: "longer than 240 characters"}
	case len(p.ManagedPolicies)+len(p.CustomerPolicies) > maxPolicies:
		return p.tooManyPolicies("ManagedPolicies")
	}
	for _, policy := range p.ManagedPolicies {
		if !managedPolicyARN.match(policy) {
			return &refusal.Error{
				Code:   InvalidValue,
				Field:  "ManagedPolicyArn",
				Detail: "use the ARN of an AWS managed policy",
			}
		}
	}
	if err := checkPolicy("InlinePolicy", p.InlinePolicy); err != nil {
		return err
	}
	if err := p.Boundary.check(); err != nil {
		return err
	}
	return checkText("Description", strings.NewReplacer("\n", "", "\r", "", "\t", "").Replace(p.Description), 700)
}

// roomForPolicy refuses one policy too many; field says of which kind it is.
func (p PermissionSet) roomForPolicy(field string) error {
	if len(p.ManagedPolicies)+len(p.CustomerPolicies) >= maxPolicies {
		return p.tooManyPolicies(field)
	}
	return nil
}

func (p PermissionSet) tooManyPolicies(field string) error {
	return &refusal.Error{
		Code:    TooManyPolicies,
		Subject: p.Name,
		Within:  p.ARN,
		Field:   field,
		Detail:  "managed and customer managed ones together",
		Want:    strconv.Itoa(maxPolicies),
	}
}

// CustomerPolicyField is what refusals call a reference to a customer managed policy.
const CustomerPolicyField = "CustomerManagedPolicyReference"

// checkPolicy checks what can be known of a policy document without IAM: that it is a JSON object
// with statements, and its size.
func checkPolicy(field, policy string) error {
	if policy == "" {
		return nil
	}
	refuse := func(detail string) error { return &refusal.Error{Code: InvalidValue, Field: field, Detail: detail} }
	var document struct{ Statement json.RawMessage }
	var syntax *json.SyntaxError
	switch err := json.Unmarshal([]byte(policy), &document); {
	case errors.As(err, &syntax):
		return refuse("not JSON: " + placed(policy, syntax))
	case err != nil:
		return refuse("a policy is a JSON object")
	case len(document.Statement) == 0:
		return refuse("the policy has no Statement")
	}
	size := len(policy)
	for _, space := range []string{" ", "\t", "\n", "\r"} {
		size -= strings.Count(policy, space)
	}
	if size > maxInline || utf8.RuneCountInString(policy) > maxInlineWhole {
		return &refusal.Error{
			Code:   PolicyTooLarge,
			Field:  field,
			Detail: fmt.Sprintf("%d bytes without white space, of at most %d", size, maxInline),
			Want:   strconv.Itoa(maxInline),
			Got:    strconv.Itoa(size),
		}
	}
	return nil
}

// placed says where a text stops being JSON, as editors count, with what stands there.
func placed(text string, at *json.SyntaxError) string {
	before := text
	if at.Offset > 0 && int(at.Offset) < len(text) {
		before = text[:at.Offset-1]
	}
	line := strings.Count(before, "\n") + 1
	begun := before[strings.LastIndex(before, "\n")+1:]
	rest, _, _ := strings.Cut(text[len(before):], "\n")
	where := fmt.Sprintf("line %d, column %d: %v", line, utf8.RuneCountInString(begun)+1, at)
	if shown := []rune(strings.TrimSpace(rest)); len(shown) > 0 {
		where += fmt.Sprintf(", before %q", string(shown[:min(len(shown), maxShown)]))
	}
	return where
}

// maxShown bounds what a refusal shows of a text.
const maxShown = 40 //bound:text what stands where a policy stops being JSON, in characters

func (b *Boundary) check() error {
	switch {
	case b == nil:
		return nil
	case (b.ManagedPolicy == "") == (b.CustomerPolicy == nil):
		return &refusal.Error{
			Code:   InvalidValue,
			Field:  "PermissionsBoundary",
			Detail: "use exactly one of ManagedPolicyArn and CustomerManagedPolicyReference",
		}
	case b.CustomerPolicy != nil:
		return b.CustomerPolicy.check()
	case !managedPolicyARN.match(b.ManagedPolicy):
		return &refusal.Error{
			Code:   InvalidValue,
			Field:  "ManagedPolicyArn",
			Detail: "use the ARN of an AWS managed policy",
		}
	}
	return nil
}

func (r PolicyReference) check() error {
	switch {
	case !policyName.match(r.Name):
		return &refusal.Error{
			Code:   InvalidValue,
			Field:  "CustomerManagedPolicyReference.Name",
			Detail: "use 1 to 128 letters, digits or + = , . @ - _",
		}
	case len(r.Path) > maxPolicyPath || !policyPath.match(r.Path):
		return &refusal.Error{
			Code:   InvalidValue,
			Field:  "CustomerManagedPolicyReference.Path",
			Detail: "use a path that begins and ends with a slash",
		}
	}
	return nil
}

// newRoleName makes the name of the role that the permission set has in an account as long as it is
// provisioned there. The suffix is another one each time. Source: user guide, "Referencing
// permission sets in resource policies".
func (p PermissionSet) newRoleName() string { return rolePrefix + p.Name + "_" + authn.NewHex(8) }

const rolePrefix = "AWSReservedSSO_"

// PermissionSetQuery selects permission sets.
type PermissionSetQuery struct {
	After string // only those whose ARN sorts after this one
	Limit int    // 0: all
}

// permissionSetReader reads permission sets.
type permissionSetReader interface {
	PermissionSet(arn string) (PermissionSet, error)
	PermissionSetByName(string) (PermissionSet, error)
	PermissionSets(PermissionSetQuery) ([]PermissionSet, error)
	CountPermissionSets() (int, error)
}

// permissionSetWriter writes permission sets.
type permissionSetWriter interface {
	PutPermissionSet(PermissionSet) error
	DeletePermissionSet(arn string) error
}

// CreatePermissionSet adds a permission set. It fails with PermissionSetTaken or a code of kind
// Invalid.
func (c *Center) CreatePermissionSet(ctx context.Context, by audit.Actor, p PermissionSet) (PermissionSet, error) {
	p.ARN = "arn:aws:sso:::permissionSet/" + c.Instance.shortID() + "/ps-" + authn.NewHex(8)
	p.CreatedAt = c.now()
	if p.SessionDuration == 0 {
		p.SessionDuration = defaultSession
	}
	err := c.change(ctx, by, ActionCreatePermissionSet, func(tx Tx) (string, error) {
		if err := checkPermissionSets(tx); err != nil {
			return p.Name, err
		}
		if err := p.check(); err != nil {
			return p.Name, err
		}
		n, err := tx.CountPermissionSets()
		if err != nil {
			return p.Name, err
		}
		if n >= MaxPermissionSets {
			return p.Name, &refusal.Error{
				Code:    QuotaExceeded,
				Subject: p.Name,
				Detail:  fmt.Sprintf("at most %d permission sets", MaxPermissionSets),
			}
		}
		if p.Tags, err = withTags(nil, p.Tags); err != nil {
			return p.Name, err
		}
		if _, err := tx.PermissionSetByName(p.Name); err == nil {
			return p.Name, &refusal.Error{Code: PermissionSetTaken, Subject: p.Name}
		} else if !errors.Is(err, refusal.ErrNoRow) {
			return p.Name, err
		}
		return p.ARN, tx.PutPermissionSet(p)
	})
	return p, err
}

// UpdatePermissionSet changes a permission set by edit, which may run more than once. The name
// never changes. action is AWS's name of what is done, such as UpdatePermissionSet or
// AttachManagedPolicyToPermissionSet.
func (c *Center) UpdatePermissionSet(
	ctx context.Context, by audit.Actor, action Action, arn string, edit func(*PermissionSet) error,
) error {
	return c.change(ctx, by, action, func(tx Tx) (string, error) {
		old, err := tx.PermissionSet(arn)
		if err != nil {
			return arn, refusal.IfNoRow(err, PermissionSetNotFound, arn)
		}
		p := old
		p.ManagedPolicies, p.CustomerPolicies = slices.Clone(old.ManagedPolicies), slices.Clone(old.CustomerPolicies)
		if err := edit(&p); err != nil {
			return arn, err
		}
		p.ARN = old.ARN
		p.Name = old.Name
		p.CreatedAt = old.CreatedAt
		p.Revision = old.Revision + 1
		if err := p.check(); err != nil {
			return arn, err
		}
		return arn, tx.PutPermissionSet(p)
	})
}

// AttachManagedPolicy attaches an AWS managed policy. It fails with PolicyAttached.
func (c *Center) AttachManagedPolicy(ctx context.Context, by audit.Actor, arn, policy string) error {
	return c.UpdatePermissionSet(ctx, by, ActionAttachManagedPolicy, arn, func(p *PermissionSet) error {
		if slices.Contains(p.ManagedPolicies, policy) {
			return &refusal.Error{Code: PolicyAttached, Subject: policy, Within: arn}
		}
		if err := p.roomForPolicy("ManagedPolicyArn"); err != nil {
			return err
		}
		p.ManagedPolicies = append(p.ManagedPolicies, policy)
		return nil
	})
}

// DetachManagedPolicy detaches an AWS managed policy. It fails with PolicyNotAttached.
func (c *Center) DetachManagedPolicy(ctx context.Context, by audit.Actor, arn, policy string) error {
	return c.UpdatePermissionSet(ctx, by, ActionDetachManagedPolicy, arn, func(p *PermissionSet) error {
		i := slices.Index(p.ManagedPolicies, policy)
		if i < 0 {
			return &refusal.Error{Code: PolicyNotAttached, Subject: policy, Within: arn}
		}
		p.ManagedPolicies = slices.Delete(p.ManagedPolicies, i, i+1)
		return nil
	})
}

// AttachCustomerPolicy attaches a reference to a customer managed policy. It fails with
// PolicyAttached.
func (c *Center) AttachCustomerPolicy(ctx context.Context, by audit.Actor, arn string, policy PolicyReference) error {
	return c.UpdatePermissionSet(ctx, by, ActionAttachCustomerPolicy, arn, func(p *PermissionSet) error {
		if err := policy.check(); err != nil {
			return err
		}
		if slices.Contains(p.CustomerPolicies, policy) {
			return &refusal.Error{Code: PolicyAttached, Subject: policy.Path + policy.Name, Within: arn}
		}
		if err := p.roomForPolicy(CustomerPolicyField); err != nil {
			return err
		}
		p.CustomerPolicies = append(p.CustomerPolicies, policy)
		return nil
	})
}

// DetachCustomerPolicy detaches a reference to a customer managed policy. It fails with
// PolicyNotAttached.
func (c *Center) DetachCustomerPolicy(ctx context.Context, by audit.Actor, arn string, policy PolicyReference) error {
	return c.UpdatePermissionSet(ctx, by, ActionDetachCustomerPolicy, arn, func(p *PermissionSet) error {
		i := slices.Index(p.CustomerPolicies, policy)
		if i < 0 {
			return &refusal.Error{Code: PolicyNotAttached, Subject: policy.Path + policy.Name, Within: arn}
		}
		p.CustomerPolicies = slices.Delete(p.CustomerPolicies, i, i+1)
		return nil
	})
}

// DeletePermissionSet removes a permission set that is not assigned anywhere, not about to be, and
// named by no rule; otherwise it fails with PermissionSetInUse.
func (c *Center) DeletePermissionSet(ctx context.Context, by audit.Actor, arn string) error {
	return c.change(ctx, by, ActionDeletePermissionSet, func(tx Tx) (string, error) {
		if _, err := tx.PermissionSet(arn); err != nil {
			return arn, refusal.IfNoRow(err, PermissionSetNotFound, arn)
		}
		used, err := tx.Assignments(AssignmentQuery{PermissionSetARN: arn, Limit: 1})
		if err != nil {
			return arn, err
		}
		making, err := tx.RoleJobs(RoleJobQuery{PermissionSetARN: arn, Retire: new(bool), Limit: 1})
		if err != nil {
			return arn, err
		}
		rules, err := tx.AssignmentRules()
		if err != nil {
			return arn, err
		}
		ruled := slices.ContainsFunc(rules, func(r AssignmentRule) bool { return r.PermissionSetARN == arn })
		if len(used)+len(making) > 0 || ruled {
			return arn, &refusal.Error{Code: PermissionSetInUse, Subject: arn}
		}
		return arn, errors.Join(c.dropPoliciesOf(tx, arn), tx.DeletePermissionSet(arn))
	})
}

// PermissionSet returns one permission set, or PermissionSetNotFound.
func (c *Center) PermissionSet(ctx context.Context, arn string) (p PermissionSet, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		p, err = r.PermissionSet(arn)
		return refusal.IfNoRow(err, PermissionSetNotFound, arn)
	})
	return p, err
}

// PermissionSets lists the permission sets in the order of their ARNs.
func (c *Center) PermissionSets(ctx context.Context, q PermissionSetQuery) (sets []PermissionSet, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		sets, err = r.PermissionSets(q)
		return err
	})
	return sets, err
}
