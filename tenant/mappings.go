package tenant

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// ruleID names the one synchronization rule of a schema. Source: a sample of this application's
// schema.
const ruleID = "03f7d90d-bf71-41b1-bda6-aaf0ddbee5d8"

// DefaultMappings are those that a job begins with.
func DefaultMappings() mapping.Schema { return mapping.Default(ruleID) }

// Mappings are the attribute mappings of a job: those that were saved, or the default ones.
func (j Job) Mappings() mapping.Schema {
	if j.Schema == nil {
		return DefaultMappings()
	}
	return *j.Schema
}

// SetMappings saves attribute mappings and scoping filters; everything is evaluated again, as the
// portal says, unless nothing has changed. It fails with InvalidValue, whose detail says which
// mapping is wrong and why. The caller does not say what the target requires.
func (t *Tenant) SetMappings(ctx context.Context, by audit.Actor, id JobID, s mapping.Schema) error {
	return t.updateJob(ctx, by, ActionUpdateAttributeMappingsOrScope, id, func(j *Job) error {
		was := j.Mappings()
		next, err := completeMappings(s, was)
		if err == nil && j.SyncAll && next.MapsRoles() {
			err = &refusal.Error{Code: InvalidValue, Subject: "schema", Detail: rolesOfAll}
		}
		if err != nil {
			return err
		}
		changed := !sameMappings(next, was)
		if !changed {
			next.Version = was.Version
		}
		if j.Schema != nil || changed || len(next.Beside) > 0 {
			j.Schema = &next
		}
		if changed {
			j.reset()
		}
		return nil
	})
}

// rolesOfAll refuses what Entra ID says does not work. Source: "Customizing user provisioning
// attribute-mappings", limitations.
const rolesOfAll = "AppRoleAssignmentsComplex and AssertiveAppRoleAssignmentsComplex do not go together with " +
	"syncing all users and groups: sync only assigned users and groups"

// sameMappings says whether nothing would be evaluated in another way.
func sameMappings(a, b mapping.Schema) bool {
	a.Version, b.Version = 0, 0
	a.Beside, b.Beside = nil, nil
	first, e1 := json.Marshal(a, json.Deterministic(true))
	second, e2 := json.Marshal(b, json.Deterministic(true))
	return e1 == nil && e2 == nil && bytes.Equal(first, second)
}

// ResetMappings goes back to the default ones.
func (t *Tenant) ResetMappings(ctx context.Context, by audit.Actor, id JobID) error {
	return t.updateJob(ctx, by, ActionUpdateAttributeMappingsOrScope, id, func(j *Job) error {
		j.Schema = nil
		j.reset()
		return nil
	})
}

// completeMappings checks mappings that replace others, and fills in what only the template knows.
// Problems of the others may stay, so that they can be mended one after the other.
func completeMappings(s, others mapping.Schema) (mapping.Schema, error) {
	wrong := func(format string, args ...any) (mapping.Schema, error) {
		return s, &refusal.Error{Code: InvalidValue, Subject: "schema", Detail: fmt.Sprintf(format, args...)}
	}
	defaults := DefaultMappings()
	s.RuleID, s.Version = ruleID, others.Version+1
	before := MappingProblems(others)
	if len(s.Objects) != len(defaults.Objects) {
		return wrong("use one mapping of users and one of groups")
	}
	for _, d := range defaults.Objects {
		o := s.Of(d.Source)
		if o == nil {
			return wrong("the mapping of %ss is missing", strings.ToLower(d.Source))
		}
		if d.Source == string(KindUser) && !o.Enabled {
			return wrong("the mapping of users cannot be disabled")
		}
		o.Target = d.Target
		for i := range o.Attributes {
			o.Attributes[i].Required = false
			for _, a := range d.Attributes {
				if a.Target == o.Attributes[i].Target {
					o.Attributes[i].Required = a.Required
				}
			}
		}
		c, err := mapping.Compile(*o)
		if err != nil {
			return wrong("%v", err)
		}
		for _, problem := range problemsOf(*o) {
			if !slices.Contains(before, problem) {
				return wrong("%s", problem)
			}
		}
		if len(c.Matching()) == 0 {
			return wrong("the mapping of %ss has no matching attribute", strings.ToLower(d.Source))
		}
	}
	return s, nil
}

// Attribute gives an attribute of a user by the name that expressions of attribute mappings use.
// Source: attribute names of the portal's mapping page.
func (u User) Attribute(name string) mapping.Value {
	switch name {
	case "objectId":
		return mapping.One(string(u.ID))
	case "accountEnabled":
		return mapping.One(map[bool]string{true: "True", false: "False"}[u.Enabled])
	case "telephoneNumber":
		return optional(u.BusinessPhone)
	case "originalUserPrincipalName":
		return mapping.One(u.UserPrincipalName)
	case "userPrincipalName":
		return mapping.One(mapping.InvitedAddress(u.UserPrincipalName))
	}
	if place, ok := textPlaces[name]; ok {
		return optional(*u.Texts()[place].Value)
	}
	var n int
	if _, err := fmt.Sscanf(name, "extensionAttribute%d", &n); err == nil && n >= 1 && n <= len(u.Extensions) {
		return optional(u.Extensions[n-1])
	}
	return nil
}

// Attribute gives an attribute of a user as a job has it: with the roles of its application.
func (u ScopedUser) Attribute(name string) mapping.Value {
	if name != "appRoleAssignments" {
		return u.User.Attribute(name)
	}
	var texts mapping.Value
	for _, r := range u.Roles {
		texts = append(texts, mapping.Role{ID: string(r.ID), Value: r.Value, DisplayName: r.DisplayName}.Text())
	}
	return texts
}

// Attribute gives an attribute of a group by the name that expressions of attribute mappings use.
func (g Group) Attribute(name string) mapping.Value {
	switch name {
	case "objectId":
		return mapping.One(string(g.ID))
	case "displayName":
		return mapping.One(g.DisplayName)
	case "description":
		return optional(g.Description)
	case "mailNickname":
		return optional(g.MailNickname)
	case "securityEnabled":
		return mapping.One(map[bool]string{true: "True", false: "False"}[g.SecurityEnabled])
	}
	return nil
}

func optional(s string) mapping.Value {
	if s == "" {
		return nil
	}
	return mapping.One(s)
}

// SourceAttributes are the attributes of users or groups that expressions may use; the last one is
// the reference, which only stands alone.
func SourceAttributes(kind ObjectKind) []string {
	if kind == KindGroup {
		return []string{"description", "displayName", "mailNickname", "objectId", "securityEnabled", "members"}
	}
	names := []string{
		"objectId", "accountEnabled", "appRoleAssignments", "IsSoftDeleted", "telephoneNumber",
		"originalUserPrincipalName",
	}
	var u User
	for _, t := range u.Texts() {
		names = append(names, cmp.Or(t.Source, t.Name))
	}
	for i := range u.Extensions {
		names = append(names, fmt.Sprint("extensionAttribute", i+1))
	}
	slices.Sort(names)
	return append(names, "manager")
}

// TargetAttributes are the attributes of the application: those that are mapped by default, and a
// few more. Source: the application's tutorial.
func TargetAttributes(kind ObjectKind) (names []string) {
	s := DefaultMappings()
	o := s.Of(string(kind))
	for _, a := range o.Attributes {
		names = append(names, a.Target)
	}
	if kind == KindUser {
		names = append(
			names, "locale", "timezone", "nickName", "profileUrl", "userType", "roles",
			`roles[primary eq "True"].value`, o.Target+":division",
			o.Target+":costCenter", o.Target+":organization",
		)
	}
	return names
}

// ScopedObject returns what a job must know of one object, whatever has changed.
func (t *Tenant) ScopedObject(ctx context.Context, j Job, m Mark) (scope Scope, err error) {
	err = t.Store.View(ctx, func(r Reader) error {
		scope = Scope{}
		assigned, err := assignedPrincipals(r, j.ServicePrincipalID)
		return errors.Join(err, scoper{r, j.SyncAll, j.FlattenGroups, assigned}.each(&scope, []Mark{m}))
	})
	return scope, err
}
