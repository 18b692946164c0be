package terraform

import (
	"fmt"
	"strings"
)

// unsayable says why the provider has no way to say a user, or nothing. It requires these three.
// Source: AWS provider, aws_identitystore_user.
func (u *User) unsayable() string {
	var missing []string
	if u.Name == nil || u.Name.Given == "" {
		missing = append(missing, "given name")
	}
	if u.Name == nil || u.Name.Family == "" {
		missing = append(missing, "family name")
	}
	if u.DisplayName == "" {
		missing = append(missing, "display name")
	}
	if len(missing) == 0 {
		return ""
	}
	return fmt.Sprintf("has no %s, which %s requires", strings.Join(missing, " and no "), user)
}

// shelf is the part of a file's name that says which names are in it: their first letter.
func shelf(identifier string) string {
	c := strings.ToLower(identifier)[0]
	if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
		return string(c)
	}
	return "other"
}

// shelves calls write for each shelf, with where on the list its elements are.
func shelves(n int, identifierOf func(i int) string, write func(shelf string, at []int) error) error {
	by := map[string][]int{}
	for i := range n {
		if name := identifierOf(i); name != "" {
			by[shelf(name)] = append(by[shelf(name)], i)
		}
	}
	for _, s := range SortedKeys(by) {
		if err := write(s, by[s]); err != nil {
			return err
		}
	}
	return nil
}

func (e *exporter) users() error {
	return shelves(
		len(e.Users), func(i int) string { return e.people[e.Users[i].ID].identifier },
		func(shelf string, at []int) error {
			return e.pair("users_"+shelf, func(f, imports *file) {
				for _, i := range at {
					u := &e.Users[i]
					name := e.people[u.ID].identifier
					if u.Disabled {
						f.comment("This user is disabled, which the provider does not manage.")
					}
					e.resource(f, user, name, 1, func(b *body) { e.user(b, u) })
					imports.imports(user, name, e.IdentityStoreID+"/"+u.ID)
				}
			})
		},
	)
}

func (e *exporter) user(b *body, u *User) {
	b.ref("identity_store_id", to("var", "identity_store_id"))
	for _, a := range []struct{ name, value string }{
		{"user_name", u.UserName}, {"display_name", u.DisplayName}, {"nickname", u.NickName},
		{"profile_url", u.ProfileURL}, {"title", u.Title}, {"user_type", u.UserType}, {"locale", u.Locale},
		{"preferred_language", u.PreferredLanguage}, {"timezone", u.Timezone},
	} {
		b.some(a.name, a.value)
	}
	part := func(kind string, primary bool, values ...argument) {
		b.AppendNewline()
		b.block(kind, func(b *body) {
			for _, v := range values {
				b.some(v.name, v.value)
			}
			if primary {
				b.flag("primary", true)
			}
		})
	}
	part("name", false, argument{"given_name", u.Name.Given}, argument{"family_name", u.Name.Family},
		argument{"middle_name", u.Name.Middle}, argument{"formatted", u.Name.Formatted},
		argument{"honorific_prefix", u.Name.Prefix}, argument{"honorific_suffix", u.Name.Suffix})
	for _, v := range u.Emails {
		part("emails", v.Primary, argument{"value", v.Value}, argument{"type", v.Type})
	}
	for _, v := range u.Phones {
		part("phone_numbers", v.Primary, argument{"value", v.Value}, argument{"type", v.Type})
	}
	for _, a := range u.Addresses {
		part("addresses", a.Primary, argument{"street_address", a.Street}, argument{"locality", a.Locality},
			argument{"region", a.Region}, argument{"postal_code", a.PostalCode}, argument{"country", a.Country},
			argument{"formatted", a.Formatted}, argument{"type", a.Type})
	}
}

// argument is one of a resource and its text.
type argument struct{ name, value string }

func (e *exporter) groups() error {
	return shelves(
		len(e.Groups), func(i int) string { return e.people[e.Groups[i].ID].identifier },
		func(shelf string, at []int) error {
			return e.pair("groups_"+shelf, func(f, imports *file) {
				for _, i := range at {
					e.group(f, imports, &e.Groups[i])
				}
			})
		},
	)
}

func (e *exporter) group(f, imports *file, g *Group) {
	name := e.people[g.ID].identifier
	e.resource(f, group, name, 1, func(b *body) {
		b.ref("identity_store_id", to("var", "identity_store_id"))
		b.text("display_name", g.DisplayName)
		b.some("description", g.Description)
	})
	imports.imports(group, name, e.IdentityStoreID+"/"+g.ID)
	if len(g.Members) == 0 {
		return
	}
	var all, ids []entry
	unique := keys{}
	for _, m := range g.Members {
		who, value := e.principal(m.UserID)
		key := unique.of(who, m.ID)
		all = append(all, entry{key: key, value: value})
		ids = append(ids, entry{key: key, value: quoted(e.IdentityStoreID + "/" + m.ID)})
	}
	sortEntries(all, ids)
	e.resource(f, membership, name, len(all), func(b *body) {
		b.SetAttributeRaw("for_each", entries(all))
		b.ref("identity_store_id", to("var", "identity_store_id"))
		b.ref("group_id", to(group, name, "group_id"))
		b.ref("member_id", to("each", "value"))
	})
	imports.importsEach(membership, name, ids)
}
