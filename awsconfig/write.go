package awsconfig

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Text is what a configuration file says for a session and the profiles that sign in by it. Without
// profiles it is the session alone.
func Text(s Session, profiles []Profile) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[sso-session %s]\n", s.Name)
	fmt.Fprintf(&b, "sso_start_url = %s\n", s.StartURL)
	fmt.Fprintf(&b, "sso_region = %s\n", s.Region)
	fmt.Fprintf(&b, "sso_registration_scopes = %s\n", AccessScope)
	writeProfiles(&b, s, profiles)
	writeServices(&b, s)
	return b.String()
}

func writeProfiles(b *strings.Builder, s Session, profiles []Profile) {
	for _, p := range profiles {
		region := p.Region
		if region == "" {
			region = s.Region
		}
		fmt.Fprintf(b, "\n[profile %s]\n", p.Name)
		if p.Environment != "" {
			fmt.Fprintf(b, "# environment: %s\n", Labeled(p.Environment, p.Color))
		}
		fmt.Fprintf(b, "sso_session = %s\n", s.Name)
		fmt.Fprintf(b, "sso_account_id = %s\n", p.AccountID)
		fmt.Fprintf(b, "sso_role_name = %s\n", p.RoleName)
		fmt.Fprintf(b, "region = %s\n", region)
		if s.Endpoint != "" {
			fmt.Fprintf(b, "services = %s\n", s.Name)
		}
	}
}

// writeServices says where the services are that a center answers. Without sso_oidc and signin, a
// token would be renewed at AWS.
func writeServices(b *strings.Builder, s Session) {
	if s.Endpoint == "" {
		return
	}
	fmt.Fprintf(b, "\n[services %s]\n", s.Name)
	for _, service := range append([]string{"sso", "sso_oidc", "signin"}, slices.Sorted(slices.Values(s.Services))...) {
		fmt.Fprintf(b, "%s =\n  endpoint_url = %s\n", service, s.Endpoint)
	}
}

// DefaultTemplate is how profiles are named where nobody says otherwise.
const DefaultTemplate = "{account}-{role}"

// Labeled says what an account is for, with its color if it has one.
func Labeled(environment, color string) string {
	if color == "" {
		return environment
	}
	return environment + " (" + color + ")"
}

// Role is a role that somebody has in an account. Environment and Color are those of the account's
// label, if it has one.
type Role struct{ AccountID, AccountName, RoleName, Environment, Color string }

// Named makes a profile of each role, named by a template with {account}, {account_id} and {role}.
// What the CLI would not take in a name becomes a hyphen. Roles that come to one name have the
// account's id added, and a number if that is not enough.
func Named(template string, roles []Role) []Profile {
	count := map[string]int{}
	for _, r := range roles {
		count[name(template, r)]++
	}
	profiles := make([]Profile, 0, len(roles))
	taken := map[string]bool{}
	for _, r := range roles {
		p := Profile{
			Name: name(template, r), AccountID: r.AccountID, RoleName: r.RoleName,
			Environment: r.Environment, Color: r.Color,
		}
		if count[p.Name] > 1 {
			p.Name = name(template+"-{account_id}", r)
		}
		for first, n := p.Name, 2; taken[p.Name]; n++ {
			p.Name = fmt.Sprintf("%s-%d", first, n)
		}
		taken[p.Name] = true
		profiles = append(profiles, p)
	}
	return profiles
}

func name(template string, r Role) string {
	account := r.AccountName
	if account == "" {
		account = r.AccountID
	}
	text := strings.NewReplacer(
		"{account}", account, "{account_id}", r.AccountID, "{role}", r.RoleName,
	).Replace(template)
	text = strings.Map(func(c rune) rune {
		if c < unicode.MaxASCII && (unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune("._+@/", c)) {
			return c
		}
		return '-'
	}, text)
	words := strings.FieldsFunc(text, func(c rune) bool { return c == '-' })
	return strings.Join(words, "-")
}

// CheckTemplate refuses a template that names nothing, or the same for every role.
func CheckTemplate(template string) error {
	if !strings.Contains(template, "{role}") ||
		!strings.Contains(template, "{account}") && !strings.Contains(template, "{account_id}") {
		return fmt.Errorf("the template %q must have {role}, and {account} or {account_id}", template)
	}
	plain := strings.NewReplacer("{role}", "", "{account}", "", "{account_id}", "").Replace(template)
	if strings.ContainsAny(plain, "{}") {
		return fmt.Errorf("the template %q may have {role}, {account} and {account_id} only", template)
	}
	return nil
}

// begin and end stand around what Merge writes, with the session's name.
const (
	begin = "# BEGIN gatehouse profiles "
	end   = "# END gatehouse profiles "
)

// Merge puts the profiles of a session into a configuration file between two comments, in place of
// those that an earlier call put there, and leaves everything else as it is. When the file has a
// section of the session's name beside them, that one stays, and only the profiles are written.
// Profiles with a name that the file has elsewhere are refused.
func Merge(old string, s Session, profiles []Profile) (string, error) {
	if err := s.check(); err != nil {
		return "", err
	}
	for _, p := range profiles {
		if err := p.check(); err != nil {
			return "", err
		}
	}
	file, err := cut(old, s.Name)
	if err != nil {
		return "", err
	}
	rest, err := Parse(strings.NewReader(file.before + file.after))
	if err != nil {
		return "", err
	}
	var taken []string
	for _, p := range profiles {
		if rest.Has("profile", p.Name) {
			taken = append(taken, p.Name)
		}
	}
	if len(taken) > 0 {
		return "", &TakenError{Names: taken}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s (gatehouse profiles write replaces them)\n", begin, s.Name)
	if rest.Has("sso-session", s.Name) {
		writeProfiles(&b, s, profiles)
		if !rest.Has("services", s.Name) {
			writeServices(&b, s)
		}
	} else {
		b.WriteString(Text(s, profiles))
	}
	fmt.Fprintf(&b, "%s%s\n", end, s.Name)
	before := file.before
	if before != "" && !strings.HasSuffix(before, "\n\n") {
		before = strings.TrimSuffix(before, "\n") + "\n\n"
	}
	return before + b.String() + file.after, nil
}

// Written returns the profiles that an earlier Merge has put into a file.
func Written(file, session string) ([]Profile, error) {
	parts, err := cut(file, session)
	if err != nil {
		return nil, err
	}
	parsed, err := Parse(strings.NewReader(parts.block))
	if err != nil {
		return nil, err
	}
	var list []Profile
	for _, s := range parsed.sections {
		if s.kind == "profile" {
			list = append(
				list, Profile{Name: s.name, AccountID: s.values["sso_account_id"], RoleName: s.values["sso_role_name"]},
			)
		}
	}
	return list, nil
}

// parts are those of a file: the block is what stands between the two comments, with them.
type parts struct{ before, block, after string }

// cut finds what an earlier Merge has put into a file.
func cut(file, session string) (parts, error) {
	lines := strings.SplitAfter(file, "\n")
	is := func(mark string) func(string) bool {
		return func(line string) bool {
			rest, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), mark+session)
			return ok && (rest == "" || rest[0] == ' ')
		}
	}
	first := slices.IndexFunc(lines, is(begin))
	last := slices.IndexFunc(lines, is(end))
	if first < 0 && last < 0 {
		return parts{before: file}, nil
	}
	if first < 0 || last < first {
		return parts{}, &MarkError{Session: session}
	}
	if slices.ContainsFunc(lines[first+1:], is(begin)) || slices.ContainsFunc(lines[last+1:], is(end)) {
		return parts{}, &MarkError{Session: session}
	}
	text := func(lines []string) string { return strings.Join(lines, "") }
	return parts{text(lines[:first]), text(lines[first : last+1]), text(lines[last+1:])}, nil
}

// TakenError says that a configuration file has profiles of these names already.
type TakenError struct{ Names []string }

func (e *TakenError) Error() string {
	return fmt.Sprintf(
		"the file has other profiles named %s: choose other names by --template", strings.Join(e.Names, ", "),
	)
}

// MarkError says that the comments around the profiles of a session are not a pair.
type MarkError struct{ Session string }

func (e *MarkError) Error() string {
	return fmt.Sprintf(
		"the comments %q and %q must stand in the file once each, in this order: put back the one that is missing, "+
			"or delete both and the profiles between them", begin+e.Session, end+e.Session,
	)
}
