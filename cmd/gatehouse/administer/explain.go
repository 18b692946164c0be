package administer

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/terminal"
)

func (w World) explain(e Explainer) *cobra.Command {
	a := &administration{World: w}
	cmd := &cobra.Command{
		Use:   "explain REFERENCE|USER",
		Short: "Show why a request was refused or how a person is provisioned, and what to do",
		Long: `Error pages show a reference instead of a reason, and every response has a request ID. Pass either
one to see the audit log: which check failed, the expected value, the received value, and the
remedy. If too many requests were refused to record each one, it shows the count for the
reference's minute.

Pass a user principal name to see the five steps of that person's provisioning from --from to --to,
with their values: connect, import, scope, match, act. This takes the settings of "gatehouse sync"
and changes nothing.`,
		Example: `  gatehouse explain 019abcde-0123-7abc-8def-0123456789ab
  gatehouse explain 019abcde-0123-7abc-8def-0123456789ab --json
  gatehouse explain ada@example.com --login-url https://login.microsoftonline.com/TENANT_ID \
    --client-id CLIENT_ID --to https://scim…`,
		Args: terminal.OneArg("a reference or a user principal name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.Contains(args[0], "@") {
				return e.Person(cmd, args[0], a.asJSON)
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			events, err := c.Explain(cmd.Context(), args[0])
			if err != nil || a.asJSON {
				if err == nil {
					err = a.print(events, "", nil)
				}
				return err
			}
			for _, event := range events {
				fmt.Fprintf(a.Out, "%s  %s %s\n", event.EventTime.UTC().Format("2006-01-02 15:04:05 UTC"),
					terminal.Inline(event.EventName), event.Result)
				for _, line := range [][2]string{
					{"by", event.ActorType + " " + event.ActorName},
					{"from", event.SourceIPAddress},
					{"subject", event.Subject},
					{"why", event.What},
					{"check", event.Check},
					{"expected", event.Expected},
					{"received", event.Received},
					{"detail", event.Detail},
					{"to do", event.Remedy},
				} {
					if line[1] != "" {
						fmt.Fprintf(a.Out, "  %-9s %s\n", line[0], terminal.Inline(line[1]))
					}
				}
			}
			return nil
		},
	}
	a.address.Flags(cmd)
	e.Flags(cmd)
	cmd.PersistentFlags().BoolVar(&a.asJSON, "json", false, "print JSON")
	return cmd
}
