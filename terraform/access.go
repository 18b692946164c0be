package terraform

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// instance sets the argument that nearly every resource has.
func (b *body) instance() { b.ref("instance_arn", to("var", "instance_arn")) }

func (e *exporter) accessControl() error {
	if len(e.AccessControl) == 0 {
		return nil
	}
	return e.pair("access_control_attributes", func(f, imports *file) {
		f.comment("Attributes for access control: the tags of each session, and where their values come from.")
		e.resource(f, accessControl, "this", 1, func(b *body) {
			b.instance()
			for _, a := range e.AccessControl {
				b.AppendNewline()
				b.block("attribute", func(b *body) {
					b.text("key", a.Key)
					b.block("value", func(b *body) { b.texts("source", a.Source) })
				})
			}
		})
		imports.imports(accessControl, "this", e.InstanceARN)
	})
}

// permissionSets writes a file for each permission set.
func (e *exporter) permissionSets() error {
	all := make([]string, 0, len(e.PermissionSets))
	for _, p := range e.PermissionSets {
		all = append(all, e.sets[p.ARN])
	}
	files := newFileNames(all)
	for _, p := range e.PermissionSets {
		name := e.sets[p.ARN]
		err := e.pair("permission_set_"+files.of(name), func(f, imports *file) { e.permissionSet(f, imports, name, p) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *exporter) permissionSet(f, imports *file, name string, p PermissionSet) {
	e.resource(f, permissionSet, name, 1, func(b *body) {
		b.instance()
		b.text("name", p.Name)
		b.some("description", p.Description)
		b.some("relay_state", p.RelayState)
		b.some("session_duration", p.SessionDuration)
		b.tags(p.Tags)
		b.lifecycle(p.Tags, false)
	})
	imports.imports(permissionSet, name, id(p.ARN, e.InstanceARN))
	of := func(b *body) {
		b.instance()
		b.ref("permission_set_arn", to(permissionSet, name, "arn"))
	}
	if len(p.ManagedPolicies) > 0 {
		var ids []entry
		for _, arn := range p.ManagedPolicies {
			ids = append(ids, entry{key: arn, value: quoted(id(arn, p.ARN, e.InstanceARN))})
		}
		e.resource(f, managedPolicy, name, len(ids), func(b *body) {
			b.SetAttributeRaw("for_each", set(p.ManagedPolicies))
			of(b)
			b.ref("managed_policy_arn", to("each", "value"))
		})
		imports.importsEach(managedPolicy, name, ids)
	}
	e.customerManaged(f, imports, name, p, of)
	if p.InlinePolicy != "" {
		e.resource(f, inlinePolicy, name, 1, func(b *body) {
			of(b)
			b.SetAttributeRaw("inline_policy", policy(p.InlinePolicy))
		})
		imports.imports(inlinePolicy, name, id(p.ARN, e.InstanceARN))
	}
	if p.Boundary != nil {
		e.resource(f, boundary, name, 1, func(b *body) {
			of(b)
			b.AppendNewline()
			b.block("permissions_boundary", func(b *body) {
				if p.Boundary.ManagedPolicy != "" {
					b.text("managed_policy_arn", p.Boundary.ManagedPolicy)
					return
				}
				b.block("customer_managed_policy_reference", func(b *body) {
					b.text("name", p.Boundary.CustomerManaged.Name)
					b.text("path", cmp.Or(p.Boundary.CustomerManaged.Path, "/"))
				})
			})
		})
		imports.imports(boundary, name, id(p.ARN, e.InstanceARN))
	}
}

func (e *exporter) customerManaged(f, imports *file, name string, p PermissionSet, of func(*body)) {
	var all, ids []entry
	for _, c := range p.CustomerManaged {
		if path := cmp.Or(c.Path, "/"); importable(c) {
			all = append(all, entry{
				key: path + c.Name, fields: []field{{"name", quoted(c.Name)}, {"path", quoted(path)}},
			})
			ids = append(ids, entry{key: path + c.Name, value: quoted(id(c.Name, path, p.ARN, e.InstanceARN))})
		}
	}
	if len(all) == 0 {
		return
	}
	e.resource(f, customerManaged, name, len(ids), func(b *body) {
		b.SetAttributeRaw("for_each", entries(all))
		of(b)
		b.AppendNewline()
		b.block("customer_managed_policy_reference", func(b *body) {
			b.ref("name", to("each", "value", "name"))
			b.ref("path", to("each", "value", "path"))
		})
	})
	imports.importsEach(customerManaged, name, ids)
}

// importable says whether the provider can import a customer managed policy: it separates the parts
// of an id by commas.
func importable(c PolicyReference) bool { return !strings.Contains(c.Path+c.Name, ",") }

// assignments writes a file for each account.
func (e *exporter) assignments() error {
	setName := map[string]string{}
	for _, p := range e.PermissionSets {
		setName[p.ARN] = p.Name
	}
	slices.SortFunc(e.Assignments, func(a, b Assignment) int {
		return cmp.Or(
			strings.Compare(a.Account, b.Account),
			strings.Compare(setName[a.PermissionSet], setName[b.PermissionSet]),
			strings.Compare(a.PermissionSet, b.PermissionSet),
			strings.Compare(a.Principal.Type, b.Principal.Type),
			strings.Compare(e.people[a.Principal.ID].name, e.people[b.Principal.ID].name),
			strings.Compare(a.Principal.ID, b.Principal.ID),
		)
	})
	for rest := e.Assignments; len(rest) > 0; {
		account := rest[0].Account
		n := slices.IndexFunc(rest, func(a Assignment) bool { return a.Account != account })
		if n < 0 {
			n = len(rest)
		}
		name := e.identifier(assignment, "account_"+account, account)
		part := rest[:n]
		if err := e.pair(
			name, func(f, imports *file) { e.account(f, imports, name, account, part, setName) },
		); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

func (e *exporter) account(
	f, imports *file, name, account string, part []Assignment, setName map[string]string,
) {
	all, ids := make([]entry, 0, len(part)), make([]entry, 0, len(part))
	unique := keys{}
	for _, a := range part {
		who, principal := e.principal(a.Principal.ID)
		set, arn := cmp.Or(setName[a.PermissionSet], a.PermissionSet), quoted(a.PermissionSet)
		if known := e.sets[a.PermissionSet]; known != "" {
			arn = tokensOf(to(permissionSet, known, "arn"))
		}
		key := unique.of(set+"/"+a.Principal.Type+"/"+who, a.Principal.ID)
		all = append(all, entry{key: key, fields: []field{
			{"permission_set", arn}, {"type", quoted(a.Principal.Type)}, {"principal", principal},
		}})
		ids = append(ids, entry{key: key, value: quoted(id(
			a.Principal.ID, a.Principal.Type, a.Account, "AWS_ACCOUNT", a.PermissionSet, e.InstanceARN,
		))})
	}
	title := "Account " + account
	if known := e.AccountNames[account]; known != "" {
		title = "Account " + known + " (" + account + ")"
	}
	f.comment(title + ": who has which permission set there.")
	e.resource(f, assignment, name, len(all), func(b *body) {
		b.SetAttributeRaw("for_each", entries(all))
		b.instance()
		b.ref("permission_set_arn", to("each", "value", "permission_set"))
		b.ref("principal_type", to("each", "value", "type"))
		b.ref("principal_id", to("each", "value", "principal"))
		b.text("target_type", "AWS_ACCOUNT")
		b.text("target_id", account)
	})
	imports.importsEach(assignment, name, ids)
}

// applications writes all of them into one file.
func (e *exporter) applications() error {
	if len(e.Applications) == 0 {
		return nil
	}
	return e.pair("applications", func(f, imports *file) {
		for i := range e.Applications {
			e.application(f, imports, &e.Applications[i])
		}
	})
}

func (e *exporter) application(f, imports *file, a *Application) {
	safe, _ := identifier(a.Name)
	name := e.identifier(application, safe+"_"+digest(a.ARN), a.ARN)
	if notes := e.notes(a); len(notes) > 0 {
		f.comment(notes...)
	}
	e.resource(f, application, name, 1, func(b *body) {
		b.instance()
		b.text("application_provider_arn", a.Provider)
		b.text("name", a.Name)
		b.some("description", a.Description)
		b.some("status", a.Status)
		b.tags(a.Tags)
		if a.SignInOrigin != "" { // the provider takes no visibility without it
			b.AppendNewline()
			b.block("portal_options", func(b *body) {
				b.some("visibility", a.Visibility)
				b.block("sign_in_options", func(b *body) {
					b.text("origin", a.SignInOrigin)
					b.some("application_url", a.SignInURL)
				})
			})
		}
		b.lifecycle(a.Tags, a.Provider != custom)
	})
	imports.imports(application, name, a.ARN)
	arn := to(application, name, "application_arn")
	if a.AssignmentRequired != nil {
		e.resource(f, required, name, 1, func(b *body) {
			b.ref("application_arn", arn)
			b.flag("assignment_required", *a.AssignmentRequired)
		})
		imports.imports(required, name, a.ARN)
	}
	e.scopes(f, imports, name, arn, a)
	if len(a.Assigned) == 0 {
		return
	}
	var all, ids []entry
	unique := keys{}
	for _, p := range a.Assigned {
		who, principal := e.principal(p.ID)
		key := unique.of(p.Type+"/"+who, p.ID)
		all = append(all, entry{key: key, fields: []field{{"type", quoted(p.Type)}, {"principal", principal}}})
		ids = append(ids, entry{key: key, value: quoted(id(a.ARN, p.ID, p.Type))})
	}
	sortEntries(all, ids)
	e.resource(f, assigned, name, len(all), func(b *body) {
		b.SetAttributeRaw("for_each", entries(all))
		b.ref("application_arn", arn)
		b.ref("principal_type", to("each", "value", "type"))
		b.ref("principal_id", to("each", "value", "principal"))
	})
	imports.importsEach(assigned, name, ids)
}

// scopes writes the access scopes. An application's own ARN among the targets is a reference.
func (e *exporter) scopes(f, imports *file, name string, arn hcl.Traversal, a *Application) {
	for _, s := range a.Scopes {
		safe, _ := identifier(s.Name)
		one := e.identifier(scope, name+"_"+safe, a.ARN+s.Name)
		e.resource(f, scope, one, 1, func(b *body) {
			b.ref("application_arn", arn)
			b.text("scope", s.Name)
			if len(s.Targets) == 0 {
				return
			}
			targets := make([]hclwrite.Tokens, 0, len(s.Targets))
			for _, t := range s.Targets {
				if t == a.ARN {
					targets = append(targets, tokensOf(arn))
				} else {
					targets = append(targets, hclwrite.TokensForValue(cty.StringVal(t)))
				}
			}
			b.SetAttributeRaw("authorized_targets", hclwrite.TokensForTuple(targets))
		})
		imports.imports(scope, one, id(a.ARN, s.Name))
	}
}

// notes are what the provider cannot say of an application.
func (e *exporter) notes(a *Application) (notes []string) {
	if a.Provider != custom {
		notes = append(notes, fmt.Sprintf(
			"The application %s cannot be made by API (its provider is %s), so Terraform may not destroy it. What is "+
				"set at it in the console is not here.", a.Name, a.Provider,
		))
	}
	if len(a.Methods)+len(a.Grants) > 0 {
		notes = append(notes, fmt.Sprintf(
			"The application %s also has what the provider 5.100 has no resource for: authentication methods (%s) and "+
				"grants (%s). They stay as they are.",
			a.Name, strings.Join(a.Methods, ", "), strings.Join(a.Grants, ", "),
		))
	}
	return notes
}

func (e *exporter) tokenIssuers() error {
	if len(e.TokenIssuers) == 0 {
		return nil
	}
	return e.pair("trusted_token_issuers", func(f, imports *file) {
		for _, t := range e.TokenIssuers {
			name := e.identifier(tokenIssuer, t.Name, t.ARN)
			e.resource(f, tokenIssuer, name, 1, func(b *body) {
				b.instance()
				b.text("name", t.Name)
				b.text("trusted_token_issuer_type", t.Type)
				b.tags(t.Tags)
				b.AppendNewline()
				b.block("trusted_token_issuer_configuration", func(b *body) {
					b.block("oidc_jwt_configuration", func(b *body) {
						b.text("claim_attribute_path", t.Claim)
						b.text("identity_store_attribute_path", t.Attribute)
						b.text("issuer_url", t.Issuer)
						b.text("jwks_retrieval_option", t.Retrieval)
					})
				})
				b.lifecycle(t.Tags, false)
			})
			imports.imports(tokenIssuer, name, t.ARN)
		}
	})
}
