package oversee

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// migration turns assignments of permission sets into entitlements.
type migration struct {
	*administer.Caller
	in        adminapi.MigrationInput
	to        string
	terraform bool
	apply     bool
	undo      bool
	confirm   string
}

func (w World) migrate() *cobra.Command {
	m := &migration{Caller: administer.NewCaller(w.World)}
	cmd := m.Command("migrate", "Plan how assignments of permission sets become entitlements to existing roles",
		terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) error { return m.run(cmd.Context(), c) })
	cmd.Long = `Plans which assignments become entitlements to roles that are called like the permission sets, what
these roles need, and what cannot move. It changes nothing, unless --apply is given: then the
entitlements are made at the center. Assignments stay as they are, so that nobody is without access;
remove them when everybody uses the roles. It may be repeated. --undo removes the entitlements that
the same plan made.

--terraform prints the plan for AWS instead: the application and the entitlements as resources of
Terraform's AWS provider, which finds users and groups by their names. The trust statement that each
role needs there is an output.`
	cmd.Example = `  gatehouse access migrate --to account-access
  gatehouse access migrate --to account-access --account Production --path /people/ --apply
  gatehouse access migrate --to account-access --terraform > account-access.tf.json`
	f := cmd.Flags()
	f.StringVar(&m.to, "to", "", "where to: account-access")
	f.StringVar(&m.in.AccountID, "account", "", "only this AWS account, by name or ID")
	f.StringVar(&m.in.Path, "path", "", "path of the roles (default /)")
	f.BoolVar(&m.terraform, "terraform", false, "print Terraform for AWS, in its JSON syntax")
	f.BoolVar(&m.apply, "apply", false, "make the entitlements at the center")
	f.BoolVar(&m.undo, "undo", false, "remove the entitlements of the plan from the center")
	f.StringVar(&m.confirm, "confirm", "", "the word "+accept+", to skip the question")
	return cmd
}

func (m *migration) run(ctx context.Context, c *adminapi.Client) error {
	switch {
	case m.to != "account-access":
		return errors.New("say where to: --to account-access")
	case m.apply && m.undo, m.terraform && (m.apply || m.undo):
		return errors.New("use one of --apply, --undo and --terraform")
	}
	plan, err := c.PreviewMigration(ctx, m.in)
	if err != nil {
		return err
	}
	if m.terraform {
		d, err := c.DescribeDirectory(ctx)
		if err != nil {
			return err
		}
		text, err := terraformOf(plan, d.Region)
		if err == nil {
			_, err = m.Out.Write(append(text, '\n'))
		}
		return err
	}
	if err := m.show(plan); err != nil {
		return err
	}
	switch {
	case m.apply:
		return m.make(ctx, c, plan)
	case m.undo:
		return m.unmake(ctx, c, plan)
	}
	return nil
}

func (m *migration) show(plan adminapi.Migration) error {
	err := m.Print(plan, "WHO\tROLE\tSTATE", func(line func(...any)) {
		for _, e := range plan.Entitlements {
			state := "to be made"
			if e.EntitlementID != "" {
				state = "there"
			}
			line(holder(e), e.RoleArn, state)
		}
		for _, s := range plan.Stays {
			who := strings.ToLower(s.PrincipalType) + " " + s.PrincipalID
			line(who, s.PermissionSet+" in "+s.AccountID, "stays: "+s.Why)
		}
	})
	if err != nil || m.JSON() {
		return err
	}
	for _, r := range plan.Roles {
		for _, need := range r.Needs {
			fmt.Fprintln(m.Err, terminal.Inline(r.RoleArn+" needs "+need))
		}
		for _, lost := range r.Lost {
			fmt.Fprintln(m.Err, terminal.Inline(r.RoleArn+" has no place for "+lost))
		}
	}
	return nil
}

// confirmed asks whether a plan is wanted.
func (m *migration) confirmed(plan string) error {
	l := leavers{Caller: m.Caller, confirm: m.confirm}
	return l.confirmed(plan)
}

// make makes what is not there yet. One role that does not fit keeps nobody else from theirs.
func (m *migration) make(ctx context.Context, c *adminapi.Client, plan adminapi.Migration) error {
	var wanted []adminapi.Entitlement
	for _, e := range plan.Entitlements {
		if e.EntitlementID == "" {
			wanted = append(wanted, e)
		}
	}
	if len(wanted) == 0 {
		fmt.Fprintln(m.Err, "Everything is there already.")
		return nil
	}
	err := m.confirmed(fmt.Sprintf("%d entitlements will be made. Assignments stay as they are.", len(wanted)))
	if err != nil {
		return err
	}
	if _, err := c.EnableAccountAccess(ctx); err != nil {
		return err
	}
	failed := 0
	for _, e := range wanted {
		if _, err := c.CreateEntitlement(ctx, e); err != nil {
			failed++
			fmt.Fprintln(m.Err, terminal.Inline(holder(e)+", "+e.RoleArn+": "+err.Error()))
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d entitlements could not be made: mend what is named, and run it again",
			failed, len(wanted))
	}
	fmt.Fprintf(m.Err, "%d entitlements were made.\n", len(wanted))
	return nil
}

func (m *migration) unmake(ctx context.Context, c *adminapi.Client, plan adminapi.Migration) error {
	var there []adminapi.Entitlement
	for _, e := range plan.Entitlements {
		if e.EntitlementID != "" {
			there = append(there, e)
		}
	}
	if len(there) == 0 {
		fmt.Fprintln(m.Err, "None of these entitlements is there.")
		return nil
	}
	err := m.confirmed(fmt.Sprintf("%d entitlements will be removed. Sessions that are open go on.", len(there)))
	if err != nil {
		return err
	}
	for _, e := range there {
		if err := c.DeleteEntitlement(ctx, e.EntitlementID); err != nil {
			return fmt.Errorf("%s, %s: %w", holder(e), e.RoleArn, err)
		}
	}
	fmt.Fprintf(m.Err, "%d entitlements were removed.\n", len(there))
	return nil
}

type object = map[string]any

// terraformOf is a plan for Terraform's AWS provider. Source: its documentation,
// aws_accountaccess_application and aws_accountaccess_entitlement; user guide of IAM, "Prepare IAM
// roles for account access manager".
func terraformOf(plan adminapi.Migration, region string) ([]byte, error) {
	users, groups := object{}, object{}
	entitlements := object{}
	const store, application = "tolist(data.aws_ssoadmin_instances.this.identity_store_ids)[0]",
		"aws_accountaccess_application.this.arn"
	names := map[string]string{} // of data sources, by principal
	for i, e := range plan.Entitlements {
		kind, attribute := "aws_identitystore_user", "UserName"
		member, sources := "user_id", users
		if e.PrincipalType == "GROUP" {
			kind, attribute = "aws_identitystore_group", "DisplayName"
			member, sources = "group_id", groups
		}
		name, known := names[e.PrincipalID]
		if !known {
			name = fmt.Sprintf("p%d", len(names)+1)
			names[e.PrincipalID] = name
			sources[name] = object{
				"identity_store_id": "${" + store + "}",
				"alternate_identifier": object{"unique_attribute": object{
					"attribute_path": attribute, "attribute_value": literal(e.PrincipalName),
				}},
			}
		}
		entitlements[fmt.Sprintf("e%d", i+1)] = object{
			"application_arn": "${" + application + "}",
			"entitlement": object{"principal_role": object{
				"role_arn": e.RoleArn,
				"principal": object{"identity_center": object{
					member: "${data." + kind + "." + name + "." + member + "}",
				}},
			}},
		}
	}
	roles := []string{}
	for _, r := range plan.Roles {
		roles = append(roles, r.RoleArn)
	}
	data := object{"aws_ssoadmin_instances": object{"this": object{}}, "aws_caller_identity": object{"this": object{}}}
	resources := object{"aws_accountaccess_application": object{"this": object{
		"identity_center_instance_arn": "${tolist(data.aws_ssoadmin_instances.this.arns)[0]}",
	}}}
	for kind, some := range map[string]object{"aws_identitystore_user": users, "aws_identitystore_group": groups} {
		if len(some) > 0 {
			data[kind] = some
		}
	}
	if len(entitlements) > 0 {
		resources["aws_accountaccess_entitlement"] = entitlements
	}
	return json.MarshalIndent(object{
		"provider": object{"aws": object{"region": region}},
		"data":     data,
		"resource": resources,
		"output": object{"trust_statement": object{
			"description": "What the trust policy of each of the roles needs: " + strings.Join(roles, ", "),
			"value": object{
				"Effect":    "Allow",
				"Principal": object{"Service": "account-access.amazonaws.com"},
				"Action":    []string{"sts:AssumeRole", "sts:SetContext", "sts:TagSession"},
				"Condition": object{"StringEquals": object{
					"aws:SourceArn":     "${" + application + "}",
					"aws:SourceAccount": "${data.aws_caller_identity.this.account_id}",
				}},
			},
		}},
	}, "", "  ")
}

// literal keeps Terraform from reading expressions in a text.
func literal(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "${", "$${"), "%{", "%%{")
}
