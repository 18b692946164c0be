package prepare

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// unitFolder is where the units of systemd look, and unitUser who they run as.
const (
	unitFolder = "/etc/gatehouse"
	unitUser   = "gatehouse"
)

// file is one that is written.
type file struct {
	path, about, text string
	mode              fs.FileMode
	service           bool // whether the units' user reads it
}

func (a *answers) path(name string) string { return filepath.Join(a.folder, a.half+name) }

// databasePath is the file with the database's URL; empty: there is none.
func (a *answers) databasePath() string {
	if a.database != "" {
		return a.path("-database")
	}
	return a.databaseFile
}

// passwordPath is the file with the first administrator's password; empty: there is none.
func (a *answers) passwordPath() string {
	if a.password != "" {
		return a.path("-admin-password")
	}
	return a.passwordFile
}

// files are what the answers come to. Paths are whole, so that they are right wherever the command
// is typed.
func (a *answers) files() ([]file, error) {
	whole := []*string{&a.folder, &a.data}
	for _, path := range []*string{&a.cert, &a.key, &a.databaseFile, &a.passwordFile} {
		if *path != "" {
			whole = append(whole, path)
		}
	}
	for _, path := range whole {
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return nil, err
		}
		*path = absolute
	}
	all := []file{
		{a.path(".yaml"), "settings, with a comment for each", a.yaml(), 0o644, false},
		{a.path(".env"), "names the files with secrets, for the systemd unit", a.env(), 0o600, false},
	}
	if a.database != "" {
		all = append(all, file{a.path("-database"), "the database's URL", a.database + "\n", 0o600, true})
	}
	if a.password != "" {
		all = append(all, file{
			a.path("-admin-password"), "the first administrator's password; delete it after the first start",
			a.password + "\n", 0o600, true,
		})
	}
	return all, nil
}

// setting is a line of the file, with what is said about it.
type setting struct{ about, name, value string }

// text is how a setting stands in the file: with a value, or as a comment that shows one.
func (s setting) text(shown string) string {
	if s.value == "" {
		return fmt.Sprintf("# %s\n# %s: %s\n\n", s.about, s.name, shown)
	}
	value, _ := json.Marshal(s.value) // a text, which YAML reads as JSON does
	if s.value == "true" {
		value = []byte("true")
	}
	return fmt.Sprintf("# %s\n%s: %s\n\n", s.about, s.name, value)
}

func (a *answers) yaml() string {
	command, port := "serve", "9090"
	if a.half == "tenant" {
		command, port = "tenant", "9091"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Settings of the %s, written by \"gatehouse init\". Each flag of \"gatehouse %s\" is a line;\n"+
		"# \"gatehouse %s --help\" has them all. Secrets do not belong here: see %s.\n\n",
		a.half, command, command, a.path(".env"))
	when := func(tls, value string) string {
		if a.tls != tls {
			return ""
		}
		return value
	}
	lines := []struct {
		setting
		shown string
	}{
		{setting{"The address at which browsers and AWS's clients reach it. It stays: SAML and SCIM addresses are " +
			"made of it.", "url", a.url}, ""},
		{setting{"Where it listens.", "listen", a.listen}, ""},
		{setting{"The folder for the database and the master key. Keep a copy of the master key elsewhere.", "data",
			a.data}, ""},
		{setting{"A TLS certificate from a certificate authority by ACME, which must reach \"listen\" at port 443.",
			"acme", when(byACME, "true")}, "true"},
		{setting{"Where the authority sends warnings.", "acme-email", when(byACME, a.email)}, "ops@example.com"},
		{setting{"A TLS certificate of your own; the files are read again when they change.", "tls-cert",
			when(byFiles, a.cert)}, "/etc/gatehouse/cert.pem"},
		{setting{"Its key.", "tls-key", when(byFiles, a.key)}, "/etc/gatehouse/key.pem"},
		{setting{"A proxy in front has the certificate.", "behind-proxy", when(byProxy, "true")}, "true"},
		{setting{"Which proxies say who the client is.", "trusted-proxies", when(byProxy, a.proxies)}, "10.0.0.0/8"},
		{setting{"The first administrator; only the first start looks.", "admin", a.admin}, "admin"},
		{setting{"The file with the first administrator's password. Without it the first start generates one.",
			"admin-password-file", a.passwordPath()}, a.path("-admin-password")},
	}
	for _, l := range lines {
		b.WriteString(l.text(l.shown))
	}
	if a.half == "tenant" {
		b.WriteString(setting{"The name of a new tenant.", "name", a.name}.text(""))
		b.WriteString(setting{"Its verified domain.", "domain", a.domain}.text(""))
	}
	for _, l := range [][3]string{
		{"Where Prometheus asks; beyond this machine it needs TLS and a token.", "metrics", "127.0.0.1:" + port},
		{"A collector of OpenTelemetry that traces are sent to.", "traces", "http://127.0.0.1:4318"},
		{"Where the audit log goes, each event at least once.", "audit-to", "[https://siem.example.com/gatehouse]"},
		{"The server for mail; with a password it belongs into the other file, as GATEHOUSE_SMTP_SERVER.",
			"smtp-server", "smtp://mail.example.com:25"},
		{"Private networks that administrators may have it contact.", "allow-private-targets", "10.1.0.0/16"},
	} {
		b.WriteString(setting{l[0], l[1], ""}.text(l[2]))
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func (a *answers) env() string {
	text := fmt.Sprintf("# What the unit gatehouse-%s.service reads beside %s: variables that end in _FILE name\n"+
		"# files with secrets, so that none stands here.\n\n", a.half, a.path(".yaml"))
	database := "# PostgreSQL instead of SQLite:\n# GATEHOUSE_DATABASE_FILE=" + a.path("-database") + "\n"
	if path := a.databasePath(); path != "" {
		database = "GATEHOUSE_DATABASE_FILE=" + quoted(path) + "\n"
	}
	return text + database + "# GATEHOUSE_MASTER_KEY_FILE=" + a.path("-master-key") + "\n" +
		"# GATEHOUSE_METRICS_TOKEN_FILE=" + a.path("-metrics-token") + "\n" +
		"# GATEHOUSE_AUDIT_AUTHORIZATION_FILE=" + a.path("-audit-authorization") + "\n"
}

// write writes a file as a whole, or not at all: others see the one before until it is there.
func (f file) write() (err error) {
	folder := filepath.Dir(f.path)
	if err := makeFolder(folder); err != nil {
		return err
	}
	out, err := os.CreateTemp(folder, ".gatehouse-init-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(out.Name()))
		}
	}()
	_, err = out.WriteString(f.text)
	if err = errors.Join(err, out.Chmod(f.mode), f.give(out), out.Sync(), out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), f.path)
}

// makeFolder makes a folder as /etc is: what is secret in it are private files. Whatever the umask
// of whoever runs this, the units' user has to come in. One that is there stays as it is.
func makeFolder(path string) error {
	const mode = 0o755
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(path, mode); err != nil {
		return err
	}
	above, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	folder, err := above.Open(filepath.Base(path)) // and not what somebody links to in the meantime
	if err == nil {
		err = errors.Join(folder.Chmod(mode), folder.Close())
	}
	return errors.Join(err, above.Close())
}

// give gives a secret to the user that the units run as, where root writes it for them.
func (f file) give(out *os.File) error {
	if !f.service || filepath.Dir(f.path) != unitFolder || os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup(unitUser)
	if err != nil { // the package makes it: there is none where it is not installed
		return nil //nolint:nilerr // root keeps it
	}
	uid, e1 := strconv.Atoi(u.Uid)
	gid, e2 := strconv.Atoi(u.Gid)
	if err := errors.Join(e1, e2); err != nil {
		return err
	}
	return out.Chown(uid, gid)
}
