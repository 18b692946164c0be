package identitystore_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

func TestTheRealAWSCLI(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	aws := e.CLI()
	store := []string{"--identity-store-id", e.Center.IdentityStoreID}
	with := func(args ...string) []string { return append(args, store...) }

	var users struct {
		Users []struct {
			UserID      string `json:"UserId"`
			UserName    string
			ExternalIDs []struct{ Issuer string } `json:"ExternalIds"`
		}
		NextToken string
	}
	aws.Run(&users, with("identitystore", "list-users")...)
	if len(users.Users) != 23 { // 25 less the disabled one and the one without a last name
		t.Errorf("%d users, want 23", len(users.Users))
	}
	if len(users.Users[0].ExternalIDs) != 1 ||
		!strings.HasPrefix(users.Users[0].ExternalIDs[0].Issuer, "https://scim.aws.com/") {
		t.Errorf("external ids %+v, want the SCIM issuer's", users.Users[0].ExternalIDs)
	}
	var groups struct {
		Groups []struct{ GroupID, DisplayName string }
	}
	aws.Run(&groups, with("identitystore", "list-groups")...)
	if len(groups.Groups) != 6 {
		t.Errorf("%d groups, want 6", len(groups.Groups))
	}

	// The walk's step 7: the console no longer edits memberships, the CLI still does.
	var group struct {
		GroupID string `json:"GroupId"`
	}
	aws.Run(
		&group,
		with(
			"identitystore", "get-group-id", "--alternate-identifier",
			`{"UniqueAttribute":{"AttributePath":"displayName","AttributeValue":"Finance"}}`,
		)...)
	var user struct {
		UserID string `json:"UserId"`
	}
	aws.Run(
		&user,
		with(
			"identitystore", "get-user-id", "--alternate-identifier",
			`{"UniqueAttribute":{"AttributePath":"userName","AttributeValue":"MEI.tanaka@northwind.example"}}`,
		)...)
	pair := with("--group-id", group.GroupID, "--member-id", "UserId="+user.UserID)
	aws.Run(nil, append([]string{"identitystore", "create-group-membership"}, pair...)...)
	aws.Fails("ConflictException", append([]string{"identitystore", "create-group-membership"}, pair...)...)
	var memberships struct {
		GroupMemberships []struct {
			MembershipID string `json:"MembershipId"`
		}
	}
	aws.Run(&memberships, with("identitystore", "list-group-memberships", "--group-id", group.GroupID)...)
	if len(memberships.GroupMemberships) != 4 {
		t.Errorf("%d members of Finance, want 3 and the new one", len(memberships.GroupMemberships))
	}
	var is struct {
		Results []struct{ MembershipExists bool }
	}
	aws.Run(
		&is,
		with(
			"identitystore", "is-member-in-groups", "--member-id", "UserId="+user.UserID, "--group-ids",
			group.GroupID,
		)...)
	if len(is.Results) != 1 || !is.Results[0].MembershipExists {
		t.Errorf("is-member-in-groups %+v", is)
	}

	var found, same, described1 struct {
		MembershipID string `json:"MembershipId"`
		GroupID      string `json:"GroupId"`
	}
	aws.Run(&found, append([]string{"identitystore", "get-group-membership-id"}, pair...)...)
	aws.Run(&described1, with("identitystore", "describe-group-membership", "--membership-id", found.MembershipID)...)
	if described1.GroupID != group.GroupID {
		t.Errorf("the membership %+v is in another group than %s", described1, group.GroupID)
	}
	aws.Run(
		&memberships,
		with("identitystore", "list-group-memberships-for-member", "--member-id", "UserId="+user.UserID)...)
	if len(memberships.GroupMemberships) != 2 {
		t.Errorf("a member of %d groups, want the old one and the new one", len(memberships.GroupMemberships))
	}
	aws.Run(nil, with("identitystore", "delete-group-membership", "--membership-id", found.MembershipID)...)
	aws.Fails("ResourceNotFoundException", append([]string{"identitystore", "get-group-membership-id"}, pair...)...)

	aws.Run(
		&same,
		with("identitystore", "create-group", "--display-name", "Auditors", "--description", "Read everything")...)
	aws.Fails("ConflictException", with("identitystore", "create-group", "--display-name", "AUDITORS")...)
	aws.Run(
		nil,
		with(
			"identitystore", "update-group", "--group-id", same.GroupID, "--operations",
			`[{"AttributePath":"displayName","AttributeValue":"Inspectors"}]`,
		)...)
	var inspectors struct{ DisplayName, Description string }
	aws.Run(&inspectors, with("identitystore", "describe-group", "--group-id", same.GroupID)...)
	if inspectors.DisplayName != "Inspectors" || inspectors.Description != "Read everything" {
		t.Errorf("the group is %+v", inspectors)
	}
	aws.Run(nil, with("identitystore", "delete-group", "--group-id", same.GroupID)...)
	aws.Fails("ResourceNotFoundException", with("identitystore", "describe-group", "--group-id", same.GroupID)...)
	aws.Fails(
		"ValidationException",
		with(
			"identitystore", "update-user", "--user-id", user.UserID, "--operations",
			`[{"AttributePath":"shoeSize","AttributeValue":"42"}]`,
		)...)

	aws.Run(
		&user,
		with(
			"identitystore", "create-user", "--user-name", "new.person", "--display-name", "New Person", "--name",
			"GivenName=New,FamilyName=Person", "--emails", "Value=new@example.com,Type=work,Primary=true",
		)...)
	aws.Fails(
		"ConflictException",
		with(
			"identitystore", "create-user", "--user-name", "NEW.person", "--display-name", "X", "--name",
			"GivenName=N,FamilyName=P",
		)...)
	aws.Fails("ValidationException", with("identitystore", "create-user", "--user-name", "only.name")...)
	aws.Run(
		nil,
		with(
			"identitystore", "update-user", "--user-id", user.UserID, "--operations",
			`[{"AttributePath":"title","AttributeValue":"Chief"},{"AttributePath":"name.givenName",
				"AttributeValue":"Newer"}]`,
		)...)
	var described struct {
		Title, UserStatus string
		Name              struct{ GivenName string }
	}
	aws.Run(&described, with("identitystore", "describe-user", "--user-id", user.UserID)...)
	if described.Title != "Chief" || described.Name.GivenName != "Newer" {
		t.Errorf("after the update %+v", described)
	}
	aws.Run(nil, with("identitystore", "delete-user", "--user-id", user.UserID)...)
	aws.Fails("ResourceNotFoundException", with("identitystore", "describe-user", "--user-id", user.UserID)...)
	aws.Fails("ResourceNotFoundException", "identitystore", "list-users", "--identity-store-id", "d-0000000000")

	var page struct {
		Users     []struct{ UserName string }
		NextToken string
	}
	aws.Run(&page, with("identitystore", "list-users", "--max-items", "10", "--page-size", "5")...)
	if len(page.Users) != 10 || page.NextToken == "" {
		t.Errorf("a page of %d users, token %q", len(page.Users), page.NextToken)
	}
}
