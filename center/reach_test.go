package center_test

import (
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
)

// TestWhatAdministersAnAccount: permission sets by whose policies somebody can do everything, or
// give themselves everything, and those by which nobody can.
func TestWhatAdministersAnAccount(t *testing.T) {
	t.Parallel()
	const aws = "arn:aws:iam::aws:policy/"
	managed := func(names ...string) (p center.PermissionSet) {
		for _, name := range names {
			p.ManagedPolicies = append(p.ManagedPolicies, aws+name)
		}
		return p
	}
	inline := func(statements string) center.PermissionSet {
		return center.PermissionSet{InlinePolicy: `{"Version":"2012-10-17","Statement":` + statements + `}`}
	}
	allows := func(action, resource string) center.PermissionSet {
		return inline(`{"Effect":"Allow","Action":"` + action + `","Resource":"` + resource + `"}`)
	}
	bounded := func(p center.PermissionSet, boundary string) center.PermissionSet {
		p.Boundary = &center.Boundary{ManagedPolicy: aws + boundary}
		return p
	}
	own := center.PermissionSet{CustomerPolicies: []center.PolicyReference{{Name: "ours"}}}
	for name, c := range map[string]struct {
		set                 center.PermissionSet
		administers, unread bool
	}{
		"nothing":                   {center.PermissionSet{}, false, false},
		"AdministratorAccess":       {managed("ReadOnlyAccess", "AdministratorAccess"), true, false},
		"IAMFullAccess":             {managed("IAMFullAccess"), true, false},
		"PowerUserAccess":           {managed("PowerUserAccess"), false, false},
		"a customer managed policy": {own, false, true},
		"within a boundary":         {bounded(managed("AdministratorAccess"), "ReadOnlyAccess"), false, false},
		"within a boundary of all":  {bounded(managed("AdministratorAccess"), "AdministratorAccess"), true, false},
		"everything":                {inline(`{"Effect":"Allow","Action":"*","Resource":"*"}`), true, false},
		"everything, in a list":     {inline(`[{"Effect":"Allow","Action":["*:*"],"Resource":["*"]}]`), true, false},
		"all but storage":           {inline(`{"Effect":"Allow","NotAction":["s3:*"],"Resource":"*"}`), true, false},
		"all but IAM":               {inline(`{"Effect":"Allow","NotAction":["iam:*"],"Resource":"*"}`), false, false},
		"one service":               {inline(`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`), false, false},
		"all of IAM":                {inline(`{"Effect":"Allow","Action":"IAM:*","Resource":"*"}`), true, false},
		"policies of all roles":     {allows("iam:Put*", "arn:aws:iam::*:role/*"), true, false},
		"policies of some roles":    {allows("iam:Put*", "arn:aws:iam::*:role/a-*"), false, false},
		"to read IAM":               {allows("iam:Get*", "*"), false, false},
		"to hand over a role":       {allows("iam:PassRole", "*"), false, false},
		"to hand it over, and to run": {inline(`[{"Effect":"Allow","Action":"iam:PassRole","Resource":"*"},
			{"Effect":"Allow","Action":"lambda:Create?unction","Resource":"arn:aws:lambda:*:*:function:x"}]`,
		), true, false},
		"denied again": {inline(`[{"Effect":"Allow","Action":"*","Resource":"*"},
			{"Effect":"Deny","Action":"iam:*","Resource":"*"}]`), false, false},
		"denied now and then": {inline(`[{"Effect":"Allow","Action":"*","Resource":"*"},
			{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"false"}}}]`,
		), true, false},
		"denied only":         {inline(`{"Effect":"Deny","Action":"*","Resource":"*"}`), false, false},
		"what cannot be read": {center.PermissionSet{InlinePolicy: `{"Statement":7}`}, true, false},
	} {
		if r := c.set.Reach(); r.Administers != c.administers || r.Unread != c.unread ||
			(r.Why == "") == (c.administers || c.unread) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
