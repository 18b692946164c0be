package center

import "context"

// What the tests outside of the package look at.
var (
	CheckRemedies = checkRemedies
	OwnChecks     = []string{checkFresh, checkAttributes}
)

// RevokeRole has a role refuse somebody, as the end of a window does.
func RevokeRole(c *Center, user UserID, p Provisioned) error {
	return c.Store.Update(context.Background(), func(tx Tx) error { return c.revokeRole(tx, user, p) })
}
