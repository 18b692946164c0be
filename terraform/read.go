package terraform

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
	"github.com/aws/smithy-go"
	"golang.org/x/time/rate"
)

const (
	quota  = 15 //bound:rate requests of an export to an API of AWS, a second
	atOnce = 8  //bound:none requests under way together; the quota is the bound
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

// reading is one run.
type reading struct {
	Source

	ctx    context.Context
	cancel context.CancelFunc
	admin  *ssoadmin.Client
	store  *identitystore.Client
	orgs   *organizations.Client
	paces  map[string]*rate.Limiter

	mu          sync.Mutex
	done, total int
	err         error
	out         *Organization
}

// What has a quota of its own: sso-admin as a whole, and each operation of identitystore. Source:
// quotas of IAM Identity Center.
var apis = []string{"sso", "organizations", "identitystore:ListUsers", "identitystore:ListGroups",
	"identitystore:ListGroupMemberships"}

// Read reads an organization by the public APIs, and only reads. What it may not read is listed in
// what it returns.
func Read(ctx context.Context, s Source) (*Organization, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.SDK.RetryMaxAttempts, s.SDK.RetryMode = 8, aws.RetryModeStandard
	r := &reading{
		Source: s, ctx: ctx, cancel: cancel, admin: ssoadmin.NewFromConfig(s.SDK),
		store: identitystore.NewFromConfig(s.SDK), orgs: organizations.NewFromConfig(s.SDK),
		paces: map[string]*rate.Limiter{}, total: 6,
		out: &Organization{Region: s.SDK.Region, AccountNames: map[string]string{}},
	}
	for _, api := range apis {
		limit := rate.Limit(quota)
		if s.Unlimited {
			limit = rate.Inf
		}
		r.paces[api] = rate.NewLimiter(limit, quota)
	}
	if err := r.find(); err != nil {
		return nil, err
	}
	var parts sync.WaitGroup
	for _, part := range []func(){
		r.accounts, r.users, r.groups, r.permissionSets, r.applications, r.tokenIssuers, r.accessControl,
	} {
		parts.Go(part)
	}
	parts.Wait()
	if r.err == nil {
		r.err = context.Cause(ctx)
	}
	if r.err != nil {
		return nil, r.err
	}
	if s.Progress != nil {
		s.Progress(r.done, r.done)
	}
	return r.out, nil
}

// find finds the instance.
func (r *reading) find() error {
	pages := ssoadmin.NewListInstancesPaginator(r.admin, &ssoadmin.ListInstancesInput{})
	var found []types.InstanceMetadata
	for pages.HasMorePages() {
		page, err := pages.NextPage(r.ctx)
		if err != nil {
			return fmt.Errorf("list the instances of IAM Identity Center (sso:ListInstances): %w", err)
		}
		for _, i := range page.Instances {
			if r.Instance == "" || strings.HasSuffix(aws.ToString(i.InstanceArn), "/"+r.Instance) {
				found = append(found, i)
			}
		}
	}
	switch {
	case len(found) == 0:
		return fmt.Errorf("no instance of IAM Identity Center is in %s: say where it is, such as --from aws@eu-west-1",
			r.SDK.Region)
	case len(found) > 1:
		return fmt.Errorf("%d instances of IAM Identity Center are in %s: say which, such as --from aws:%s",
			len(found), r.SDK.Region, aws.ToString(found[0].InstanceArn))
	}
	i := found[0]
	r.out.InstanceARN, r.out.IdentityStoreID = aws.ToString(i.InstanceArn), aws.ToString(i.IdentityStoreId)
	r.out.OwnerAccountID, r.out.Name = aws.ToString(i.OwnerAccountId), aws.ToString(i.Name)
	return nil
}

// ask waits for its turn at an API, and counts.
func (r *reading) ask(api string) bool {
	if err := r.paces[api].Wait(r.ctx); err != nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	r.total = max(r.total, r.done+1)
	if r.Progress != nil {
		r.Progress(r.done, r.total)
	}
	return r.err == nil
}

func (r *reading) needs(requests int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total += requests
}

// failed notes what may not be read, and ends everything for any other reason.
func (r *reading) failed(what, action string, err error) bool {
	if err == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if refused(err) {
		for _, u := range r.out.Unread {
			if u.Permission == action {
				return true
			}
		}
		r.out.Unread = append(r.out.Unread, Unread{What: what, Permission: action, Reason: reason(err)})
		return true
	}
	if r.err == nil {
		r.err = fmt.Errorf("read %s (%s): %w", what, action, err)
		r.cancel()
	}
	return true
}

// refused says whether the caller may not ask: what IAM, an instance of an account or an
// organization without the right answers.
func refused(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	code := api.ErrorCode()
	return strings.Contains(code, "AccessDenied") || strings.Contains(code, "NotAuthorized") ||
		strings.Contains(code, "AWSOrganizationsNotInUse") || strings.Contains(code, "UnknownOperation")
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

// each calls do for every item, several at a time.
func each[T any](r *reading, items []T, do func(T)) {
	queue := make(chan T)
	var workers sync.WaitGroup
	for range min(atOnce, len(items)) {
		workers.Go(func() {
			for item := range queue {
				if r.ctx.Err() == nil {
					do(item)
				}
			}
		})
	}
	for _, item := range items {
		queue <- item
	}
	close(queue)
	workers.Wait()
}

// pager is what the SDK's paginators have.
type pager[Page, Options any] interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*Options)) (*Page, error)
}

// all reads a list to its end.
func all[Page, Options, Item any](
	r *reading, api, what, action string, pages pager[Page, Options], of func(*Page) []Item,
) (list []Item) {
	for pages.HasMorePages() {
		if !r.ask(api) {
			return nil
		}
		page, err := pages.NextPage(r.ctx)
		if r.failed(what, action, err) {
			return list
		}
		list = append(list, of(page)...)
	}
	return list
}

// accounts reads the names of accounts, which comments have.
func (r *reading) accounts() {
	pages := organizations.NewListAccountsPaginator(r.orgs, &organizations.ListAccountsInput{})
	type named struct{ id, name string }
	for _, a := range all(r, "organizations", "the names of accounts", "organizations:ListAccounts", pages,
		func(p *organizations.ListAccountsOutput) (out []named) {
			for _, a := range p.Accounts {
				out = append(out, named{aws.ToString(a.Id), aws.ToString(a.Name)})
			}
			return out
		}) {
		r.keep(func(o *Organization) { o.AccountNames[a.id] = a.name })
	}
}

func (r *reading) accessControl() {
	if !r.ask("sso") {
		return
	}
	out, err := r.admin.DescribeInstanceAccessControlAttributeConfiguration(
		r.ctx, &ssoadmin.DescribeInstanceAccessControlAttributeConfigurationInput{InstanceArn: &r.out.InstanceARN},
	)
	var none *types.ResourceNotFoundException // it was never enabled
	if errors.As(err, &none) || r.failed(
		"the attributes for access control", "sso:DescribeInstanceAccessControlAttributeConfiguration", err,
	) || out.InstanceAccessControlAttributeConfiguration == nil {
		return
	}
	r.keep(func(o *Organization) {
		for _, a := range out.InstanceAccessControlAttributeConfiguration.AccessControlAttributes {
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
	pages := ssoadmin.NewListTagsForResourcePaginator(
		r.admin, &ssoadmin.ListTagsForResourceInput{InstanceArn: &r.out.InstanceARN, ResourceArn: &arn},
	)
	out, known := map[string]string{}, false
	for _, t := range all(r, "sso", "tags", "sso:ListTagsForResource", pages,
		func(p *ssoadmin.ListTagsForResourceOutput) []types.Tag {
			known = true
			return p.Tags
		}) {
		out[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	if !known {
		return nil
	}
	return out
}
