package administer

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// audit is the command for the audit log.
func (w World) audit() *cobra.Command {
	a := &administration{World: w}
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Search the audit log of a center",
		Example: `  gatehouse audit search --since 24h --result refused
  gatehouse audit search --action CreateUser --actor okta --json
  gatehouse audit search --follow --result refused
  gatehouse audit search --since 2026-11-01 --until 2026-11-02 --subject ada@example.com`,
	}
	a.flags(cmd)
	cmd.AddCommand(a.searchAudit())
	return cmd
}

func (a *administration) searchAudit() *cobra.Command {
	var in adminapi.SearchEvents
	var since, until string
	var limit int
	var follow bool
	cmd := a.command("search", "List events, the newest first", terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
			if in.MaxResults = min(limit, 500); follow {
				return a.follow(cmd.Context(), c, in)
			}
			if a.asJSON {
				return a.eventsAsJSON(cmd, c, in, limit)
			}
			var events []adminapi.Event
			more, err := collect(cmd, c, in, limit, func(e adminapi.Event) error {
				events = append(events, e)
				return nil
			})
			if err != nil {
				return err
			}
			err = a.print(events, "TIME\tACTION\tRESULT\tBY\tSUBJECT\tREFERENCE", func(line func(...any)) {
				for _, e := range events {
					line(columns(e)...)
				}
			})
			if more && err == nil {
				fmt.Fprintf(a.Err, "There are more events; --limit shows more than %d.\n", limit)
			}
			return err
		})
	cmd.Long = `Lists events of the audit log, the newest first; times are UTC. "gatehouse explain REFERENCE" says
why a request was refused and what to do. --json prints one event a line.`
	cmd.PreRunE = func(*cobra.Command, []string) (err error) {
		if in.StartTime, err = moment(since, "--since"); err != nil {
			return err
		}
		if in.EndTime, err = moment(until, "--until"); err != nil {
			return err
		}
		if in.Result, err = word(in.Result, "--result", map[string]string{
			"": "", "granted": "Granted", "refused": "Refused",
		}); err != nil {
			return err
		}
		if limit < 1 {
			return terminal.UsageError{Err: fmt.Errorf("--limit %d: use 1 or more", limit)}
		}
		return nil
	}
	f := cmd.Flags()
	f.StringVar(&since, "since", "", "only events since then: 24h, 7d, 2026-11-01 or 2026-11-01T08:00:00Z")
	f.StringVar(&until, "until", "", "only events before then, written as for --since")
	f.StringVar(&in.ActorName, "actor", "", "only events by somebody whose name contains this")
	f.StringVar(&in.EventName, "action", "", "only events of this action, such as CreateUser")
	f.StringVar(&in.Subject, "subject", "", "only events about something whose id or name contains this")
	f.StringVar(&in.Result, "result", "", "only events with this result: granted or refused")
	f.StringVar(&in.Reference, "reference", "", "only events of the request with this reference")
	f.StringVar(&in.SourceIPAddress, "address", "", "only events of requests from this IP address")
	f.IntVar(&limit, "limit", 100, "how many events at most")
	f.BoolVar(&follow, "follow", false, "wait for events and print each as it comes, until it is told to end")
	return cmd
}

// columns are what a table shows of an event.
func columns(e adminapi.Event) []any {
	result := strings.ToLower(e.Result)
	if e.ErrorCode != "" {
		result = e.ErrorCode
	}
	if e.Count > 0 {
		result = terminal.Counted("%s (%d {time|times})", result, e.Count)
	}
	at := e.EventTime.UTC().Format(time.DateTime)
	return []any{
		at, e.EventName, result, terminal.Tail(e.ActorName, 30), terminal.Tail(e.Subject, 40), e.Reference,
	}
}

const (
	followEach = time.Second      //bound:none how often, not how much
	followBack = 30 * time.Second //bound:none how much later an event may come than its time says
)

// follow prints events as they come, from those since the start of the search on, or from now.
func (a *administration) follow(ctx context.Context, c *adminapi.Client, in adminapi.SearchEvents) error {
	from := time.Now()
	if in.StartTime != nil {
		from = *in.StartTime
	}
	seen := map[string]time.Time{}
	for {
		start := from.Add(-followBack)
		in.StartTime = &start
		var fresh []adminapi.Event
		err := c.LookupEvents(ctx, in, func(e adminapi.Event) bool {
			if _, known := seen[fmt.Sprint(e)]; !known && !e.EventTime.Before(from.Add(-followBack)) {
				fresh = append(fresh, e)
			}
			return true
		})
		if err != nil && ctx.Err() == nil {
			return err
		}
		first := len(seen) == 0
		for _, e := range slices.Backward(fresh) {
			seen[fmt.Sprint(e)] = e.EventTime
			if first && e.EventTime.Before(from) { // it was there before
				continue
			}
			if err := a.printEvent(e); err != nil {
				return err
			}
			if e.EventTime.After(from) {
				from = e.EventTime
			}
		}
		maps.DeleteFunc(seen, func(_ string, at time.Time) bool { return at.Before(from.Add(-2 * followBack)) })
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followEach):
		}
	}
}

// printEvent prints an event on a line.
func (a *administration) printEvent(e adminapi.Event) error {
	if a.asJSON {
		return json.NewEncoder(a.Out).Encode(e)
	}
	var texts []string
	for _, c := range columns(e) {
		texts = append(texts, terminal.Inline(c))
	}
	_, err := fmt.Fprintln(a.Out, strings.Join(texts, "  "))
	return err
}

// collect hands over up to limit events, and says whether there are more.
func collect(
	cmd *cobra.Command, c *adminapi.Client, in adminapi.SearchEvents, limit int, each func(adminapi.Event) error,
) (more bool, err error) {
	n := 0
	failed := c.LookupEvents(cmd.Context(), in, func(e adminapi.Event) bool {
		if n++; n > limit {
			more = true
			return false
		}
		err = each(e)
		return err == nil
	})
	if failed != nil {
		return false, failed
	}
	return more, err
}

// eventsAsJSON prints one event a line, as programs read a log.
func (a *administration) eventsAsJSON(
	cmd *cobra.Command, c *adminapi.Client, in adminapi.SearchEvents, limit int,
) error {
	e := json.NewEncoder(a.Out)
	_, err := collect(cmd, c, in, limit, func(event adminapi.Event) error { return e.Encode(event) })
	return err
}

// moment reads a time, or how long ago it was; "" is none.
func moment(text, flag string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return &t, nil
		}
	}
	ago, err := terminal.ParseSpan(text)
	if err != nil {
		return nil, terminal.UsageError{
			Err: fmt.Errorf("%s %q: use 24h, 7d, 2026-11-01 or 2026-11-01T08:00:00Z", flag, text),
		}
	}
	t := time.Now().Add(-ago)
	return &t, nil
}

// word is what a word of the command line stands for.
func word(text, flag string, words map[string]string) (string, error) {
	if value, ok := words[strings.ToLower(text)]; ok {
		return value, nil
	}
	var known []string
	for w := range words {
		if w != "" {
			known = append(known, w)
		}
	}
	return "", terminal.UsageError{Err: fmt.Errorf("%s %q: use %s", flag, text, listed(known))}
}
