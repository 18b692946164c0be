package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
)

// Directory is what the tenant says of people and of itself, for the plan.
type Directory struct {
	People []Person
	Groups []string // display names of the groups that are provisioned
	// Notes are what could not be found out, and what to know.
	Notes []string
	// Groups can be assigned; nil where the tenant does not say.
	Premium *bool
	// members are the ids of the direct members of each of Groups.
	members map[string][]string
}

// userQuery selects what the plan needs of users. A page is as large as Graph allows.
const userQuery = "$top=999&$select=id,userPrincipalName,mail,givenName,surname,displayName,accountEnabled," +
	"mailNickname,employeeId"

// readDirectory reads everybody in the tenant, and whom the application reaches: those who are
// assigned, the members of assigned groups, and those of the groups that are to be assigned.
func (p *Plan) readDirectory(ctx context.Context) (Directory, error) {
	d := Directory{members: map[string][]string{}}
	users, err := graph.All[graph.User](ctx, p.cfg.Graph, "/users?"+userQuery)
	if err != nil {
		return d, fmt.Errorf("read the users: %w", err)
	}
	reached := map[string]string{} // user ids, by which group
	nested := map[string]string{}
	if err := p.readScope(ctx, &d, reached, nested); err != nil {
		return d, err
	}
	both := p.sentNames(ctx, &d)
	d.People = make([]Person, 0, len(users))
	for _, u := range users {
		person := Person{
			ID:                u.ID,
			UserPrincipalName: u.UserPrincipalName,
			Mail:              u.Mail,
			GivenName:         u.GivenName,
			Surname:           u.Surname,
			DisplayName:       u.DisplayName,
			Disabled:          u.AccountEnabled != nil && !*u.AccountEnabled,
			Reach:             OutOfScope,
		}
		if via, ok := reached[u.ID]; ok || p.cfg.SyncAll {
			person.Reach, person.Via = InScope, via
		} else if via, ok := nested[u.ID]; ok {
			person.Reach, person.Via = NestedOnly, via
		}
		person.UserName, person.NameID = both.of(ctx, u)
		d.People = append(d.People, person)
	}
	d.tellGuests()
	d.Premium = p.premium(ctx, &d)
	return d, nil
}

// tellGuests says what to do about guests in scope who could not sign in.
func (d *Directory) tellGuests() {
	n := 0
	for _, p := range d.People {
		if p.Reach == InScope && !p.Disabled && p.guest() && p.NameID != "" && !names.Equal(p.NameID, p.UserName) {
			n++
		}
	}
	if n > 0 {
		d.Notes = append(d.Notes, names.Counted(
			"%d {guest is|guests are} in scope who cannot sign in: provisioning sends the address that they were "+
				"invited by, and sign-in a name with #EXT#. %s, or leave them out", n, guestRemedy,
		))
	}
}

// guest says whether somebody comes from another tenant, whatever their userType says: that is what
// the name tells. A guest who was made in this tenant has a name as members have.
func (p Person) guest() bool { return strings.Contains(p.UserPrincipalName, external) }

const external = "#EXT#@" // in the user principal name of who comes from another tenant

const guestRemedy = "Have both send the mail: a claim condition for external guests (Single sign-on, Attributes & " +
	"Claims, Unique User Identifier, Claim conditions: user.mail), where the mail is the address"

// readScope finds whom the assignments reach. With the scope "all" everybody is reached.
func (p *Plan) readScope(ctx context.Context, d *Directory, reached, nested map[string]string) error {
	var groups []graph.AppRoleAssignment
	for _, id := range p.State.Unassigned {
		groups = append(groups, graph.AppRoleAssignment{PrincipalID: id, PrincipalType: "Group"})
	}
	if p.State.Principal.ID != "" {
		assigned, err := graph.All[graph.AppRoleAssignment](
			ctx, p.cfg.Graph, "/servicePrincipals/"+p.State.Principal.ID+"/appRoleAssignedTo",
		)
		if err != nil {
			return fmt.Errorf("read who is assigned: %w", err)
		}
		groups = append(groups, assigned...)
	}
	known := map[string]bool{}
	for _, a := range groups {
		if known[a.PrincipalID] { // this run has assigned it
			continue
		}
		known[a.PrincipalID] = true
		if a.PrincipalType != "Group" {
			reached[a.PrincipalID] = ""
			continue
		}
		group := "/groups/" + url.PathEscape(a.PrincipalID)
		var g graph.Group
		if err := p.cfg.Graph.Do(ctx, http.MethodGet, group, nil, &g); err != nil {
			return fmt.Errorf("read an assigned group: %w", err)
		}
		d.Groups = append(d.Groups, g.DisplayName)
		for _, level := range []struct {
			path string
			into map[string]string
		}{{"/members", reached}, {"/transitiveMembers", nested}} {
			members, err := graph.All[graph.DirectoryObject](
				ctx, p.cfg.Graph, group+level.path+"?$top=999&$select=id,displayName",
			)
			if err != nil {
				return fmt.Errorf("read the members of %q: %w", g.DisplayName, err)
			}
			within := g.DisplayName
			if level.path != "/members" {
				within = "within " + g.DisplayName
			}
			for _, m := range members {
				if m.ODataType == "" || m.ODataType == graph.DirectoryUserType {
					level.into[m.ID] = within
					if level.path == "/members" {
						d.members[g.DisplayName] = append(d.members[g.DisplayName], m.ID)
					}
				}
			}
		}
	}
	return nil
}

// sent is what provisioning and single sign-on make of a person. An empty NameID expression says
// that it is not known.
type sent struct {
	userName, nameID string
	// guestsDiffer says that a condition gives guests another NameID, which is not known here.
	guestsDiffer bool
}

// original is a name as it is. A mapping gets the address that a guest was invited by instead, and
// a claim does not. Source: "Attribute mappings reference", on guest users.
const original = "originalUserPrincipalName"

const nameIdentifier = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"

// sentNames reads the job's mapping of the user name and the application's NameID claim. Both are
// the user principal name unless somebody changed them.
func (p *Plan) sentNames(ctx context.Context, d *Directory) sent {
	s := sent{userName: "[userPrincipalName]", nameID: "[" + original + "]"}
	if p.State.Job.ID != "" {
		var schema graph.SynchronizationSchema
		path := p.sync("/jobs/" + p.State.Job.ID + "/schema")
		if err := p.cfg.Graph.Do(ctx, http.MethodGet, path, nil, &schema); err != nil {
			d.Notes = append(d.Notes, "the attribute mappings were not read, so the user principal name was taken "+
				"for the user name: "+err.Error())
		}
		for _, rule := range schema.Rules {
			for _, object := range rule.ObjectMappings {
				for _, a := range object.AttributeMappings {
					if object.SourceObjectName == "User" && a.TargetAttributeName == "userName" {
						s.userName = a.Source.Expression
					}
				}
			}
		}
	}
	if p.State.Principal.ID == "" {
		return s
	}
	var portal graph.CustomClaims // none is as good: what it says is that nobody changed anything
	if p.cfg.Graph.Beta().Do(
		ctx, http.MethodGet, "/servicePrincipals/"+p.State.Principal.ID+"/claimsPolicy", nil, &portal,
	) == nil {
		s.readPortal(portal)
	}
	policies, err := graph.All[graph.ClaimsPolicy](
		ctx, p.cfg.Graph, "/servicePrincipals/"+p.State.Principal.ID+"/claimsMappingPolicies",
	)
	if err != nil {
		d.Notes = append(d.Notes, "the NameID claim was not read, and is not compared with the user name: "+err.Error())
		s.nameID = ""
		return s
	}
	for _, policy := range policies {
		for _, definition := range policy.Definition {
			s.nameID = nameIDOf(definition, s.nameID)
		}
	}
	return s
}

// readPortal takes the NameID that somebody has set in the portal's Attributes & Claims.
func (s *sent) readPortal(policy graph.CustomClaims) {
	for _, c := range policy.Claims {
		if c.Type != graph.TypeOfNameID {
			continue
		}
		for _, x := range c.Configurations {
			switch attribute := claimAttributes[strings.ToLower(x.Attribute.ID)]; {
			case len(x.Condition) > 0 && string(x.Condition) != "null":
				s.guestsDiffer = true
			case len(x.Transformations) > 0 || attribute == "":
				s.nameID = ""
			default:
				s.nameID = "[" + attribute + "]"
			}
		}
	}
}

// claimsDefinition is the part of a claims mapping policy that says what NameID is. Source: "Claims
// mapping policy type".
type claimsDefinition struct {
	ClaimsMappingPolicy struct {
		ClaimsSchema []struct{ Source, ID, SamlClaimType, TransformationID string }
	}
}

// claimAttributes are the names that claims have for what mappings call otherwise.
var claimAttributes = map[string]string{
	"userprincipalname": original, "mail": "mail", "mailnickname": "mailNickname",
	"employeeid": "employeeId", "objectid": "objectId", "displayname": "displayName",
}

// nameIDOf is what a policy makes the NameID of, as an expression; before where it says nothing of
// it, and empty where it is computed.
func nameIDOf(definition, before string) string {
	var d claimsDefinition
	if err := json.Unmarshal([]byte(definition), &d); err != nil {
		return ""
	}
	for _, c := range d.ClaimsMappingPolicy.ClaimsSchema {
		if c.SamlClaimType != nameIdentifier {
			continue
		}
		name := claimAttributes[strings.ToLower(c.ID)]
		if !strings.EqualFold(c.Source, "user") || name == "" {
			return ""
		}
		return "[" + name + "]"
	}
	return before
}

// of is what is sent of a person: the user name and the NameID.
func (s sent) of(ctx context.Context, u graph.User) (userName, nameID string) {
	attributes := mapping.Texts(map[string]string{
		"userPrincipalName": mapping.InvitedAddress(u.UserPrincipalName), original: u.UserPrincipalName,
		"mail": u.Mail, "mailNickname": u.MailNickname,
		"givenName": u.GivenName, "surname": u.Surname, "displayName": u.DisplayName, "employeeId": u.EmployeeID,
		"objectId": u.ID,
	})
	evaluate := func(expression string) string {
		if expression == "" {
			return ""
		}
		v, err := mapping.Evaluate(ctx, expression, attributes)
		if err != nil {
			return ""
		}
		return v.Text()
	}
	userName, nameID = evaluate(s.userName), evaluate(s.nameID)
	if s.guestsDiffer && strings.Contains(u.UserPrincipalName, external) {
		nameID = ""
	}
	return userName, nameID
}

// premium says whether groups can be assigned to applications, which needs Entra ID P1. Source:
// "Manage users and groups assignment to an application".
func (p *Plan) premium(ctx context.Context, d *Directory) *bool {
	skus, err := graph.All[graph.SubscribedSKU](ctx, p.cfg.Graph, "/subscribedSkus")
	if err != nil {
		var refused *graph.Error
		why := err.Error()
		if errors.As(err, &refused) && refused.Status == http.StatusForbidden {
			why = "give Organization.Read.All for it"
		}
		d.Notes = append(d.Notes, "the licenses were not read, so whether groups can be assigned (Entra ID P1) is not "+
			"known: "+why)
		return nil
	}
	has := false
	for _, s := range skus {
		has = has || s.Premium()
	}
	return &has
}
