package administer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// The words of the settings, and what the API calls them.
var (
	mfaModes = map[string]string{
		"context-aware": "CONTEXT_AWARE",
		"always":        "ALWAYS_ON",
		"never":         "DISABLED",
	}
	withoutDevice = map[string]string{
		"register":   "REQUIRE_REGISTRATION",
		"email-code": "EMAIL_OTP",
		"block":      "BLOCK",
		"allow":      "ALLOW",
	}
)

// listed are words as a sentence has them.
func listed(words []string) string {
	slices.Sort(words)
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// settings is the command for the settings of sign-in and of attributes for access control.
func (w World) settings() *cobra.Command {
	a := &administration{World: w}
	cmd := &cobra.Command{
		Use:   "settings",
		Short: "Show and change the settings of sign-in, sessions and attributes for access control",
		Long: `The settings of multi-factor authentication are for users of the built-in directory. Sessions that
are open keep their length. "gatehouse identity-source" has the settings of the external
identity provider, "gatehouse provisioning" those of automatic provisioning.`,
		Example: `  gatehouse settings show
  gatehouse settings update --mfa always --without-device register
  gatehouse settings update --session 12h --access-control on
  gatehouse settings set-attribute CostCenter '${path:enterprise.costCenter}'
  gatehouse settings delete-attribute CostCenter
  gatehouse settings remove-network-controls`,
	}
	a.flags(cmd)
	cmd.AddCommand(
		a.command("show", "Show the settings", terminal.NoArgs, a.showSettings),
		a.updateSettings(),
		a.command("set-attribute KEY SOURCE", "Fill an attribute for access control from a user's attribute",
			terminal.Args("a key and a source", 2), a.setAttribute),
		a.command("delete-attribute KEY", "Delete an attribute for access control", terminal.OneArg("a key"),
			a.deleteAttribute),
		a.confirmed("remove-network-controls", "Let requests in from all networks again", terminal.NoArgs,
			"ACCEPT", "Requests will be let in from everywhere.", "The network controls are removed.",
			removeNetworkControls),
	)
	return cmd
}

// wordOf is the word that stands for a value of the API.
func wordOf(words map[string]string, value *string) string {
	if value == nil {
		return ""
	}
	for word, v := range words {
		if v == *value {
			return word
		}
	}
	return *value
}

func onOff(b *bool) string {
	switch {
	case b == nil:
		return ""
	case *b:
		return "on"
	}
	return "off"
}

func (a *administration) showSettings(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
	s, err := c.SignIn(cmd.Context())
	if err != nil {
		return err
	}
	d, err := c.DescribeDirectory(cmd.Context())
	if err != nil {
		return err
	}
	attributes, _, err := c.AccessControl(cmd.Context(), d.InstanceArn)
	if err != nil {
		return err
	}
	if a.asJSON {
		return a.print(struct {
			adminapi.SignInSettings
			AccessControlAttributes []adminapi.Attribute
		}{s, attributes}, "", nil)
	}
	session := ""
	if m := s.PortalSessionMinutes; m != nil {
		session = terminal.Span(time.Duration(*m) * time.Minute)
	}
	a.facts([][2]string{
		{"--session", session}, {"--mfa", wordOf(mfaModes, s.MFAMode)},
		{"--without-device", wordOf(withoutDevice, s.WithoutDevice)}, {"--security-keys", onOff(s.SecurityKeys)},
		{"--authenticator-apps", onOff(s.AuthenticatorApps)}, {"--self-service", onOff(s.SelfService)},
		{"--access-control", onOff(s.AccessControl)},
	})
	if len(attributes) == 0 {
		return nil
	}
	fmt.Fprintln(a.Out)
	return a.print(nil, "ATTRIBUTE\tSOURCE", func(line func(...any)) {
		for _, x := range attributes {
			line(x.Key, strings.Join(x.Value.Source, " "))
		}
	})
}

func (a *administration) updateSettings() *cobra.Command {
	var session string
	values := map[string]*string{}
	cmd := a.command("update", "Change the settings that are given, and no others", terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
			in, err := settingsFrom(session, values)
			if err != nil {
				return err
			}
			return a.done(c.UpdateSignIn(cmd.Context(), in),
				"The settings are changed. Open sessions keep their length.")
		})
	cmd.PreRunE = func(*cobra.Command, []string) error {
		in, err := settingsFrom(session, values)
		if err == nil && in == (adminapi.SignInSettings{}) {
			err = terminal.UsageError{Err: fmt.Errorf("name a setting to change, such as --mfa always")}
		}
		return err
	}
	f := cmd.Flags()
	f.StringVar(&session, "session", "", "how long a portal session is valid: 15m to 90d, such as 8h")
	for flag, what := range map[string]string{
		"mfa":                "ask for a second factor: context-aware, always or never",
		"without-device":     "users without a second factor: register, email-code, block or allow",
		"security-keys":      "users may register security keys and passkeys: on or off",
		"authenticator-apps": "users may register authenticator apps: on or off",
		"self-service":       "users add, rename and delete their own devices: on or off",
		"access-control":     "attributes for access control: on or off",
	} {
		values[flag] = f.String(flag, "", what)
	}
	return cmd
}

func settingsFrom(session string, values map[string]*string) (in adminapi.SignInSettings, err error) {
	if session != "" {
		length, err := terminal.ParseSpan(session)
		if err != nil || length%time.Minute != 0 {
			return in, terminal.UsageError{Err: fmt.Errorf("--session %q: use 15m to 90d, in whole minutes", session)}
		}
		minutes := int(length / time.Minute)
		in.PortalSessionMinutes = &minutes
	}
	for flag, set := range map[string]struct {
		to    **string
		words map[string]string
	}{"mfa": {&in.MFAMode, mfaModes}, "without-device": {&in.WithoutDevice, withoutDevice}} {
		if *values[flag] == "" {
			continue
		}
		value, err := word(*values[flag], "--"+flag, set.words)
		if err != nil {
			return in, err
		}
		*set.to = &value
	}
	for flag, to := range map[string]**bool{
		"security-keys":      &in.SecurityKeys,
		"authenticator-apps": &in.AuthenticatorApps,
		"self-service":       &in.SelfService,
		"access-control":     &in.AccessControl,
	} {
		if *values[flag] == "" {
			continue
		}
		if *to, err = switched(*values[flag], "--"+flag); err != nil {
			return in, err
		}
	}
	return in, nil
}

// switched reads on or off.
func switched(text, flag string) (*bool, error) {
	on, err := word(text, flag, map[string]string{"on": "on", "off": "off"})
	if err != nil {
		return nil, err
	}
	is := on == "on"
	return &is, nil
}

func (a *administration) setAttribute(cmd *cobra.Command, c *adminapi.Client, args []string) error {
	d, err := c.DescribeDirectory(cmd.Context())
	if err == nil {
		_, err = c.SetAttribute(cmd.Context(), d.InstanceArn, args[0], args[1])
	}
	return a.done(err, "Sessions that are opened from now on have the attribute %s.", terminal.Inline(args[0]))
}

func (a *administration) deleteAttribute(cmd *cobra.Command, c *adminapi.Client, args []string) error {
	d, err := c.DescribeDirectory(cmd.Context())
	if err != nil {
		return err
	}
	changed, err := c.SetAttribute(cmd.Context(), d.InstanceArn, args[0], "")
	if err == nil && !changed {
		err = fmt.Errorf("there is no attribute %q: gatehouse settings show lists them", args[0])
	}
	return a.done(err, "The attribute is deleted.")
}

func removeNetworkControls(ctx context.Context, c *adminapi.Client, _ []string, typed string) error {
	if typed != "ACCEPT" {
		return errors.New("nothing is changed: the word to type is ACCEPT")
	}
	return c.OpenNetworks(ctx)
}
