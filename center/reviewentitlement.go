package center

import (
	"github.com/gatehouse-id/gatehouse/refusal"
)

// takeEntitlement takes what a line of a review is about from who is entitled to a role, and has
// the role refuse what is out of it, where somebody can tell it. One that was deleted and made
// again since the review began is the same access, under another id.
func (c *Center) takeEntitlement(tx Tx, l *ReviewLine) error {
	arn := l.Assignment.PermissionSetARN // of the role; a node of an earlier release may have dropped the rest
	there, err := tx.Entitlements(EntitlementQuery{
		PrincipalType: l.Assignment.PrincipalType, PrincipalID: l.Assignment.PrincipalID, RoleARN: arn, Limit: 1,
	})
	if err != nil {
		return err
	}
	if len(there) == 0 {
		l.State = LineGone
		return nil
	}
	if err := tx.DeleteEntitlement(there[0].ID); err != nil {
		return err
	}
	return c.refuseHolders(tx, l.Assignment, Provisioned{
		AccountID: l.Assignment.AccountID, PermissionSetARN: arn, RoleName: arn,
	})
}

// giveEntitlementBack makes an entitlement again that a review has taken. Whether the role trusts
// the center still is asked when somebody opens it.
func giveEntitlementBack(tx Tx, e Entitlement) error {
	if _, err := tx.AccessManager(); err != nil {
		return refusal.IfNoRow(err, AccessManagerNotFound, "")
	}
	if err := checkPrincipal(tx, e.PrincipalType, e.PrincipalID); err != nil {
		return err
	}
	there, err := tx.Entitlements(EntitlementQuery{
		PrincipalType: e.PrincipalType, PrincipalID: e.PrincipalID, RoleARN: e.RoleARN, Limit: 1,
	})
	if err != nil || len(there) > 0 { // somebody has made it again
		return err
	}
	if err := roomForGroup(tx, e); err != nil {
		return err
	}
	return tx.PutEntitlement(e)
}
