package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
)

func (w *world) identitySourceCommand() *cobra.Command {
	a := &administration{world: w}
	cmd := &cobra.Command{
		Use: "identity-source",
		Short: "Show where users sign in, where they may start, undo a change, and keep the identity provider's " +
			"certificates",
		Long: `The identity source is the built-in directory or one external identity provider. "gatehouse connect" and the console change it;
here a change is undone, for 30 days, and the certificates are kept whose keys sign for the provider.`,
		Example: `  gatehouse identity-source show
  gatehouse identity-source undo
  gatehouse identity-source add-certificate new.pem
  gatehouse identity-source idp-initiated off
  gatehouse identity-source rehearse ada@example.com`,
		Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	a.address.flags(cmd)
	cmd.PersistentFlags().BoolVar(&a.asJSON, "json", false, "print JSON")
	var confirmation string
	with := func(c *cobra.Command, do func(*adminapi.Client, *cobra.Command, []string) error) *cobra.Command {
		c.RunE = func(cmd *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			return do(client, cmd, args)
		}
		return c
	}
	undo := with(
		&cobra.Command{
			Use:   "undo",
			Short: "Bring back the identity source before the last change, with its settings",
			Args:  noArgs,
		},
		a.undoSourceChange(&confirmation),
	)
	undo.Flags().StringVar(&confirmation, "confirm", "", "the word ACCEPT, to be asked nothing")
	remove := with(
		&cobra.Command{
			Use:   "delete-certificate ID",
			Short: "Refuse signatures by a certificate's key from now on",
			Args:  oneArg("a certificate's thumbprint"),
		},
		a.deleteCertificate(&confirmation),
	)
	remove.Flags().StringVar(&confirmation, "confirm", "", "the word DELETE, to be asked nothing")
	cmd.AddCommand(
		with(
			&cobra.Command{Use: "show", Short: "Show the identity source and the certificates", Args: noArgs},
			a.showSource,
		),
		undo,
		with(
			&cobra.Command{
				Use:   "add-certificate FILE",
				Short: "Accept signatures by another certificate's key, too",
				Args:  oneArg("a PEM file"),
			},
			a.addCertificate,
		),
		remove,
		with(
			&cobra.Command{
				Use:       "idp-initiated on|off",
				Short:     "Say whether users may start at the identity provider, or at the access portal only",
				Args:      oneArg("on or off"),
				ValidArgs: []string{"on", "off"},
			},
			a.allowIdPInitiated,
		),
		with(
			&cobra.Command{
				Use: "rehearse USERNAME",
				Short: "Make a link with which a user signs in at the identity provider that is uploaded but not " +
					"in force",
				Args: oneArg("a user name"),
			},
			a.rehearse,
		),
	)
	return cmd
}

func (a *administration) showSource(c *adminapi.Client, cmd *cobra.Command, _ []string) error {
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
			IdentitySource string
			UndoUntil      *time.Time `json:",omitempty"`

			IdPInitiatedSignIn *bool `json:",omitempty"`

			Configurations []adminapi.Configuration
			Certificates   []adminapi.Certificate
		}{d.IdentitySource, d.UndoUntil, d.IdPInitiatedSignIn, configurations, certificates}, "", nil)
	}
	fmt.Fprintf(
		a.out, "Users sign in at: %s\n",
		map[string]string{
			adminapi.SourceDirectory: "the built-in directory",
			adminapi.SourceExternal:  "an external identity provider",
		}[d.IdentitySource],
	)
	for _, i := range configurations {
		fmt.Fprintf(a.out, "%s: %s, %s\n", strings.ToLower(i.Status), inline(i.EntityID), inline(i.SignInURL))
	}
	if d.IdPInitiatedSignIn != nil && !*d.IdPInitiatedSignIn {
		fmt.Fprintln(a.out, "They must start at the access portal: responses that nobody has asked for are refused.")
	}
	if d.UndoUntil != nil {
		fmt.Fprintf(a.out, "The last change can be undone until %s.\n", moment(d.UndoUntil))
	}
	if len(certificates) == 0 {
		return nil
	}
	fmt.Fprintln(a.out)
	return a.print(nil, "CERTIFICATE\tVALID UNTIL\tDAYS LEFT\tSUBJECT", func(line func(...any)) {
		for _, i := range certificates {
			line(
				i.CertificateID, i.NotAfter.UTC().Format(time.DateOnly), int(time.Until(i.NotAfter).Hours()/24),
				i.Subject,
			)
		}
	})
}

// ask asks for a word unless it was given.
func (a *administration) ask(given, word, what string) (string, error) {
	if given != "" {
		return given, nil
	}
	fmt.Fprintf(a.err, "%s Type %s: ", what, word)
	line, err := bufio.NewReader(a.in).ReadString('\n')
	if line = strings.TrimSpace(line); line == "" && err != nil {
		return "", fmt.Errorf("nothing was typed: %w", err)
	}
	return line, nil
}

func (a *administration) undoSourceChange(confirmation *string) func(*adminapi.Client, *cobra.Command, []string) error {
	return func(c *adminapi.Client, cmd *cobra.Command, _ []string) error {
		word, err := a.ask(*confirmation, "ACCEPT", "Users will sign in where they did before the last change.")
		if err == nil {
			err = c.UndoIdentitySourceChange(cmd.Context(), word)
		}
		if err == nil {
			fmt.Fprintln(a.err, "The identity source is what it was before.")
		}
		return err
	}
}

func (a *administration) allowIdPInitiated(c *adminapi.Client, cmd *cobra.Command, args []string) error {
	if args[0] != "on" && args[0] != "off" {
		return usageError{fmt.Errorf("want on or off, not %q", args[0])}
	}
	err := c.AllowIdPInitiated(cmd.Context(), args[0] == "on")
	if err == nil {
		fmt.Fprintln(a.err, map[string]string{"on": "Users may start at the identity provider.",
			"off": "Users must start at the access portal: responses that nobody has asked for are refused."}[args[0]])
	}
	return err
}

func (a *administration) addCertificate(c *adminapi.Client, cmd *cobra.Command, args []string) error {
	data, err := os.ReadFile(args[0])
	if err == nil {
		err = c.ImportCertificate(cmd.Context(), string(data))
	}
	if err == nil {
		fmt.Fprintln(a.err, "The certificate is added.")
	}
	return err
}

func (a *administration) deleteCertificate(
	confirmation *string,
) func(*adminapi.Client, *cobra.Command, []string) error {
	return func(c *adminapi.Client, cmd *cobra.Command, args []string) error {
		word, err := a.ask(*confirmation, "DELETE", "Responses signed by its key will be refused.")
		if err == nil {
			err = c.DeleteCertificate(cmd.Context(), args[0], word)
		}
		if err == nil {
			fmt.Fprintln(a.err, "The certificate is deleted.")
		}
		return err
	}
}

func (a *administration) rehearse(c *adminapi.Client, cmd *cobra.Command, args []string) error {
	link, err := c.StartRehearsal(cmd.Context(), args[0])
	if err != nil {
		return err
	}
	if a.asJSON {
		return a.print(struct{ UserName, Link string }{args[0], link}, "", nil)
	}
	fmt.Fprintf(
		a.out,
		"Open this in a browser, as the user, within an hour. Nothing changes, and no session is opened:\n\n  %s\n",
		link,
	)
	return nil
}
