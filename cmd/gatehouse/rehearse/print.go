package rehearse

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center/mirror"
	"github.com/gatehouse-id/gatehouse/terminal"
)

var actor = audit.SystemActor

// unread says what could not be read of AWS's side.
func unread(to io.Writer, list []mirror.Unread) {
	for _, u := range list {
		why := u.Reason
		if u.Permission != "" {
			why = "missing permission " + u.Permission
		}
		fmt.Fprintf(to, " ? could not read %s: %s\n", terminal.Inline(u.What), terminal.Inline(why))
	}
}

// print says what was copied, what was not, and how to go on.
func (o Output) print(to io.Writer, p Pair) {
	t := tabwriter.NewWriter(to, 0, 4, 2, ' ', tabwriter.AlignRight)
	for _, side := range []struct {
		name   string
		counts map[string]int
	}{{"AWS", o.AWS.Counts}, {"Entra", o.Entra}} {
		for _, kind := range slices.Sorted(maps.Keys(side.counts)) {
			fmt.Fprintf(t, "%d\t %s: %s\n", side.counts[kind], side.name, kind)
		}
	}
	_ = t.Flush()
	unread(to, o.AWS.Unread)
	for _, u := range o.EntraUnread {
		fmt.Fprintf(to, " ? could not read %s: it takes the permission %s\n", terminal.Inline(u.What), u.Permission)
	}
	for _, text := range o.NotCopied {
		fmt.Fprintf(to, " - not copied: %s\n", terminal.Inline(text))
	}
	fmt.Fprintf(to, `
Console       %s   %s / %s
Admin center  %s   the same name and password
Everybody in the copied tenant has the password %s

Rehearse on the copy what you plan for the real pair, such as:

  export AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s GATEHOUSE_CLIENT_SECRET=%s
  gatehouse connect --center-url %s --graph-url %s --login-url %s --client-id %s --region %s \
      --out plan.json

Apply it on the copy with --apply plan.json --journal copy.json, and one day on the original with
--apply plan.json --rehearsed copy.json: docs/rehearsal.md.

`, p.Center.ConsoleURL(), o.AdminName, o.AdminPassword, p.Tenant.AdminCenterURL(), o.PersonPassword, o.AccessKeyID,
		o.SecretAccessKey, o.ClientSecret, o.CenterURL, o.GraphURL, o.LoginURL, o.ClientID, p.Center.Instance.Region)
}
