package center

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// RequestPolicy lets the members of a group ask for a permission set for a while, somewhere. AWS
// has nothing of the kind.
type RequestPolicy struct {
	ID               string
	Name             string
	Eligible         GroupID // who may ask
	PermissionSetARN string
	Place
	Longest   time.Duration // how long a window may be
	Approvers GroupID       // who decides; nobody decides on what they ask for themselves
	Approvals int           // how many must approve: 1 or 2
	// Emergency lets people have the access at once. The approvers are alerted, and review it
	// afterwards.
	Emergency bool `json:",omitempty"`
	CreatedAt time.Time
}

// requestPolicyReader reads policies.
type requestPolicyReader interface {
	RequestPolicy(id string) (RequestPolicy, error)
	RequestPolicies() ([]RequestPolicy, error)
}

// requestPolicyWriter writes policies.
type requestPolicyWriter interface {
	PutRequestPolicy(RequestPolicy) error
	DeleteRequestPolicy(id string) error
}

// Bounds of policies. The choices are ours.
const (
	maxRequestPolicies = 1000 //bound:rows policies for requests
	maxPolicyTitle     = 64   //bound:text the name of a policy for requests
	maxApprovals       = 2    //bound:none four eyes
	// MinWindow and MaxWindow bound what people may ask for, whatever a policy says.
	MinWindow = time.Minute         //bound:life a window of access, at the least
	MaxWindow = 30 * 24 * time.Hour //bound:life a window of access, at the most
)

func (p RequestPolicy) check(r accountReader) error {
	refuse := func(field, detail string) error {
		return &refusal.Error{Code: InvalidValue, Field: field, Detail: detail}
	}
	switch {
	case p.Name == "":
		return &refusal.Error{Code: MissingValue, Field: "Name"}
	case p.Longest < MinWindow || p.Longest > MaxWindow:
		return refuse("Longest", "use a time between one minute and 30 days")
	case p.Approvals < 1 || p.Approvals > maxApprovals:
		return refuse("Approvals", "one or two people approve")
	}
	if err := p.Place.check(r); err != nil {
		return err
	}
	return checkText("Name", p.Name, maxPolicyTitle)
}

// CreateRequestPolicy lets people ask for access. It fails with PermissionSetNotFound,
// GroupNotFound, AccountNotFound, RequestPolicyTaken, QuotaExceeded or a code of kind Invalid.
func (c *Center) CreateRequestPolicy(
	ctx context.Context, by audit.Actor, p RequestPolicy,
) (RequestPolicy, error) {
	p.ID, p.CreatedAt = c.NewID(), c.now()
	err := c.change(ctx, by, ActionCreateRequestPolicy, func(tx Tx) (string, error) {
		if err := p.check(tx); err != nil {
			return p.Name, err
		}
		all, err := tx.RequestPolicies()
		switch {
		case err != nil:
			return p.Name, err
		case len(all) >= maxRequestPolicies:
			return p.Name, &refusal.Error{Code: QuotaExceeded, Subject: p.Name, Detail: "at most 1000 policies"}
		case slices.ContainsFunc(all, func(o RequestPolicy) bool { return names.Fold(o.Name) == names.Fold(p.Name) }):
			return p.Name, &refusal.Error{Code: RequestPolicyTaken, Subject: p.Name}
		}
		if _, err := tx.PermissionSet(p.PermissionSetARN); err != nil {
			return p.Name, refusal.IfNoRow(err, PermissionSetNotFound, p.PermissionSetARN)
		}
		return p.Name, errors.Join(
			checkPrincipal(tx, PrincipalGroup, string(p.Eligible)),
			checkPrincipal(tx, PrincipalGroup, string(p.Approvers)), tx.PutRequestPolicy(p),
		)
	})
	return p, err
}

// DeleteRequestPolicy has nobody ask by a policy anymore. What has not begun is refused; windows
// that are open go on to their end. It fails with RequestPolicyNotFound.
func (c *Center) DeleteRequestPolicy(ctx context.Context, by audit.Actor, id string) error {
	return c.change(ctx, by, ActionDeleteRequestPolicy, func(tx Tx) (string, error) {
		p, err := tx.RequestPolicy(id)
		if err != nil {
			return id, refusal.IfNoRow(err, RequestPolicyNotFound, id)
		}
		return p.Name, c.dropRequestPolicy(tx, p, "the policy "+p.Name+" was deleted")
	})
}

// dropRequestPolicy deletes a policy with the requests that wait.
func (c *Center) dropRequestPolicy(tx Tx, p RequestPolicy, why string) error {
	live, err := tx.AccessRequests(AccessRequestQuery{Live: true})
	if err != nil {
		return err
	}
	for _, r := range live {
		if r.PolicyID != p.ID || (r.State != AccessPending && r.State != AccessScheduled) {
			continue
		}
		r.finish(AccessDenied, c.now(), audit.SystemActor.Name, why)
		if err := errors.Join(tx.PutAccessRequest(r), c.tell(tx, NoticeDenied, r)); err != nil {
			return err
		}
	}
	return tx.DeleteRequestPolicy(p.ID)
}

// dropPoliciesOf deletes the policies for a permission set that goes.
func (c *Center) dropPoliciesOf(tx Tx, permissionSet string) error {
	all, err := tx.RequestPolicies()
	for _, p := range all {
		if p.PermissionSetARN == permissionSet {
			err = errors.Join(err, c.dropRequestPolicy(tx, p, "the permission set was deleted"))
		}
	}
	return err
}

// RequestPolicies lists the policies in the order of their names.
func (c *Center) RequestPolicies(ctx context.Context) (list []RequestPolicy, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		list, err = r.RequestPolicies()
		return err
	})
	sortPolicies(list)
	return list, err
}

func sortPolicies(list []RequestPolicy) {
	slices.SortFunc(list, func(a, b RequestPolicy) int { return cmp.Compare(names.Fold(a.Name), names.Fold(b.Name)) })
}

// AccessOffer is what a person may ask for.
type AccessOffer struct {
	Policy        RequestPolicy
	PermissionSet PermissionSet
	Accounts      []Account // that are open, in the order of their names
}

// AccessOffers lists what a person may ask for, in the order of the policies' names.
func (c *Center) AccessOffers(ctx context.Context, user UserID) (offers []AccessOffer, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		offers = nil
		all, err := r.RequestPolicies()
		if err != nil || len(all) == 0 {
			return err
		}
		mine, err := groupsOf(r, user)
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(p RequestPolicy) bool { return !mine[p.Eligible] })
		if len(all) == 0 {
			return nil
		}
		accounts, err := r.Accounts()
		if err != nil {
			return err
		}
		slices.SortFunc(accounts, func(a, b Account) int { return cmp.Compare(names.Fold(a.Name), names.Fold(b.Name)) })
		sortPolicies(all)
		for _, p := range all {
			set, err := r.PermissionSet(p.PermissionSetARN)
			if errors.Is(err, refusal.ErrNoRow) {
				continue
			}
			if err != nil {
				return err
			}
			of := slices.DeleteFunc(slices.Clone(accounts), func(a Account) bool { return a.Suspended || !p.covers(a) })
			offers = append(offers, AccessOffer{p, set, of})
		}
		return nil
	})
	return offers, err
}

// groupsOf are the groups that somebody is in.
func groupsOf(r Reader, user UserID) (map[GroupID]bool, error) {
	list, err := r.GroupsOf(user)
	mine := map[GroupID]bool{}
	for _, g := range list {
		mine[g.ID] = true
	}
	return mine, err
}
