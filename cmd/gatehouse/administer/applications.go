package administer

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/saml"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// applications is the command for the custom SAML applications of the center.
func (w World) applications() *cobra.Command {
	a := &administration{World: w}
	cmd := &cobra.Command{
		Use:   "applications",
		Short: "Set up custom SAML applications, and replace their certificates",
		Long: `An application is named by its name, its ARN or the last part of that. The API makes, assigns and
deletes applications: aws sso-admin create-application.

To replace a certificate: make a new one, give it to the application, make it active, and
delete the old one. The old one signs until then, and can be made active again.`,
		Example: `  gatehouse applications set Wiki --metadata wiki.xml
  gatehouse applications set Wiki --map 'email=${user:email}'
  gatehouse applications show Wiki
  gatehouse applications new-certificate Wiki
  gatehouse applications activate-certificate Wiki CERTIFICATE_ID
  gatehouse applications delete-certificate Wiki CERTIFICATE_ID`,
	}
	a.flags(cmd)
	one := terminal.OneArg("an application's name, ARN or id")
	two := terminal.Args("an application and a certificate's id", 2)
	cmd.AddCommand(
		a.command("show APPLICATION", "Show how people sign in to an application", one,
			func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
				s, err := c.ApplicationSAML(cmd.Context(), args[0])
				return a.printApplication(s, err)
			}),
		a.setApplication(),
		a.command("new-certificate APPLICATION", "Make a certificate, which does not sign yet", one,
			func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
				s, err := c.CreateApplicationCertificate(cmd.Context(), args[0])
				return a.printApplication(s, err)
			}),
		a.command("activate-certificate APPLICATION CERTIFICATE_ID", "Sign with a certificate from now on", two,
			func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
				in := adminapi.ApplicationInput{ApplicationArn: args[0], CertificateID: args[1]}
				s, err := c.ActivateApplicationCertificate(cmd.Context(), in)
				return a.printApplication(s, err)
			}),
		a.command("delete-certificate APPLICATION CERTIFICATE_ID", "Delete a certificate that does not sign", two,
			func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
				in := adminapi.ApplicationInput{ApplicationArn: args[0], CertificateID: args[1]}
				s, err := c.DeleteApplicationCertificate(cmd.Context(), in)
				return a.printApplication(s, err)
			}),
	)
	return cmd
}

func (a *administration) setApplication() *cobra.Command {
	var metadata, acs, audience, state, subject, format string
	var minutes int
	var mapped, unmapped []string
	cmd := a.command("set APPLICATION", "Change how people sign in to an application",
		terminal.OneArg("an application's name, ARN or id"),
		func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
			in := adminapi.UpdateApplicationSAML{ApplicationArn: args[0]}
			changed := cmd.Flags().Changed
			for name, to := range map[string]struct {
				field **string
				value *string
			}{
				"acs-url": {&in.ACSURL, &acs}, "audience": {&in.Audience, &audience},
				"relay-state": {&in.RelayState, &state},
			} {
				if changed(name) {
					*to.field = to.value
				}
			}
			if changed("session-minutes") {
				in.SessionMinutes = &minutes
			}
			if changed("subject") {
				in.Subject = &adminapi.ApplicationMapping{Value: subject, Format: format}
			}
			if metadata != "" {
				data, err := os.ReadFile(metadata) // #nosec G304 -- a file that the user names
				if err != nil {
					return terminal.UsageError{Err: err}
				}
				text := string(saml.UTF8(data))
				in.Metadata = &text
			}
			if len(mapped)+len(unmapped) > 0 {
				s, err := c.ApplicationSAML(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if in.Mappings, err = remapped(s.Mappings, mapped, unmapped); err != nil {
					return err
				}
			}
			s, err := c.UpdateApplicationSAML(cmd.Context(), in)
			return a.printApplication(s, err)
		})
	f := cmd.Flags()
	f.StringVar(&metadata, "metadata", "", "a `file` with the application's SAML metadata")
	f.StringVar(&acs, "acs-url", "", "the application's assertion consumer service")
	f.StringVar(&audience, "audience", "", "the application's entity id")
	f.StringVar(&state, "relay-state", "", "relay state of sign-ins that begin in the portal")
	f.IntVar(&minutes, "session-minutes", 60, "how long the application may keep people signed in")
	f.StringVar(&subject, "subject", "", "the subject, such as ${user:email}")
	f.StringVar(&format, "subject-format", "unspecified", "unspecified, emailAddress, persistent or transient")
	f.StringArrayVar(&mapped, "map", nil, "send an attribute: NAME=VALUE, such as email=${user:email}")
	f.StringArrayVar(&unmapped, "unmap", nil, "send an attribute no more")
	return cmd
}

// remapped are the mappings with some added or changed, and without others.
func remapped(
	list []adminapi.ApplicationMapping, mapped, unmapped []string,
) (*[]adminapi.ApplicationMapping, error) {
	drop := map[string]bool{}
	for _, name := range unmapped {
		drop[name] = true
	}
	var added []adminapi.ApplicationMapping
	for _, text := range mapped {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, terminal.UsageError{Err: fmt.Errorf("--map %s: use NAME=VALUE", terminal.Inline(text))}
		}
		drop[name] = true
		added = append(added, adminapi.ApplicationMapping{Name: name, Value: value})
	}
	out := []adminapi.ApplicationMapping{}
	for _, m := range list {
		if !drop[m.Name] {
			out = append(out, m)
		}
	}
	out = append(out, added...)
	return &out, nil
}

func (a *administration) printApplication(s adminapi.ApplicationSAML, err error) error {
	if err != nil {
		return err
	}
	return a.print(s, "SETTING\tVALUE", func(line func(...any)) {
		line("application", s.ApplicationArn)
		line("name", s.Name)
		line("ACS URL", s.ACSURL)
		line("audience", s.Audience)
		line("relay state", s.RelayState)
		line("session", terminal.Counted("%d {minute|minutes}", s.SessionMinutes))
		line("subject", s.Subject.Value+" ("+s.Subject.Format+")")
		for _, m := range s.Mappings {
			line("attribute "+m.Name, m.Value)
		}
		line("metadata of the center", s.MetadataURL)
		for _, c := range s.Certificates {
			is := "certificate that waits"
			if c.Active {
				is = "certificate that signs"
			}
			line(is, c.CertificateID+" until "+Moment(&c.NotAfter))
		}
		for _, note := range s.Notes {
			line("note", note)
		}
	})
}
