package awsconfig

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What may stand in a file. A line more, such as credential_process, would run a program: nothing
// that a server says gets into a file unseen.
var (
	sessionName = form{lower + upper + digits + "._-", 1, 64}
	profileName = form{lower + upper + digits + "._+@/-", 1, 200}
	regionName  = form{lower + digits + "-", 1, 32}
	accountID   = form{digits, 12, 12}
	roleName    = form{lower + upper + digits + "+=,.@_-", 1, 64}
	colorName   = form{lower + upper, 1, 32}
	service     = form{lower + digits + "_", 1, 32}
)

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
)

// form is which characters a text is made of, and of how many. A regular expression that counts
// them takes each command of the program half a millisecond when it starts.
type form struct {
	characters   string
	fewest, most int
}

func (f form) has(text string) bool {
	return len(text) >= f.fewest && len(text) <= f.most && strings.Trim(text, f.characters) == ""
}

// check refuses a session that cannot stand in a file.
func (s Session) check() error {
	switch {
	case !sessionName.has(s.Name):
		return fmt.Errorf("a session cannot be named %q: letters, digits, dot, hyphen and underscore only", s.Name)
	case !regionName.has(s.Region):
		return fmt.Errorf("%q is no Region", s.Region)
	case !address(s.StartURL):
		return fmt.Errorf("%q is no start URL", s.StartURL)
	case s.Endpoint != "" && !address(s.Endpoint):
		return fmt.Errorf("%q is no endpoint URL", s.Endpoint)
	}
	for _, name := range s.Services {
		if !service.has(name) {
			return fmt.Errorf("%q is no service", name)
		}
	}
	return nil
}

// check refuses a profile that cannot stand in a file.
func (p Profile) check() error {
	switch {
	case !profileName.has(p.Name):
		return fmt.Errorf("a profile cannot be named %q", p.Name)
	case !accountID.has(p.AccountID):
		return fmt.Errorf("%q is no account", p.AccountID)
	case !roleName.has(p.RoleName):
		return fmt.Errorf("%q is no role", p.RoleName)
	case p.Region != "" && !regionName.has(p.Region):
		return fmt.Errorf("%q is no Region", p.Region)
	case p.Environment != "" && !isEnvironment(p.Environment):
		return fmt.Errorf("%q is no environment", p.Environment)
	case p.Color != "" && !colorName.has(p.Color):
		return fmt.Errorf("%q is no color", p.Color)
	}
	return nil
}

// address says whether a text is an address without spaces and line ends, which url.Parse refuses
// in a host, and in a path not all of them.
func address(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && u.User == nil && u.String() == text
}

// maxEnvironment bounds an account's environment.
const maxEnvironment = 64 //bound:text what is written of an account into a file of the AWS CLI

// isEnvironment takes what can be seen, and blanks, as an account's environment: it stands in a
// comment. A regular expression of such classes makes two megabytes when the program starts.
func isEnvironment(name string) bool {
	unseen := func(r rune) bool { return r != ' ' && (!unicode.IsGraphic(r) || unicode.IsSpace(r)) }
	return utf8.ValidString(name) && utf8.RuneCountInString(name) <= maxEnvironment &&
		!strings.ContainsFunc(name, unseen)
}
