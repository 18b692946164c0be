// Package demo is the demo without its command: the company that it shows, and that tests are made
// with, its people and groups at the tenant, and what they may do in which AWS accounts of the
// center; the walk that connects the two; and what other programs are told of the pair.
//
// It may import adminapi, audit, authn, awsconfig, center, connect, graph, mail, refusal, tenant
// and web.
package demo

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/tenant"
)

// The demo's company: 25 people in six groups by job function. One person is disabled, one has no
// last name, one group is nested.

type seedPerson struct{ given, surname, title, group string }

var seedPeople = []seedPerson{
	{"Amara", "Okafor", "Head of Platform", "Platform Engineering"},
	{"Jonas", "Lindqvist", "Site Reliability Engineer", "Platform Engineering"},
	{"Mei", "Tanaka", "Platform Engineer", "Platform Engineering"},
	{"Rafael", "Souza", "Cloud Engineer", "Platform Engineering"},
	{"Priya", "Raman", "Engineering Manager", "Engineering"},
	{"Tomasz", "Nowak", "Backend Engineer", "Engineering"},
	{"Chloe", "Martin", "Frontend Engineer", "Engineering"},
	{"Daniel", "Weber", "Mobile Engineer", "Engineering"},
	{"Sofia", "Rossi", "Backend Engineer", "Engineering"},
	{"Kwame", "Mensah", "Quality Engineer", "Engineering"},
	{"Hannah", "Schmidt", "Engineering Intern", "Engineering"},
	{"Leila", "Haddad", "Head of Data", "Data"},
	{"Oliver", "Brown", "Data Engineer", "Data"},
	{"Ingrid", "Larsen", "Analyst", "Data"},
	{"Santiago", "Vega", "Machine Learning Engineer", "Data"},
	{"Nadia", "Petrova", "Security Lead", "Security"},
	{"Yusuf", "Demir", "Security Engineer", "Security"},
	{"Grace", "Kim", "Auditor", "Security"},
	{"Martin", "Dubois", "Finance Director", "Finance"},
	{"Elena", "Popescu", "Controller", "Finance"},
	{"Thabo", "Dlamini", "Accountant", "Finance"},
	{"Lucia", "Fernandez", "Head of Support", "Support"},
	{"Ben", "O'Neill", "Support Engineer", "Support"},
	{"Teller", "", "Support Engineer", "Support"},
	{"Viktor", "Horvat", "Support Engineer", "Support"},
}

const disabledPerson = "Viktor Horvat"

var seedGroups = [][2]string{
	{"Platform Engineering", "Runs the cloud"},
	{"Engineering", "Builds the product"},
	{"Data", "Pipelines and reports"},
	{"Security", "Keeps it safe"},
	{"Finance", "Pays for it"},
	{"Support", "Helps the customers"},
}

// nestedGroup is a member of outerGroup. Nested groups are not provisioned: the people in them come
// by their own group.
const nestedGroup, outerGroup = "Platform Engineering", "Engineering"

func address(given, surname, domain string) string {
	plain := strings.NewReplacer("'", "", " ", "").Replace
	if surname == "" {
		return strings.ToLower(plain(given)) + "@" + domain
	}
	return strings.ToLower(plain(given)+"."+plain(surname)) + "@" + domain
}

// NewCompany makes the demo's company, or one of any size: the first people and groups are always
// the same.
func NewCompany(people, groups int, domain string) tenant.Company {
	var c tenant.Company
	groupIDs := map[string]tenant.GroupID{}
	for i := range groups {
		name, description := fmt.Sprintf("Team %03d", i+1), "Generated"
		if i < len(seedGroups) {
			name, description = seedGroups[i][0], seedGroups[i][1]
		}
		g := tenant.Group{
			ID:              tenant.GroupID(uuid.NewString()),
			DisplayName:     name,
			Description:     description,
			MailNickname:    strings.ToLower(strings.ReplaceAll(name, " ", "-")),
			SecurityEnabled: true,
		}
		groupIDs[name] = g.ID
		c.Groups = append(c.Groups, g)
	}
	for i := range people {
		p := seedPeople[i%len(seedPeople)]
		number := i / len(seedPeople)
		if number > 0 { // generated: the same names with a number, and everyone has a last name
			p.surname = fmt.Sprintf("%s%d", p.surname, number+1)
			if seedPeople[i%len(seedPeople)].surname == "" {
				p.surname = fmt.Sprintf("Penn%d", number+1)
			}
		}
		u := person(p, i, domain)
		u.Enabled = u.DisplayName != disabledPerson
		if i > 0 {
			u.ManagerID = c.Users[0].ID
		}
		c.Users = append(c.Users, u)
		group := groupIDs[p.group]
		if number > 0 || group == "" {
			group = c.Groups[i%groups].ID
		}
		c.Members = append(
			c.Members, tenant.Member{GroupID: group, MemberID: tenant.PrincipalID(u.ID), Kind: tenant.KindUser},
		)
	}
	if groupIDs[outerGroup] != "" {
		c.Members = append(c.Members, tenant.Member{
			GroupID:  groupIDs[outerGroup],
			MemberID: tenant.PrincipalID(groupIDs[nestedGroup]),
			Kind:     tenant.KindGroup,
		})
	}
	return c
}

func person(p seedPerson, i int, domain string) tenant.User {
	upn := address(p.given, p.surname, domain)
	return tenant.User{
		ID:                tenant.UserID(uuid.NewString()),
		UserPrincipalName: upn,
		Mail:              upn,
		MailNickname:      upn[:strings.IndexByte(upn, '@')],
		DisplayName:       strings.TrimSpace(p.given + " " + p.surname),
		GivenName:         p.given,
		Surname:           p.surname,
		JobTitle:          p.title,
		Department:        p.group,
		EmployeeID:        fmt.Sprintf("E%05d", i+1),
		PreferredLanguage: "en-US",
		UsageLocation:     "US",
		Enabled:           true,
	}
}
