package center

import (
	"encoding/json"
	"slices"
	"time"
)

// maxDenial is how large a denial is at most, in bytes: all policies in a role have 10,240
// together.
// Source: IAM user guide, "IAM and AWS STS quotas".
const maxDenial = 4096 //bound:text a denial of revoked credentials

// DenyRevoked is a policy that denies everything to the credentials that were issued to somebody
// before a moment. The source identity stays with a session also when it goes on to another role,
// so that CloudTrail names the person there; what it does there, only that role can deny. Source:
// IAM user guide, "Revoke IAM role temporary security credentials", and its condition keys
// aws:TokenIssueTime and sts:SourceIdentity.
//
// A role has no room for any number of moments and names. If there are too many, all have the last
// moment: whoever has new credentials since an earlier one asks for them again. If the names alone
// are too many, it denies what was issued to anybody before, as AWS's own revocation does.
func DenyRevoked(revoked []RoleRevocation) (string, error) {
	names := map[time.Time][]string{}
	var moments []time.Time // in the order in which they come
	var all []string
	for _, r := range revoked {
		if names[r.Before] == nil {
			moments = append(moments, r.Before)
		}
		names[r.Before] = append(names[r.Before], r.Name)
		all = append(all, r.Name)
	}
	statements := []denial{}
	for _, before := range moments {
		statements = append(statements, denied(before, names[before]))
	}
	document, err := denying(statements)
	if err != nil || len(document) <= maxDenial {
		return document, err
	}
	last := slices.MaxFunc(moments, time.Time.Compare)
	slices.Sort(all)
	document, err = denying([]denial{denied(last, slices.Compact(all))})
	if err != nil || len(document) <= maxDenial {
		return document, err
	}
	return denying([]denial{denied(last, nil)})
}

type denial = map[string]any

// denied is what is denied to the credentials from before a moment: those of names, or all.
func denied(before time.Time, names []string) denial {
	condition := denial{"DateLessThan": denial{"aws:TokenIssueTime": before.UTC().Format("2006-01-02T15:04:05.000Z")}}
	if names != nil {
		condition["StringEquals"] = denial{"sts:SourceIdentity": names}
	}
	return denial{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}
}

func denying(statements []denial) (string, error) {
	document, err := json.Marshal(denial{"Version": "2012-10-17", "Statement": statements})
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
