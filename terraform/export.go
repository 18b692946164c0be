package terraform

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Options say how an export is written.
type Options struct {
	// People asks for users and groups too that are provisioned over SCIM.
	People bool
	// Force writes over what is in the folder already.
	Force  bool
	DryRun bool // changes nothing; the summary says what would be
	// Entra is the other side of a connection; nil without one.
	Entra *Entra
	// Facts are what only a console tells, in sentences.
	Facts []string
	Ends  []End
}

// End is when something ends that Terraform does not manage.
type End struct {
	What string
	At   time.Time
}

// Summary says what an export has written.
type Summary struct {
	Folder    string         `json:"folder"`
	Files     []string       `json:"files"`
	Changed   []string       `json:"changed"` // files that are new or other than those before
	Removed   []string       `json:"removed"` // files of the export before
	Resources map[string]int `json:"resources"`
	LeftOut   []string       `json:"left_out"`
	Unread    []Unread       `json:"unread"`
	DryRun    bool           `json:"dry_run"`
}

// exporter writes the files.
type exporter struct {
	*Organization
	Options

	folder *folder
	names  map[string]*identifiers // by type of resource
	people map[string]person       // by id
	sets   map[string]string       // identifiers of permission sets by ARN
	count  map[string]int
	left   []string
}

// person is how a user or a group is referred to.
type person struct {
	name, identifier string // no identifier: no resource
	group            bool
}

// Write writes an organization into a folder.
func Write(path string, o *Organization, options Options) (s Summary, err error) {
	f, err := openFolder(path, options.Force)
	if err != nil {
		return s, err
	}
	if f.aside, err = os.MkdirTemp("", "gatehouse-export-*"); err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, f.discard()) }()
	o.sort()
	e := &exporter{
		Organization: o, Options: options, folder: f, names: map[string]*identifiers{}, people: map[string]person{},
		sets: map[string]string{}, count: map[string]int{},
	}
	e.name()
	for _, part := range []func() error{
		e.main, e.principals, e.accessControl, e.permissionSets, e.assignments, e.applications, e.tokenIssuers, e.users,
		e.groups,
	} {
		if err := part(); err != nil {
			return s, err
		}
	}
	if e.Entra != nil {
		if err := e.entra(); err != nil {
			return s, err
		}
	}
	s = Summary{
		Folder: path, Files: f.names(), Resources: e.count, LeftOut: nonNil(e.left), Unread: nonNil(o.Unread),
		DryRun: options.DryRun,
	}
	s.Changed, s.Removed = f.changes()
	s.Changed, s.Removed = nonNil(s.Changed), nonNil(s.Removed)
	if !options.DryRun {
		err = f.commit()
	}
	return s, err
}

func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// identifier names a resource of a type.
func (e *exporter) identifier(kind, name, id string) string {
	if e.names[kind] == nil {
		e.names[kind] = newIdentifiers()
	}
	return e.names[kind].of(name, id)
}

// name names what others refer to, before anything is written.
func (e *exporter) name() {
	for _, p := range e.PermissionSets {
		e.sets[p.ARN] = e.identifier(permissionSet, p.Name, p.ARN)
		for _, c := range p.CustomerManaged {
			if !importable(c) {
				e.left = append(e.left, fmt.Sprintf(
					"customer managed policy %s%s of permission set %s: the provider cannot import what has a comma",
					c.Path, c.Name, p.Name,
				))
			}
		}
	}
	unique := keys{}
	for i := range e.Users {
		u := &e.Users[i]
		p := person{name: unique.of(u.UserName, u.ID)}
		if problem := u.unsayable(); e.wanted(u.Provisioned) && problem != "" {
			e.left = append(e.left, fmt.Sprintf("user %s (%s): %s", u.UserName, u.ID, problem))
		} else if e.wanted(u.Provisioned) {
			p.identifier = e.identifier(user, u.UserName, u.ID)
		}
		e.people[u.ID] = p
	}
	unique = keys{}
	for _, g := range e.Groups {
		p := person{name: unique.of(g.DisplayName, g.ID), group: true}
		if e.wanted(g.Provisioned) {
			p.identifier = e.identifier(group, g.DisplayName, g.ID)
		}
		e.people[g.ID] = p
	}
}

// wanted says whether a user or a group is written as a resource.
func (e *exporter) wanted(provisioned bool) bool { return e.People || !provisioned }

// principal is an expression for a user or a group. Who is not there any more is an id.
func (e *exporter) principal(id string) (name string, value hclwrite.Tokens) {
	p, known := e.people[id]
	switch {
	case !known:
		return id, quoted(id)
	case p.identifier != "" && p.group:
		return p.name, tokensOf(to(group, p.identifier, "group_id"))
	case p.identifier != "":
		return p.name, tokensOf(to(user, p.identifier, "user_id"))
	case p.group:
		return p.name, tokensOf(at(p.name, "local", "groups"))
	}
	return p.name, tokensOf(at(p.name, "local", "users"))
}

// The types of resources of the AWS provider. Source: its documentation.
const (
	user            = "aws_identitystore_user"
	group           = "aws_identitystore_group"
	membership      = "aws_identitystore_group_membership"
	permissionSet   = "aws_ssoadmin_permission_set"
	managedPolicy   = "aws_ssoadmin_managed_policy_attachment"
	customerManaged = "aws_ssoadmin_customer_managed_policy_attachment"
	inlinePolicy    = "aws_ssoadmin_permission_set_inline_policy"
	boundary        = "aws_ssoadmin_permissions_boundary_attachment"
	assignment      = "aws_ssoadmin_account_assignment"
	accessControl   = "aws_ssoadmin_instance_access_control_attributes"
	application     = "aws_ssoadmin_application"
	scope           = "aws_ssoadmin_application_access_scope"
	assigned        = "aws_ssoadmin_application_assignment"
	required        = "aws_ssoadmin_application_assignment_configuration"
	tokenIssuer     = "aws_ssoadmin_trusted_token_issuer" // #nosec G101 -- a type, no secret
)

// resource writes a resource. It counts for so many as its for_each makes.
func (e *exporter) resource(f *file, kind, name string, times int, fill func(*body)) {
	e.count[kind] += times
	f.block("resource", []string{kind, name}, fill)
}

// pair writes a file with resources, and one beside it with their import blocks, which people
// delete once they have applied them.
func (e *exporter) pair(name string, fill func(resources, imports *file)) error {
	var failed error
	err := e.folder.write(name+".tf", func(f *file) {
		failed = e.folder.write("import_"+name+".tf", func(imports *file) { fill(f, imports) })
	})
	return errors.Join(err, failed)
}

// imports writes an import block.
func (f *file) imports(kind, name, id string) {
	f.block("import", nil, func(b *body) {
		b.ref("to", to(kind, name))
		b.text("id", id)
	})
}

// importsEach writes an import block for the instances of a resource with for_each.
func (f *file) importsEach(kind, name string, ids []entry) {
	f.block("import", nil, func(b *body) {
		b.SetAttributeRaw("for_each", entries(ids))
		b.SetAttributeRaw("to", instanceOf(to(kind, name)))
		b.SetAttributeTraversal("id", to("each", "value"))
	})
}

// instanceOf is the instance of a resource with the key that for_each is at.
func instanceOf(resource hcl.Traversal) hclwrite.Tokens {
	return append(append(tokensOf(resource), hclwrite.TokensForIdentifier("[")...),
		append(tokensOf(to("each", "key")), hclwrite.TokensForIdentifier("]")...)...)
}

// id joins the parts of an import id.
func id(parts ...string) string { return strings.Join(parts, ",") }

// principals writes who is referred to and has no resource: the directory that provisions them
// writes them.
func (e *exporter) principals() error {
	var groups, users []entry
	seen := map[string]bool{}
	add := func(id string) {
		p, known := e.people[id]
		if !known || p.identifier != "" || seen[id] {
			return
		}
		seen[id] = true
		if p.group {
			groups = append(groups, entry{key: p.name, value: quoted(id)})
		} else {
			users = append(users, entry{key: p.name, value: quoted(id)})
		}
	}
	for _, a := range e.Assignments {
		add(a.Principal.ID)
	}
	for _, a := range e.Applications {
		for _, p := range a.Assigned {
			add(p.ID)
		}
	}
	for _, g := range e.Groups {
		for _, m := range g.Members {
			if e.wanted(g.Provisioned) {
				add(m.UserID)
			}
		}
	}
	if len(seen) == 0 {
		return nil
	}
	sortEntries(groups, users)
	return e.folder.write("principals.tf", func(f *file) {
		f.comment(
			"Users and groups that another directory writes over SCIM: names and ids. They are no resources here, "+
				"since two that write one thing undo each other.", "",
			"For another instance, set look_up_principals: then their ids are looked up by name.",
		)
		f.block("locals", nil, func(b *body) {
			b.SetAttributeRaw("group_ids", entries(groups))
			b.SetAttributeRaw("user_ids", entries(users))
		})
		f.write([]byte(lookUp))
	})
}

const lookUp = `
variable "look_up_principals" {
  description = "Look the ids of provisioned users and groups up by name instead of using those above"
  type        = bool
  default     = false
}

data "aws_identitystore_group" "provisioned" {
  for_each          = var.look_up_principals ? local.group_ids : {}
  identity_store_id = var.identity_store_id

  alternate_identifier {
    unique_attribute {
      attribute_path  = "DisplayName"
      attribute_value = each.key
    }
  }
}

data "aws_identitystore_user" "provisioned" {
  for_each          = var.look_up_principals ? local.user_ids : {}
  identity_store_id = var.identity_store_id

  alternate_identifier {
    unique_attribute {
      attribute_path  = "UserName"
      attribute_value = each.key
    }
  }
}

locals {
  groups = {
    for name, id in local.group_ids :
    name => var.look_up_principals ? data.aws_identitystore_group.provisioned[name].group_id : id
  }
  users = {
    for name, id in local.user_ids :
    name => var.look_up_principals ? data.aws_identitystore_user.provisioned[name].user_id : id
  }
}
`
