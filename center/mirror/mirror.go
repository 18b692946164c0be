// Package mirror fills a center with what another instance of IAM Identity Center holds, AWS's or a
// center's, read by its public APIs: who is there, who may do what where, applications, accounts.
// Everything keeps its ids and ARNs. Secrets stay where they are.
//
// A copy that was interrupted goes on where it was: what is done stands in a file. What the caller
// has no permission for is left out and named.
//
// It may import audit, awsapi/inventory, center and refusal.
package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/awsapi/inventory"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Mirror copies an instance.
type Mirror struct {
	Reader *inventory.Reader // of the instance
	Center *center.Center    // that became the instance by its identity (center.Config)
	State  string            // the file of what is done
	// Told is called with how many objects of a kind there are by now; nil: nobody is.
	Told func(kind string, n int)

	mu    sync.Mutex
	state state

	everybody chan struct{} // closed when all users are copied; memberships need them
	held      held
}

// The kinds of objects that are copied.
const (
	Users                  = "users"
	Groups                 = "groups"
	Memberships            = "memberships"
	Accounts               = "accounts"
	PermissionSets         = "permission sets"
	Assignments            = "assignments"
	Applications           = "applications"
	ApplicationAssignments = "application assignments"
	TokenIssuers           = "trusted token issuers"
)

// Report says what a copy has, for programs too: fields are added, never changed.
type Report struct {
	Counts map[string]int `json:"counts"`
	Unread []Unread       `json:"unread"`
}

// Unread is what the copy does not have.
type Unread struct {
	What       string `json:"what"`
	Permission string `json:"permission,omitempty"` // that the caller lacks
	Reason     string `json:"reason"`
	Times      int    `json:"times"` // how often; the reason is of the first
}

// state is what is done, in the file.
type state struct {
	Report

	InstanceARN string            `json:"instance_arn"`
	Done        map[string]bool   `json:"done"` // parts, and permission sets of the page that is being read
	Next        map[string]string `json:"next"` // the page of a part to go on with
}

// ErrOther says that the file is of the copy of another instance.
var ErrOther = errors.New("the folder has the copy of another instance")

// errAWSOwn is why an application is not copied.
var errAWSOwn = errors.New("it is one of AWS's own services, which a center does not have")

const maxUnread = 100 //bound:list what a copy says that it could not read

var actor = audit.SystemActor

// Copy brings what is there, or the rest of it. An error ends it; it may be repeated. What the
// caller may not read is no error.
func (m *Mirror) Copy(ctx context.Context) (Report, error) {
	if err := m.load(); err != nil {
		return Report{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	m.everybody, m.held = make(chan struct{}), held{}
	var sides sync.WaitGroup
	for _, side := range [][]part{
		{{Users, m.users}},
		{{Groups, m.groups}},
		{
			{"settings", m.settings}, {Accounts, m.accounts}, {PermissionSets, m.permissionSets},
			{TokenIssuers, m.tokenIssuers}, {Applications, m.applications},
		},
	} {
		sides.Go(func() {
			for _, p := range side {
				if err := m.part(ctx, p); err != nil {
					cancel(err)
					return
				}
				if p.name == Users {
					close(m.everybody)
				}
			}
		})
	}
	sides.Wait()
	if err := context.Cause(ctx); err != nil {
		return m.report(), err
	}
	return m.counted(ctx)
}

func (m *Mirror) report() Report {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.Report
}

// counted is the report with what there is: what was counted on the way counts a page again that
// was read again.
func (m *Mirror) counted(ctx context.Context) (Report, error) {
	out := m.report()
	c := m.Center
	issuers, e1 := c.TokenIssuers(ctx)
	accounts, e2 := c.Accounts(ctx)
	assigned, e3 := c.ApplicationAssignments(ctx, center.ApplicationAssignmentQuery{})
	out.Counts = map[string]int{
		TokenIssuers: len(issuers), Accounts: len(accounts), ApplicationAssignments: len(assigned),
	}
	err := errors.Join(e1, e2, e3)
	for kind, count := range map[string]func(center.Reader) (int, error){
		Users:          func(r center.Reader) (int, error) { return r.CountUsers(center.UserQuery{}) },
		Groups:         func(r center.Reader) (int, error) { return r.CountGroups(center.GroupQuery{}) },
		Memberships:    func(r center.Reader) (int, error) { return r.CountMemberships(center.MembershipQuery{}) },
		PermissionSets: center.Reader.CountPermissionSets,
		Applications:   center.Reader.CountApplications,
		Assignments:    func(r center.Reader) (int, error) { return r.CountAssignments(center.AssignmentQuery{}) },
	} {
		err = errors.Join(err, c.Store.Get(ctx, func(r center.Reader) (err error) {
			out.Counts[kind], err = count(r)
			return err
		}))
	}
	return out, err
}

// part is a part of the copy that is done once.
type part struct {
	name string
	do   func(context.Context) error
}

func (m *Mirror) part(ctx context.Context, p part) error {
	if m.isDone(p.name) {
		return nil
	}
	err := m.without(p.do(ctx))
	if stale(err) && m.next(p.name) != "" {
		// Nobody says how long tokens of pages live: the part begins anew.
		if err = m.goOn(p.name, "", nil); err == nil {
			err = m.without(p.do(ctx))
		}
	}
	if err != nil {
		return err
	}
	return m.done(p.name)
}

// stale says whether AWS does not take a request, such as one with an old token.
func stale(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && strings.Contains(api.ErrorCode(), "Validation")
}

// without notes what the caller has no permission for, and goes on without it.
func (m *Mirror) without(err error) error {
	unread := denied(err)
	if unread == nil {
		return err
	}
	m.note(unread.What, unread.Permission, unread.Err)
	return nil
}

// denied is what an error says that the caller has no permission for; nil: nothing.
func denied(err error) *inventory.Unread {
	var unread *inventory.Unread
	if errors.As(err, &unread) && unread.Permission != "" {
		return unread
	}
	return nil
}

// note notes what the copy does not have.
func (m *Mirror) note(what, permission string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := &m.state.Unread
	i := slices.IndexFunc(*list, func(u Unread) bool { return u.What == what && u.Permission == permission })
	switch {
	case i >= 0:
		(*list)[i].Times++
	case len(*list) < maxUnread:
		*list = append(*list, Unread{what, permission, err.Error(), 1})
	}
}

// put puts objects into the center, all at once, or one by one if the center refuses some, which
// are noted.
func put[T any](
	ctx context.Context, m *Mirror, kind string, objects []T, replica func([]T) center.Replica, name func(T) string,
) error {
	kept := len(objects)
	err := m.Center.Replicate(ctx, actor, replica(objects))
	if code := refusal.CodeOf(err); code != refusal.None && code.Kind() != refusal.Unavailable {
		err, kept = nil, 0
		for _, o := range objects {
			e := m.Center.Replicate(ctx, actor, replica([]T{o}))
			switch code := refusal.CodeOf(e); {
			case e == nil:
				kept++
			case code != refusal.None && code.Kind() != refusal.Unavailable:
				m.note(kind+": "+name(o), "", e)
			default:
				return e
			}
		}
	}
	if err == nil {
		m.count(kind, kept)
	}
	return err
}

func (m *Mirror) count(kind string, more int) {
	m.mu.Lock()
	m.state.Counts[kind] += more
	n := m.state.Counts[kind]
	m.mu.Unlock()
	if m.Told != nil {
		m.Told(kind, n)
	}
}

func (m *Mirror) isDone(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.Done[name]
}

func (m *Mirror) next(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.Next[name]
}

// done notes that something is done.
func (m *Mirror) done(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Done[name] = true
	delete(m.state.Next, name)
	return m.save()
}

// goOn notes the page of a part to go on with, and forgets what was done of the page before.
func (m *Mirror) goOn(name, next string, before []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Next[name] = next
	for _, x := range before {
		delete(m.state.Done, x)
	}
	return m.save()
}

func (m *Mirror) load() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state = state{
		Report:      Report{Counts: map[string]int{}, Unread: []Unread{}},
		InstanceARN: m.Reader.InstanceARN, Done: map[string]bool{}, Next: map[string]string{},
	}
	data, err := os.ReadFile(m.State)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(data, &m.state)
	}
	if err != nil {
		return fmt.Errorf("read what was copied: %w", err)
	}
	if m.state.InstanceARN != m.Reader.InstanceARN {
		return fmt.Errorf("%w, %s: use another folder", ErrOther, m.state.InstanceARN)
	}
	return nil
}

// all are the parts of a copy.
var all = []string{Users, Groups, "settings", Accounts, PermissionSets, TokenIssuers, Applications}

// Complete says of which instance the file of what is done is, and whether the copy is whole. A
// file that is not there is of none.
func Complete(file string) (instance string, whole bool) {
	var s state
	data, err := os.ReadFile(file) // #nosec G304 -- the caller's own
	if err != nil || json.Unmarshal(data, &s) != nil {
		return "", false
	}
	return s.InstanceARN, !slices.ContainsFunc(all, func(part string) bool { return !s.Done[part] })
}

// save writes the state, whole or not at all. A state that is older than the data makes the copy
// read something twice; a newer one would make it miss something, so the data goes first.
func (m *Mirror) save() error {
	data, err := json.Marshal(m.state)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(m.State), ".copy-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), m.State)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("note what was copied: %w", err), os.Remove(f.Name()))
	}
	return nil
}

// settings copies what can be changed of the instance.
func (m *Mirror) settings(ctx context.Context) error {
	described, err := m.Reader.Instance(ctx)
	if err != nil {
		return err
	}
	out := center.InstanceSettings{Name: aws.ToString(described.Name)}
	tags, err := inventory.All(m.Reader.Tags(ctx, m.Reader.InstanceARN))
	if err = m.without(err); err != nil {
		return err
	}
	out.Tags = tagsOf(tags)
	regions, err := inventory.All(m.Reader.Regions(ctx))
	if err = m.without(err); err != nil {
		return err
	}
	for _, r := range regions {
		if !r.IsPrimaryRegion && aws.ToString(r.RegionName) != m.Center.Instance.Region {
			out.Regions = append(out.Regions, center.Region{
				Name: aws.ToString(r.RegionName), AddedAt: aws.ToTime(r.AddedDate),
			})
		}
	}
	attributes, err := m.Reader.AccessControlAttributes(ctx)
	if err = m.without(err); err != nil {
		return err
	}
	for _, a := range attributes {
		x := center.AccessControlAttribute{Key: aws.ToString(a.Key)}
		if a.Value != nil && len(a.Value.Source) > 0 {
			x.Source = a.Value.Source[0]
		}
		out.AccessControl = append(out.AccessControl, x)
	}
	return m.Center.Replicate(ctx, actor, center.Replica{Settings: &out})
}
