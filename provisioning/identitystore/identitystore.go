// Package identitystore is an identity store of IAM Identity Center as a target of provisioning, by
// AWS's public API instead of SCIM: with a role instead of a token that runs out, and it sees who
// is in a group. What SCIM can do and this API cannot: say that a user is disabled, and keep
// external ids.
//
// Requests keep to the rates that AWS allows for each operation. Users and groups are changed by
// their Revision, so that nobody's change is lost.
//
// Source: the identitystore API reference, version 2020-06-15.
//
// It may import awsapi/inventory, provisioning, provisioning/mapping and scim.
package identitystore

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/document"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/types"

	"github.com/gatehouse-id/gatehouse/awsapi/inventory"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/scim"
)

// Rate is how many requests a second AWS allows for each operation and store.
const Rate = inventory.PerOperation

// Config says which store, and how it is reached.
type Config struct {
	SDK     aws.Config // with a Region and credentials
	StoreID string
	Rate    float64 // requests a second of each operation; 0: as fast as they are answered
	// Explain says what to do about an error of AWS's, for a person; nil: nothing is added.
	Explain func(doing string, err error) error
}

// Target is an identity store.
type Target struct {
	api     *sdk.Client
	reader  *inventory.Reader
	store   string
	region  string
	explain func(string, error) error
}

// Open makes a target of a store, and asks it for its first user: a store that is not there, a
// Region that is another one and credentials that are refused are found out at once.
func Open(ctx context.Context, c Config) (*Target, error) {
	cfg := c.SDK.Copy()
	// The engine sends again what failed: it must know of each try.
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	if c.Rate > 0 {
		cfg = (&inventory.Rates{Each: c.Rate}).Pace(cfg)
	}
	t := &Target{
		api: sdk.NewFromConfig(cfg), reader: inventory.Open(cfg).Of("", c.StoreID),
		store: c.StoreID, region: c.SDK.Region, explain: c.Explain,
	}
	if t.explain == nil {
		t.explain = func(_ string, err error) error { return err }
	}
	if t.region == "" {
		return nil, errors.New("the Region of the identity store is not known: write identitystore:STORE@REGION, " +
			"or set AWS_REGION")
	}
	_, err := call(ctx, t, "ListUsers", func(ctx context.Context) (*sdk.ListUsersOutput, error) {
		return t.api.ListUsers(ctx, &sdk.ListUsersInput{IdentityStoreId: &t.store, MaxResults: aws.Int32(1)})
	})
	return t, err
}

// Address implements provisioning.Target.
func (t *Target) Address() string { return "identitystore:" + t.store + "@" + t.region }

// Traits implements provisioning.Target.
func (t *Target) Traits() provisioning.Traits {
	return provisioning.Traits{Deaf: true, OneValue: true, FindsAddresses: true}
}

// Rules implements provisioning.Target. External ids are not written.
func (t *Target) Rules(context.Context) (provisioning.Rules, error) {
	r := provisioning.AWSRules()
	r.Unique = map[provisioning.Kind][]string{
		provisioning.User: {"userName", emailsValue}, provisioning.Group: {"displayName"},
	}
	r.Unknown, r.Fixed = unknown, nil
	return r, nil
}

const emailsValue = "emails.value"

// call sends a request, and says in SCIM's words what came of it.
func call[Out any](
	ctx context.Context, t *Target, operation string, send func(context.Context) (Out, error),
) (out Out, err error) {
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	if out, err = send(ctx); err == nil {
		return out, nil
	}
	return out, t.problem(ctx, operation, connected.Load(), err)
}

// Find implements provisioning.Target. Only what is unique is looked for by AWS.
func (t *Target) Find(ctx context.Context, kind provisioning.Kind, attribute, value string) ([]scim.Resource, error) {
	id, err := t.find(ctx, kind, attribute, value)
	if err == nil && id != "" {
		var there scim.Resource
		if there, err = t.Get(ctx, kind, id); err == nil {
			return []scim.Resource{there}, nil
		}
	}
	if p := new(scim.Problem); errors.As(err, &p) && p.Status == http.StatusNotFound {
		return nil, nil
	}
	return nil, err
}

func (t *Target) find(ctx context.Context, kind provisioning.Kind, attribute, value string) (id string, err error) {
	if attribute == `emails[type eq "work"].value` {
		attribute = emailsValue
	}
	by := &types.AlternateIdentifierMemberUniqueAttribute{Value: types.UniqueAttribute{
		AttributePath: &attribute, AttributeValue: document.NewLazyDocument(value),
	}}
	switch {
	case kind == provisioning.User && (attribute == "userName" || attribute == emailsValue):
		out, err := call(ctx, t, "GetUserId", func(ctx context.Context) (*sdk.GetUserIdOutput, error) {
			return t.api.GetUserId(ctx, &sdk.GetUserIdInput{IdentityStoreId: &t.store, AlternateIdentifier: by})
		})
		if err != nil {
			return "", err
		}
		return aws.ToString(out.UserId), nil
	case kind == provisioning.Group && attribute == "displayName":
		out, err := call(ctx, t, "GetGroupId", func(ctx context.Context) (*sdk.GetGroupIdOutput, error) {
			return t.api.GetGroupId(ctx, &sdk.GetGroupIdInput{IdentityStoreId: &t.store, AlternateIdentifier: by})
		})
		if err != nil {
			return "", err
		}
		return aws.ToString(out.GroupId), nil
	}
	return "", refused("the identity store does not look for a " + string(kind) + " by " + attribute)
}

// Page implements provisioning.Target.
func (t *Target) Page(ctx context.Context, kind provisioning.Kind, from string) (p provisioning.Page, err error) {
	if kind == provisioning.User {
		out, err := first(ctx, t, "ListUsers", from, t.reader.Users)
		for i := range out.Items {
			p.Resources = append(p.Resources, userResource(&out.Items[i]))
		}
		p.Next = out.Next
		return p, err
	}
	out, err := first(ctx, t, "ListGroups", from, t.reader.Groups)
	for _, g := range out.Items {
		p.Resources = append(p.Resources, groupResource(g.GroupId, g.DisplayName, g.CreatedAt))
	}
	p.Next = out.Next
	return p, err
}

// first asks for the page of a list that begins at a token.
func first[T any](
	ctx context.Context, t *Target, operation, from string,
	list func(context.Context, string) inventory.Pages[T],
) (inventory.Page[T], error) {
	return call(ctx, t, operation, func(ctx context.Context) (page inventory.Page[T], err error) {
		for page, err = range list(ctx, from) {
			break
		}
		return page, err
	})
}

// Get implements provisioning.Target.
func (t *Target) Get(ctx context.Context, kind provisioning.Kind, id string) (scim.Resource, error) {
	if kind == provisioning.User {
		u, _, err := t.user(ctx, id)
		return u, err
	}
	g, _, err := t.group(ctx, id)
	return g, err
}

func (t *Target) user(ctx context.Context, id string) (u scim.Resource, revision *string, err error) {
	out, err := call(ctx, t, "DescribeUser", func(ctx context.Context) (*sdk.DescribeUserOutput, error) {
		return t.api.DescribeUser(ctx, &sdk.DescribeUserInput{
			IdentityStoreId: &t.store, UserId: &id, Extensions: enterpriseOnly,
		})
	})
	if err != nil {
		return nil, nil, err
	}
	return userResource(described(out)), out.Revision, nil
}

func (t *Target) group(ctx context.Context, id string) (g scim.Resource, revision *string, err error) {
	out, err := call(ctx, t, "DescribeGroup", func(ctx context.Context) (*sdk.DescribeGroupOutput, error) {
		return t.api.DescribeGroup(ctx, &sdk.DescribeGroupInput{IdentityStoreId: &t.store, GroupId: &id})
	})
	if err != nil {
		return nil, nil, err
	}
	return groupResource(out.GroupId, out.DisplayName, out.CreatedAt), out.Revision, nil
}

// Members implements provisioning.Target.
func (t *Target) Members(ctx context.Context, group string) (ids []string, told bool, err error) {
	all, err := call(ctx, t, "ListGroupMemberships",
		func(ctx context.Context) ([]types.GroupMembership, error) {
			return inventory.All(t.reader.Members(ctx, group, ""))
		})
	if err != nil {
		return nil, false, err
	}
	for _, m := range all {
		if id := inventory.MemberID(m); id != "" {
			ids = append(ids, id)
		}
	}
	return ids, true, nil
}

// HasMember implements provisioning.Target.
func (t *Target) HasMember(ctx context.Context, group, id string) (bool, error) {
	_, err := t.membership(ctx, group, id)
	if p := new(scim.Problem); errors.As(err, &p) && p.Status == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

func (t *Target) membership(ctx context.Context, group, id string) (*string, error) {
	out, err := call(ctx, t, "GetGroupMembershipId",
		func(ctx context.Context) (*sdk.GetGroupMembershipIdOutput, error) {
			return t.api.GetGroupMembershipId(ctx, &sdk.GetGroupMembershipIdInput{
				IdentityStoreId: &t.store, GroupId: &group, MemberId: &types.MemberIdMemberUserId{Value: id},
			})
		})
	if err != nil {
		return nil, err
	}
	return out.MembershipId, nil
}
