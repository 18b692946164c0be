package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/mirror"
)

// importedDirectory is the settings of tenant import.
type importedDirectory struct {
	half                   half
	source                 microsoft
	users, groups, members string
}

func (w *world) tenantImportCommand() *cobra.Command {
	s := &importedDirectory{}
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Fill a tenant with another one's users and groups, to rehearse with them",
		Long: `Reads users, groups and memberships from a Microsoft Graph, the real Entra ID included, or from CSV files as the Entra admin center downloads them, into a tenant that
does not run meanwhile. Objects keep their ids. From Graph it may be repeated: what has changed there follows.

People get the password in GATEHOUSE_PERSON_PASSWORD, if it is set; those who have one keep it.

Users need the columns userPrincipalName and displayName, groups displayName; both take id (or objectId), and users what Graph calls their other properties. Members have
the columns groupId (or group, a name) and memberId (or member, a user principal name).`,
		Example: `  gatehouse tenant import --data ./tenant --sign-in azure-cli
  gatehouse tenant import --data ./tenant --users users.csv --groups groups.csv --members members.csv`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if s.half.log, err = w.logger(cmd, slog.LevelWarn); err != nil {
				return err
			}
			return w.importDirectory(cmd.Context(), s)
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.half.data, "data", "gatehouse-tenant", "the tenant's data folder")
	f.StringVar(&s.half.database, "database", "", "postgres:// URL instead of SQLite in the data folder")
	s.source.flags(cmd, "from", "https://graph.microsoft.com/v1.0", "Microsoft Graph with its version")
	f.StringVar(&s.users, "users", "", "CSV file with users, instead of Graph")
	f.StringVar(&s.groups, "groups", "", "CSV file with groups")
	f.StringVar(&s.members, "members", "", "CSV file with memberships")
	return cmd
}

func (w *world) importDirectory(ctx context.Context, s *importedDirectory) error {
	fromFiles := s.users != "" || s.groups != "" || s.members != ""
	if mistakes := s.source.check(); !fromFiles && len(mistakes) > 0 {
		return usageError{errors.Join(mistakes...)}
	}
	password, give := w.env("GATEHOUSE_PERSON_PASSWORD")
	if give {
		if err := tenant.CheckPassword(password); err != nil { // before anything is imported
			return usageError{fmt.Errorf("GATEHOUSE_PERSON_PASSWORD: %w", err)}
		}
	}
	t, err := openTenant(ctx, &s.half, w.env, "", "", nil)
	if err != nil {
		return err
	}
	defer t.Store.Close() //nolint:errcheck // everything acknowledged is durable
	if fromFiles {
		err = s.readFiles(ctx, t)
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
	fmt.Fprintf(
		w.out, "The tenant has %d users and %d groups. %d people were given the password.\n", users, groups, given,
	)
	return errors.Join(e1, e2)
}

func (w *world) readGraph(ctx context.Context, s *importedDirectory, t *tenant.Tenant) error {
	from, err := s.source.client(ctx, outbound.Operator.Client(clientTimeout), w.say)
	if err != nil {
		return err
	}
	bar := w.counter("read")
	m := &mirror.Mirror{Tenant: t, Graph: from, Progress: func(n int) { _ = bar.Set(n) }} // only a display
	_, err = m.Pull(ctx)
	_ = bar.Finish()
	return err
}

// maxCSV bounds a file: a million users have some 300 MB.
const maxCSV = 1 << 30 //bound:body a CSV file of users that is imported

// rows reads a CSV file and hands over each row by the names of its columns, without regard to
// their letter case.
func rows(path string, each func(line int, row map[string]string) error) error {
	if path == "" {
		return nil
	}
	file, err := os.Open(path) // #nosec G304 -- the file that was named
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	r := csv.NewReader(io.LimitReader(file, maxCSV))
	r.FieldsPerRecord = -1
	header, err := r.Read()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for i := range header {
		header[i] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(header[i], "\ufeff")))
	}
	for line := 2; ; line++ {
		values, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		row := map[string]string{}
		for i, v := range values[:min(len(values), len(header))] {
			row[header[i]] = strings.TrimSpace(v)
		}
		if err := each(line, row); err != nil {
			return fmt.Errorf("%s, line %d: %w", path, line, err)
		}
	}
}

// readFiles puts what the files have into the tenant: all of them are read before anything is
// written.
func (s *importedDirectory) readFiles(ctx context.Context, t *tenant.Tenant) error {
	var page tenant.Replica
	isGroup := map[string]bool{}
	ids := map[string]string{} // of users by their names, and of groups by theirs after a colon
	err := errors.Join(rows(s.users, func(_ int, row map[string]string) error {
		u := userOfRow(row)
		if u.UserPrincipalName == "" || u.DisplayName == "" {
			return errors.New("userPrincipalName or displayName is missing")
		}
		if u.ID == "" {
			known, err := t.User(ctx, u.UserPrincipalName)
			if err != nil && refusal.KindOf(err) != refusal.NotFound {
				return err
			}
			if u.ID = known.ID; u.ID == "" {
				u.ID = t.NewID()
			}
		}
		ids[names.Fold(u.UserPrincipalName)] = u.ID
		page.Users = append(page.Users, u)
		return nil
	}), rows(s.groups, func(_ int, row map[string]string) error {
		g := tenant.Group{
			ID:              first(row, "id", "objectid"),
			DisplayName:     row["displayname"],
			Description:     row["description"],
			MailNickname:    row["mailnickname"],
			SecurityEnabled: row["securityenabled"] != "False",
			CreatedAt:       t.Now().UTC(),
		}
		if g.DisplayName == "" {
			return errors.New("displayName is missing")
		}
		if g.ID == "" {
			known, err := t.GroupsByName(ctx, g.DisplayName)
			if err != nil {
				return err
			}
			if g.ID = t.NewID(); len(known) > 0 {
				g.ID = known[0].ID
			}
		}
		isGroup[g.ID] = true
		ids[":"+names.Fold(g.DisplayName)] = g.ID
		page.Groups = append(page.Groups, g)
		return nil
	}))
	if err != nil {
		return err
	}
	err = rows(s.members, func(_ int, row map[string]string) error {
		group, member := first(row, "groupid"), first(row, "memberid")
		if group == "" {
			group = ids[":"+names.Fold(row["group"])]
		}
		if member == "" {
			member = ids[names.Fold(row["member"])]
		}
		if group == "" || member == "" {
			return fmt.Errorf(
				"the group %q or the member %q is not in the other files", first(row, "groupid", "group"),
				first(row, "memberid", "member"),
			)
		}
		kind := tenant.KindUser
		if isGroup[member] {
			kind = tenant.KindGroup
		}
		page.Members = append(
			page.Members,
			tenant.Change{
				Mark:   tenant.Mark{Kind: tenant.KindGroup, ID: group},
				Member: tenant.Mark{Kind: kind, ID: member},
			},
		)
		return nil
	})
	if err != nil {
		return err
	}
	return mirror.Write(ctx, t, page)
}

func first(row map[string]string, names ...string) string {
	for _, name := range names {
		if row[name] != "" {
			return row[name]
		}
	}
	return ""
}

func userOfRow(row map[string]string) tenant.User {
	u := tenant.User{
		ID:            first(row, "id", "objectid"),
		Enabled:       !strings.EqualFold(row["accountenabled"], "false"),
		BusinessPhone: first(row, "telephonenumber", "businessphones"),
	}
	for name, field := range u.Texts() {
		*field = row[strings.ToLower(name)]
	}
	if u.OfficeLocation == "" {
		u.OfficeLocation = row["physicaldeliveryofficename"]
	}
	return u
}
