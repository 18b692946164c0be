package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/awsapi/trail"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
)

// person is somebody of the directory, with what is meant for them on the other side and what is
// there.
type person struct {
	*DirectoryUser

	deleted  bool
	assigned string    // how the application reaches them: "direct", or a group's name; "" : not
	since    time.Time // of that assignment
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
func (p *person) enabled() bool {
	return !p.deleted && (p.DirectoryUser.enabled == nil || *p.DirectoryUser.enabled)
}

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
func attribute(u *graph.User, deleted bool) mapping.Attributes {
	return func(name string) mapping.Value {
		if v := textOf(u, deleted, name); v != "" {
			return mapping.One(v)
		}
		return nil
	}
}

// attributes are the texts of a user, by the name that mappings use.
var attributes = map[string]func(*graph.User) string{
	"objectId":                   func(u *graph.User) string { return u.ID },
	"originalUserPrincipalName":  func(u *graph.User) string { return u.UserPrincipalName },
	"userPrincipalName":          func(u *graph.User) string { return mapping.InvitedAddress(u.UserPrincipalName) },
	"mail":                       func(u *graph.User) string { return u.Mail },
	"displayName":                func(u *graph.User) string { return u.DisplayName },
	"givenName":                  func(u *graph.User) string { return u.GivenName },
	"surname":                    func(u *graph.User) string { return u.Surname },
	"mailNickname":               func(u *graph.User) string { return u.MailNickname },
	"jobTitle":                   func(u *graph.User) string { return u.JobTitle },
	"department":                 func(u *graph.User) string { return u.Department },
	"employeeId":                 func(u *graph.User) string { return u.EmployeeID },
	"mobile":                     func(u *graph.User) string { return u.MobilePhone },
	"telephoneNumber":            func(u *graph.User) string { return strings.Join(u.BusinessPhones, "") },
	"companyName":                func(u *graph.User) string { return u.CompanyName },
	"physicalDeliveryOfficeName": func(u *graph.User) string { return u.OfficeLocation },
	"city":                       func(u *graph.User) string { return u.City },
	"streetAddress":              func(u *graph.User) string { return u.StreetAddress },
	"state":                      func(u *graph.User) string { return u.State },
	"postalCode":                 func(u *graph.User) string { return u.PostalCode },
	"country":                    func(u *graph.User) string { return u.Country },
	"userType":                   func(u *graph.User) string { return u.UserType },
	"preferredLanguage":          func(u *graph.User) string { return u.PreferredLanguage },
	"usageLocation":              func(u *graph.User) string { return u.UsageLocation },
}

// textOf gives an attribute; empty where it has no value.
func textOf(u *graph.User, deleted bool, name string) string {
	off := deleted || (u.AccountEnabled != nil && !*u.AccountEnabled)
	switch name {
	case "IsSoftDeleted":
		return flag(off)
	case "accountEnabled":
		return flag(!off)
	}
	if of := attributes[name]; of != nil {
		return of(u)
	}
	return u.Extensions[name]
}

func flag(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

func (l *look) findPeople() {
	l.scopeGroups()
	l.people = make([]person, 0, len(l.e.Users)+len(l.e.Deleted))
	for i := range l.e.Users {
		l.people = append(l.people, person{DirectoryUser: &l.e.Users[i]})
	}
	for i := range l.e.Deleted {
		l.people = append(l.people, person{DirectoryUser: &l.e.Deleted[i], deleted: true})
	}
	l.ids = indexed(len(l.people), func(i int, add func(string)) { add(l.people[i].ID) })
	l.upns = indexed(len(l.e.Users), func(i int, add func(string)) { add(fold(l.people[i].UserPrincipalName)) })
	l.reach()
	targets := new([]string)
	matched := map[string]*User{}
	for _, c := range l.e.Connections {
		if u := l.awsUser(c.TargetID); u != nil && matched[c.SourceID] == nil {
			matched[c.SourceID] = u
		}
	}
	for p := range l.everybody() {
		l.evaluate(p, targets)
	}
	wanted := indexed(len(l.e.Users), func(i int, add func(string)) { add(l.people[i].values.of("externalId")) })
	for p := range l.everybody() {
		l.meet(p, matched[p.ID], wanted)
	}
	l.learn()
	for _, a := range l.e.Audits {
		for _, t := range a.TargetResources {
			if a.ActivityDateTime.After(l.changed[t.ID]) {
				l.changed[t.ID] = a.ActivityDateTime
			}
		}
	}
	l.twins = sync.OnceValues(l.lookalikes)
}

// lookalikes find people who are at AWS's side by the part of their name before the @, and by their
// display name.
func (l *look) lookalikes() (local, display index) {
	of := func(key func(*person) string) index {
		return indexed(len(l.people), func(i int, add func(string)) {
			if p := &l.people[i]; !p.deleted && p.aws != nil {
				add(key(p))
			}
		})
	}
	local = of(func(p *person) string {
		name, _, _ := strings.Cut(fold(p.UserPrincipalName), "@")
		return name
	})
	return local, of(func(p *person) string { return fold(p.DisplayName) })
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
	for p := range l.everybody() {
		if p.aws != nil && seen[fold(p.aws.UserName)] && !strings.EqualFold(p.nameID, p.aws.UserName) {
			byMail = byMail || strings.EqualFold(p.aws.UserName, p.Mail)
			p.nameID = p.aws.UserName
		}
	}
	if !byMail || l.subject.attribute != "userprincipalname" {
		return
	}
	l.subject.attribute = "mail"
	for p := range l.everybody() {
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
	l.member = make([]*person, l.e.Members.size())
	for p := range l.everybody() {
		if n, known := l.e.Members.find(p.ID); known {
			l.member[n] = p
		}
	}
	l.circleOf = l.e.Members.turned()
	sp := l.meaning()
	for _, a := range l.e.Assigned {
		if sp == nil || a.ResourceID != sp.ID {
			continue
		}
		var at time.Time
		if a.CreatedDateTime != nil {
			at = *a.CreatedDateTime
		}
		if p := l.byID(a.PrincipalID); p != nil {
			p.assigned, p.since = "direct", at
			continue
		}
		l.reachGroup(a.PrincipalID, at)
	}
	for p := range l.everybody() {
		p.scoped = p.assigned != "" || l.all
	}
}

// via are the groups in scope that somebody is a direct member of.
func (l *look) via(p *person) iter.Seq[*graph.Group] {
	return func(yield func(*graph.Group) bool) {
		for id := range l.circleOf.of(p.ID) {
			if g := l.circles[id]; g != nil && l.inScope[id] && !yield(g) {
				return
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
	level := l.e.Members.numbers(id)
	for depth := 0; len(level) > 0 && depth < 20; depth++ {
		var next []uint32
		for _, m := range level {
			p, inner := l.member[m], l.e.Members.ids[m]
			switch {
			case p != nil && depth == 0 && p.assigned == "":
				p.assigned, p.since = g.DisplayName, at
			case p != nil && depth > 0 && p.nested == "":
				p.nested = g.DisplayName
			case p == nil && !seen[inner]:
				seen[inner] = true
				next = append(next, l.e.Members.numbers(inner)...)
			}
		}
		level = next
	}
}

// sending is what would be sent about somebody, as far as checks ask for it. A map would be several
// times as large, and there is one for everybody.
type sending struct {
	targets *[]string // the same for all people
	values  []string  // in the order of the targets; "": not sent
}

// asked are the targets that checks ask for, beside the elements of lists.
var asked = []string{"userName", "externalId", "displayName", "name.givenName", "name.familyName", "title"}

// set keeps what checks ask for.
func (s *sending) set(values map[string]string) {
	for target := range values {
		if !slices.Contains(*s.targets, target) &&
			(slices.Contains(asked, target) || strings.Contains(target, "[")) {
			*s.targets = append(*s.targets, target)
		}
	}
	s.values = make([]string, len(*s.targets))
	for i, target := range *s.targets {
		s.values[i] = values[target]
	}
}

// of gives the value of an attribute; empty where it would not be sent.
func (s sending) of(target string) string {
	for i, value := range s.values {
		if (*s.targets)[i] == target {
			return value
		}
	}
	return ""
}

// evaluate says what would be sent about somebody.
func (l *look) evaluate(p *person, targets *[]string) {
	user := p.whole()
	ctx, of := context.Background(), attribute(&user, p.deleted)
	if l.users != nil {
		if in, unmet, err := l.users.InScope(ctx, of); err == nil && !in {
			p.unmet = cmp.Or(unmet, "the scoping filter")
		}
		if wanted, creating, err := l.users.Map(ctx, of); err == nil {
			maps.Copy(wanted, creating)
			p.values.targets = targets
			p.values.set(wanted)
			p.missing = l.users.Missing(wanted)
		}
	}
	p.nameID = l.subject.of(p.UserPrincipalName, of)
}

// meet finds who a person is at AWS's side: whom the job remembers, or who has their ids or names.
// An external id that several people would get, by wanted, says nothing of any of them.
func (l *look) meet(p *person, remembered *User, wanted index) {
	if remembered != nil {
		p.aws, p.by = remembered, connected
		return
	}
	find := func(by string, x index, key string) bool {
		if key == "" {
			return false
		}
		for u := range l.usersAt(x.find(key)) {
			p.aws, p.by = u, by
			return true
		}
		return false
	}
	id := p.values.of("externalId")
	if len(wanted.find(id)) > 1 {
		id = ""
	}
	_ = find("externalId", l.awsExt, id) || find("externalId", l.awsExt, p.ID) ||
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
func (s nameIDSource) of(upn string, of mapping.Attributes) string {
	if s.conditional && strings.Contains(upn, "#EXT#") {
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
	value := of(name).Text()
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
