package administer

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/terminal"
)

func (w World) identitySource() *cobra.Command {
	a := &administration{World: w}
	cmd := &cobra.Command{
		Use:   "identity-source",
		Short: "Show and change where users sign in, and manage the identity provider's metadata and certificates",
		Long: `The identity source is the built-in directory or one external identity provider. To change it,
upload the provider's metadata, read the report, rehearse a sign-in, then set it. Nothing
changes before you type ACCEPT, and you can undo it within 30 days. "gatehouse connect" does
this between Entra ID and a center by itself.`,
		Example: `  gatehouse identity-source show
  gatehouse identity-source set-metadata federationmetadata.xml
  gatehouse identity-source report external --known user-names.txt
  gatehouse identity-source set external
  gatehouse identity-source undo
  gatehouse identity-source add-certificate new.pem   # or newer metadata, of which only the certificates are taken
  gatehouse identity-source delete-certificate THUMBPRINT
  gatehouse identity-source idp-initiated off
  gatehouse identity-source requests --sign on --binding post
  gatehouse identity-source sp-metadata > center.xml
  gatehouse identity-source watch https://idp.example.com/metadata
  gatehouse identity-source accept
  gatehouse identity-source rehearse ada@example.com`,
	}
	a.flags(cmd)
	idpInitiated := a.command("idp-initiated on|off",
		"Allow sign-in to start at the identity provider, or only at the access portal", terminal.OneArg("on or off"),
		a.allowIdPInitiated)
	idpInitiated.ValidArgs = []string{"on", "off"}
	cmd.AddCommand(
		a.command("show", "Show the identity source and the certificates", terminal.NoArgs, a.showSource),
		a.command("sp-metadata", "Print the service provider metadata for the identity provider", terminal.NoArgs,
			a.serviceProvider),
		a.setMetadata(), a.reportSource(), a.setSource(), a.undoSource(), a.watch(), a.acceptPublished(),
		a.requests(),
		a.command("add-certificate FILE", "Also accept signatures that another certificate verifies",
			terminal.OneArg("a PEM file"), a.addCertificate),
		a.confirmed(
			"delete-certificate ID", "Stop accepting signatures that a certificate verifies",
			terminal.OneArg("a certificate's thumbprint"),
			"DELETE", "The center will refuse responses that only this certificate verifies.",
			"The certificate is deleted.",
			func(ctx context.Context, c *adminapi.Client, args []string, typed string) error {
				return c.DeleteCertificate(ctx, args[0], typed)
			},
		),
		idpInitiated,
		a.command("rehearse USERNAME",
			"Create a link to test sign-in at an uploaded identity provider that is not enabled",
			terminal.OneArg("a user name"), a.rehearse),
	)
	return cmd
}

func (a *administration) undoSource() *cobra.Command {
	var typed string
	cmd := a.command("undo", "Restore the identity source and settings from before the last change", terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
			seen, err := c.InForce(cmd.Context()) // an undo of an undo would bring back what it has taken away
			if err == nil && typed == "" {
				typed, err = terminal.Ask(a.In, a.Err, "Users will sign in where they did before. Type ACCEPT: ")
			}
			if err == nil {
				err = c.UndoSourceChange(cmd.Context(), adminapi.ConfirmInput{Confirmation: typed, InForce: seen})
			}
			return a.done(err, "The identity source is restored.")
		})
	cmd.Flags().StringVar(&typed, "confirm", "", "the word ACCEPT, to skip the question")
	return cmd
}

// confirmed is a command that warns and asks for a word, unless --confirm has it. The center checks
// what was typed.
func (a *administration) confirmed(
	use, short string, args cobra.PositionalArgs, word, warning, done string,
	do func(ctx context.Context, c *adminapi.Client, args []string, typed string) error,
) *cobra.Command {
	var typed string
	cmd := a.command(use, short, args, func(cmd *cobra.Command, c *adminapi.Client, args []string) (err error) {
		if typed == "" {
			typed, err = terminal.Ask(a.In, a.Err, warning+" Type "+word+": ")
		}
		if err != nil {
			return err
		}
		return a.done(do(cmd.Context(), c, args, typed), "%s", done)
	})
	cmd.Flags().StringVar(&typed, "confirm", "", "the word "+word+", to skip the question")
	return cmd
}

func (a *administration) showSource(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
	d, err := c.DescribeDirectory(cmd.Context())
	if err != nil {
		return err
	}
	configurations, err := c.Configurations(cmd.Context())
	if err != nil {
		return err
	}
	certificates, err := c.ListCertificates(cmd.Context())
	if err != nil {
		return err
	}
	if a.asJSON {
		return a.print(struct {
			IdentitySource     string
			UndoUntil          *time.Time `json:",omitempty"`
			IdPInitiatedSignIn *bool      `json:",omitempty"`
			Configurations     []adminapi.Configuration
			Certificates       []adminapi.Certificate
		}{d.IdentitySource, d.UndoUntil, d.IdPInitiatedSignIn, configurations, certificates}, "", nil)
	}
	fmt.Fprintf(a.Out, "Users sign in at: %s\n", map[string]string{
		adminapi.SourceDirectory: "the built-in directory",
		adminapi.SourceExternal:  "an external identity provider",
	}[d.IdentitySource])
	for _, i := range configurations {
		a.printConfiguration(i)
		showPublished(a.Out, i)
	}
	if d.IdPInitiatedSignIn != nil && !*d.IdPInitiatedSignIn {
		fmt.Fprintln(a.Out, requestsOnly)
	}
	if d.UndoUntil != nil {
		fmt.Fprintf(a.Out, "The last change can be undone until %s.\n", Moment(d.UndoUntil))
	}
	if len(certificates) == 0 {
		return nil
	}
	fmt.Fprintln(a.Out)
	return a.print(nil, "CERTIFICATE\tVALID UNTIL\tDAYS LEFT\tSUBJECT", func(line func(...any)) {
		for _, i := range certificates {
			line(
				i.CertificateID, i.NotAfter.UTC().Format(time.DateOnly), int(time.Until(i.NotAfter).Hours()/24),
				i.Subject,
			)
		}
	})
}

const requestsOnly = "Users must start at the access portal: the center refuses responses that it did not request."

func (a *administration) allowIdPInitiated(cmd *cobra.Command, c *adminapi.Client, args []string) error {
	done := map[string]string{"on": "Users may start at the identity provider.", "off": requestsOnly}[args[0]]
	if done == "" {
		return terminal.UsageError{Err: fmt.Errorf("use on or off, not %q", args[0])}
	}
	return a.done(c.AllowIdPInitiated(cmd.Context(), args[0] == "on"), "%s", done)
}

func (a *administration) addCertificate(cmd *cobra.Command, c *adminapi.Client, args []string) error {
	data, err := os.ReadFile(args[0])
	if err == nil {
		err = c.ImportCertificate(cmd.Context(), certificateText(data))
	}
	return a.done(err, "The certificate is added.")
}

func (a *administration) rehearse(cmd *cobra.Command, c *adminapi.Client, args []string) error {
	link, err := c.StartRehearsal(cmd.Context(), args[0])
	if err != nil {
		return err
	}
	if a.asJSON {
		return a.print(struct{ UserName, Link string }{args[0], link}, "", nil)
	}
	fmt.Fprintf(a.Out, "Open this link in a browser within an hour and sign in as the user. It changes nothing and "+
		"opens no session:\n\n  %s\n", link)
	return nil
}
