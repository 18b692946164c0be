package admincenter

import (
	"slices"
	"strconv"
	"time"

	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

// userList is the list of users.
type userList struct {
	listing[tenant.User]
	Type   string // Member, Guest or any
	Choice web.ColumnChoice
	Lines  []userLine
	Back   string
	Apps   []tenant.Application // that can be assigned
}

// Span is how many columns the table has, with that of the boxes.
func (l userList) Span() int { return len(l.Choice.Shown()) + 1 }

// userLine is a user with what the columns say of them.
type userLine struct {
	tenant.User

	Cells []userCell
}

type userCell struct{ Column, Class, Text string }

// userColumns are the columns that the list can show, by Graph's names.
var userColumns = []web.ListColumn{
	{Name: "displayName", Label: "Display name", Sort: "name", Shown: true},
	{Name: "userPrincipalName", Label: "User principal name", Sort: "upn", Shown: true},
	{Name: "givenName", Label: "First name"},
	{Name: "surname", Label: "Last name"},
	{Name: "mail", Label: "Email"},
	{Name: "jobTitle", Label: "Job title", Class: "wide", Shown: true},
	{Name: "department", Label: "Department", Class: "wide", Shown: true},
	{Name: "companyName", Label: "Company name"},
	{Name: "employeeId", Label: "Employee ID"},
	{Name: "userType", Label: "User type"},
	{Name: "officeLocation", Label: "Office location"},
	{Name: "city", Label: "City"},
	{Name: "state", Label: "State"},
	{Name: "country", Label: "Country"},
	{Name: "mobilePhone", Label: "Mobile phone"},
	{Name: "usageLocation", Label: "Usage location"},
	{Name: "preferredLanguage", Label: "Preferred language"},
	{Name: createdColumn, Label: "Created"},
	{Name: "id", Label: "Object ID"},
	{Name: enabledColumn, Label: "Account", Shown: true},
}

// Columns that are no text of a user.
const (
	createdColumn = "createdDateTime"
	enabledColumn = "accountEnabled"
)

// userText is what a column says of a user, as a file has it.
func userText(u tenant.User, column string) string {
	switch column {
	case "id":
		return string(u.ID)
	case createdColumn:
		return u.CreatedAt.UTC().Format(time.RFC3339)
	case enabledColumn:
		return strconv.FormatBool(u.Enabled)
	}
	if text := u.Text(column); text != nil {
		return *text
	}
	return ""
}

// fileColumns are those of a file while nobody has chosen any.
var fileColumns = []string{"id", "userPrincipalName", "displayName", "givenName", "surname", "mail", "jobTitle",
	"department", "userType", enabledColumn, createdColumn}

// exported are the columns of a file: the id, by which rows are chosen, and what the page shows.
func (l userList) exported() []string {
	if !l.Choice.Chosen {
		return fileColumns
	}
	columns := []string{"id"}
	for _, c := range l.Choice.Shown() {
		if !slices.Contains(columns, c.Name) {
			columns = append(columns, c.Name)
		}
	}
	return columns
}

// userQuery is what the address of the list selects.
func (p page) userQuery() (l userList, q tenant.Query) {
	l.Listing, l.Back = p.Listing("name", "upn"), p.URL.RequestURI()
	l.Choice = l.ChooseColumns(userColumns...)
	l.Status = l.Filter("status", "enabled", "disabled")
	l.Type, l.Has = l.Filter("type", "Member", "Guest"), l.Filter("applications", "with", "without")
	q = tenant.Query{
		Search: l.Search, Descending: l.Descending, Offset: l.Offset, Limit: pageSize,
		Enabled: oneOf(l.Status, "enabled"), Guests: oneOf(l.Type, "Guest"), Assigned: oneOf(l.Has, "with"),
	}
	q.By = map[string]tenant.Order{"name": tenant.ByName, "upn": tenant.ByPrincipalName}[l.Sort]
	return l, q
}

// usersListed are the ids of the users of the list.
func (p page) usersListed(limit int) (ids []string, err error) {
	_, q := p.userQuery()
	q.Offset, q.Limit = 0, limit
	list, err := p.h.Tenant.Users(p.Context(), q)
	for _, u := range list {
		ids = append(ids, string(u.ID))
	}
	return ids, err
}

func users(p page) error {
	ctx, t := p.Context(), p.h.Tenant
	l, q := p.userQuery()
	if p.Exports() {
		columns := l.exported()
		return p.Export("users", columns, func(row func(...string) error) error {
			return web.EachRow(func(offset, limit int) ([]tenant.User, error) {
				q.Offset, q.Limit = offset, limit
				return t.Users(ctx, q)
			}, func(u tenant.User) string { return string(u.ID) }, func(u tenant.User) error {
				cells := make([]string, len(columns))
				for i, c := range columns {
					cells[i] = userText(u, c)
				}
				return row(cells...)
			})
		})
	}
	list, err := t.FindUsers(ctx, q)
	if err != nil {
		return err
	}
	l.Items = list.Items
	for _, u := range l.Items {
		line := userLine{User: u}
		for _, c := range l.Choice.Shown() {
			line.Cells = append(line.Cells, userCell{c.Name, c.Class, userText(u, c.Name)})
		}
		l.Lines = append(l.Lines, line)
	}
	l.Pager = l.Listing.Pager(len(l.Items), pageSize, list.Total)
	if p.Sends("/admin/users/chosen") {
		if l.Apps, err = p.assignable(); err != nil {
			return err
		}
	}
	return p.Render("users", "Users", "/admin/users", l)
}
