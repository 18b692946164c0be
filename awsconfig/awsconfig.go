// Package awsconfig reads and writes the configuration file that AWS's CLI and SDKs share
// (~/.aws/config), as far as it says how people sign in by IAM Identity Center: sessions, and
// profiles that are roles in accounts. What else the file holds, it leaves as it is. It also reads
// and writes the CLI's other files, whole.
//
// Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files", "IAM Identity
// Center authentication" and "Service-specific endpoints".
//
// It imports nothing of ours.
package awsconfig

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// MaxSize bounds a configuration file, in bytes.
const MaxSize = 4 << 20 //bound:body a configuration file of the AWS CLI

// AccessScope is what a program asks for that wants a person's roles.
const AccessScope = "sso:account:access"

// Session is where profiles sign in: a section sso-session.
type Session struct {
	Name     string // of the section
	StartURL string // as the CLI wants it: https
	Region   string
	// Endpoint is where Services answer that are not AWS's own. Empty: all are AWS's.
	Endpoint string
	// Services are those that answer at Endpoint, beside sso, sso_oidc and signin, by the names
	// that the file has for them, such as sso_admin.
	Services []string
}

// Profile is a role in an account, for which a session gives credentials.
type Profile struct {
	Name      string
	AccountID string
	RoleName  string
	Region    string // where its commands go; empty: the session's
	Session   Session
	// Environment and Color say what the account is for, in a comment.
	Environment, Color string
}

// section is one of the file. Its kind is profile, sso-session, services, or default, which has no
// name.
type section struct {
	kind, name string
	values     map[string]string
}

// File is what a configuration file says.
type File struct {
	sections []section
}

// Parse reads a configuration file. What it does not know it passes over, as the CLI does.
func Parse(from io.Reader) (*File, error) {
	f := &File{}
	lines := bufio.NewScanner(io.LimitReader(from, MaxSize))
	lines.Buffer(nil, MaxSize)
	for lines.Scan() {
		f.line(lines.Text())
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the AWS configuration file: %w", err)
	}
	return f, nil
}

// line reads one line. A value that goes on in indented lines, as an endpoint of a service does, is
// kept under both names: "sso.endpoint_url".
func (f *File) line(text string) {
	trimmed := strings.TrimSpace(text)
	if trimmed == "" || strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, ";") {
		return
	}
	if strings.HasPrefix(trimmed, "[") {
		title, _, _ := strings.Cut(trimmed[1:], "]")
		kind, name, _ := strings.Cut(strings.TrimSpace(title), " ")
		name = strings.Trim(strings.TrimSpace(name), `"'`)
		f.sections = append(f.sections, section{kind, name, map[string]string{}})
		return
	}
	key, value, ok := strings.Cut(trimmed, "=")
	if !ok || len(f.sections) == 0 {
		return
	}
	s := &f.sections[len(f.sections)-1]
	key = strings.TrimSpace(key)
	if text[0] == ' ' || text[0] == '\t' {
		key = s.values[within] + "." + key
	} else {
		s.values[within] = key
	}
	s.values[key] = strings.TrimSpace(value)
}

// within is the key under which a section keeps which value indented lines belong to.
const within = ""

// find returns a section, or an empty one.
func (f *File) find(kind, name string) section {
	found := section{kind: kind, name: name}
	for _, s := range f.sections {
		if s.kind == kind && s.name == name {
			found = s // of two with one name, the CLI takes what the second one says
		}
	}
	return found
}

// Has says whether there is a section of a kind, such as "profile", with a name.
func (f *File) Has(kind, name string) bool { return f.find(kind, name).values != nil }

// Session returns the session with a name.
func (f *File) Session(name string) (s Session, ok bool) {
	found := f.find("sso-session", name)
	if found.values == nil {
		return Session{}, false
	}
	s = Session{Name: name, StartURL: found.values["sso_start_url"], Region: found.values["sso_region"]}
	f.find("services", name).serve(&s)
	return s, true
}

// serve adds what a section says of services to a session.
func (s section) serve(to *Session) {
	const suffix = ".endpoint_url"
	to.Endpoint = s.values["sso"+suffix]
	for key := range s.values {
		name, ok := strings.CutSuffix(key, suffix)
		if ok && name != "sso" && name != "sso_oidc" && name != "signin" {
			to.Services = append(to.Services, name)
		}
	}
	slices.Sort(to.Services)
}

// Sessions returns all sessions, in the order of the file.
func (f *File) Sessions() (list []Session) {
	for _, found := range f.sections {
		if s, ok := f.Session(found.name); ok && found.kind == "sso-session" {
			list = append(list, s)
		}
	}
	return list
}

// Profiles returns the profiles that sign in by IAM Identity Center, in the order of the file.
// Those from before there were sessions have one without a name.
func (f *File) Profiles() (list []Profile) {
	for _, s := range f.sections {
		if s.kind != "profile" && s.kind != "default" {
			continue
		}
		p := Profile{
			Name:      s.name,
			AccountID: s.values["sso_account_id"],
			RoleName:  s.values["sso_role_name"],
			Region:    s.values["region"],
			Session:   Session{StartURL: s.values["sso_start_url"], Region: s.values["sso_region"]},
		}
		if s.kind == "default" {
			p.Name = "default"
		}
		if name := s.values["sso_session"]; name != "" {
			p.Session, _ = f.Session(name)
		}
		if name := s.values["services"]; name != "" && name != p.Session.Name {
			f.find("services", name).serve(&p.Session)
		}
		if p.Session.StartURL != "" {
			list = append(list, p)
		}
	}
	return list
}

// Profile returns the profile with a name, if it signs in by IAM Identity Center.
func (f *File) Profile(name string) (p Profile, ok bool) {
	for _, found := range f.Profiles() {
		if found.Name == name {
			p, ok = found, true
		}
	}
	return p, ok
}
