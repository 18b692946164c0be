package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/awsapi/trail"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
)

// person is somebody of the directory, with what is meant for them on the other side and what is
// there.
type person struct {
	*graph.User

	deleted  bool
	assigned string    // how the application reaches them: "direct", or a group's name; "" : not
	since    time.Time // of that assignment
	via      []string  // ids of the groups in scope that they are direct members of
	nested   string    // the group that reaches them only by nesting
	scoped   bool      // the job means them
	unmet    string    // the clause of the scoping filter that they do not pass
	values   sending   // what provisioning would send
	missing  []string  // targets that AWS requires and that have no value
	nameID   string    // what would be sent at sign-in; "" : none, or not known
	aws      *User     // who they are at AWS's side
	by       string    // why that one: externalId, userName or email
}

// enabled says whether they may sign in at Entra.
func (p *person) enabled() bool { return !p.deleted && (p.AccountEnabled == nil || *p.AccountEnabled) }

func (p *person) guest() bool { return strings.Contains(p.UserPrincipalName, "#EXT#") }

// is says whether a text that somebody typed means this person.
func (p *person) is(text string) bool {
	for _, name := range []string{p.UserPrincipalName, p.Mail, p.ID, p.DisplayName, p.values.of("userName")} {
		if name != "" && fold(name) == fold(text) {
			return true
		}
	}
	return false
}

// attribute gives an attribute by the name that mappings use.
func attribute(u graph.User, deleted bool) mapping.Attributes {
	off := deleted || (u.AccountEnabled != nil && !*u.AccountEnabled)
	phone := ""
	if len(u.BusinessPhones) > 0 {
		phone = u.BusinessPhones[0]
	}
	values := map[string]string{
		"objectId": u.ID, "originalUserPrincipalName": u.UserPrincipalName,
		"userPrincipalName": mapping.InvitedAddress(u.UserPrincipalName), "mail": u.Mail, "displayName": u.DisplayName,
		"givenName": u.GivenName, "surname": u.Surname, "mailNickname": u.MailNickname, "jobTitle": u.JobTitle,
		"department": u.Department, "employeeId": u.EmployeeID, "mobile": u.MobilePhone, "telephoneNumber": phone,
		"companyName": u.CompanyName, "physicalDeliveryOfficeName": u.OfficeLocation, "city": u.City,
		"streetAddress": u.StreetAddress, "state": u.State, "postalCode": u.PostalCode, "country": u.Country,
		"userType": u.UserType, "preferredLanguage": u.PreferredLanguage, "usageLocation": u.UsageLocation,
		"IsSoftDeleted": flag(off), "accountEnabled": flag(!off),
	}
	for name, value := range u.Extensions {
		values[name] = value
	}
	return mapping.Texts(values)
}

func flag(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

func (l *look) findPeople() {
	l.scopeGroups()
	for i := range l.e.Users {
		l.people = append(l.people, &person{User: &l.e.Users[i]})
	}
	for i := range l.e.Deleted {
		l.people = append(l.people, &person{User: &l.e.Deleted[i], deleted: true})
	}
	for _, p := range l.people {
		l.byID[p.ID] = p
	}
	l.reach()
	for _, p := range l.people {
		l.evaluate(p)
		if !p.deleted {
			l.byName[fold(p.UserPrincipalName)] = p
		}
	}
	for _, p := range l.people {
		l.meet(p)
	}
	l.learn()
	for _, a := range l.e.Audits {
		for _, t := range a.TargetResources {
			if a.ActivityDateTime.After(l.changed[t.ID]) {
				l.changed[t.ID] = a.ActivityDateTime
			}
		}
	}
	for _, p := range l.people {
		if name, _, _ := strings.Cut(fold(p.UserPrincipalName), "@"); !p.deleted && p.aws != nil {
			l.local[name] = p
			l.display[fold(p.DisplayName)] = p
		}
	}
}

// learn takes the NameID from sign-ins that AWS took, where they show another than the one that is
// expected: claims that were set in the portal are in no policy that Graph shows.
func (l *look) learn() {
	seen := map[string]bool{}
	for _, e := range l.a.Events {
		name := detail(e.AdditionalData, "UserName")
		if name != "" && e.ErrorCode == "" && l.Now.Sub(e.EventTime) < recent && !failed(e) {
			seen[fold(name)] = true
		}
	}
	byMail := false
	for _, p := range l.people {
		if p.aws != nil && seen[fold(p.aws.UserName)] && !strings.EqualFold(p.nameID, p.aws.UserName) {
			byMail = byMail || strings.EqualFold(p.aws.UserName, p.Mail)
			p.nameID = p.aws.UserName
		}
	}
	if !byMail || l.subject.attribute != "userprincipalname" {
		return
	}
	l.subject.attribute = "mail"
	for _, p := range l.people {
		p.nameID = cmp.Or(p.Mail, p.nameID)
	}
}

// failed says whether a record is of a sign-in that was refused.
func failed(e trail.Event) bool {
	for _, m := range []map[string]any{e.ResponseElements, e.ServiceDetails} {
		if detail(m, e.EventName) == "Failure" {
			return true
		}
	}
	return false
}

// scopeGroups finds the groups that the job means.
func (l *look) scopeGroups() {
	for i := range l.e.Groups {
		l.circles[l.e.Groups[i].ID] = &l.e.Groups[i]
		l.circleBy[fold(l.e.Groups[i].DisplayName)] = &l.e.Groups[i]
	}
	if l.prov == nil {
		return
	}
	for id := range l.circles {
		l.inScope[id] = l.all
	}
	for _, a := range l.e.Assigned {
		if a.ResourceID == l.prov.ID && a.PrincipalType == "Group" {
			l.inScope[a.PrincipalID] = true
		}
	}
}

// meaning is the application whose assignments count: the job's, else the one of sign-in.
func (l *look) meaning() *graph.ServicePrincipal { return cmp.Or(l.prov, l.sso) }

// reach says how each person is reached by the assignments, directly, by a group or not at all.
func (l *look) reach() {
	sp := l.meaning()
	for _, a := range l.e.Assigned {
		if sp == nil || a.ResourceID != sp.ID {
			continue
		}
		var at time.Time
		if a.CreatedDateTime != nil {
			at = *a.CreatedDateTime
		}
		if p := l.byID[a.PrincipalID]; p != nil {
			p.assigned, p.since = "direct", at
			continue
		}
		l.reachGroup(a.PrincipalID, at)
	}
	for _, p := range l.people {
		p.scoped = p.assigned != "" || l.all
	}
	for id := range l.inScope {
		if !l.inScope[id] || l.circles[id] == nil {
			continue
		}
		for _, m := range l.e.Members[id] {
			if p := l.byID[m.ID]; p != nil && !slices.Contains(p.via, id) {
				p.via = append(p.via, id)
			}
		}
	}
}

func (l *look) reachGroup(id string, at time.Time) {
	g := l.circles[id]
	if g == nil {
		return
	}
	seen := map[string]bool{id: true}
	level := l.e.Members[id]
	for depth := 0; len(level) > 0 && depth < 20; depth++ {
		var next []Member
		for _, m := range level {
			p := l.byID[m.ID]
			switch {
			case p != nil && depth == 0 && p.assigned == "":
				p.assigned, p.since = g.DisplayName, at
			case p != nil && depth > 0 && p.nested == "":
				p.nested = g.DisplayName
			case p == nil && !seen[m.ID]:
				seen[m.ID] = true
				next = append(next, l.e.Members[m.ID]...)
			}
		}
		level = next
	}
}

// sending is what would be sent about somebody. A map would be several times as large, and there is
// one for everybody.
type sending []sent

type sent struct{ name, value string }

// find gives the value of an attribute, and whether it would be sent.
func (s sending) find(name string) (string, bool) {
	for _, x := range s {
		if x.name == name {
			return x.value, true
		}
	}
	return "", false
}

// of gives the value of an attribute; empty where it would not be sent.
func (s sending) of(name string) string {
	value, _ := s.find(name)
	return value
}

// evaluate says what would be sent about somebody.
func (l *look) evaluate(p *person) {
	ctx, of := context.Background(), attribute(*p.User, p.deleted)
	if l.users != nil {
		if in, unmet, err := l.users.InScope(ctx, of); err == nil && !in {
			p.unmet = cmp.Or(unmet, "the scoping filter")
		}
		if wanted, creating, err := l.users.Map(ctx, of); err == nil {
			maps.Copy(wanted, creating)
			p.values = make(sending, 0, len(wanted))
			for name, value := range wanted {
				p.values = append(p.values, sent{name, value})
			}
			p.missing = l.users.Missing(wanted)
		}
	}
	p.nameID = l.subject.of(*p.User)
}

// meet finds who a person is at AWS's side.
func (l *look) meet(p *person) {
	for _, c := range l.e.Connections {
		if u := l.awsUsers[c.TargetID]; c.SourceID == p.ID && u != nil {
			p.aws, p.by = u, connected
			return
		}
	}
	find := func(by string, index map[string][]*User, key string) bool {
		if key == "" || len(index[key]) == 0 {
			return false
		}
		p.aws, p.by = index[key][0], by
		return true
	}
	_ = find("externalId", l.awsExt, p.values.of("externalId")) || find("externalId", l.awsExt, p.ID) ||
		find("userName", l.awsNames, fold(p.values.of("userName"))) || find("email", l.awsMails, fold(p.Mail))
}

// nameIDSource is where the NameID comes from.
type nameIDSource struct {
	attribute string // of a user
	method    string // of a transformation; "" : none
	known     bool
	// conditional says that some people have another: guests, or members of a group.
	conditional bool
}

const nameIdentifier = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"

// nameIDSource reads the claims policy of the application. Without one the NameID is the user
// principal name. Source: claims mapping policy reference.
func (l *look) nameIDSource() nameIDSource {
	out := nameIDSource{attribute: "userprincipalname", known: l.read(Claims)}
	if l.sso == nil {
		return out
	}
	out.custom(l.e.CustomClaims[l.sso.ID])
	for _, policy := range l.e.ClaimsPolicies[l.sso.ID] { // overrides the other
		for _, text := range policy.Definition {
			var d struct {
				ClaimsMappingPolicy struct {
					ClaimsSchema []struct {
						Source, ID, SamlClaimType string
						TransformationID          string `json:"TransformationId"`
					}
					ClaimsTransformations []struct {
						ID, TransformationMethod string
						InputClaims              []struct {
							ClaimTypeReferenceID string `json:"ClaimTypeReferenceId"`
						}
					}
				}
			}
			if json.Unmarshal([]byte(text), &d) != nil {
				continue
			}
			for _, s := range d.ClaimsMappingPolicy.ClaimsSchema {
				if s.SamlClaimType != nameIdentifier {
					continue
				}
				out.attribute = strings.ToLower(s.ID)
				for _, t := range d.ClaimsMappingPolicy.ClaimsTransformations {
					if strings.EqualFold(s.Source, "transformation") && t.ID == s.TransformationID {
						out.method = t.TransformationMethod
						if len(t.InputClaims) > 0 {
							out.attribute = strings.ToLower(t.InputClaims[0].ClaimTypeReferenceID)
						}
					}
				}
			}
		}
	}
	return out
}

// custom takes the NameID that was set in the portal. Who is under a condition is not known.
func (s *nameIDSource) custom(policy CustomClaims) {
	for _, c := range policy.Claims {
		if c.Type != "#microsoft.graph.samlNameIdClaim" {
			continue
		}
		for _, x := range c.Configurations {
			if len(x.Condition) > 0 && string(x.Condition) != "null" {
				s.conditional = true
				continue
			}
			if x.Attribute.ID != "" {
				s.attribute = strings.ToLower(x.Attribute.ID)
			}
			s.method = ""
			for _, t := range x.Transformations {
				s.method = map[string]string{
					"#microsoft.graph.emailPrefixClaimTransformation": "ExtractMailPrefix",
					"#microsoft.graph.toLowercaseTransformation":      "ToLowercase",
					"#microsoft.graph.toUppercaseTransformation":      "ToUppercase",
				}[t.Type]
				if s.method == "" {
					s.method = "transformed"
				}
			}
		}
	}
}

// of is the NameID of somebody; "" where they have none, or it cannot be said.
func (s nameIDSource) of(u graph.User) string {
	if s.conditional && strings.Contains(u.UserPrincipalName, "#EXT#") {
		return ""
	}
	name := map[string]string{
		"userprincipalname": "originalUserPrincipalName", "mail": "mail", "objectid": "objectId",
		"employeeid": "employeeId", "mailnickname": "mailNickname", "onpremisessamaccountname": "mailNickname",
		"telephonenumber": "telephoneNumber", "localuserprincipalname": "originalUserPrincipalName",
	}[s.attribute]
	if name == "" {
		name = s.attribute
		if n, ok := strings.CutPrefix(name, "extensionattribute"); ok {
			name = "extensionAttribute" + n
		}
	}
	value := attribute(u, false)(name).Text()
	switch strings.ToLower(s.method) {
	case "":
	case "extractmailprefix":
		value, _, _ = strings.Cut(value, "@")
	case "tolowercase":
		value = strings.ToLower(value)
	case "touppercase":
		value = strings.ToUpper(value)
	default:
		return ""
	}
	return value
}

// describe says where the NameID comes from, as the portal calls it.
func (s nameIDSource) describe() string {
	if s.method != "" {
		return fmt.Sprintf("%s(user.%s)", s.method, s.attribute)
	}
	return "user." + s.attribute
}
