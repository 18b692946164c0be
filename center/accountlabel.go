package center

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// AccountLabel says what the accounts of a place are for, to people who are about to open a role
// there. AWS keeps its colors in the accounts; whether its portal shows them is not known here.
type AccountLabel struct {
	Place
	Environment string       // what is written: a color alone would be no sign
	Color       AccountColor `json:",omitempty"` // empty: none
}

// AccountColor is the color of a label.
type AccountColor string

// AccountColors are those that AWS's console has for accounts, by AWS's names. Source: API
// reference of AWS User Experience Customization, PutAccountColor.
var AccountColors = []AccountColor{
	"pink", "purple", "darkBlue", "lightBlue", "teal", "green", "yellow", "orange", "red",
}

// AccountLabels are all labels, by what is kept of their places.
type AccountLabels map[string]AccountLabel

// accountLabelReader reads labels.
type accountLabelReader interface {
	AccountLabels() ([]AccountLabel, error)
}

// accountLabelWriter writes labels, by the name of their place.
type accountLabelWriter interface {
	PutAccountLabel(place string, l AccountLabel) error
	DeleteAccountLabel(place string) error
}

// Bounds of labels. The choices are ours.
const (
	maxAccountLabels = 1000 //bound:rows labels of accounts
	maxEnvironment   = 32   //bound:text the environment that a label names
)

// environmentName also stands in configuration files, on a line of its own.
var environmentName = newPattern(`^[\pL\pM\pN\pP\pS ]{1,` + strconv.Itoa(maxEnvironment) + `}$`)

// Of is the label of an account: its own; else that of its first tag that has one, in the order of
// keys; else that of the nearest organizational unit. Without any it is empty.
func (l AccountLabels) Of(a Account) AccountLabel {
	if len(l) == 0 {
		return AccountLabel{}
	}
	if own, ok := l[Place{AccountID: a.ID}.key()]; ok {
		return own
	}
	for _, t := range a.Tags {
		if of, ok := l[t.placeKey()]; ok {
			return of
		}
	}
	for _, u := range slices.Backward(a.Units) {
		if of, ok := l[unitKey(u.ID)]; ok {
			return of
		}
	}
	return AccountLabel{}
}

// List has the labels in the order of what they are for: accounts, tags, units.
func (l AccountLabels) List() []AccountLabel {
	list := make([]AccountLabel, 0, len(l))
	for _, key := range slices.Sorted(maps.Keys(l)) {
		list = append(list, l[key])
	}
	return list
}

// AccountLabels returns all labels.
func (c *Center) AccountLabels(ctx context.Context) (AccountLabels, error) {
	labels := AccountLabels{}
	err := c.Store.Get(ctx, func(r Reader) error {
		list, err := r.AccountLabels()
		for _, l := range list {
			labels[l.key()] = l
		}
		return err
	})
	return labels, err
}

// PutAccountLabel labels the accounts of a place, in place of the label that it has. It fails with
// AccountNotFound, QuotaExceeded or a code of kind Invalid.
func (c *Center) PutAccountLabel(ctx context.Context, by audit.Actor, l AccountLabel) error {
	l.Environment = strings.TrimSpace(l.Environment)
	return c.change(ctx, by, ActionPutAccountLabel, func(tx Tx) (string, error) {
		if err := l.check(tx); err != nil {
			return l.key(), err
		}
		all, err := tx.AccountLabels()
		if err != nil {
			return l.key(), err
		}
		there := slices.ContainsFunc(all, func(o AccountLabel) bool { return o.key() == l.key() })
		if !there && len(all) >= maxAccountLabels {
			return l.key(), &refusal.Error{
				Code: QuotaExceeded, Subject: l.key(), Detail: fmt.Sprintf("at most %d labels", maxAccountLabels),
			}
		}
		return l.key(), tx.PutAccountLabel(l.key(), l)
	})
}

func (l AccountLabel) check(r accountReader) error {
	if err := l.Place.check(r); err != nil {
		return err
	}
	if l.Environment == "" {
		return &refusal.Error{Code: MissingValue, Field: "Environment"}
	}
	if l.Color != "" && !slices.Contains(AccountColors, l.Color) {
		names := make([]string, len(AccountColors))
		for i, color := range AccountColors {
			names[i] = string(color)
		}
		return &refusal.Error{Code: InvalidValue, Field: "Color", Detail: "use one of " + strings.Join(names, ", ")}
	}
	if !environmentName.match(l.Environment) {
		return &refusal.Error{
			Code: InvalidValue, Field: "Environment",
			Detail: "use at most 32 letters, digits, signs and spaces",
		}
	}
	return nil
}

// DeleteAccountLabel takes a place's label away. It fails with AccountLabelNotFound.
func (c *Center) DeleteAccountLabel(ctx context.Context, by audit.Actor, at Place) error {
	return c.change(ctx, by, ActionDeleteAccountLabel, func(tx Tx) (string, error) {
		all, err := tx.AccountLabels()
		if err != nil {
			return at.key(), err
		}
		if !slices.ContainsFunc(all, func(l AccountLabel) bool { return l.key() == at.key() }) {
			return at.key(), &refusal.Error{Code: AccountLabelNotFound, Subject: at.key()}
		}
		return at.key(), tx.DeleteAccountLabel(at.key())
	})
}

// LabeledAccount is an account with its label.
type LabeledAccount struct {
	Account
	Label AccountLabel
}

// OwnAccounts are the accounts in which a person has a role, however, and which have a label; in
// the order of ids.
func (c *Center) OwnAccounts(ctx context.Context, user UserID) ([]LabeledAccount, error) {
	labels, err := c.AccountLabels(ctx)
	if err != nil || len(labels) == 0 {
		return nil, err
	}
	access, err := c.Access(ctx, AccessQuery{User: user, Limit: entitledAtOnce})
	if err != nil {
		return nil, err
	}
	entitled, err := c.EntitledRoles(ctx, EntitledQuery{User: user})
	if err != nil {
		return nil, err
	}
	own := map[string]LabeledAccount{}
	for _, a := range access {
		own[a.Account.ID] = LabeledAccount{a.Account, labels.Of(a.Account)}
	}
	for _, e := range entitled {
		own[e.Account.ID] = LabeledAccount{e.Account, labels.Of(e.Account)}
	}
	var list []LabeledAccount
	for _, id := range slices.Sorted(maps.Keys(own)) {
		if own[id].Label.Environment != "" {
			list = append(list, own[id])
		}
	}
	return list, nil
}
