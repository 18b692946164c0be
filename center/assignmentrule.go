package center

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// AssignmentRule gives a principal a permission set in all accounts of an organizational unit, or
// in all that have a tag: exactly one of Unit and Tag is set. It is expanded to plain assignments,
// which come and go as accounts do. AWS has nothing of the kind.
type AssignmentRule struct {
	ID               string
	Unit             string `json:",omitempty"` // id of an organizational unit or of the root; those below it count too
	Tag              *Tag   `json:",omitempty"`
	PermissionSetARN string
	PrincipalType    PrincipalType
	PrincipalID      string
	CreatedAt        time.Time
	Deleting         bool   `json:",omitempty"` // it matches nothing anymore, and goes with its last assignment
	Problem          string `json:",omitempty"` // what kept it from being expanded in full the last time
}

// assignmentRuleReader reads rules and what they assigned.
type assignmentRuleReader interface {
	AssignmentRule(id string) (AssignmentRule, error)
	AssignmentRules() ([]AssignmentRule, error)
	// AccountsOfRule returns where a rule has assigned, and OriginsOf which rules want an
	// assignment; "" is somebody who made it by hand as well.
	AccountsOfRule(rule string) ([]string, error)
	OriginsOf(Assignment) ([]string, error)
}

// assignmentRuleWriter writes rules and what they assigned.
type assignmentRuleWriter interface {
	PutAssignmentRule(AssignmentRule) error
	DeleteAssignmentRule(id string) error
	PutOrigin(rule string, a Assignment) error
	DeleteOrigin(rule string, a Assignment) error
}

// maxAssignmentRules bounds the rules of an instance: each is compared with all accounts. The
// choice is ours.
const maxAssignmentRules = 1000 //bound:rows assignment rules

// maxUnitName bounds the id or the path of a unit. Source: the model of AWS Organizations.
const maxUnitName = 128 //bound:text the organizational unit of an assignment rule

// byHand is the origin of assignments that somebody made, beside those of rules. Without a rule an
// assignment has no origins.
const byHand = ""

func (r AssignmentRule) matches(a Account) bool {
	if r.Deleting {
		return false
	}
	if r.Tag != nil {
		return slices.Contains(a.Tags, *r.Tag)
	}
	return slices.ContainsFunc(a.Units, func(u Unit) bool { return u.ID == r.Unit })
}

func (r AssignmentRule) assignment(account string) Assignment {
	return Assignment{
		AccountID:        account,
		PermissionSetARN: r.PermissionSetARN,
		PrincipalType:    r.PrincipalType,
		PrincipalID:      r.PrincipalID,
	}
}

func (r AssignmentRule) subject() string {
	where := r.Unit
	if r.Tag != nil {
		where = r.Tag.Key + "=" + r.Tag.Value
	}
	return where + "/" + r.PermissionSetARN + "/" + r.PrincipalID
}

// AccountsFor lists the accounts that a rule would have its principal in, for people to see before
// they make it.
func (c *Center) AccountsFor(ctx context.Context, rule AssignmentRule) ([]Account, error) {
	all, err := c.Accounts(ctx)
	return slices.DeleteFunc(all, func(a Account) bool { return a.Suspended || !rule.matches(a) }), err
}

// CreateAssignmentRule makes a rule and expands it. When the expansion is cut off, Center.Run
// completes it. It fails with PermissionSetNotFound, UserNotFound, GroupNotFound, QuotaExceeded or
// a code of kind Invalid.
func (c *Center) CreateAssignmentRule(
	ctx context.Context, by audit.Actor, rule AssignmentRule,
) (AssignmentRule, error) {
	rule.ID = c.NewID()
	rule.CreatedAt = c.now()
	rule.Deleting = false
	rule.Problem = ""
	err := c.change(ctx, by, ActionCreateAssignmentRule, func(tx Tx) (string, error) {
		if (rule.Unit == "") == (rule.Tag == nil) {
			return "", &refusal.Error{
				Code:   InvalidValue,
				Field:  "Unit",
				Detail: "use exactly one of an organizational unit and a tag",
			}
		}
		if rule.Tag != nil {
			if _, err := withTags(nil, []Tag{*rule.Tag}); err != nil {
				return "", err
			}
		}
		if len(rule.Unit) > maxUnitName {
			return "", &refusal.Error{Code: InvalidValue, Field: "Unit", Detail: "longer than 128 characters"}
		}
		all, err := tx.AssignmentRules()
		if err != nil {
			return rule.subject(), err
		}
		if len(all) >= maxAssignmentRules {
			return rule.subject(), &refusal.Error{
				Code:    QuotaExceeded,
				Subject: rule.subject(),
				Detail:  fmt.Sprintf("at most %d rules", maxAssignmentRules),
			}
		}
		if slices.ContainsFunc(
			all, func(r AssignmentRule) bool { return r.subject() == rule.subject() && !r.Deleting },
		) {
			return rule.subject(), &refusal.Error{Code: AssignmentRuleTaken, Subject: rule.subject()}
		}
		if _, err := tx.PermissionSet(rule.PermissionSetARN); err != nil {
			return rule.subject(), refusal.IfNoRow(err, PermissionSetNotFound, rule.PermissionSetARN)
		}
		return rule.subject(), errors.Join(
			checkPrincipal(tx, rule.PrincipalType, rule.PrincipalID), tx.PutAssignmentRule(rule),
		)
	})
	if err != nil {
		return rule, err
	}
	return c.applyRule(ctx, by, rule)
}

// DeleteAssignmentRule takes back what a rule has assigned, but for what another rule or somebody
// by hand assigned too, and deletes it. It fails with AssignmentRuleNotFound.
func (c *Center) DeleteAssignmentRule(ctx context.Context, by audit.Actor, id string) error {
	var rule AssignmentRule
	err := c.change(ctx, by, ActionDeleteAssignmentRule, func(tx Tx) (_ string, err error) {
		if rule, err = tx.AssignmentRule(id); err != nil {
			return id, refusal.IfNoRow(err, AssignmentRuleNotFound, id)
		}
		rule.Deleting = true
		return rule.subject(), tx.PutAssignmentRule(rule)
	})
	if err == nil {
		_, err = c.applyRule(ctx, by, rule)
	}
	return err
}

// AssignmentRules lists the rules, the oldest first.
func (c *Center) AssignmentRules(ctx context.Context) (rules []AssignmentRule, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		rules, err = r.AssignmentRules()
		return err
	})
	return rules, err
}

// ApplyAssignmentRules brings the assignments of all rules to what accounts are now. Run calls it
// when accounts have changed, and now and then.
func (c *Center) ApplyAssignmentRules(ctx context.Context, by audit.Actor) error {
	rules, err := c.AssignmentRules(ctx)
	var failed []error
	for _, r := range rules {
		_, err := c.applyRule(ctx, by, r)
		failed = append(failed, err)
	}
	return errors.Join(append(failed, err)...)
}

// atOnce bounds the assignments that one transaction makes.
const atOnce = 100

// applyRule compares the accounts that a rule matches with those where it has assigned, and assigns
// or takes back in the others. Suspended accounts stay as they are. It returns the rule with the
// problem that it met.
func (c *Center) applyRule(ctx context.Context, by audit.Actor, rule AssignmentRule) (AssignmentRule, error) {
	steps, err := c.stepsOf(ctx, rule)
	if err != nil {
		return rule, err
	}
	problem := ""
	for some := range slices.Chunk(steps, atOnce) {
		err := c.change(ctx, by, ActionApplyAssignmentRule, func(tx Tx) (string, error) {
			problem = ""
			subject := names.Counted("%s: %d {account|accounts}", rule.subject(), len(some))
			now, err := tx.AssignmentRule(rule.ID)
			if errors.Is(err, refusal.ErrNoRow) || (err == nil && now.Deleting != rule.Deleting) {
				return subject, errRuleOver
			}
			if err != nil {
				return subject, err
			}
			for _, s := range some {
				err := c.applyStep(tx, rule, s)
				// of one account: nothing is written yet
				if code := refusal.CodeOf(err); code != refusal.None && code.Kind() != refusal.Unavailable {
					problem, err = fmt.Sprintf("account %s: %v", s.account, err), nil
				}
				if err != nil {
					return subject, err
				}
			}
			return subject, nil
		})
		if errors.Is(err, errRuleOver) {
			return rule, nil
		}
		if err != nil {
			return rule, err
		}
	}
	c.wakeRoleWorkers()
	if problem == rule.Problem && !rule.Deleting {
		return rule, nil
	}
	rule.Problem = problem
	err = c.change(ctx, by, ActionApplyAssignmentRule, func(tx Tx) (string, error) {
		now, err := tx.AssignmentRule(rule.ID)
		if errors.Is(err, refusal.ErrNoRow) {
			return rule.subject(), errRuleOver
		}
		if err != nil {
			return rule.subject(), err
		}
		if rule.Deleting && problem == "" {
			return rule.subject(), tx.DeleteAssignmentRule(rule.ID)
		}
		now.Problem = problem
		return rule.subject(), tx.PutAssignmentRule(now)
	})
	if errors.Is(err, errRuleOver) {
		err = nil
	}
	return rule, err
}

// errRuleOver ends the expansion of a rule that somebody else has deleted, or begun to, since it
// was read: an assignment that was made for it now would stay for ever.
var errRuleOver = errors.New("the rule is being deleted, or gone")

// ruleStep is what a rule has to do in one account.
type ruleStep struct {
	account string
	assign  bool // or take back
}

func (c *Center) stepsOf(ctx context.Context, rule AssignmentRule) (steps []ruleStep, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		steps = nil
		accounts, e1 := r.Accounts()
		assigned, e2 := r.AccountsOfRule(rule.ID)
		there, e3 := r.Assignments(AssignmentQuery{
			PermissionSetARN: rule.PermissionSetARN,
			PrincipalType:    rule.PrincipalType,
			PrincipalID:      rule.PrincipalID,
		})
		making, e4 := r.RoleJobs(RoleJobQuery{PermissionSetARN: rule.PermissionSetARN, Retire: new(bool)})
		if err := errors.Join(e1, e2, e3, e4); err != nil {
			return err
		}
		by, done := map[string]bool{}, map[string]bool{}
		for _, id := range assigned {
			by[id] = true
		}
		for _, a := range there {
			done[a.AccountID] = true
		}
		for _, j := range making { // it may be for another principal: then the next time
			done[j.AccountID] = true
		}
		for _, a := range accounts {
			switch want := rule.matches(a); {
			case a.Suspended:
			case want && (!by[a.ID] || !done[a.ID]), !want && by[a.ID]:
				steps = append(steps, ruleStep{a.ID, want})
			}
		}
		return nil
	})
	return steps, err
}

// applyStep takes one step. A refusal comes before anything is written.
func (c *Center) applyStep(tx Tx, rule AssignmentRule, s ruleStep) error {
	if !s.assign {
		return c.wantNoMore(tx, rule.ID, rule.assignment(s.account))
	}
	_, err := c.want(tx, rule.ID, rule.assignment(s.account))
	return err
}
