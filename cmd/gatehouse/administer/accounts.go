package administer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/terminal"
)

func (w World) accounts() *cobra.Command {
	a := &administration{World: w}
	cmd := &cobra.Command{
		Use:   "accounts",
		Short: "List and import the AWS accounts of a center",
		Example: `  gatehouse accounts list
  aws organizations list-accounts > accounts.json && gatehouse accounts import accounts.json --dry-run
  gatehouse accounts import accounts.csv
  gatehouse accounts sync --dry-run`,
	}
	a.flags(cmd)
	list := a.command("list", "List the accounts", terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
			all, err := c.Accounts(cmd.Context())
			if err != nil {
				return err
			}
			return a.printAccounts(all)
		})
	cmd.AddCommand(list, a.importAccounts(), a.syncAccounts())
	return cmd
}

func (a *administration) importAccounts() *cobra.Command {
	var dryRun bool
	cmd := a.command("import FILE", "Add and change accounts from a file", terminal.OneArg("a file"),
		func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
			wanted, err := a.readAccounts(args[0])
			if err != nil {
				return err
			}
			changes, err := c.CompareAccounts(cmd.Context(), wanted)
			if err != nil {
				return err
			}
			if err := a.printChanges(changes); err != nil || dryRun {
				return err
			}
			bar := terminal.Counter(a.Err, "accounts")
			return c.ApplyAccounts(cmd.Context(), changes, bar.Set)
		})
	cmd.Long = `Reads accounts from CSV or from the output of "aws organizations list-accounts"; "-" is
standard input. The first line of CSV names the columns: id, name, email, status and tags
(key=value;key=value). Accounts that are not in the file stay unchanged.`
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print the changes and make none")
	return cmd
}

const importTimeout = time.Hour //bound:wait an organization to be read, by a command

// syncAccounts has a center that was started with --organizations read its organization now.
func (a *administration) syncAccounts() *cobra.Command {
	var dryRun, force bool
	cmd := a.command("sync", "Read AWS Organizations now", terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), importTimeout)
			defer cancel()
			bar := terminal.Counter(a.Err, "accounts")
			done, err := c.ImportOrganization(ctx, dryRun, force, bar.Set)
			if err != nil {
				return err
			}
			if err := a.printChanges(done.Changes); err != nil {
				return err
			}
			if more := done.Total - len(done.Changes); more > 0 && !a.asJSON {
				fmt.Fprintf(a.Out, "and %d more\n", more)
			}
			if done.Error != "" {
				return errors.New(done.Error)
			}
			return nil
		})
	cmd.Long = `Makes a center that was started with --organizations read the organization now: accounts,
their organizational units and tags. Accounts that have left the organization are suspended,
never deleted.`
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print the changes and make none")
	cmd.Flags().BoolVar(
		&force, "force", false, "go on even if more than half of the accounts have left the organization",
	)
	return cmd
}

func (a *administration) printAccounts(all []adminapi.Account) error {
	return a.print(all, "ID\tNAME\tENVIRONMENT\tEMAIL\tSTATUS\tWHERE\tTAGS", func(line func(...any)) {
		for _, x := range all {
			var units, tags []string
			for _, u := range x.OrganizationalUnits {
				units = append(units, u.Name)
			}
			for _, t := range x.Tags {
				tags = append(tags, t.Text())
			}
			line(x.ID, x.Name, x.Environment, x.Email, x.Status, strings.Join(units, "/"), strings.Join(tags, " "))
		}
	})
}

func (a *administration) printChanges(changes []adminapi.AccountChange) error {
	return a.print(changes, "CHANGE\tID\tNAME\tEMAIL\tSTATUS", func(line func(...any)) {
		for _, x := range changes {
			line(x.Change, x.Account.ID, x.Account.Name, x.Account.Email, x.Account.Status)
		}
	})
}

// readAccounts reads a file, or standard input for "-".
func (a *administration) readAccounts(path string) ([]adminapi.Account, error) {
	from, err := a.open(path)
	if err != nil {
		return nil, err
	}
	defer from.Close() //nolint:errcheck // it was only read
	accounts, err := adminapi.ReadAccounts(from)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return accounts, nil
}
