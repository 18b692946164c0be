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

// accountNamed refuses a name that several accounts have: AWS does not keep them apart.
func (h *Handler) accountNamed(ctx context.Context, text string) (id string, err error) {
	if text == "" || adminapi.IsAccountID(text) {
		return text, nil
	}
	all, err := h.Center.Accounts(ctx)
	if err != nil {
		return "", err
	}
	var ids []string
	for _, a := range all {
		if strings.EqualFold(a.Name, text) {
			ids = append(ids, a.ID)
		}
	}
	switch len(ids) {
	case 0:
		return "", &refusal.Error{Code: center.AccountNotFound, Subject: text}
	case 1:
		return ids[0], nil
	}
	return "", &refusal.Error{
		Code: center.InvalidValue, Field: "AccountId",
		Detail: "several accounts are called " + text + ": use one of " + strings.Join(ids, ", "),
	}
}

// namesAtOnce bounds ListNames: who completes a word looks at a screen of them.
const namesAtOnce = 100 //bound:list names that are offered for a word that was begun

// listNames lists what begins with a text, ignoring letter case: by name, and what is few also by
// id.
func (h *Handler) listNames(
	ctx context.Context, _ awsapi.Caller, in adminapi.NamesInput,
) (out adminapi.Names, err error) {
	out.Names = []adminapi.Name{}
	add := func(id, name string) {
		if len(out.Names) < namesAtOnce && (adminapi.Begins(name, in.Prefix) || adminapi.Begins(id, in.Prefix)) {
			out.Names = append(out.Names, adminapi.Name{ID: id, Name: name})
		}
	}
	switch in.Kind {
	case adminapi.NamesOfUsers:
		var list []center.User
		list, err = h.Center.Users(ctx, center.UserQuery{Search: in.Prefix, By: center.ByName, Limit: namesSearched})
		for _, u := range list {
			add(string(u.ID), u.UserName)
		}
	case adminapi.NamesOfGroups:
		var list []center.Group
		list, err = h.Center.Groups(ctx, center.GroupQuery{Search: in.Prefix, By: center.ByName, Limit: namesSearched})
		for _, g := range list {
			add(string(g.ID), g.DisplayName)
		}
	case adminapi.NamesOfAccounts:
		var list []center.Account
		list, err = h.Center.Accounts(ctx)
		for _, a := range list {
			add(a.ID, a.Name)
		}
	case adminapi.NamesOfPermissionSets:
		var list []center.PermissionSet
		list, err = h.Center.PermissionSets(ctx, center.PermissionSetQuery{})
		for _, s := range list {
			add(s.ARN, s.Name)
		}
	case adminapi.NamesOfApplications:
		var list []center.Application
		list, err = h.Center.Applications(ctx, "", 0)
		for _, a := range list {
			add(a.ARN, a.Name)
		}
	default:
		err = &refusal.Error{Code: center.InvalidValue, Field: "Kind", Detail: adminapi.KindsOfNames}
	}
	return out, err
}

// namesSearched is more than are listed: some have the text elsewhere than at the beginning.
const namesSearched = 500 //bound:rows users or groups that a word which was begun is looked for in
