package mapping

// URNs of the schemas that the mappings of a SCIM application are for.
const (
	userURN     = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	coreUserURN = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupURN    = "urn:ietf:params:scim:schemas:core:2.0:Group"
)

// Default is the mappings that the gallery application "AWS IAM Identity Center" begins with.
// externalId is the object id, which is unique and stable.
//
// Sources: the application's tutorial for the targets and what AWS requires; Entra's generic SCIM
// table for the sources, which are not published for this application one by one.
func Default(ruleID string) Schema {
	work := func(list, part string) string { return list + `[type eq "work"].` + part }
	users := []Attribute{
		{Target: "userName", Expression: "[userPrincipalName]", Matching: 1, Required: true},
		{Target: "active", Expression: `Switch([IsSoftDeleted], , "False", "True", "True", "False")`},
		{Target: "displayName", Expression: "[displayName]", Required: true},
		{Target: "title", Expression: "[jobTitle]"},
		{Target: work("emails", "value"), Expression: "[mail]"},
		{Target: "preferredLanguage", Expression: "[preferredLanguage]"},
		{Target: "name.givenName", Expression: "[givenName]", Required: true},
		{Target: "name.familyName", Expression: "[surname]", Required: true},
		{Target: "name.formatted", Expression: `Join(" ", [givenName], [surname])`},
		{Target: work("addresses", "formatted"), Expression: "[physicalDeliveryOfficeName]"},
		{Target: work("addresses", "streetAddress"), Expression: "[streetAddress]"},
		{Target: work("addresses", "locality"), Expression: "[city]"},
		{Target: work("addresses", "region"), Expression: "[state]"},
		{Target: work("addresses", "postalCode"), Expression: "[postalCode]"},
		{Target: work("addresses", "country"), Expression: "[country]"},
		{Target: work("phoneNumbers", "value"), Expression: "[telephoneNumber]"},
		{Target: "externalId", Expression: "[objectId]"},
		{Target: userURN + ":employeeNumber", Expression: "[employeeId]"},
		{Target: userURN + ":department", Expression: "[department]"},
		{Target: userURN + ":manager", Expression: "[manager]"},
	}
	groups := []Attribute{
		{Target: "displayName", Expression: "[displayName]", Matching: 1, Required: true},
		{Target: "externalId", Expression: "[objectId]"},
		{Target: "members", Expression: "[members]"},
	}
	return Schema{
		RuleID:  ruleID,
		Version: 1,
		Objects: []Object{
			{
				Name:       "Provision Microsoft Entra ID Users",
				Source:     "User",
				Target:     userURN,
				Enabled:    true,
				Flows:      AllFlows,
				Attributes: users,
			},
			{
				Name:       "Provision Microsoft Entra ID Groups",
				Source:     "Group",
				Target:     groupURN,
				Enabled:    true,
				Flows:      AllFlows,
				Attributes: groups,
			},
		},
	}
}

// Of returns the mapping of a kind of object, User or Group, or nil.
func (s Schema) Of(source string) *Object {
	for i := range s.Objects {
		if s.Objects[i].Source == source {
			return &s.Objects[i]
		}
	}
	return nil
}
