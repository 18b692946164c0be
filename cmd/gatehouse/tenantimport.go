package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/mirror"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// importedDirectory is the settings of tenant import.
type importedDirectory struct {
	half   half
	source microsoft
	files  mirror.Files
	asJSON bool
}

func (w *world) tenantImportCommand() *cobra.Command {
	s := &importedDirectory{}
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Import users and groups from Microsoft Graph or CSV files (stop the tenant first)",
		Long: `Reads users, groups and memberships into a tenant, from Microsoft Graph or from CSV files in the
format that the Entra admin center downloads. The Graph can be the real Entra ID. Stop the tenant
first. Objects keep their IDs. You can repeat an import from Graph to read what changed.

Set GATEHOUSE_PERSON_PASSWORD to give a password to users who do not have one.

Users need the columns userPrincipalName and displayName, groups need displayName. Both can have id
(or objectId), and users can have Graph's names of other properties. Members have the columns
groupId (or group, a name) and memberId (or member, a user principal name).`,
		Example: `  gatehouse tenant import --data ./tenant --sign-in azure-cli
  gatehouse tenant import --data ./tenant --users users.csv --groups groups.csv --members members.csv`,
		Args: terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if s.half.log, err = terminal.Logger(cmd, w.err, slog.LevelWarn); err != nil {
				return err
			}
			return w.importDirectory(cmd.Context(), s)
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.half.data, "data", "gatehouse-tenant", "the tenant's data folder")
	f.StringVar(&s.half.database, "database", "", "postgres:// URL instead of SQLite in the data folder")
	s.source.flags(cmd, "from", "https://graph.microsoft.com/v1.0", "URL of Microsoft Graph, with its version")
	f.StringVar(&s.files.Users, "users", "", "CSV `file` with users, to read instead of Graph")
	f.StringVar(&s.files.Groups, "groups", "", "CSV `file` with groups")
	f.StringVar(&s.files.Members, "members", "", "CSV `file` with memberships")
	f.BoolVar(&s.asJSON, "json", false, "print JSON")
	return cmd
}

func (w *world) importDirectory(ctx context.Context, s *importedDirectory) error {
	fromFiles := s.files != mirror.Files{}
	if mistakes := s.source.check(); !fromFiles && len(mistakes) > 0 {
		return terminal.UsageError{Err: errors.Join(mistakes...)}
	}
	password, give := w.env("GATEHOUSE_PERSON_PASSWORD")
	if give {
		if err := tenant.CheckPassword(password); err != nil { // before anything is imported
			return terminal.UsageError{Err: fmt.Errorf("GATEHOUSE_PERSON_PASSWORD: %w", err)}
		}
	}
	t, err := openTenant(ctx, &s.half, w.env, "", "", nil)
	if err != nil {
		return err
	}
	defer t.Store.Close() //nolint:errcheck // everything acknowledged is durable
	if fromFiles {
		err = mirror.ReadFiles(ctx, t, s.files)
	} else {
		err = w.readGraph(ctx, s, t)
	}
	if err != nil {
		return err
	}
	given := 0
	if give {
		if given, err = t.GivePasswords(ctx, audit.SystemActor, password); err != nil {
			return err
		}
	}
	users, e1 := t.CountUsers(ctx)
	groups, e2 := t.CountGroups(ctx)
	if s.asJSON && e1 == nil && e2 == nil {
		return json.NewEncoder(w.out).Encode(map[string]int{
			"users": users, "groups": groups, "passwords_given": given,
		})
	}
	fmt.Fprint(w.out, terminal.Counted(
		"The tenant has %d {user|users} and %d {group|groups}. %d {user|users} got the password.\n",
		users, groups, given,
	))
	return errors.Join(e1, e2)
}

func (w *world) readGraph(ctx context.Context, s *importedDirectory, t *tenant.Tenant) error {
	from, err := s.source.client(ctx, outbound.Operator.Client(administer.Timeout), w.say)
	if err != nil {
		return err
	}
	bar := terminal.Counter(w.err, "read")
	m := &mirror.Mirror{Tenant: t, Graph: from, Progress: bar.Set}
	pulled, err := m.Pull(ctx)
	bar.Finish()
	for _, left := range pulled.Stays() {
		w.say(terminal.Inline(left))
	}
	return err
}
