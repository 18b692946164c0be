package oversee

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/center/proof"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// keysPath is where a center publishes its keys, below its issuer.
const keysPath = "/.well-known/jwks.json"

// proof is the group of commands on records of access that was ended.
func (w World) proof() *cobra.Command {
	r := &revocation{Caller: administer.NewCaller(w.World)}
	cmd := &cobra.Command{
		Use:   "proof",
		Short: "Look at and verify the proofs that a leaver's access has ended",
		Long: `The center keeps for 400 days what people had open when they were revoked, disabled or deleted, by
whomever. A proof says what that was, and what answers now; the center signs it.`,
		Example: `  gatehouse proof list
  gatehouse proof show ada@example.com --proof ada.json
  gatehouse proof verify ada.json                      # with the keys that the center publishes
  gatehouse proof keys > keys.json
  gatehouse proof verify ada.json --keys keys.json     # without the center`,
	}
	r.Group(cmd)
	show := r.Command("show USER", "Show what answers now to what a user had open when access was ended the last time",
		terminal.OneArg("a user name, a user's id, or the ID of a record"), r.showLast)
	r.flags(show)
	show.PreRunE = r.checkFormat
	cmd.AddCommand(
		show, r.list(), r.verify(),
		r.Command("keys", "Print the keys that verify the center's proofs, as a JSON Web Key Set", terminal.NoArgs,
			func(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
				d, err := c.DescribeDirectory(cmd.Context())
				if err != nil {
					return err
				}
				keys, err := fetchKeys(cmd.Context(), d.IssuerURL)
				if err == nil {
					fmt.Fprintln(r.Out, terminal.Inline(strings.TrimSpace(string(keys))))
				}
				return err
			}),
	)
	return cmd
}

func (r *revocation) showLast(cmd *cobra.Command, c *adminapi.Client, args []string) error {
	id, err := lastOf(cmd, c, args[0])
	if err != nil {
		return err
	}
	return r.show(cmd.Context(), c, id)
}

// lastOf is the last record of a user, who may be deleted by now, or the record that is named.
func lastOf(cmd *cobra.Command, c *adminapi.Client, name string) (string, error) {
	ctx := cmd.Context()
	if u, err := administer.FindUser(cmd, c, name); err == nil {
		name = u.UserID
	} else if uuid.MatchString(name) {
		if p, err := c.DescribeRevocation(ctx, name); err == nil {
			return p.ID, nil
		}
	}
	in := adminapi.RevocationsInput{}
	if uuid.MatchString(name) {
		in.UserID = name
	}
	for {
		page, err := c.ListRevocations(ctx, in)
		if err != nil {
			return "", err
		}
		for _, r := range page.Revocations {
			if r.UserID == name || strings.EqualFold(r.UserName, name) {
				return r.RevocationID, nil
			}
		}
		if in.NextToken = page.NextToken; in.NextToken == "" {
			return "", fmt.Errorf("nobody has ended the access of %s: there is no record", name)
		}
	}
}

// uuid is an id of a user or of a record.
var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func (r *revocation) list() *cobra.Command {
	var limit int
	cmd := r.Command("list", "List whose access was ended, the newest first", terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
			all, in := []adminapi.RevocationRecord{}, adminapi.RevocationsInput{}
			for {
				page, err := c.ListRevocations(cmd.Context(), in)
				if err != nil {
					return err
				}
				all = append(all, page.Revocations...)
				if in.NextToken = page.NextToken; in.NextToken == "" || len(all) >= limit {
					break
				}
			}
			more := len(all) > limit || in.NextToken != ""
			all = all[:min(len(all), limit)]
			err := r.Print(all, "WHEN\tUSER\tACTION\tBY\tSESSIONS\tROLES\tRECORD", func(line func(...any)) {
				for _, x := range all {
					line(administer.Moment(&x.At), x.UserName, x.Action, x.By, x.Sessions, x.Roles, x.RevocationID)
				}
			})
			if err == nil && more {
				fmt.Fprintf(r.Err, "There are more: use --limit.\n")
			}
			return err
		})
	cmd.Flags().IntVar(&limit, "limit", 1000, "how many to list at the most")
	return cmd
}

func (r *revocation) verify() *cobra.Command {
	var keys string
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check that the center has signed a proof, and print what it has signed",
		Long: `Checks the signature of a proof: with --keys by the keys in a file, without asking anybody, and
otherwise by the keys that the center at --center-url publishes. It takes no access key. Exit code 1
says that the file is not what the center has signed.`,
		Args: terminal.OneArg("a file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := readFile(args[0])
			if err != nil {
				return err
			}
			known, err := r.keys(cmd.Context(), file, keys)
			if err != nil {
				return err
			}
			p, err := proof.Verify(file, known)
			if err != nil {
				return err
			}
			if !r.JSON() {
				fmt.Fprintf(r.Err, "The signature is good. %s stated at %s what was open at %s:\n",
					terminal.Inline(p.Issuer), p.Ended.Format(time.DateTime), p.Began.Format(time.DateTime))
			}
			if err := r.print(p, p); err != nil || p.Complete || r.JSON() {
				return err
			}
			fmt.Fprintln(r.Err, "Not everything had ended when this was signed.")
			return nil
		},
	}
	cmd.Flags().StringVar(&keys, "keys", "", "the `file` with the center's keys, from \"gatehouse proof keys\"")
	return cmd
}

// keys are those in a file, or those that the center publishes. A proof says itself whose it is,
// which anybody can write: it must be the center that was named.
func (r *revocation) keys(ctx context.Context, file []byte, path string) ([]byte, error) {
	if path != "" {
		return readFile(path)
	}
	p, err := proof.Read(file)
	if err != nil {
		return nil, err
	}
	named := strings.TrimRight(r.URL(), "/") + "/"
	if rest, ok := strings.CutPrefix(p.Issuer, named); !ok || strings.ContainsAny(rest, "/?#%.\\") {
		return nil, fmt.Errorf(
			"the proof is of %s, and not of the center at %s: name the right one with --center-url, or its keys "+
				"with --keys", p.Issuer, named,
		)
	}
	return fetchKeys(ctx, p.Issuer)
}

func fetchKeys(ctx context.Context, issuer string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, issuer+keysPath, nil)
	if err != nil {
		return nil, err
	}
	res, err := outbound.Operator.Client(administer.Timeout).Do(req)
	if err != nil {
		return nil, fmt.Errorf("the center's keys: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, proof.MaxFile))
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("the center's keys: status %d", res.StatusCode)
	}
	return text, err
}

// readFile reads a file that is not too large.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path) // #nosec G304 -- whoever calls the command names it
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, proof.MaxFile+1))
	if err == nil && len(text) > proof.MaxFile {
		err = errors.New("the file is too large for a proof")
	}
	return text, err
}
