package adminserver

import (
	"context"
	"errors"
	"strings"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// A person may name what is asked for: where an operation takes an id or an ARN, it takes a name
// too. What nothing has as its name is taken as the id.

func (h *Handler) userNamed(ctx context.Context, text string) (center.UserID, error) {
	u, err := h.Center.UserByName(ctx, text)
	if refusal.CodeOf(err) == center.UserNotFound {
		return center.UserID(text), nil
	}
	return u.ID, err
}

func (h *Handler) groupNamed(ctx context.Context, text string) (center.GroupID, error) {
	g, err := h.Center.GroupByName(ctx, text)
	if refusal.CodeOf(err) == center.GroupNotFound {
		return center.GroupID(text), nil
	}
	return g.ID, err
}

func (h *Handler) principalNamed(ctx context.Context, kind, text string) (string, error) {
	if kind == string(center.PrincipalGroup) {
		id, err := h.groupNamed(ctx, text)
		return string(id), err
	}
	id, err := h.userNamed(ctx, text)
	return string(id), err
}

func (h *Handler) setNamed(ctx context.Context, text string) (arn string, err error) {
	arn = text
	err = h.Center.Store.Get(ctx, func(r center.Reader) error {
		set, err := r.PermissionSetByName(text)
		if err == nil {
			arn = set.ARN
		}
		if errors.Is(err, refusal.ErrNoRow) {
			err = nil
		}
		return err
	})
	return arn, err
}

func (h *Handler) accountNamed(ctx context.Context, text string) (id string, err error) {
	if text == "" || adminapi.IsAccountID(text) {
		return text, nil
	}
	all, err := h.Center.Accounts(ctx)
	if err != nil {
		return "", err
	}
	id, err = center.OnlyNamed(all, text, "accounts", nameOfAccount)
	if err == nil && !adminapi.IsAccountID(id) {
		return "", &refusal.Error{Code: center.AccountNotFound, Subject: text}
	}
	return id, err
}

func (h *Handler) keyNamed(ctx context.Context, text string) (id string, err error) {
	all, err := h.Center.AccessKeys(ctx)
	if err != nil {
		return "", err
	}
	return center.OnlyNamed(all, text, "access keys", nameOfKey)
}

func (h *Handler) deviceNamed(ctx context.Context, principal, text string) (id string, err error) {
	all, err := h.Center.Devices(ctx, principal)
	if err != nil {
		return "", err
	}
	return center.OnlyNamed(all, text, "devices", func(d center.MFADevice) (id, name string) { return d.ID, d.Name })
}

func (h *Handler) policyNamed(ctx context.Context, text string) (id string, err error) {
	all, err := h.Center.RequestPolicies(ctx)
	if err != nil {
		return "", err
	}
	return center.OnlyNamed(all, text, "policies", nameOfPolicy)
}

func (h *Handler) reviewNamed(ctx context.Context, text string) (id string, err error) {
	all, err := h.Center.AccessReviews(ctx)
	if err != nil {
		return "", err
	}
	return center.OnlyNamed(all, text, "reviews", nameOfReview)
}

// applicationNamed takes the last part of an ARN as well.
func (h *Handler) applicationNamed(ctx context.Context, text string) (arn string, err error) {
	if strings.HasPrefix(text, "arn:") {
		return text, nil
	}
	all, err := h.Center.Applications(ctx, "", 0)
	if err != nil {
		return "", err
	}
	id, err := center.OnlyNamed(all, text, "applications", func(a center.Application) (id, name string) {
		return a.ID(), a.Name
	})
	if err != nil {
		return "", err
	}
	return h.Center.ApplicationARN(id), nil
}

// namesAtOnce bounds ListNames: who completes a word looks at a screen of them.
const namesAtOnce = 100 //bound:list names that are offered for a word that was begun

// listNames lists what begins with a text, ignoring letter case: by name, and what is few also by
// id.
func (h *Handler) listNames(
	ctx context.Context, _ awsapi.Caller, in adminapi.NamesInput,
) (out adminapi.Names, err error) {
	out.Names = []adminapi.Name{}
	switch in.Kind {
	case adminapi.NamesOfUsers:
		var list []center.User
		list, err = h.Center.Users(ctx, center.UserQuery{Search: in.Prefix, By: center.ByName, Limit: namesSearched})
		begun(list, in.Prefix, &out, func(u center.User) (id, name string) { return string(u.ID), u.UserName })
	case adminapi.NamesOfGroups:
		var list []center.Group
		list, err = h.Center.Groups(ctx, center.GroupQuery{Search: in.Prefix, By: center.ByName, Limit: namesSearched})
		begun(list, in.Prefix, &out, func(g center.Group) (id, name string) { return string(g.ID), g.DisplayName })
	case adminapi.NamesOfAccounts:
		var list []center.Account
		list, err = h.Center.Accounts(ctx)
		begun(list, in.Prefix, &out, nameOfAccount)
	case adminapi.NamesOfPermissionSets:
		var list []center.PermissionSet
		list, err = h.Center.PermissionSets(ctx, center.PermissionSetQuery{})
		begun(list, in.Prefix, &out, func(s center.PermissionSet) (id, name string) { return s.ARN, s.Name })
	case adminapi.NamesOfApplications:
		var list []center.Application
		list, err = h.Center.Applications(ctx, "", 0)
		begun(list, in.Prefix, &out, func(a center.Application) (id, name string) { return a.ARN, a.Name })
	case adminapi.NamesOfAccessKeys:
		var list []center.AccessKey
		list, err = h.Center.AccessKeys(ctx)
		begun(list, in.Prefix, &out, nameOfKey)
	case adminapi.NamesOfPolicies:
		var list []center.RequestPolicy
		list, err = h.Center.RequestPolicies(ctx)
		begun(list, in.Prefix, &out, nameOfPolicy)
	case adminapi.NamesOfReviews:
		var list []center.AccessReview
		list, err = h.Center.AccessReviews(ctx)
		begun(list, in.Prefix, &out, nameOfReview)
	default:
		err = &refusal.Error{Code: center.InvalidValue, Field: "Kind", Detail: adminapi.KindsOfNames}
	}
	return out, err
}

// begun adds those of a list that begin with a text.
func begun[T any](list []T, text string, to *adminapi.Names, of func(T) (id, name string)) {
	for _, one := range list {
		id, name := of(one)
		if len(to.Names) < namesAtOnce && (adminapi.Begins(name, text) || adminapi.Begins(id, text)) {
			to.Names = append(to.Names, adminapi.Name{ID: id, Name: name})
		}
	}
}

// How one of a kind is named.
func nameOfAccount(a center.Account) (id, name string)      { return a.ID, a.Name }
func nameOfKey(k center.AccessKey) (id, name string)        { return k.ID, k.Principal }
func nameOfPolicy(p center.RequestPolicy) (id, name string) { return p.ID, p.Name }
func nameOfReview(v center.AccessReview) (id, name string)  { return v.ID, v.Name }

// namesSearched is more than are listed: some have the text elsewhere than at the beginning.
const namesSearched = 500 //bound:rows users or groups that a word which was begun is looked for in
