package mirror

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// Files names the CSV files of a directory, as the Entra admin center downloads them. The first
// line of each names the columns, in any letter case. An empty name is no file.
type Files struct {
	Users   string // userPrincipalName and displayName; id or objectId, and Graph's other properties
	Groups  string // displayName; id or objectId
	Members string // groupId or group, a name; memberId or member, a user principal name
}

// ReadFiles puts what the files have into a tenant. All of them are read before anything is
// written. Objects without an id are those of the tenant that have their name, or new ones.
func ReadFiles(ctx context.Context, t *tenant.Tenant, files Files) error {
	r := &reader{
		ctx:     ctx,
		tenant:  t,
		users:   map[string]string{},
		groups:  map[string]string{},
		isGroup: map[string]bool{},
	}
	err := errors.Join(rows(files.Users, r.user), rows(files.Groups, r.group))
	if err == nil {
		err = rows(files.Members, r.member)
	}
	if err != nil {
		return err
	}
	return Write(ctx, t, r.all)
}

// reader collects what the rows of the files say.
type reader struct {
	ctx     context.Context //nolint:containedctx // of one call of ReadFiles
	tenant  *tenant.Tenant
	all     tenant.Replica
	users   map[string]string // their ids by user principal names
	groups  map[string]string // their ids by display names
	isGroup map[string]bool   // by id
}

func (r *reader) user(row map[string]string) error {
	u := tenant.User{
		ID:            tenant.UserID(first(row, "id", "objectid")),
		Enabled:       !strings.EqualFold(row["accountenabled"], "false"),
		BusinessPhone: first(row, "telephonenumber", "businessphones"),
	}
	for _, t := range u.Texts() {
		*t.Value = first(row, strings.ToLower(t.Name), strings.ToLower(cmp.Or(t.Source, t.Name)))
	}
	if u.UserPrincipalName == "" || u.DisplayName == "" {
		return errors.New("userPrincipalName or displayName is missing")
	}
	if u.ID == "" {
		known, err := r.tenant.UserByIDOrName(r.ctx, u.UserPrincipalName)
		if err != nil && refusal.KindOf(err) != refusal.NotFound {
			return err
		}
		if u.ID = known.ID; u.ID == "" {
			u.ID = tenant.UserID(r.tenant.NewID())
		}
	}
	r.users[names.Fold(u.UserPrincipalName)] = string(u.ID)
	r.all.Users = append(r.all.Users, u)
	return nil
}

func (r *reader) group(row map[string]string) error {
	g := tenant.Group{
		ID:              tenant.GroupID(first(row, "id", "objectid")),
		DisplayName:     row["displayname"],
		Description:     row["description"],
		MailNickname:    row["mailnickname"],
		SecurityEnabled: row["securityenabled"] != "False",
		CreatedAt:       r.tenant.Now().UTC(),
	}
	if g.DisplayName == "" {
		return errors.New("displayName is missing")
	}
	if g.ID == "" {
		known, err := r.tenant.GroupsByName(r.ctx, g.DisplayName)
		if err != nil {
			return err
		}
		if g.ID = tenant.GroupID(r.tenant.NewID()); len(known) > 0 {
			g.ID = known[0].ID
		}
	}
	r.isGroup[string(g.ID)] = true
	r.groups[names.Fold(g.DisplayName)] = string(g.ID)
	r.all.Groups = append(r.all.Groups, g)
	return nil
}

func (r *reader) member(row map[string]string) error {
	group, member := row["groupid"], row["memberid"]
	if group == "" {
		group = r.groups[names.Fold(row["group"])]
	}
	if member == "" {
		member = r.users[names.Fold(row["member"])]
	}
	if group == "" || member == "" {
		return fmt.Errorf(
			"the group %q or the member %q is not in the other files", first(row, "groupid", "group"),
			first(row, "memberid", "member"),
		)
	}
	kind := tenant.KindUser
	if r.isGroup[member] {
		kind = tenant.KindGroup
	}
	r.all.Members = append(r.all.Members, tenant.Change{
		Mark:   tenant.Mark{Kind: tenant.KindGroup, ID: tenant.PrincipalID(group)},
		Member: tenant.Mark{Kind: kind, ID: tenant.PrincipalID(member)},
	})
	return nil
}

// maxCSV bounds a file: a million users have some 300 MB.
const maxCSV = 1 << 30 //bound:body a CSV file of users that is imported

// rows reads a CSV file and hands over each row by the names of its columns, in small letters.
func rows(path string, each func(row map[string]string) error) error {
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
		if err := each(row); err != nil {
			return fmt.Errorf("%s, line %d: %w", path, line, err)
		}
	}
}

func first(row map[string]string, names ...string) string {
	for _, name := range names {
		if row[name] != "" {
			return row[name]
		}
	}
	return ""
}
