package administer

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/saml"
	"github.com/gatehouse-id/gatehouse/terminal"
)

const maxMetadata = 4 << 20 //bound:body metadata that a command reads; the center takes less

// setMetadata uploads what the center is to trust. Nothing changes yet.
func (a *administration) setMetadata() *cobra.Command {
	var in adminapi.CreateConfigurationInput
	var certificate string
	cmd := a.command("set-metadata FILE|URL", "Upload the metadata of an identity provider, to be set later",
		cobra.ArbitraryArgs, func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
			if len(args) == 1 {
				text, err := a.metadata(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				in.MetadataXML = text
			} else {
				text, err := os.ReadFile(certificate) // #nosec G304 -- the file that the person names
				if err != nil {
					return err
				}
				in.X509CertificateInPem = certificateText(text)
			}
			known, err := c.CreateConfigurationOf(cmd.Context(), in)
			if err != nil {
				return err
			}
			if a.asJSON {
				return a.print(known, "", nil)
			}
			a.printConfiguration(known)
			_, err = fmt.Fprintln(
				a.Out, "Nothing has changed yet: gatehouse identity-source set external shows the effects and asks.",
			)
			return err
		})
	cmd.Long = `Reads the metadata from a file ("-" is standard input) or from a URL, or takes the three values that
stand for it. The center keeps it as pending.`
	cmd.Example = `  gatehouse identity-source set-metadata federationmetadata.xml
  gatehouse identity-source set-metadata https://idp.example.com/metadata
  gatehouse identity-source set-metadata --issuer https://idp.example.com \
    --sign-in-url https://idp.example.com/sso --certificate idp.pem`
	f := cmd.Flags()
	f.StringVar(&in.EntityID, "issuer", "", "the identity provider's issuer (entity ID)")
	f.StringVar(&in.SignInURL, "sign-in-url", "", "the identity provider's sign-in URL")
	f.StringVar(&certificate, "certificate", "", "a PEM `file` with the identity provider's certificate")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		values := in.EntityID != "" || in.SignInURL != "" || certificate != ""
		all := in.EntityID != "" && in.SignInURL != "" && certificate != ""
		if len(args) > 1 || values == (len(args) == 1) || values && !all {
			return terminal.UsageError{Err: errors.New(
				"name a metadata file or URL, or all of --issuer, --sign-in-url and --certificate",
			)}
		}
		return nil
	}
	return cmd
}

// metadata reads a file, standard input, or a URL.
func (a *administration) metadata(ctx context.Context, from string) (string, error) {
	open := a.open
	if strings.HasPrefix(from, "https://") || strings.HasPrefix(from, "http://") {
		open = func(address string) (io.ReadCloser, error) { return fetch(ctx, address) }
	}
	source, err := open(from)
	if err != nil {
		return "", err
	}
	defer source.Close() //nolint:errcheck // it was only read
	data, err := io.ReadAll(io.LimitReader(source, maxMetadata+1))
	if err == nil && len(data) > maxMetadata {
		err = fmt.Errorf("%s is larger than 4 MiB: is it metadata?", from)
	}
	return string(saml.UTF8(data)), err
}

// certificateText is what a file with a certificate says, as a text: DER has none, and becomes
// base64.
func certificateText(file []byte) string {
	if text := saml.UTF8(file); utf8.Valid(text) {
		return string(text)
	}
	return base64.StdEncoding.EncodeToString(file)
}

// open opens the file that the person names; "-" is standard input.
func (w World) open(path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(w.In), nil
	}
	return os.Open(path) // #nosec G304 -- the file that the person names
}

func fetch(ctx context.Context, address string) (io.ReadCloser, error) {
	if err := outbound.Operator.Check(address); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	res, err := outbound.Operator.Client(Timeout).Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch the metadata: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%s answered %s", address, res.Status), res.Body.Close())
	}
	return res.Body, nil
}

func (a *administration) printConfiguration(i adminapi.Configuration) {
	fmt.Fprintf(
		a.Out, "%s: %s, %s\n", strings.ToLower(i.Status), terminal.Inline(i.EntityID), terminal.Inline(i.SignInURL),
	)
	for _, note := range i.Notes {
		fmt.Fprintln(a.Out, "  note: "+terminal.Inline(note))
	}
}

func showPublished(to io.Writer, i adminapi.Configuration) {
	if i.SignedRequests || i.RequestBinding == adminapi.BindingPOST {
		signed := "unsigned"
		if i.SignedRequests {
			signed = "signed"
		}
		fmt.Fprintf(to, "Requests are %s and sent by %s.\n", signed, i.RequestBinding)
	}
	p := i.Published
	if p == nil {
		return
	}
	fmt.Fprintf(to, "Watched metadata: %s, read %s\n", terminal.Inline(p.URL), Moment(p.CheckedAt))
	if p.Problem != "" {
		fmt.Fprintln(to, "  problem: "+terminal.Inline(p.Problem))
	}
	for _, d := range p.Differences {
		fmt.Fprintln(to, "  differs from what is trusted: "+terminal.Inline(d))
	}
}

func (a *administration) serviceProvider(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
	sp, err := c.ServiceProvider(cmd.Context())
	if err != nil {
		return err
	}
	if a.asJSON {
		return a.print(sp, "", nil)
	}
	_, err = fmt.Fprintln(a.Out, strings.TrimSpace(sp.MetadataXML))
	return err
}

// target reads where users are to sign in.
func target(text string) (string, error) {
	return word(text, "the identity source", map[string]string{
		"external": adminapi.SourceExternal, "directory": adminapi.SourceDirectory,
	})
}

// effects reads the report of a change: the first users, or with all every one. known is a file
// with user names, one a line.
func effects(
	ctx context.Context, c *adminapi.Client, to, known string, all bool,
) (report adminapi.Report, err error) {
	in := adminapi.PreviewInput{IdentitySource: to}
	if known != "" {
		names, err := os.ReadFile(known) // #nosec G304 -- the file that the person names
		if err != nil {
			return report, err
		}
		in.KnownUserNames = strings.FieldsFunc(string(names), func(r rune) bool { return r == '\n' || r == '\r' })
	}
	if all {
		return c.PreviewAll(ctx, in)
	}
	return c.Preview(ctx, in)
}

func (a *administration) printEffects(report adminapi.Report) error {
	explained := map[string]string{}
	for _, u := range report.Users {
		explained[u.Effect] = u.Explanation
	}
	fmt.Fprint(a.Out, terminal.Counted(
		"%d {user|users}; %d {administrator of AWS accounts loses|administrators of AWS accounts lose} access.\n",
		report.Total, report.LockedOut,
	))
	return a.print(nil, "USERS\tEFFECT\tMEANING", func(line func(...any)) {
		for _, effect := range slices.Sorted(maps.Keys(report.Counts)) {
			line(report.Counts[effect], effect, explained[effect])
		}
	})
}

func (a *administration) reportSource() *cobra.Command {
	var known string
	var asCSV bool
	cmd := a.command("report external|directory", "Report what a change of the identity source would do to each user",
		terminal.OneArg("external or directory"), func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
			to, err := target(args[0])
			if err != nil {
				return err
			}
			report, err := effects(cmd.Context(), c, to, known, true)
			switch {
			case err != nil:
				return err
			case a.asJSON:
				return a.print(report, "", nil)
			case asCSV:
				return adminapi.WriteReport(a.Out, report.Users)
			}
			if err := a.printEffects(report); err != nil {
				return err
			}
			fmt.Fprintln(a.Out)
			return a.print(nil, "USER NAME\tNAME\tEFFECT\tADMINISTRATOR", func(line func(...any)) {
				for _, u := range report.Users {
					administrator := ""
					if u.Administrator {
						administrator = "yes"
					}
					line(u.UserName, u.DisplayName, u.Effect, administrator)
				}
			})
		})
	cmd.Flags().StringVar(&known, "known", "", "a `file` with the identity provider's user names, one a line")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print CSV")
	return cmd
}

// setSource shows the effects of a change and makes it.
func (a *administration) setSource() *cobra.Command {
	var typed, known string
	cmd := a.command("set external|directory", "Change where users sign in, after a report and ACCEPT",
		terminal.OneArg("external or directory"), func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
			to, err := target(args[0])
			if err != nil {
				return err
			}
			pending, err := c.ConfigurationOf(cmd.Context(), adminapi.StatusPending)
			if err != nil {
				return err
			}
			if to == adminapi.SourceExternal && pending == nil {
				return errors.New(
					"no identity provider is pending: upload one with gatehouse identity-source set-metadata",
				)
			}
			seen, err := c.InForce(cmd.Context())
			if err != nil {
				return err
			}
			report, err := effects(cmd.Context(), c, to, known, false)
			if err != nil {
				return err
			}
			asked := *a
			if a.asJSON { // a person reads what is asked, a program what was done
				asked.asJSON, asked.Out = false, a.Err
			}
			if err := asked.printEffects(report); err != nil {
				return err
			}
			if typed == "" {
				if typed, err = terminal.Ask(a.In, a.Err, "Type ACCEPT to change the identity source: "); err != nil {
					return err
				}
			}
			if to == adminapi.SourceDirectory {
				in := adminapi.ConfirmInput{Confirmation: typed, InForce: seen}
				return a.done(c.DisableConfiguration(cmd.Context(), in),
					"The identity source is the built-in directory.")
			}
			return a.done(c.EnableConfiguration(cmd.Context(), adminapi.ChangeInput{
				ConfigurationID: pending.ConfigurationID, Confirmation: typed, InForce: seen,
			}), "The identity source is %s.", terminal.Inline(pending.EntityID))
		})
	cmd.Flags().StringVar(&typed, "confirm", "", "the word ACCEPT, to skip the question")
	cmd.Flags().StringVar(&known, "known", "", "a `file` with the identity provider's user names, one a line")
	return cmd
}

func (a *administration) watch() *cobra.Command {
	cmd := a.command("watch URL|off", "Watch the metadata that the identity provider publishes at an address",
		terminal.OneArg("a URL, or off"), func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
			if args[0] == "off" {
				return a.done(c.WatchMetadata(cmd.Context(), ""), "The metadata is not watched.")
			}
			if err := c.WatchMetadata(cmd.Context(), args[0]); err != nil {
				return err
			}
			now, err := c.ConfigurationOf(cmd.Context(), adminapi.StatusEnabled)
			switch {
			case err != nil || now == nil:
				return err
			case a.asJSON:
				return a.print(now.Published, "", nil)
			}
			showPublished(a.Out, *now)
			return nil
		})
	cmd.Long = `The center reads the document every six hours and shows differences. It trusts them when you
accept them: gatehouse identity-source accept.`
	return cmd
}

// acceptPublished trusts published metadata whose differences it has shown.
func (a *administration) acceptPublished() *cobra.Command {
	var typed string
	cmd := a.command("accept", "Trust the changes in the identity provider's published metadata", terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
			now, err := c.ConfigurationOf(cmd.Context(), adminapi.StatusEnabled)
			if err != nil {
				return err
			}
			if now == nil || now.Published == nil || len(now.Published.Differences) == 0 {
				return errors.New(
					"no change of published metadata waits: gatehouse identity-source show says what is watched",
				)
			}
			showPublished(a.Err, *now)
			if typed == "" {
				if typed, err = terminal.Ask(a.In, a.Err, "Type ACCEPT to trust this: "); err != nil {
					return err
				}
			}
			if typed != "ACCEPT" {
				return errors.New("nothing is changed: the word to type is ACCEPT")
			}
			return a.done(c.AcceptMetadata(cmd.Context(), now.Published.Differences), "The metadata is accepted.")
		})
	cmd.Flags().StringVar(&typed, "confirm", "", "the word ACCEPT, to skip the question")
	return cmd
}

func (a *administration) requests() *cobra.Command {
	var sign, binding string
	cmd := a.command("requests", "Sign authentication requests or not, and choose their binding", terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) (err error) {
			var in adminapi.UpdateConfigurationInput
			if sign != "" {
				if in.SignedRequests, err = switched(sign, "--sign"); err != nil {
					return err
				}
			}
			if binding != "" {
				chosen, err := word(binding, "--binding", map[string]string{
					"redirect": adminapi.BindingRedirect, "post": adminapi.BindingPOST,
				})
				if err != nil {
					return err
				}
				in.RequestBinding = &chosen
			}
			return a.done(c.UpdateConfiguration(cmd.Context(), in), "Saved. If requests are now signed, give the "+
				"identity provider the service provider metadata again: it contains the certificate.")
		})
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if sign == "" && binding == "" {
			return terminal.UsageError{Err: errors.New("use --sign, --binding or both")}
		}
		return nil
	}
	cmd.Flags().StringVar(&sign, "sign", "", "sign requests: on or off")
	cmd.Flags().StringVar(&binding, "binding", "", "redirect or post")
	return cmd
}
