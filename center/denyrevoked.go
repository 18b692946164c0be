package center

import (
	"encoding/json"
	"slices"
	"time"
)

// DenyRevoked is a policy that denies everything to the credentials that were issued to somebody
// before a moment. The source identity stays with a session also when it goes on to another role,
// so that CloudTrail names the person there; what it does there, only that role can deny. Source:
// IAM user guide, "Revoke IAM role temporary security credentials", and its condition keys
// aws:TokenIssueTime and sts:SourceIdentity.
func DenyRevoked(revoked []RoleRevocation) (string, error) {
	type object = map[string]any
	names := map[time.Time][]string{}
	var moments []time.Time // in the order in which they come
	for _, r := range revoked {
		if names[r.Before] == nil {
			moments = append(moments, r.Before)
		}
		names[r.Before] = append(names[r.Before], r.Name)
	}
	statements := []object{}
	for _, before := range moments {
		statements = append(statements, object{
			"Effect":   "Deny",
			"Action":   "*",
			"Resource": "*",
			"Condition": object{
				"StringEquals": object{"sts:SourceIdentity": names[before]},
				"DateLessThan": object{"aws:TokenIssueTime": before.UTC().Format("2006-01-02T15:04:05.000Z")},
			},
		})
	}
	document, err := json.Marshal(object{"Version": "2012-10-17", "Statement": statements})
	return string(document), err
}

// DenyPolicy denies everything to the credentials that are open still, for roles that the center
// does not keep: an administrator puts it into them. It is empty if there are none.
func (c *Center) DenyPolicy(a RoleAccess) (string, error) {
	a.Open = slices.DeleteFunc(slices.Clone(a.Open), func(s RoleSession) bool { return s.Own || c.canBeTold(s) })
	if len(a.Open) == 0 {
		return "", nil
	}
	var all []RoleRevocation
	before := a.AsOf.Add(revocationSlack)
	for _, s := range a.Open {
		r := RoleRevocation{Name: s.Name, Before: before}
		if !slices.ContainsFunc(all, r.same) {
			all = append(all, r)
		}
	}
	return DenyRevoked(all)
}
