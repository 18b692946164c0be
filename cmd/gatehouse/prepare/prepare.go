// Package prepare has the command init: it asks what a center or a tenant needs, writes the
// configuration that serve and the units of systemd read, and says the next command.
//
// It may import center, outbound, tenant and terminal.
package prepare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// World is what the command sees of the world outside.
type World struct {
	In       io.Reader
	Out, Err io.Writer
	Env      func(string) (string, bool)
}

// The ways to TLS.
const (
	byACME  = "acme"  // a certificate authority, by ACME
	byFiles = "files" // a certificate and a key of one's own
	byProxy = "proxy" // a proxy in front
	without = "none"  // this machine only
)

// answers are what was asked for, or given.
type answers struct {
	half                          string
	url, listen, tls              string
	cert, key, email, proxies     string
	database, databaseFile        string // the URL itself, which goes into a file; or the file with it
	admin, password, passwordFile string
	name, domain, data, folder    string
	unattended, overwrite, asJSON bool
}

// Command is the command init.
func Command(w World) *cobra.Command {
	a := &answers{}
	cmd := &cobra.Command{
		Use:   "init [center|tenant]",
		Short: "Write the configuration of a center or a tenant: it asks what is needed",
		Long: `Asks for the public URL, TLS, the database and the first administrator, and writes what
"gatehouse serve" or "gatehouse tenant" and their systemd units read: center.yaml, with a comment
for each setting, and center.env, which names the files with secrets. Then it says the next command.

Flags answer questions beforehand. --yes asks nothing, and takes what it would propose.
GATEHOUSE_DATABASE and GATEHOUSE_ADMIN_PASSWORD give the two secrets. Files that are there are
replaced only when you say so.`,
		Example: `  gatehouse init
  gatehouse init center --folder /etc/gatehouse --data /var/lib/gatehouse/center
  gatehouse init center --yes --url https://id.example.com --tls acme --json
  gatehouse init tenant --yes --url https://login.example.com --tls proxy --trusted-proxies 10.0.0.0/8`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && args[0] != "center" && args[0] != "tenant" {
				return terminal.UsageError{Err: errors.New("use gatehouse init center or gatehouse init tenant")}
			}
			return nil
		},
		ValidArgs: []string{"center", "tenant"},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				a.half = args[0]
			}
			return w.run(cmd.Context(), a)
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.url, "url", "", "public URL, such as https://id.example.com; it stays")
	f.StringVar(&a.listen, "listen", "", "address to listen on (default: by --tls)")
	f.StringVar(&a.tls, "tls", "", "acme, files, proxy, or none for this machine only")
	f.StringVar(&a.cert, "tls-cert", "", "PEM `file` with the TLS certificate, of --tls files")
	f.StringVar(&a.key, "tls-key", "", "PEM `file` with the TLS key, of --tls files")
	f.StringVar(&a.email, "acme-email", "", "address for the certificate authority's warnings, of --tls acme")
	f.StringVar(
		&a.proxies, "trusted-proxies", "", "proxies to trust for the client's address, of --tls proxy (default: 1)",
	)
	f.StringVar(&a.databaseFile, "database-file", "", "`file` with the postgres:// URL (default: SQLite in --data)")
	f.StringVar(&a.admin, "admin", "", "name of the first administrator (default: admin)")
	f.StringVar(&a.passwordFile, "admin-password-file", "", "`file` with the first administrator's password "+
		"(default: the first start generates one)")
	f.StringVar(&a.name, "name", "", "name of a new tenant")
	f.StringVar(&a.domain, "domain", "", "verified domain of a new tenant")
	f.StringVar(&a.data, "data", "", "folder for the database and the master key")
	f.StringVar(&a.folder, "folder", ".", "folder to write the configuration to")
	f.BoolVar(&a.unattended, "yes", false, "ask nothing")
	f.BoolVar(&a.overwrite, "force", false, "replace files that are there")
	f.BoolVar(&a.asJSON, "json", false, "print what was written as one JSON object")
	return cmd
}

func (w World) run(ctx context.Context, a *answers) error {
	if !a.unattended && (!terminal.Is(w.In) || !terminal.Is(w.Err)) {
		return terminal.UsageError{Err: errors.New("nobody can be asked here: give --yes and the flags that you need")}
	}
	if err := w.secrets(a); err != nil {
		return err
	}
	if err := w.ask(ctx, a); err != nil {
		return err
	}
	if err := a.check(); err != nil {
		return terminal.UsageError{Err: err}
	}
	files, err := a.files()
	if err != nil {
		return err
	}
	if err := w.permitted(a, files); err != nil {
		return err
	}
	for _, file := range files {
		if err := file.write(); err != nil {
			return err
		}
	}
	return w.tell(a, files)
}

// secrets takes those that the environment gives.
func (w World) secrets(a *answers) error {
	if text, set := w.Env("GATEHOUSE_DATABASE"); set {
		file, _ := w.Env("GATEHOUSE_DATABASE_FILE") // which is this flag's, and where the text is from
		switch {
		case a.databaseFile == "":
			a.database = text
		case a.databaseFile != file:
			return terminal.UsageError{
				Err: errors.New("GATEHOUSE_DATABASE and --database-file both name a database: use one"),
			}
		}
	}
	if text, set := w.Env("GATEHOUSE_ADMIN_PASSWORD"); set {
		if a.passwordFile != "" {
			return terminal.UsageError{
				Err: errors.New("GATEHOUSE_ADMIN_PASSWORD and --admin-password-file both give a password: use one"),
			}
		}
		a.password = text
	}
	return nil
}

// asker asks one question after the other, until one cannot be asked.
type asker struct {
	World

	a   *answers
	err error
}

// line asks for a text that was not given, and proposes one.
func (q *asker) line(into *string, question, proposed string, check func(string) error) {
	if q.err != nil || *into != "" {
		return
	}
	if q.a.unattended {
		*into = proposed
		return
	}
	for {
		prompt := question
		if proposed != "" {
			prompt += " [" + proposed + "]"
		}
		text, err := terminal.Ask(q.In, q.Err, prompt+": ")
		if err != nil {
			q.err = err
			return
		}
		if text == "" {
			text = proposed
		}
		if check != nil {
			if err := check(text); err != nil {
				fmt.Fprintf(q.Err, "%v.\n", err)
				continue
			}
		}
		*into = text
		return
	}
}

func (w World) ask(ctx context.Context, a *answers) error {
	q := &asker{World: w, a: a}
	q.line(
		&a.half, "What do you run, a center (AWS's side) or a tenant (Entra's side)?", "center",
		oneOf("center", "tenant"),
	)
	port := map[string]string{"center": ":8080", "tenant": ":8081"}[a.half]
	q.line(&a.url, "The public URL that browsers use. It stays: SAML and SCIM addresses are made of it",
		a.localURL(port), checkURL)
	secure := strings.HasPrefix(a.url, "https:")
	proposed := without
	switch {
	case secure && a.cert+a.key != "":
		proposed = byFiles
	case secure:
		proposed = byACME
	}
	switch {
	case !secure && a.tls == "":
		a.tls = without
	default:
		q.line(&a.tls, "TLS: acme (a certificate from Let's Encrypt), files (your own), or proxy (one in front has it)",
			proposed, oneOf(byACME, byFiles, byProxy))
	}
	switch a.tls {
	case byACME:
		q.line(&a.email, "An address for the certificate authority's warnings, or Enter for none", "", nil)
	case byFiles:
		q.line(&a.cert, "The PEM file with the certificate", "", readable)
		q.line(&a.key, "The PEM file with the key", "", readable)
	case byProxy:
		q.line(&a.proxies, "The proxies' networks, such as 10.0.0.0/8, or how many stand in a row", "1", nil)
	}
	listen := map[string]string{byACME: ":443", byFiles: ":443", byProxy: port}[a.tls]
	if a.tls == without {
		if u, err := url.Parse(a.url); err == nil {
			listen = hostPort(u)
		}
	}
	q.line(&a.listen, "The address to listen on", listen, nil)
	data := "gatehouse-" + a.half
	if filepath.Clean(a.folder) == unitFolder {
		data = "/var/lib/gatehouse/" + a.half // the unit's
	}
	q.line(&a.data, "The folder for the data and the master key", data, nil)
	if a.half == "tenant" {
		q.line(&a.name, "The tenant's name", tenant.DefaultName, nil)
		q.line(&a.domain, "Its verified domain", tenant.DefaultDomain, nil)
	}
	q.line(&a.admin, "The first administrator's name", "admin", nil)
	return q.askSecrets(ctx)
}

// localURL is the URL that is proposed: on this machine, where --listen says if it is given.
func (a *answers) localURL(port string) string {
	if a.listensHere() {
		return "http://" + a.listen
	}
	return "http://127.0.0.1" + port
}

// listensHere says whether only this machine reaches where it listens.
func (a *answers) listensHere() bool {
	host, _, err := net.SplitHostPort(a.listen)
	return err == nil && outbound.IsLoopbackHost(host)
}

// hostPort is the host of an http address with its port, which listening needs.
func hostPort(u *url.URL) string {
	if u.Port() == "" {
		return net.JoinHostPort(u.Hostname(), "80")
	}
	return u.Host
}

// askSecrets asks for what nobody may see.
func (q *asker) askSecrets(ctx context.Context) error {
	a := q.a
	if q.err != nil || a.unattended {
		return q.err
	}
	if a.database == "" && a.databaseFile == "" {
		text, err := terminal.AskSecret(
			ctx, q.In, q.Err, "The postgres:// URL of the database, which is not shown, or Enter for SQLite",
		)
		if err != nil {
			return err
		}
		a.database = strings.TrimSpace(text)
	}
	if a.password == "" && a.passwordFile == "" {
		text, err := terminal.AskPassword(
			ctx, q.In, q.Err, "The password of "+a.admin+", or Enter to have the first start generate one",
			a.passwordRule(),
		)
		if err != nil {
			return err
		}
		a.password = text
	}
	return nil
}

func (a *answers) passwordRule() func(string) error {
	if a.half == "tenant" {
		return tenant.CheckPassword
	}
	return center.CheckPassword
}

func oneOf(all ...string) func(string) error {
	return func(text string) error {
		for _, one := range all {
			if text == one {
				return nil
			}
		}
		return fmt.Errorf("type %s", strings.Join(all, " or "))
	}
}

func readable(path string) error {
	_, err := os.Stat(path)
	return err
}

// checkURL refuses what serve would refuse.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" ||
		u.Fragment != "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("use https://host, without a path")
	case u.Scheme == "http" && !outbound.IsLoopbackHost(u.Hostname()):
		return fmt.Errorf("browsers would send passwords without TLS: use https://%s", u.Host)
	}
	return nil
}

// check looks at all answers together.
func (a *answers) check() error {
	if a.half == "" {
		return errors.New("say which half: gatehouse init center or gatehouse init tenant")
	}
	if err := checkURL(a.url); err != nil {
		return fmt.Errorf("--url %s: %w", a.url, err)
	}
	secure := strings.HasPrefix(a.url, "https:")
	var err error
	switch {
	case oneOf(byACME, byFiles, byProxy, without)(a.tls) != nil:
		err = fmt.Errorf("--tls %q: use acme, files, proxy or none", a.tls)
	case a.tls == without && secure:
		err = errors.New("--tls none: an https URL needs acme, files or proxy")
	case a.tls == without && !a.listensHere():
		err = fmt.Errorf("--listen %s: without TLS use an address of this machine, such as 127.0.0.1:8080", a.listen)
	case a.tls != without && a.tls != byProxy && !secure:
		err = fmt.Errorf("--tls %s: --url must be an https address", a.tls)
	case a.tls == byFiles && (a.cert == "" || a.key == ""):
		err = errors.New("--tls files: give --tls-cert and --tls-key")
	case a.tls != byFiles && a.cert+a.key != "":
		err = errors.New("--tls-cert and --tls-key belong to --tls files")
	case a.tls != byACME && a.email != "":
		err = errors.New("--acme-email belongs to --tls acme")
	case a.tls != byProxy && a.proxies != "":
		err = errors.New("--trusted-proxies belongs to --tls proxy")
	case a.database != "" && !strings.HasPrefix(a.database, "postgres://") &&
		!strings.HasPrefix(a.database, "postgresql://"):
		err = errors.New("the database: use a postgres:// URL")
	case a.half == "center" && (a.name != "" || a.domain != ""):
		err = errors.New("--name and --domain are a tenant's")
	case strings.ContainsAny(a.admin+a.folder+a.data+a.cert+a.key+a.databaseFile+a.passwordFile, "\r\n\x00"):
		err = errors.New("a name or a path has a line break in it")
	}
	if err == nil && a.password != "" {
		if rule := a.passwordRule()(a.password); rule != nil {
			err = fmt.Errorf("the first administrator's password: %w", rule)
		}
	}
	return err
}

// permitted sees to it that nothing is replaced that somebody wants to keep.
func (w World) permitted(a *answers, files []file) error {
	var there []string
	for _, f := range files {
		if _, err := os.Lstat(f.path); err == nil {
			there = append(there, f.path)
		}
	}
	if len(there) == 0 || a.overwrite {
		return nil
	}
	if !a.unattended {
		text, err := terminal.Ask(w.In, w.Err, strings.Join(there, ", ")+" will be replaced. Type REPLACE to go on: ")
		if err != nil || text == "REPLACE" {
			return err
		}
	}
	return fmt.Errorf("nothing was written: %s is there; --force replaces it", strings.Join(there, ", "))
}

// command is what is typed next.
func (a *answers) command() string {
	yaml := filepath.Join(a.folder, a.half+".yaml")
	if filepath.Clean(a.folder) == unitFolder {
		return "systemctl enable --now gatehouse-" + a.half
	}
	command := "gatehouse serve --config " + quoted(yaml)
	if a.half == "tenant" {
		command = "gatehouse tenant --config " + quoted(yaml)
	}
	if path := a.databasePath(); path != "" {
		command = "GATEHOUSE_DATABASE_FILE=" + quoted(path) + " " + command
	}
	return command
}

// quoted is a path as shells take it.
func quoted(path string) string {
	if !strings.ContainsAny(path, " '\"\\$&|;<>()*?[]#~`!{}\t\n") {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// tell says what was written, and what is next.
func (w World) tell(a *answers, files []file) error {
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = f.path
	}
	if a.asJSON {
		return json.NewEncoder(w.Out).Encode(map[string]any{
			"half": a.half, "url": a.url, "files": paths, "next": a.command(),
		})
	}
	fmt.Fprintln(w.Out, "Written:")
	for _, f := range files {
		fmt.Fprintf(w.Out, "  %-40s %s\n", f.path, f.about)
	}
	first := "The first start writes its secrets to first-start.txt in the data folder, the password too."
	if a.passwordPath() != "" {
		first = "The first start writes an access key to first-start.txt in the data folder."
		if a.half == "tenant" {
			first = "The first start writes a client for Microsoft Graph to first-start.txt in the data folder."
		}
	}
	fmt.Fprintf(w.Out, "\nNext:\n\n  %s\n\n%s\nThen open %s\n", a.command(), first, a.page())
	return nil
}

func (a *answers) page() string {
	page := "/console/"
	if a.half == "tenant" {
		page = "/admin/"
	}
	return strings.TrimRight(a.url, "/") + page
}
