package scimserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/scim"
)

// Users and groups as JSON lines: one resource of the standard profile on each, users first. What
// SCIM has no attribute for stands in an extension of ours, so that nothing is lost on the way out
// and back in but passwords, devices and sessions.

// extensionURN is the schema of attributes that only the identitystore API and the console can set.
const extensionURN = "urn:gatehouse:params:scim:schemas:extension:identitystore:1.0"

// portable is the profile of exported lines: the standard one without addresses of this center.
var portable = request{profile: rfc}

// Export writes all users and groups of one moment. progress is called after each line.
func Export(ctx context.Context, c *center.Center, w io.Writer, progress func()) error {
	out := bufio.NewWriterSize(w, 1<<16)
	err := c.Store.View(ctx, func(rd center.Reader) error {
		l := &listing{request: &portable, reader: rd}
		for _, k := range []kind{users, groups} {
			for f, err := range k.all(rd, "") {
				if err != nil {
					return err
				}
				line, err := l.line(f)
				if err != nil {
					return err
				}
				if _, err := out.Write(append(line, '\n')); err != nil {
					return err
				}
				progress()
			}
		}
		return nil
	})
	return errors.Join(err, out.Flush())
}

// line is one resource.
func (l *listing) line(f found) ([]byte, error) {
	data, err := l.write(nil, f, f.group != nil) // groups with their members; of users, groups say the same
	if err != nil {
		return nil, err
	}
	more := map[string]string{}
	if u := f.user; u != nil {
		texts := u.TextAttributes()
		for _, t := range textsBeyondSCIM {
			more[t.name] = *texts[t.place].Value
		}
	} else {
		more["description"] = f.group.Description
	}
	for k, v := range more {
		if v == "" {
			delete(more, k)
		}
	}
	if len(more) == 0 {
		return data, nil
	}
	wire, err := resourceOf(data)
	if err != nil {
		return nil, err
	}
	wire[extensionURN] = more
	return json.Marshal(wire, json.Deterministic(true))
}

// ImportOptions say what an import does.
type ImportOptions struct {
	Update   bool // change existing users and groups, rather than skip them
	DryRun   bool // change nothing; say what would be done
	Progress func()
}

// ImportResult counts what an import did, or would do. Commands print it as JSON: fields are added,
// never changed.
type ImportResult struct {
	DryRun   bool     `json:"dry_run"`
	Created  int      `json:"created"`
	Updated  int      `json:"updated"`
	Left     int      `json:"left"` // they were there already
	Failed   int      `json:"failed"`
	Failures []string `json:"failures"` // the first hundred, with their line numbers
}

// maxLine bounds one line: a group of 200,000 members has about 16 MiB.
const maxLine = 64 << 20 //bound:body a line of an import

// importers is how many creations are under way at once: they are committed together.
const importers = 32 //bound:queue resources that an import writes at once

// Import reads lines that Export wrote, or that another SCIM server's resources make. Existing
// users and groups are found by user name or display name. Members and managers are named by the
// ids of the file. A line that cannot be imported fails alone.
func Import(ctx context.Context, c *center.Center, by audit.Actor, r io.Reader, o ImportOptions) (ImportResult, error) {
	im := &importer{center: c, by: by, options: o, ids: map[string]string{}}
	err := im.readLines(ctx, r)
	im.running.Wait()
	if err == nil {
		err = im.groupsAndManagers(ctx)
	}
	im.result.DryRun = o.DryRun
	slices.Sort(im.result.Failures)
	return im.result, err
}

type importer struct {
	center  *center.Center
	by      audit.Actor
	options ImportOptions
	running sync.WaitGroup

	mu       sync.Mutex
	ids      map[string]string // the ids here, by those of the file
	managers []managerOf
	groups   []groupLine
	result   ImportResult
}

type managerOf struct {
	line          int
	user, manager string // ids of the file
}

type groupLine struct {
	number  int
	id      string
	group   center.Group
	members []center.UserID // ids of the file
}

const maxFailuresTold = 100 //bound:list failures that an import tells

func (im *importer) failed(line int, err error) {
	im.mu.Lock()
	defer im.mu.Unlock()
	im.result.Failed++
	if len(im.result.Failures) < maxFailuresTold {
		im.result.Failures = append(im.result.Failures, fmt.Sprintf("line %6d: %v", line, err))
	}
}

// readLines creates the users as they come, many at once, and keeps the groups for later.
func (im *importer) readLines(ctx context.Context, r io.Reader) error {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, 1<<16), maxLine)
	slots := make(chan struct{}, importers)
	for n := 1; in.Scan(); n++ {
		if len(in.Bytes()) == 0 {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		line := slices.Clone(in.Bytes())
		var kind struct {
			Schemas []string `json:"schemas"`
		}
		if err := json.Unmarshal(line, &kind, jsontext.AllowDuplicateNames(false)); err != nil {
			im.failed(n, errors.New("it is not a JSON object"))
			continue
		}
		switch {
		case slices.Contains(kind.Schemas, scim.GroupURN):
			if err := im.keepGroup(n, line); err != nil {
				im.failed(n, err)
			}
		case slices.Contains(kind.Schemas, scim.UserURN):
			slots <- struct{}{}
			im.running.Go(func() {
				defer func() { <-slots }()
				if err := im.user(ctx, n, line); err != nil {
					im.failed(n, err)
				}
				im.options.Progress()
			})
		default:
			im.failed(n, errors.New("its schemas name neither a User nor a Group"))
		}
	}
	return in.Err()
}

// exported is a line of an export.
type exported struct {
	own  map[string]string // what is ours, since no schema knows it
	rest []byte
}

// readLine takes what is ours out of a line.
func readLine(line []byte) (exported, error) {
	var wire scim.Resource
	if err := scim.Decode(line, &wire); err != nil {
		return exported{}, err
	}
	object := wire.Object(extensionURN)
	if object == nil {
		return exported{rest: line}, nil
	}
	own := map[string]string{}
	for k := range object {
		own[k] = object.String(k)
	}
	delete(wire, extensionURN)
	rest, err := json.Marshal(wire)
	return exported{own, rest}, err
}

func (im *importer) user(ctx context.Context, n int, line []byte) error {
	x, err := readLine(line)
	if err != nil {
		return err
	}
	var id struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(x.rest, &id); err != nil {
		return err
	}
	u, err := readUser(&request{profile: rfc, body: x.rest})
	if err != nil {
		return err
	}
	texts := u.TextAttributes()
	for _, t := range textsBeyondSCIM {
		*texts[t.place].Value = x.own[t.name]
	}
	manager := u.Enterprise.Manager
	u.Enterprise.Manager = ""
	here, err := im.putUser(ctx, u)
	if err != nil {
		return err
	}
	im.mu.Lock()
	defer im.mu.Unlock()
	if id.ID != "" {
		im.ids[id.ID] = string(here)
	}
	if manager != "" {
		im.managers = append(im.managers, managerOf{n, id.ID, manager})
	}
	return nil
}

// putUser creates a user, or changes who has the name.
func (im *importer) putUser(ctx context.Context, in wholeUser) (center.UserID, error) {
	u := in.User
	if err := errors.Join(u.Check(), u.CheckEmails()); err != nil {
		return "", err
	}
	old, err := im.center.UserByName(ctx, u.UserName)
	switch {
	case refusal.CodeOf(err) == center.UserNotFound:
		im.count(&im.result.Created)
		if im.options.DryRun {
			return "", nil
		}
		u, err = im.center.CreateUser(ctx, im.by, u)
		if err != nil {
			im.uncount(&im.result.Created)
		}
		return u.ID, err
	case err != nil:
		return "", err
	case !im.options.Update:
		im.count(&im.result.Left)
		return old.ID, nil
	case im.options.DryRun:
		im.count(&im.result.Updated)
		return old.ID, nil
	}
	_, err = im.center.UpdateUser(ctx, im.by, old.ID, func(now *center.User) error {
		u.Enterprise.Manager = now.Enterprise.Manager
		if !in.saysActive {
			u.Active = now.Active
		}
		*now = u
		return nil
	})
	if err == nil {
		im.count(&im.result.Updated)
	}
	return old.ID, err
}

func (im *importer) count(n *int) {
	im.mu.Lock()
	defer im.mu.Unlock()
	*n++
}

func (im *importer) uncount(n *int) {
	im.mu.Lock()
	defer im.mu.Unlock()
	*n--
}

func (im *importer) keepGroup(n int, line []byte) error {
	x, err := readLine(line)
	if err != nil {
		return err
	}
	var wire scim.Resource
	if err := scim.Decode(x.rest, &wire); err != nil {
		return err
	}
	members, err := rfc.memberIDs(wire["members"])
	if err != nil {
		return err
	}
	g := center.Group{
		DisplayName: wire.String("displayName"),
		ExternalID:  wire.String("externalId"),
		Description: x.own["description"],
	}
	im.groups = append(im.groups, groupLine{n, wire.String("id"), g, members})
	return nil
}

// groupsAndManagers does what needs all users to be there.
func (im *importer) groupsAndManagers(ctx context.Context) error {
	for _, g := range im.groups {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := im.group(ctx, g); err != nil {
			im.failed(g.number, err)
		}
		im.options.Progress()
	}
	if im.options.DryRun {
		return nil
	}
	for _, m := range im.managers {
		user, manager := im.ids[m.user], im.ids[m.manager]
		if manager == "" { // somebody who is not in the file: an id of somewhere else, as SCIM allows
			manager = m.manager
		}
		_, err := im.center.UpdateUser(ctx, im.by, center.UserID(user), func(u *center.User) error {
			u.Enterprise.Manager = manager
			return nil
		})
		if err != nil {
			im.failed(m.line, err)
		}
	}
	return nil
}

// membersAtOnce bounds the members that one transaction adds.
const membersAtOnce = 1000

func (im *importer) group(ctx context.Context, g groupLine) error {
	var members []center.UserID
	missing := 0
	for _, id := range g.members {
		if here := im.ids[string(id)]; here != "" {
			members = append(members, center.UserID(here))
		} else {
			missing++
		}
	}
	old, err := im.center.GroupByName(ctx, g.group.DisplayName)
	switch {
	case refusal.CodeOf(err) == center.GroupNotFound:
		im.result.Created++
		if im.options.DryRun {
			return nil
		}
		if old, err = im.center.CreateGroup(ctx, im.by, g.group); err != nil {
			im.result.Created--
			return err
		}
	case err != nil:
		return err
	case !im.options.Update:
		im.result.Left++
		return nil
	default:
		im.result.Updated++
		if im.options.DryRun {
			return nil
		}
	}
	for some := range slices.Chunk(members, membersAtOnce) {
		if _, err := im.center.UpdateGroup(ctx, im.by, old.ID, center.MembershipChange{
			Add: some,
		}, func(now *center.Group) error {
			now.ExternalID, now.Description = g.group.ExternalID, g.group.Description
			return nil
		}); err != nil {
			return err
		}
	}
	if missing > 0 {
		return fmt.Errorf(
			"members that are not in the file: %d of %d; the others are in the group", missing, len(g.members),
		)
	}
	return nil
}
