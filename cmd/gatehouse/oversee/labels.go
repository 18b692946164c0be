package oversee

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// labels is a group of commands that say what accounts are for.
type labels struct{ *administer.Caller }

func (w World) labels() *cobra.Command {
	l := &labels{administer.NewCaller(w.World)}
	cmd := &cobra.Command{
		Use:   "label",
		Short: "Say what accounts are for, by an environment and a color",
		Long: `Labels an account, the accounts of an organizational unit, or those with a tag. People see the label
in the access portal, in the profiles that "gatehouse profiles write" writes, and with "gatehouse
whoami". The label of an account itself comes first, then that of a tag, then that of the nearest
unit. Nobody gains or loses access by a label.`,
		Example: `  gatehouse accounts label set --account Production --environment Production --color red
  gatehouse accounts label set --tag stage=dev --environment Development --color green
  gatehouse accounts label list
  gatehouse accounts label delete --tag stage=dev`,
	}
	l.Group(cmd)
	cmd.AddCommand(l.set(), l.remove(), l.Command("list", "List the labels", terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
			list, err := c.AccountLabels(cmd.Context())
			if err != nil {
				return err
			}
			return l.Print(list, "ACCOUNTS\tENVIRONMENT\tCOLOR", func(line func(...any)) {
				for _, one := range list {
					line(placeName(one.AccountPlace), one.Environment, one.Color)
				}
			})
		}))
	return cmd
}

// placeName says where something counts.
func placeName(at adminapi.AccountPlace) string {
	switch {
	case at.Tag != nil:
		return "tag " + at.Tag.Text()
	case at.Unit != "":
		return "unit " + at.Unit
	}
	return at.AccountID
}

// placeFlags are the flags by which accounts are named; the function says which they are.
func placeFlags(cmd *cobra.Command) func() (adminapi.AccountPlace, error) {
	var at adminapi.AccountPlace
	var tag string
	f := cmd.Flags()
	f.StringVar(&at.AccountID, "account", "", "the account, by name or id")
	f.StringVar(&at.Unit, "unit", "", "id of an organizational unit or of the root; includes the units below it")
	f.StringVar(&tag, "tag", "", administer.TagUsage)
	return func() (adminapi.AccountPlace, error) {
		if tag != "" {
			at.Tag = adminapi.ReadTag(tag)
		}
		n := 0
		for _, is := range []bool{at.AccountID != "", at.Unit != "", at.Tag != nil} {
			if is {
				n++
			}
		}
		if n != 1 {
			return at, terminal.UsageError{Err: errors.New("use exactly one of --account, --unit and --tag")}
		}
		return at, nil
	}
}

func (l *labels) set() *cobra.Command {
	var label adminapi.AccountLabel
	var place func() (adminapi.AccountPlace, error)
	cmd := l.Command("set", "Label accounts, in place of the label that they have", terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) (err error) {
			if label.AccountPlace, err = place(); err != nil {
				return err
			}
			return l.Done(c.PutAccountLabel(cmd.Context(), label), "%s is labeled %s.",
				terminal.Inline(placeName(label.AccountPlace)), terminal.Inline(label.Environment))
		})
	place = placeFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&label.Environment, "environment", "", "what is written, such as Production")
	f.StringVar(
		&label.Color, "color", "",
		"pink, purple, darkBlue, lightBlue, teal, green, yellow, orange or red (default none)",
	)
	_ = cmd.MarkFlagRequired("environment")
	return cmd
}

func (l *labels) remove() *cobra.Command {
	var place func() (adminapi.AccountPlace, error)
	cmd := l.Command("delete", "Take the label of accounts away", terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
			at, err := place()
			if err != nil {
				return err
			}
			return l.Done(c.DeleteAccountLabel(cmd.Context(), at), "%s has no label of its own.",
				terminal.Inline(placeName(at)))
		})
	place = placeFlags(cmd)
	return cmd
}
