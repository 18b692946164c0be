package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
)

func (w *world) accountsCommand() *cobra.Command {
	a := &administration{world: w}
	cmd := &cobra.Command{
		Use:   "accounts",
		Short: "List and import the AWS accounts of a center",
		Example: `  gatehouse accounts list
  aws organizations list-accounts > accounts.json && gatehouse accounts import accounts.json --dry-run
  gatehouse accounts import accounts.csv`,
		Args: noArgs,
	}
	a.address.flags(cmd)
	cmd.PersistentFlags().BoolVar(&a.asJSON, "json", false, "print JSON")
	list := &cobra.Command{
		Use: "list", Short: "List the accounts", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			all, err := c.Accounts(cmd.Context())
			if err != nil {
				return err
			}
			return a.printAccounts(all)
		},
	}
	var dryRun bool
	bring := &cobra.Command{
		Use: "import FILE", Short: "Add and change accounts by a file",
		Long: `Reads accounts from CSV, whose first line names the columns id, name, email, status and tags (key=value;key=value), or from what
"aws organizations list-accounts" prints ("-": standard input). Accounts that are not in the file stay as they are.`,
		Args: oneArg("a file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			wanted, err := readAccounts(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			return a.importAccounts(cmd, c, wanted, dryRun)
		},
	}
	bring.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would change")
	cmd.AddCommand(list, bring, a.syncAccounts())
	return cmd
}

// syncAccounts has a center that was started with --organizations read its organization now.
func (a *administration) syncAccounts() *cobra.Command {
	var dryRun, force bool
	cmd := &cobra.Command{
		Use: "sync", Short: "Read AWS Organizations now", Args: noArgs,
		Long: `Has a center that was started with --organizations read the organization now instead of when its time comes: accounts, their
organizational units and tags. Accounts that have gone from it are suspended, never deleted.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), importTimeout)
			defer cancel()
			if err := c.StartImport(ctx, dryRun, force); err != nil {
				return err
			}
			bar := a.counter("accounts")
			done := adminapi.Import{Running: true}
			for done.Running {
				if err := pause(ctx); err != nil {
					return err
				}
				if done, err = c.LastImport(ctx); err != nil {
					return err
				}
				_ = bar.Set(done.Read) // only a display
			}
			_ = bar.Finish()
			if err := a.print(done.Changes, "CHANGE\tID\tNAME\tSTATUS", func(line func(...any)) {
				for _, x := range done.Changes {
					line(x.Change, x.Account.ID, x.Account.Name, x.Account.Status)
				}
			}); err != nil {
				return err
			}
			if more := done.Total - len(done.Changes); more > 0 && !a.asJSON {
				fmt.Fprintf(a.out, "and %d more\n", more)
			}
			if done.Error != "" {
				return errors.New(done.Error)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would change")
	cmd.Flags().BoolVar(
		&force, "force", false, "also when more than half of the accounts have gone from the organization",
	)
	return cmd
}

func (a *administration) printAccounts(all []adminapi.Account) error {
	return a.print(all, "ID\tNAME\tE-MAIL\tSTATUS\tWHERE\tTAGS", func(line func(...any)) {
		for _, x := range all {
			var units, tags []string
			for _, u := range x.OrganizationalUnits {
				units = append(units, u.Name)
			}
			for _, t := range x.Tags {
				tags = append(tags, t.Key+"="+t.Value)
			}
			line(x.ID, x.Name, x.Email, x.Status, strings.Join(units, "/"), strings.Join(tags, " "))
		}
	})
}

// accountChange is what an import does to one account.
type accountChange struct {
	Change  string // add or change
	Account adminapi.Account
}

func (a *administration) importAccounts(
	cmd *cobra.Command, c *adminapi.Client, wanted []adminapi.Account, dryRun bool,
) error {
	there, err := c.Accounts(cmd.Context())
	if err != nil {
		return err
	}
	known := map[string]adminapi.Account{}
	for _, x := range there {
		known[x.ID] = x
	}
	changes, batch := []accountChange{}, []adminapi.Account{}
	for _, x := range wanted {
		was, ok := known[x.ID]
		x.OrganizationalUnits, x.Imported = was.OrganizationalUnits, was.Imported // which no file tells of
		if x.Tags == nil {
			x.Tags = was.Tags
		}
		switch {
		case !ok:
			changes = append(changes, accountChange{"add", x})
		case !reflect.DeepEqual(was, x):
			changes = append(changes, accountChange{"change", x})
		default:
			continue
		}
		batch = append(batch, x)
	}
	if err := a.print(changes, "CHANGE\tID\tNAME\tE-MAIL\tSTATUS", func(line func(...any)) {
		for _, x := range changes {
			line(x.Change, x.Account.ID, x.Account.Name, x.Account.Email, x.Account.Status)
		}
	}); err != nil {
		return err
	}
	if dryRun {
		return nil
	}
	bar := a.counter("accounts")
	for some := range slices.Chunk(batch, adminapi.MaxAccountsAtOnce) {
		if err := c.PutAccounts(cmd.Context(), some); err != nil {
			return fmt.Errorf(
				"accounts %s to %s, and all after them, are not imported: %w", some[0].ID, some[len(some)-1].ID, err,
			)
		}
		_ = bar.Add(len(some)) // only a display
	}
	return bar.Finish()
}

// readAccounts reads a file of accounts, and names every line that is not right.
func readAccounts(stdin io.Reader, path string) ([]adminapi.Account, error) {
	var data []byte
	var err error
	if path == "-" {
		data, err = io.ReadAll(io.LimitReader(stdin, maxAccountsFile+1))
	} else {
		data, err = os.ReadFile(path) // #nosec G304 -- the file that the person names
	}
	if err != nil {
		return nil, err
	}
	if len(data) > maxAccountsFile {
		return nil, fmt.Errorf("%s is longer than 16 MiB", path)
	}
	var accounts []adminapi.Account
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		var in adminapi.Accounts
		if err := json.Unmarshal(data, &in); err != nil {
			return nil, fmt.Errorf("%s: want what `aws organizations list-accounts` prints: %w", path, err)
		}
		accounts = in.Accounts
	} else if accounts, err = accountsOfCSV(data); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(accounts) == 0 {
		return nil, fmt.Errorf("%s has no accounts in it", path)
	}
	for i := range accounts {
		if accounts[i].Status != adminapi.AccountSuspended && accounts[i].Status != "PENDING_CLOSURE" {
			accounts[i].Status = adminapi.AccountActive
			continue
		}
		accounts[i].Status = adminapi.AccountSuspended
	}
	return accounts, nil
}

const importTimeout = time.Hour //bound:wait an organization to be read, by a command

const maxAccountsFile = 16 << 20 //bound:body a file of accounts that a command reads

func accountsOfCSV(data []byte) ([]adminapi.Account, error) {
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff")))).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, errors.Join(errors.New("it is no CSV"), err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[strings.ToLower(strings.TrimSpace(name))] = i
	}
	for _, name := range []string{"id", "name"} {
		if _, ok := column[name]; !ok {
			return nil, fmt.Errorf(
				"the first line must name the columns id and name, and may name email, status and tags; %q is missing",
				name,
			)
		}
	}
	var accounts []adminapi.Account
	for _, row := range rows[1:] {
		of := func(name string) string {
			if i, ok := column[name]; ok {
				return strings.TrimSpace(row[i])
			}
			return ""
		}
		id := of("id")
		if len(id) < 12 { // spreadsheets drop leading zeros
			id = strings.Repeat("0", 12-len(id)) + id
		}
		a := adminapi.Account{ID: id, Name: of("name"), Email: of("email"), Status: strings.ToUpper(of("status"))}
		for tag := range strings.SplitSeq(of("tags"), ";") {
			if key, value, _ := strings.Cut(strings.TrimSpace(tag), "="); key != "" {
				a.Tags = append(a.Tags, adminapi.Tag{Key: key, Value: value})
			}
		}
		slices.SortFunc(a.Tags, func(x, y adminapi.Tag) int { return strings.Compare(x.Key, y.Key) })
		accounts = append(accounts, a)
	}
	return accounts, nil
}
