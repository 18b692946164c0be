// Package codify has the commands that write what is there as code: an organization, and a
// connection of it with a tenant, as Terraform. Package terraform does the work.
//
// It may import adminapi, cmd/gatehouse/administer, cmd/gatehouse/upkeep, connect, connect/aws,
// outbound, terminal and terraform.
package codify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/connect/aws"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/terminal"
	"github.com/gatehouse-id/gatehouse/terraform"
)

// about and examples are what the help of export says of Terraform.
const about = `

With --terraform it writes the organization instead: permission sets with their policies, account
assignments, applications, trusted token issuers, attributes for access control, and users and groups
that no other directory provisions. Import blocks are beside them: terraform plan imports what is
there, and changes nothing. It only reads, from AWS itself (--from aws) or from a center over its API
(--center-url). What it may not read is named with its permission, in the files and at the end; the
exit code is 1 then. docs/terraform.md says more.`

const examples = `
  gatehouse export --terraform ./iam-identity-center --from aws@eu-west-1
  gatehouse export --terraform ./center --center-url https://sso.example.com --people
  gatehouse export --terraform ./center --dry-run   # exit code 2 if anything is other than written`

// output are the flags of what is written, which both commands have.
type output struct {
	administer.World

	dir           string
	people        bool
	force, dryRun bool
	asJSON        bool
	differs       error
}

func (o *output) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.dir, "terraform", "", "write Terraform's files into this folder")
	f.BoolVar(&o.people, "people", false, "with --terraform: users and groups too that are provisioned over SCIM")
	f.BoolVar(&o.force, "force", false, "with --terraform: write into a folder that has other or changed files")
	f.BoolVar(
		&o.dryRun, "dry-run", false, "with --terraform: write nothing; exit code 2 if the files would change",
	)
}

// options are how it is written.
func (o *output) options() terraform.Options {
	return terraform.Options{People: o.people, Force: o.force, DryRun: o.dryRun}
}

// errIncomplete is the error of an export that lacks what could not be read.
var errIncomplete = errors.New("the export is not complete: what could not be read is named above")

// write writes, and says what.
func (o *output) write(organization *terraform.Organization, options terraform.Options) error {
	s, err := terraform.Write(o.dir, organization, options)
	if err != nil {
		return err
	}
	if o.asJSON {
		err = json.NewEncoder(o.Out).Encode(s)
	} else {
		err = o.print(s)
	}
	switch {
	case err != nil:
		return err
	case len(s.Unread) > 0:
		return errIncomplete
	case s.DryRun && len(s.Changed)+len(s.Removed) > 0:
		return o.differs
	}
	return nil
}

func (o *output) print(s terraform.Summary) error {
	all := 0
	for _, n := range s.Resources {
		all += n
	}
	verb := "%s: %d {resource|resources} in %d {file|files}; %d of the files changed, %d {is|are} gone\n"
	if s.DryRun {
		verb = "Dry run, nothing was written. %s: %d {resource|resources} in %d {file|files}; %d of the files would " +
			"change, %d would go\n"
	}
	fmt.Fprint(o.Out, terminal.Counted(
		verb, terminal.Inline(s.Folder), all, len(s.Files), len(s.Changed), len(s.Removed),
	))
	kinds := make([]string, 0, len(s.Resources))
	for _, kind := range terraform.SortedKeys(s.Resources) {
		kinds = append(kinds, fmt.Sprintf("  %6d %s\n", s.Resources[kind], kind))
	}
	fmt.Fprint(o.Out, strings.Join(kinds, ""))
	for _, l := range s.LeftOut {
		fmt.Fprintf(o.Out, "left out: %s\n", terminal.Inline(l))
	}
	for _, u := range s.Unread {
		fmt.Fprintf(
			o.Out, "not read: %s: give %s (%s)\n", terminal.Inline(u.What), terminal.Inline(u.Permission),
			terminal.Inline(u.Reason),
		)
	}
	if s.DryRun {
		return nil
	}
	_, err := fmt.Fprintf(
		o.Out, "Next: cd %s && terraform init && terraform plan; after the apply, delete import_*.tf\n",
		terminal.Inline(s.Folder),
	)
	return err
}

// organization is the command of a whole organization.
type organization struct {
	output

	from   string
	center administer.Address
}

// Extend makes a command that exports a center's people write Terraform, too. differs is the error
// of a dry run that found a difference.
func Extend(cmd *cobra.Command, w administer.World, differs error) *cobra.Command {
	o := &organization{output: output{World: w, differs: differs}}
	o.flags(cmd)
	o.center.Flags(cmd)
	cmd.Flags().StringVar(
		&o.from, "from", "", "with --terraform: AWS itself instead of --center-url: aws[:INSTANCE][@REGION]",
	)
	cmd.Long += about
	cmd.Example += examples
	otherwise, args := cmd.RunE, cmd.Args
	cmd.Args = func(cmd *cobra.Command, list []string) error {
		if o.dir != "" {
			return terminal.NoArgs(cmd, list)
		}
		for _, flag := range []string{"from", "people", "force", "dry-run"} {
			if cmd.Flags().Changed(flag) {
				return terminal.UsageError{Err: fmt.Errorf("--%s needs --terraform", flag)}
			}
		}
		return args(cmd, list)
	}
	cmd.RunE = func(cmd *cobra.Command, list []string) error {
		if o.dir == "" {
			return otherwise(cmd, list)
		}
		var err error
		if o.asJSON, err = cmd.Flags().GetBool("json"); err != nil {
			return err
		}
		return o.run(cmd.Context())
	}
	return cmd
}

func (o *organization) run(ctx context.Context) error {
	source, endpoint, err := o.source(ctx)
	if err == nil { // reading may take half an hour
		err = terraform.Check(o.dir, o.options())
	}
	if err != nil {
		return err
	}
	source.Progress = terminal.Bar(o.Err, "Reading")
	read, err := terraform.Read(ctx, source)
	if err != nil {
		return aws.Explained("read the organization", err)
	}
	read.Endpoint = endpoint
	return o.write(read, o.options())
}

// source is where it is read, and the URL of a center that is not AWS's own.
func (o *organization) source(ctx context.Context) (s terraform.Source, endpoint string, err error) {
	s.People = o.people
	if o.from == "" {
		c, mistakes := o.center.Client(o.Env, outbound.Operator.Client(administer.Timeout))
		if len(mistakes) > 0 {
			return s, "", terminal.UsageError{Err: errors.Join(mistakes...)}
		}
		s.SDK, s.Unlimited = aws.SDKOf(c), true
		return s, c.URL, nil
	}
	place, err := aws.ParsePlace(o.from)
	if err != nil {
		return s, "", terminal.UsageError{Err: fmt.Errorf("--from: %w", err)}
	}
	s.Instance = place.Instance
	if s.SDK, err = aws.LoadSDK(ctx, place); err != nil {
		return s, "", fmt.Errorf("--from: %w", err)
	}
	return s, "", nil
}
