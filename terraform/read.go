package terraform

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
	"github.com/aws/smithy-go"

	"github.com/gatehouse-id/gatehouse/awsapi/inventory"
)

// Source is where an organization is read.
type Source struct {
	SDK aws.Config
	// Instance is the id of the instance; empty where there is one.
	Instance string
	// Unlimited sends requests as fast as they are answered: to a center that is not AWS's own.
	Unlimited bool
	// People asks for the members of provisioned groups, too.
	People   bool
	Progress func(done, total int)
}

// share is the part of AWS's rates that an export takes: who works there besides keeps the rest.
const share = 0.75

// reading is one run.
type reading struct {
	*inventory.Reader
	Source

	ctx    context.Context
	cancel context.CancelCauseFunc

	mu          sync.Mutex
	done, total int
	out         *Organization
}

// Read reads an organization by the public APIs, and only reads. What it may not read is listed in
// what it returns.
func Read(ctx context.Context, s Source) (*Organization, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &reading{
		Source: s, ctx: ctx, cancel: cancel, total: 6,
		out: &Organization{Region: s.SDK.Region, AccountNames: map[string]string{}},
	}
	cfg := s.SDK
	if !s.Unlimited {
		cfg = (&inventory.Rates{Share: share}).Pace(cfg)
	}
	r.Reader = inventory.Open(cfg)
	if err := r.find(); err != nil {
		return nil, err
	}
	parts := []func(){r.accounts, r.users, r.groups, r.applications, r.tokenIssuers}
	if r.permissionSetsEnabled() {
		parts = append(parts, r.permissionSets, r.accessControl)
	}
	var all sync.WaitGroup
	for _, part := range parts {
		all.Go(part)
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if s.Progress != nil {
		s.Progress(r.done, r.done)
	}
	return r.out, nil
}

// find finds the instance.
func (r *reading) find() error {
	list, err := inventory.All(r.Instances(r.ctx, ""))
	if err != nil {
		return fmt.Errorf("sso:ListInstances: %w", err)
	}
	var found []types.InstanceMetadata
	for _, i := range list {
		if r.Source.Instance == "" || strings.HasSuffix(aws.ToString(i.InstanceArn), "/"+r.Source.Instance) {
			found = append(found, i)
		}
	}
	switch {
	case len(found) == 0:
		return fmt.Errorf(
			"no instance of IAM Identity Center is in %s: say where it is, such as aws@eu-west-1", r.SDK.Region,
		)
	case len(found) > 1:
		return fmt.Errorf("%d instances of IAM Identity Center are in %s: say which, such as aws:%s",
			len(found), r.SDK.Region, aws.ToString(found[0].InstanceArn))
	}
	i := found[0]
	r.out.InstanceARN, r.out.IdentityStoreID = aws.ToString(i.InstanceArn), aws.ToString(i.IdentityStoreId)
	r.out.Name = aws.ToString(i.Name)
	r.Reader = r.Of(r.out.InstanceARN, r.out.IdentityStoreID)
	return nil
}

// permissionSetsEnabled says whether the instance has permission sets: one of an account has none.
func (r *reading) permissionSetsEnabled() bool {
	i, err := r.Reader.Instance(r.ctx)
	return err != nil || i.PermissionSetsEnabled == nil || *i.PermissionSetsEnabled
}

// step counts an answer.
func (r *reading) step() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	r.total = max(r.total, r.done+1)
	if r.Progress != nil {
		r.Progress(r.done, r.total)
	}
}

func (r *reading) needs(answers int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total += answers
}

// failed notes what may not be read, and ends everything for any other reason. What has just gone
// is not there.
func (r *reading) failed(err error) bool {
	r.step()
	if err == nil {
		return false
	}
	var u *inventory.Unread
	var api smithy.APIError
	switch {
	case errors.As(err, &u) && u.Permission != "":
		r.note(Unread{What: u.What, Permission: u.Permission, Reason: reason(u.Err)})
	case errors.As(err, &api) && (api.ErrorCode() == "ResourceNotFoundException" ||
		api.ErrorCode() == "AWSOrganizationsNotInUseException"):
	default:
		r.cancel(err)
	}
	return true
}

// note notes each permission once.
func (r *reading) note(u Unread) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, known := range r.out.Unread {
		if known.Permission == u.Permission {
			return
		}
	}
	r.out.Unread = append(r.out.Unread, u)
}

const maxReason = 200 //bound:text why something could not be read, in an export

func reason(err error) string {
	var api smithy.APIError
	text := err.Error()
	if errors.As(err, &api) {
		text = api.ErrorCode() + ": " + api.ErrorMessage()
	}
	text = strings.Join(strings.Fields(harmless(text)), " ")
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + "…"
	}
	return text
}

// keep changes the organization.
func (r *reading) keep(change func(*Organization)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r.out)
}

// all reads a list to its end. It has what came before something failed; known says whether
// anything came.
func all[T any](r *reading, list inventory.Pages[T]) (items []T, known bool) {
	for page, err := range list {
		if r.failed(err) {
			return items, known
		}
		items, known = append(items, page.Items...), true
	}
	return items, known
}

// each calls do for every item, several at a time.
func each[T any](r *reading, items []T, do func(T)) {
	_ = inventory.Parallel(r.ctx, inventory.List(items), func(_ context.Context, item T) error { // the end is ctx's
		do(item)
		return nil
	})
}

// accounts reads the names of accounts, which comments have.
func (r *reading) accounts() {
	list, _ := all(r, r.Accounts(r.ctx))
	r.keep(func(o *Organization) {
		for _, a := range list {
			o.AccountNames[aws.ToString(a.Id)] = aws.ToString(a.Name)
		}
	})
}

func (r *reading) accessControl() {
	list, err := r.AccessControlAttributes(r.ctx)
	if r.failed(err) {
		return
	}
	r.keep(func(o *Organization) {
		for _, a := range list {
			one := AccessControlAttribute{Key: aws.ToString(a.Key)}
			if a.Value != nil {
				one.Source = a.Value.Source
			}
			o.AccessControl = append(o.AccessControl, one)
		}
	})
}

// tags reads the tags of a resource; nil where they may not be read.
func (r *reading) tags(arn string) map[string]string {
	list, known := all(r, r.Tags(r.ctx, arn))
	if !known {
		return nil
	}
	out := map[string]string{}
	for _, t := range list {
		out[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return out
}
