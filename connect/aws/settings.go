package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"

	"github.com/gatehouse-id/gatehouse/connect"
)

// Settings are how a person at a command says what to connect at AWS.
type Settings struct {
	Place     string // aws[:INSTANCE][@REGION]
	State     string // the folder of journals and snapshots; empty is one in the person's own
	Tokenless bool
	// Given says whether Tokenless was said by somebody; otherwise it is as it was the last time.
	Given  func() bool
	SignIn string // the scheme and host of the issuer URL, where AWS has not published it
	Guide  Guide
}

// Config finds AWS's side as every AWS tool does, by environment, profile or role, and adds it to
// what is to be connected.
func (s Settings) Config(ctx context.Context, cfg connect.Config) (connect.Config, error) {
	place, err := ParsePlace(s.Place)
	if err != nil {
		return cfg, err
	}
	folder := s.State
	if folder == "" {
		if folder, err = connect.OwnFolder(); err != nil {
			return cfg, fmt.Errorf("say where journals and snapshots go, with --state: %w", err)
		}
	}
	loaded, err := config.LoadDefaultConfig(ctx, config.WithLogger(logging.Nop{}))
	if err != nil {
		return cfg, explain("read the AWS configuration", err)
	}
	c, err := Open(ctx, Config{
		SDK: loaded, Place: place, Addresses: Addresses{SignIn: s.SignIn}, Guide: s.Guide, Folder: folder,
		Tokenless: s.Tokenless, HTTP: cfg.HTTP,
	})
	if err != nil {
		return cfg, err
	}
	if s.Given != nil && !s.Given() {
		c.cfg.Tokenless = c.journal.Tokenless
	}
	cfg.Center, cfg.Discover = c, c.Discover
	cfg.Tokenless, cfg.Folder = c.cfg.Tokenless, folder
	cfg.SnapshotFile = filepath.Join(
		folder, c.FileStart()+"-"+time.Now().UTC().Format("20060102T150405Z")+".json",
	)
	return cfg, nil
}

// FileStart is how the files begin in which runs remember something of the instance.
func (c *Center) FileStart() string { return c.fileStart }

// FileStart is how the files of an instance begin in a folder. An endpoint that stands for all of
// AWS has files of its own. Earlier releases named them by the store alone: a connection with such
// a journal goes on with it, since what writes for it, such as a unit of systemd, names its files.
func FileStart(folder, store, endpoint string) string {
	start, old := connect.FileStart(store, endpoint), connect.FileStart(store, "")
	if folder == "" || start == old {
		return start
	}
	if _, err := os.Stat(filepath.Join(folder, start+".json")); err == nil {
		return start
	}
	var j journal
	if connect.ReadFile(filepath.Join(folder, old+".json"), &j) == nil && j.isOf(endpoint) {
		return old
	}
	return start
}

// file is that of an instance's journal.
func (c *Center) file() string {
	if c.cfg.Folder == "" {
		return ""
	}
	return filepath.Join(c.cfg.Folder, c.FileStart()+".json")
}

// SyncFolder is where gatehouse sync remembers what it has written to the instance's store.
func (c *Center) SyncFolder() string {
	return filepath.Join(c.cfg.Folder, c.FileStart()+"-sync")
}

// required is all that connect must be allowed, for programs: fields are added, never changed.
type required struct {
	Policy         Policy               `json:"iam_policy"`
	Actions        []connect.Permission `json:"aws"`
	Tokenless      []connect.Permission `json:"aws_tokenless"`
	Undo           []connect.Permission `json:"aws_undo"`
	ConsoleActions []connect.Permission `json:"aws_console"`
	Graph          []connect.Permission `json:"microsoft_graph"`
}

// PrintPermissions shows what connect must be allowed on both sides, and why. The policy allows
// what connect asks, and with tokenless what gatehouse sync does as well.
func PrintPermissions(out io.Writer, asJSON, tokenless bool) error {
	allowed := Actions()
	if tokenless {
		allowed = append(allowed, WriteActions()...)
	}
	all := required{
		PolicyOf("GatehouseConnect", allowed), Actions(), WriteActions(), UndoActions(), ConsoleActions(),
		connect.GraphPermissions(),
	}
	if asJSON {
		return json.NewEncoder(out).Encode(all)
	}
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, part := range []struct {
		heading string
		list    []connect.Permission
	}{
		{"AWS, for the credentials of this command: they only read", all.Actions},
		{"AWS, beside those with --tokenless: connect and gatehouse sync write users and groups", all.Tokenless},
		{"AWS, beside those for connect undo --snapshot", all.Undo},
		{"AWS, for whoever clicks at the console", all.ConsoleActions},
		{"Microsoft Graph, with the role Cloud Application Administrator for people", all.Graph},
	} {
		fmt.Fprintf(t, "%s\n", part.heading)
		for _, p := range part.list {
			fmt.Fprintf(t, "  %s\t%s\n", p.Name, p.Reason)
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out, "The IAM policy:")
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(all.Policy)
}

// httpClient is the one for the SCIM endpoint.
func (c *Center) httpClient() *http.Client {
	if c.cfg.HTTP != nil {
		return c.cfg.HTTP
	}
	return http.DefaultClient
}
