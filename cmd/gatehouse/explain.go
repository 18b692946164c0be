package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (w *world) explainCommand() *cobra.Command {
	a := &administration{world: w}
	cmd := &cobra.Command{
		Use:   "explain REFERENCE",
		Short: "Say why a request was refused, and what to do",
		Long: `Error pages show a reference and no reason, and every answer carries its request id. This shows what the audit log has under
it: which check failed, the value that was expected and the one that was received, and the remedy.`,
		Example: `  gatehouse explain 019abcde-0123-7abc-8def-0123456789ab
  gatehouse explain 019abcde-0123-7abc-8def-0123456789ab --json`,
		Args: oneArg("a reference"),
		RunE: func(cmd *cobra.Command, args []string) error {
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
				fmt.Fprintf(a.out, "%s  %s %s\n", e.EventTime.UTC().Format("2006-01-02 15:04:05 UTC"), e.EventName, e.Result)
				for _, line := range [][2]string{{"by", e.ActorType + " " + e.ActorName}, {"from", e.SourceIPAddress}, {"subject", e.Subject}, {"why", e.What}, {"check", e.Check},
					{"expected", e.Expected}, {"received", e.Received}, {"detail", e.Detail}, {"to do", e.Remedy}} {
					if line[1] != "" {
						fmt.Fprintf(a.out, "  %-9s %s\n", line[0], line[1])
					}
				}
			}
			return nil
		},
	}
	a.address.flags(cmd)
	cmd.PersistentFlags().BoolVar(&a.asJSON, "json", false, "print JSON")
	return cmd
}
