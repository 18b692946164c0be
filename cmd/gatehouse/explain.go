package main

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/terminal"
)

func (w *world) explainCommand() *cobra.Command {
	a := &administration{world: w}
	s := &syncSettings{}
	cmd := &cobra.Command{
		Use:   "explain REFERENCE|USER",
		Short: "Say why a request was refused, or how a person is provisioned, and what to do",
		Long: `Error pages show a reference and no reason, and every answer carries its request id. This shows what the audit log has under
it: which check failed, the value that was expected and the one that was received, and the remedy. Where so many requests
were refused that the rest was only counted, it shows what was counted in the reference's minute.

With a user principal name it goes through the five steps of that person's provisioning from --from to --to, with the values: connect, import, scope, match, act. It
takes the settings of gatehouse sync and changes nothing.`,
		Example: `  gatehouse explain 019abcde-0123-7abc-8def-0123456789ab
  gatehouse explain 019abcde-0123-7abc-8def-0123456789ab --json
  gatehouse explain ada@example.com --login-url https://login.microsoftonline.com/TENANT_ID --client-id CLIENT_ID --to https://scim…`,
		Args: oneArg("a reference or a user principal name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.Contains(args[0], "@") {
				s.asJSON = a.asJSON
				log, err := w.logger(cmd, slog.LevelWarn)
				if err != nil {
					return err
				}
				return w.explainPerson(cmd.Context(), s, args[0], log)
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
			for _, e := range events {
				fmt.Fprintf(
					a.out, "%s  %s %s\n", e.EventTime.UTC().Format("2006-01-02 15:04:05 UTC"),
					terminal.Inline(e.EventName),
					e.Result,
				)
				for _, line := range [][2]string{
					{"by", e.ActorType + " " + e.ActorName},
					{"from", e.SourceIPAddress},
					{"subject", e.Subject},
					{"why", e.What},
					{"check", e.Check},
					{"expected", e.Expected},
					{"received", e.Received},
					{"detail", e.Detail},
					{"to do", e.Remedy},
				} {
					if line[1] != "" {
						fmt.Fprintf(a.out, "  %-9s %s\n", line[0], terminal.Inline(line[1]))
					}
				}
			}
			return nil
		},
	}
	a.address.flags(cmd)
	s.flags(cmd)
	cmd.PersistentFlags().BoolVar(&a.asJSON, "json", false, "print JSON")
	return cmd
}
