package rehearse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/mirror"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/graph/signin"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// Staying is a center that stays, on its data.
type Staying struct {
	// Beside opens its store to look at it; fs.ErrNotExist where there is none.
	Beside func(context.Context) (center.Store, error)
	// Free fails where a server serves from the data.
	Free func(context.Context) error
	// Open opens a center in a folder, which becomes an instance if it holds nothing. The center
	// that stays is in that of --data.
	Open func(ctx context.Context, folder string, as *center.Identity) (*center.Center, error)
}

const aboutImport = `
With --from, the command brings an organization into a center that stays: users, groups, memberships,
accounts, permission sets, who has them where, and applications, of IAM Identity Center or of another
center. It reads first and prints a plan; nothing changes until you type ACCEPT. Everything keeps its
IDs: an empty center becomes the instance that it is brought from. Nothing is removed, nobody whom
the center has disabled is enabled, and what differs stays as it is unless you add --update. Repeat it
until you move over: the next run brings what is new. What was interrupted goes on where it was.`

// importing are the flags of import --from.
type importing struct {
	settings

	update, dryRun, accept bool
	differs                error
	staying                Staying
	folder                 string // of --data
}

// readAgain is how long a whole reading is good for the runs after it.
const readAgain = time.Hour //bound:life what an import has read, for the runs after it

// Extend makes a command that imports a center's people import a whole organization, too. differs
// is the error of a dry run that found a difference.
func Extend(cmd *cobra.Command, w administer.World, staying Staying, differs error) *cobra.Command {
	s := &importing{settings: settings{World: w, cmd: cmd}, staying: staying, differs: differs}
	s.tenant.Settings = &signin.Settings{Method: signin.Client} // nothing else is named: AWS's side alone
	s.center.Flags(cmd)
	f := cmd.Flags()
	f.StringVar(&s.from, "from", "", "bring an organization: aws[:INSTANCE][@REGION], or the URL of another center")
	f.BoolVar(&s.accept, "accept", false, "with --from: bring it without asking")
	cmd.Use = "import [FILE]"
	cmd.Short = "Read users and groups from SCIM JSON lines, or an organization from AWS, into a center's data"
	cmd.Long += "\n" + aboutImport
	cmd.Example += `
  gatehouse import --from aws@eu-west-1 --data ./center --dry-run   # only the plan; exit code 2 if there is one
  gatehouse import --from aws@eu-west-1 --data ./center`
	otherwise, args := cmd.RunE, cmd.Args
	cmd.Args = func(cmd *cobra.Command, list []string) error {
		if s.from != "" {
			return terminal.NoArgs(cmd, list)
		}
		if s.accept {
			return terminal.UsageError{Err: errors.New("--accept needs --from")}
		}
		return args(cmd, list)
	}
	cmd.RunE = func(cmd *cobra.Command, list []string) (err error) {
		if s.from == "" {
			return otherwise(cmd, list)
		}
		flag := func(name string) (on bool) {
			if err == nil {
				on, err = f.GetBool(name)
			}
			return on
		}
		s.update, s.dryRun = flag("update"), flag("dry-run")
		s.asJSON = flag("json")
		if err != nil {
			return err
		}
		if s.asJSON && !s.dryRun && !s.accept {
			return terminal.UsageError{Err: errors.New("--json cannot ask: add --accept or --dry-run")}
		}
		if s.folder, err = f.GetString("data"); err != nil {
			return err
		}
		return s.run(cmd.Context())
	}
	return cmd
}

// Imported is what import --from prints with --json: fields are added, never changed.
type Imported struct {
	Instance string               `json:"instance_arn"`
	Read     time.Time            `json:"read"` // when the reading began
	Unread   []mirror.Unread      `json:"unread"`
	Plan     []*mirror.Difference `json:"plan"`
	Changes  int                  `json:"changes"`
	Applied  bool                 `json:"applied"`
	// StayBehind is what the other center has beside what AWS's APIs tell.
	StayBehind []string `json:"stay_behind"`
}

func (s *importing) run(ctx context.Context) error {
	from, err := s.check(ctx)
	if err != nil {
		return err
	}
	if err := s.free(ctx); err != nil {
		return err
	}
	if err := s.original(ctx, &from); err != nil {
		return err
	}
	here, err := s.here(ctx)
	if err != nil {
		return err
	}
	staging := filepath.Join(s.folder, "import")
	copied, out, err := s.read(ctx, from, staging)
	if err != nil {
		return fmt.Errorf("%w\nWhat was read is kept in %s. Run the command again to go on", err, staging)
	}
	defer copied.Close() //nolint:errcheck // it is a copy
	left, err := lookBehind(ctx, from.admin)
	if err != nil {
		return err
	}
	out.StayBehind = append([]string{}, left.lines()...)
	merge := &mirror.Merge{From: copied, To: here, Update: s.update}
	if left != nil {
		merge.Ends = left.ends
	}
	out.Plan, err = merge.Plan(ctx)
	if here != nil {
		err = errors.Join(err, here.Store.Close())
	}
	if err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	for _, d := range out.Plan {
		out.Changes += d.Changes()
	}
	if !s.asJSON {
		s.plan(out)
	}
	if out.Changes > 0 && !s.dryRun {
		if err := s.apply(ctx, merge, &out); err != nil {
			return err
		}
	}
	if !s.dryRun {
		err = os.RemoveAll(staging)
	}
	if s.asJSON {
		err = errors.Join(err, json.NewEncoder(s.Out).Encode(out))
	}
	if err == nil && s.dryRun && out.Changes > 0 {
		return s.differs
	}
	return err
}

// free refuses to change what a server serves from: it would go on with what it remembers. What
// only looks is harmless.
func (s *importing) free(ctx context.Context) error {
	if s.dryRun {
		return nil
	}
	if err := s.staying.Free(ctx); err != nil {
		return fmt.Errorf("an import changes the data, so no server may have it open: %w", err)
	}
	return nil
}

// here is the center that stays, to look at; nil where there is none yet.
func (s *importing) here(ctx context.Context) (*center.Center, error) {
	store, err := s.staying.Beside(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := &center.Center{Store: store}
	if err := c.MayBecome(ctx, *s.place.Original.Instance); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return c, nil
}

// read reads the organization into a center beside the one that stays, or goes on with it.
func (s *importing) read(ctx context.Context, from source, staging string) (*center.Center, Imported, error) {
	out := Imported{Instance: s.place.Original.Instance.ARN, Unread: []mirror.Unread{}}
	state := filepath.Join(staging, stateFile)
	if instance, whole := mirror.Complete(state); instance != out.Instance || (whole && old(state)) {
		if err := os.RemoveAll(staging); err != nil { // of another one, or not begun
			return nil, out, err
		}
	}
	c, err := s.staying.Open(ctx, staging, s.place.Original.Instance)
	if err != nil {
		return nil, out, err
	}
	tell := s.progress()
	m := &mirror.Mirror{
		Reader: from.reader, Center: c, State: state, Told: func(kind string, n int) { tell("AWS: "+kind, n) },
	}
	report, err := m.Copy(ctx)
	if err != nil {
		return nil, out, errors.Join(err, c.Close())
	}
	out.Unread = report.Unread
	if info, err := os.Stat(state); err == nil {
		out.Read = info.ModTime().UTC()
	}
	return c, out, nil
}

// old says whether what was read is too old to be brought without being read again.
func old(file string) bool {
	info, err := os.Stat(file)
	return err != nil || time.Since(info.ModTime()) > readAgain
}

func (s *importing) apply(ctx context.Context, merge *mirror.Merge, out *Imported) error {
	if !s.accept {
		if err := terminal.Confirm(s.In, s.Err, accept); err != nil {
			return err
		}
	}
	if err := s.free(ctx); err != nil { // somebody may have taken long to type
		return err
	}
	to, err := s.staying.Open(ctx, s.folder, s.place.Original.Instance)
	if err != nil {
		return err
	}
	merge.To = to
	out.Plan, err = merge.Apply(ctx)
	if err = errors.Join(err, to.Close()); err != nil {
		return fmt.Errorf("import: %w\nWhat was brought is kept. Run the command again to bring the rest", err)
	}
	out.Applied = true
	if !s.asJSON {
		fmt.Fprintf(s.Out, `
Brought. People have no password here: connect an identity provider (gatehouse connect), or invite
them (gatehouse users). Start the center with: gatehouse serve --data %s
`, s.folder)
	}
	return nil
}

// accept is the word that lets an import change the center.
const accept = "ACCEPT"

// staysBehind is what another center has beside what AWS's APIs tell.
const staysBehind = `
Note: who may ask for access, requests, reviews, assignment rules, account access, labels of accounts and the console's
administrators stay behind. What a request has given, and nothing else, would not end here: it stays out.`

// plan prints what an import does.
func (s *importing) plan(out Imported) {
	fmt.Fprintf(s.Out, "%s → %s, as read at %s\n\n", out.Instance, s.folder,
		out.Read.Format("2006-01-02 15:04 UTC"))
	t := tabwriter.NewWriter(s.Out, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "new\tchange\tstay here\tequal\tstay out\tend there\t  ")
	for _, d := range out.Plan {
		fmt.Fprintf(t, "%d\t%d\t%d\t%d\t%d\t%d\t  %s\n", d.New, d.Changed, d.Kept, d.Same, d.Taken, d.Ends, d.Kind)
	}
	_ = t.Flush()
	for _, d := range out.Plan {
		for _, text := range d.Examples {
			fmt.Fprintf(s.Out, " ~ %s: %s\n", d.Kind, terminal.Inline(text))
		}
	}
	unread(s.Out, out.Unread)
	if strings.Contains(s.from, "://") {
		fmt.Fprintln(s.Out, staysBehind)
	}
	for _, text := range out.StayBehind {
		fmt.Fprintf(s.Out, " - stay behind: %s\n", terminal.Inline(text))
	}
	if out.Changes == 0 {
		fmt.Fprintln(s.Out, "\nNothing to bring.")
		return
	}
	fmt.Fprintf(s.Out, "\n%d to bring or change. Nothing is removed.\n", out.Changes)
}
