package tenant

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// PermissionGrantID is the id of a permission grant.
type PermissionGrantID string

// PermissionGrant is a delegated permission that an administrator gives a program for one person,
// or for everybody: they are not asked when they sign in. Source: oAuth2PermissionGrant resource
// type.
type PermissionGrant struct {
	ID        PermissionGrantID
	ClientID  ClientID
	Principal UserID // empty: everybody
	Scopes    []string
}

// permissionGrantReader reads permission grants.
type permissionGrantReader interface {
	PermissionGrants() ([]PermissionGrant, error)
}

// permissionGrantWriter writes permission grants.
type permissionGrantWriter interface {
	PutPermissionGrant(PermissionGrant) error
	DeletePermissionGrant(PermissionGrantID) error
}

// maxPermissionGrants bounds those that administrators make.
const maxPermissionGrants = 2_000 //bound:rows permission grants that administrators have made

// PermissionGrants are those that administrators have made.
func (t *Tenant) PermissionGrants(ctx context.Context) (list []PermissionGrant, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		list, err = r.PermissionGrants()
		return err
	})
	return list, err
}

// AddPermissionGrant makes a grant. It fails with ClientUnknown, UserNotFound, MemberExists where
// there is one of the program for the same people, NotAllowed and InvalidValue. Source:
// oauth2PermissionGrant: create.
func (t *Tenant) AddPermissionGrant(ctx context.Context, by audit.Actor, g PermissionGrant) (PermissionGrant, error) {
	g.ID = PermissionGrantID(t.NewID())
	err := t.change(ctx, by, ActionAddPermissionGrant, func(tx Tx, _ *Touched) (string, error) {
		subject := string(g.ClientID)
		if g.Principal != "" {
			if _, err := tx.User(g.Principal); err != nil {
				return subject, refusal.IfNoRow(err, UserNotFound, string(g.Principal))
			}
		}
		all, err := tx.PermissionGrants()
		if err != nil {
			return subject, err
		}
		if len(all) >= maxPermissionGrants {
			all, err = withoutOrphans(tx, all)
		}
		if err != nil {
			return subject, err
		}
		if len(all) >= maxPermissionGrants {
			return subject, &refusal.Error{Code: InvalidValue, Subject: "oauth2PermissionGrants",
				Detail: "there are 2,000 already"}
		}
		if slices.ContainsFunc(all, func(o PermissionGrant) bool {
			return o.ClientID == g.ClientID && o.Principal == g.Principal
		}) {
			return subject, &refusal.Error{Code: MemberExists, Subject: subject}
		}
		if err := mayGrantScopes(tx, by, g.Scopes); err != nil {
			return subject, err
		}
		return subject, tx.PutPermissionGrant(g)
	})
	return g, err
}

// withoutOrphans deletes the grants of programs and of people who are gone.
func withoutOrphans(tx Tx, all []PermissionGrant) (kept []PermissionGrant, err error) {
	for _, g := range all {
		_, err := tx.Client(g.ClientID)
		if errors.Is(err, refusal.ErrNoRow) {
			_, err = tx.Application(AnyApplicationID(g.ClientID))
		}
		if err == nil && g.Principal != "" {
			_, err = tx.User(g.Principal)
		}
		if errors.Is(err, refusal.ErrNoRow) {
			err = tx.DeletePermissionGrant(g.ID)
		} else {
			kept = append(kept, g)
		}
		if err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// ChangePermissionGrant gives a grant other scopes. It fails as AddPermissionGrant does, and with
// PermissionGrantNotFound.
func (t *Tenant) ChangePermissionGrant(
	ctx context.Context, by audit.Actor, id PermissionGrantID, scopes []string,
) error {
	return t.change(ctx, by, ActionAddPermissionGrant, func(tx Tx, _ *Touched) (string, error) {
		g, err := permissionGrant(tx, id)
		if err != nil {
			return string(id), err
		}
		if err := mayGrantScopes(tx, by, scopes); err != nil {
			return string(g.ClientID), err
		}
		g.Scopes = scopes
		return string(g.ClientID), tx.PutPermissionGrant(g)
	})
}

func permissionGrant(tx Reader, id PermissionGrantID) (PermissionGrant, error) {
	all, err := tx.PermissionGrants()
	for _, g := range all {
		if g.ID == id {
			return g, err
		}
	}
	if err == nil {
		err = &refusal.Error{Code: PermissionGrantNotFound, Subject: string(id)}
	}
	return PermissionGrant{}, err
}

// DeletePermissionGrant takes a grant back, and ends what programs renew because of it. It fails
// with PermissionGrantNotFound.
func (t *Tenant) DeletePermissionGrant(ctx context.Context, by audit.Actor, id PermissionGrantID) error {
	return t.change(ctx, by, ActionRemovePermissionGrant, func(tx Tx, _ *Touched) (string, error) {
		g, err := permissionGrant(tx, id)
		if err != nil {
			return string(id), err
		}
		err = t.endFamiliesOf(tx, g.ClientID, g.Principal)
		return string(g.ClientID), errors.Join(err, tx.DeletePermissionGrant(id))
	})
}

// RevokeConsent ends what a person has allowed a program.
func (t *Tenant) RevokeConsent(ctx context.Context, by audit.Actor, client ClientID, person UserID) error {
	return t.change(ctx, by, ActionRemovePermissionGrant, func(tx Tx, _ *Touched) (string, error) {
		return string(client), t.endFamiliesOf(tx, client, person)
	})
}

// familiesAtOnce is how many families are looked at together.
const familiesAtOnce = 500 //bound:none that are in memory at a time

// endFamiliesOf ends the tokens of a program for a person, or for everybody.
func (t *Tenant) endFamiliesOf(tx Tx, client ClientID, person UserID) error {
	now, err := t.clock(tx)
	if err != nil {
		return err
	}
	for after := ""; ; {
		all, err := tx.GrantsAfter(after, familiesAtOnce)
		if err != nil {
			return err
		}
		for _, g := range all {
			after = g.Digest
			if g.Kind != GrantRefresh || !strings.EqualFold(string(g.ClientID), string(client)) ||
				(person != "" && g.Account.ID != AccountID(person)) {
				continue
			}
			if err := endFamily(tx, g.Digest, now); err != nil {
				return err
			}
		}
		if len(all) < familiesAtOnce {
			return nil
		}
	}
}

// MakesAdministrators says whether a permission lets a program make somebody an administrator, or
// lets people in without a second factor.
func MakesAdministrators(permission string) bool {
	return permission == manageRoles || permission == changeSecurityDefaults
}

// mayGrantScopes refuses to give programs what would make somebody an administrator, unless the
// one who asks may do that. Source: "Grant tenant-wide admin consent", prerequisites; that these
// two are kept from the lesser roles is ours.
func mayGrantScopes(r roleReader, by audit.Actor, scopes []string) error {
	if !slices.ContainsFunc(scopes, MakesAdministrators) {
		return nil
	}
	return mayGrant(r, by, Client{Permissions: scopes})
}

// Consented says whether an administrator has given a program all scopes for a person.
func (t *Tenant) Consented(ctx context.Context, client ClientID, person AccountID, scopes []string) (bool, error) {
	all, err := t.PermissionGrants(ctx)
	var granted []string
	for _, g := range all {
		if strings.EqualFold(string(g.ClientID), string(client)) &&
			(g.Principal == "" || AccountID(g.Principal) == person) {
			granted = append(granted, g.Scopes...)
		}
	}
	return len(granted) > 0 && !slices.ContainsFunc(scopes, func(s string) bool {
		return !slices.Contains(granted, s)
	}), err
}
