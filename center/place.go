package center

import (
	"net/url"
	"slices"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// Place is where something counts: in one account, in those of an organizational unit, or in those
// with a tag. Exactly one of the three is set.
type Place struct {
	AccountID string `json:",omitempty"`
	// Unit is the id of an organizational unit or of the root; those below it count too.
	Unit string `json:",omitempty"`
	Tag  *Tag   `json:",omitempty"`
}

// covers says whether an account is in a place.
func (p Place) covers(a Account) bool {
	switch {
	case p.AccountID != "":
		return p.AccountID == a.ID
	case p.Tag != nil:
		return slices.Contains(a.Tags, *p.Tag)
	}
	return slices.ContainsFunc(a.Units, func(u Unit) bool { return u.ID == p.Unit })
}

// check refuses what is no place, and an account that is not there.
func (p Place) check(r accountReader) error {
	set := 0
	for _, is := range []bool{p.AccountID != "", p.Unit != "", p.Tag != nil} {
		if is {
			set++
		}
	}
	switch {
	case set != 1:
		return &refusal.Error{
			Code: InvalidValue, Field: "AccountId",
			Detail: "use exactly one of an account, an organizational unit and a tag",
		}
	case len(p.Unit) > maxUnitName:
		return &refusal.Error{Code: InvalidValue, Field: "Unit", Detail: "longer than 128 characters"}
	case p.Tag != nil:
		_, err := withTags(nil, []Tag{*p.Tag})
		return err
	case p.AccountID != "":
		_, err := r.Account(p.AccountID)
		return refusal.IfNoRow(err, AccountNotFound, p.AccountID)
	}
	return checkText("Unit", p.Unit, maxUnitName)
}

// key is the name under which something is kept of a place.
func (p Place) key() string {
	switch {
	case p.AccountID != "":
		return "account/" + p.AccountID
	case p.Tag != nil:
		return p.Tag.placeKey()
	}
	return unitKey(p.Unit)
}

func (t Tag) placeKey() string {
	return "tag/" + url.QueryEscape(t.Key) + "=" + url.QueryEscape(t.Value)
}

func unitKey(id string) string { return "unit/" + id }
