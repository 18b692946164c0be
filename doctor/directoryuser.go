package doctor

import (
	"encoding/binary"
	"encoding/json"
	"strings"

	"github.com/gatehouse-id/gatehouse/graph"
)

// DirectoryUser is a user of Entra's directory. Most of what Graph tells of a user is empty, or is
// asked once, and there may be a hundred thousand: all but the names is packed into one text.
type DirectoryUser struct {
	ID, UserPrincipalName, Mail, DisplayName string

	enabled *bool
	rest    string
}

var yes, no = true, false

// fields are those of a user that are packed.
var fields = []func(*graph.User) *string{
	func(u *graph.User) *string { return &u.GivenName }, func(u *graph.User) *string { return &u.Surname },
	func(u *graph.User) *string { return &u.MailNickname }, func(u *graph.User) *string { return &u.JobTitle },
	func(u *graph.User) *string { return &u.Department }, func(u *graph.User) *string { return &u.EmployeeID },
	func(u *graph.User) *string { return &u.MobilePhone }, func(u *graph.User) *string { return &u.CompanyName },
	func(u *graph.User) *string { return &u.OfficeLocation }, func(u *graph.User) *string { return &u.StreetAddress },
	func(u *graph.User) *string { return &u.City }, func(u *graph.User) *string { return &u.State },
	func(u *graph.User) *string { return &u.PostalCode }, func(u *graph.User) *string { return &u.Country },
	func(u *graph.User) *string { return &u.UserType }, func(u *graph.User) *string { return &u.PreferredLanguage },
	func(u *graph.User) *string { return &u.UsageLocation },
}

// What is packed beside the fields; a field has its place among them.
const (
	packedPhone     = 254
	packedExtension = 255
)

// Pack is what is kept of a user of Graph's.
func Pack(u graph.User) DirectoryUser {
	var rest []byte
	add := func(what byte, text string) {
		rest = append(rest, what)
		rest = binary.AppendUvarint(rest, uint64(len(text)))
		rest = append(rest, text...)
	}
	for i, field := range fields {
		if text := *field(&u); text != "" {
			add(byte(i), text)
		}
	}
	if len(u.BusinessPhones) > 0 && u.BusinessPhones[0] != "" {
		add(packedPhone, u.BusinessPhones[0])
	}
	for name, value := range u.Extensions {
		if value != "" {
			add(packedExtension, name)
			add(packedExtension, value)
		}
	}
	out := DirectoryUser{ID: u.ID}
	if u.AccountEnabled != nil {
		out.enabled = &no
		if *u.AccountEnabled {
			out.enabled = &yes
		}
	}
	mail := u.Mail
	if mail == u.UserPrincipalName {
		mail = ""
	}
	whole := u.UserPrincipalName + mail + u.DisplayName + string(rest) // one piece of memory
	cut := func(n int) (text string) {
		text, whole = whole[:n], whole[n:]
		return text
	}
	out.UserPrincipalName = cut(len(u.UserPrincipalName))
	if out.Mail = cut(len(mail)); u.Mail == u.UserPrincipalName {
		out.Mail = out.UserPrincipalName
	}
	out.DisplayName, out.rest = cut(len(u.DisplayName)), whole
	return out
}

// whole is the user as Graph tells it.
func (d *DirectoryUser) whole() graph.User {
	u := graph.User{
		ID: d.ID, UserPrincipalName: d.UserPrincipalName, Mail: d.Mail, DisplayName: d.DisplayName,
		AccountEnabled: d.enabled,
	}
	rest, name := d.rest, ""
	for rest != "" {
		what := rest[0]
		n, used := binary.Uvarint([]byte(rest[1:min(len(rest), 1+binary.MaxVarintLen64)]))
		rest = rest[1+used:]
		text := rest[:n]
		rest = rest[n:]
		switch {
		case what == packedPhone:
			u.BusinessPhones = []string{text}
		case what == packedExtension && name == "":
			name = text
		case what == packedExtension:
			if u.Extensions == nil {
				u.Extensions = map[string]string{}
			}
			u.Extensions[name], name = text, ""
		default:
			*fields[what](&u) = text
		}
	}
	return u
}

// UnmarshalJSON takes what Graph answers.
func (d *DirectoryUser) UnmarshalJSON(data []byte) error {
	var u graph.User
	err := json.Unmarshal(data, &u)
	u.ID = strings.Clone(u.ID)
	*d = Pack(u)
	return err
}
