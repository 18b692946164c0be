package tenant

// TextProperty is a property of a user that is one text and may be set.
type TextProperty struct {
	Name  string // Graph's
	Value *string
	// Source is its name in attribute mappings, where that is another one: the directory's old
	// names. Source: attribute names of the portal's mapping page.
	Source string
}

// userTexts is how many there are.
const userTexts = 20

// Texts are the properties that are one text and may be set. Checks, the Graph door, attribute
// mappings, imports and the mirror of another tenant go by this table.
func (u *User) Texts() [userTexts]TextProperty {
	return [...]TextProperty{
		{"displayName", &u.DisplayName, ""},
		{"givenName", &u.GivenName, ""},
		{"surname", &u.Surname, ""},
		{"userPrincipalName", &u.UserPrincipalName, ""},
		{"mail", &u.Mail, ""},
		{"mailNickname", &u.MailNickname, ""},
		{"jobTitle", &u.JobTitle, ""},
		{"department", &u.Department, ""},
		{"employeeId", &u.EmployeeID, ""},
		{"mobilePhone", &u.MobilePhone, "mobile"},
		{"companyName", &u.CompanyName, ""},
		{"officeLocation", &u.OfficeLocation, "physicalDeliveryOfficeName"},
		{"streetAddress", &u.StreetAddress, ""},
		{"city", &u.City, ""},
		{"state", &u.State, ""},
		{"postalCode", &u.PostalCode, ""},
		{"country", &u.Country, ""},
		{"preferredLanguage", &u.PreferredLanguage, ""},
		{"usageLocation", &u.UsageLocation, ""},
		{"userType", &u.UserType, ""},
	}
}

// textPlaces are the places of the texts in the table, by both of their names.
var textPlaces = func() map[string]int {
	places := map[string]int{}
	for i, t := range new(User).Texts() {
		places[t.Name] = i
		if t.Source != "" {
			places[t.Source] = i
		}
	}
	return places
}()

// Text returns the place of a property that is one text, by Graph's name; nil when there is none.
func (u *User) Text(name string) *string {
	place, ok := textPlaces[name]
	if !ok {
		return nil
	}
	t := u.Texts()[place]
	if t.Name != name {
		return nil
	}
	return t.Value
}

// changedSince are the properties in which a user differs from before, by Graph's names.
func (u User) changedSince(old User) (properties []string) {
	before := old.Texts()
	for i, t := range u.Texts() {
		if *t.Value != *before[i].Value {
			properties = append(properties, t.Name)
		}
	}
	for name, differs := range map[string]bool{
		"accountEnabled":                  u.Enabled != old.Enabled,
		"businessPhones":                  u.BusinessPhone != old.BusinessPhone,
		"manager":                         u.ManagerID != old.ManagerID,
		"onPremisesExtensionAttributes":   u.Extensions != old.Extensions,
		"signInSessionsValidFromDateTime": !u.SessionsValidFrom.Equal(old.SessionsValidFrom),
	} {
		if differs {
			properties = append(properties, name)
		}
	}
	return properties
}

// changedSince are the properties in which a group differs from before, by Graph's names.
func (g Group) changedSince(old Group) (properties []string) {
	for name, differs := range map[string]bool{
		"description":     g.Description != old.Description,
		"displayName":     g.DisplayName != old.DisplayName,
		"mailNickname":    g.MailNickname != old.MailNickname,
		"securityEnabled": g.SecurityEnabled != old.SecurityEnabled,
	} {
		if differs {
			properties = append(properties, name)
		}
	}
	return properties
}
