package identitystore

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// userNamed is how a user is named in answers.
type userNamed struct {
	IdentityStoreID string `json:"IdentityStoreId"`
	UserID          string `json:"UserId"`
	UserArn         string
}

func (h *Handler) nameUser(id center.UserID) userNamed {
	return userNamed{h.Center.Instance.IdentityStoreID, string(id), userARN + string(id)}
}

type userOutput struct {
	userNamed
	Revision string
}

func (h *Handler) userOutput(u center.User) userOutput {
	return userOutput{h.nameUser(u.ID), revisionOf(u.Version)}
}

func (h *Handler) createUser(ctx context.Context, who awsapi.Caller, in createUserInput) (userOutput, error) {
	if err := h.check(in.store); err != nil {
		return userOutput{}, err
	}
	u, err := in.user()
	if err == nil {
		err = in.complete()
	}
	if err != nil {
		return userOutput{}, err
	}
	u, err = h.Center.CreateUser(ctx, awsdoor.Actor(who), u, center.User.CheckAWS)
	return h.userOutput(u), err
}

type userInput struct {
	store
	UserID     string `json:"UserId"`
	Extensions []string
	Revision   string
}

func (h *Handler) describeUser(ctx context.Context, _ awsapi.Caller, in userInput) (any, error) {
	if err := h.check(in.store); err != nil {
		return nil, err
	}
	u, err := h.Center.User(ctx, userID(in.UserID))
	if err != nil {
		return nil, err
	}
	issuer, err := h.Center.ExternalIDIssuer(ctx)
	return h.show([]center.User{u}, issuer, in.Extensions).Index(0).Addr().Interface(), err
}

func (h *Handler) deleteUser(ctx context.Context, who awsapi.Caller, in userInput) (awsapi.Empty, error) {
	if err := h.check(in.store); err != nil {
		return awsapi.Empty{}, err
	}
	return awsapi.Empty{}, h.Center.DeleteUser(
		ctx, awsdoor.Actor(who), userID(in.UserID),
		func(u center.User) error { return unchanged(in.Revision, u.Version, string(u.ID)) },
	)
}

type listUsersInput struct {
	store
	Extensions []string
	Filters    []filter
	MaxResults *int
	NextToken  string
}

type listUsersOutput struct {
	Users     any    // a list of userType
	NextToken string `json:",omitempty"`
}

func (h *Handler) listUsers(ctx context.Context, _ awsapi.Caller, in listUsersInput) (listUsersOutput, error) {
	out := listUsersOutput{Users: []struct{}{}}
	if err := h.check(in.store); err != nil {
		return out, err
	}
	size, err := awsapi.PageSize(in.MaxResults)
	if err != nil {
		return out, err
	}
	after, err := listed("ListUsers", in.Filters, in.NextToken)
	if err != nil {
		return out, err
	}
	issuer, err := h.Center.ExternalIDIssuer(ctx)
	if err != nil {
		return out, err
	}
	if len(in.Filters) > 0 {
		u, err := h.filterUser(ctx, in.Filters)
		if refusal.KindOf(err) == refusal.NotFound {
			return out, nil
		}
		if err == nil {
			out.Users = h.show([]center.User{u}, issuer, in.Extensions).Interface()
		}
		return out, err
	}
	users, err := h.Center.Users(ctx, center.UserQuery{After: center.UserID(after), Limit: size + 1})
	if err != nil {
		return out, err
	}
	if len(users) > size {
		users = users[:size]
		out.NextToken = awsapi.EncodeToken("ListUsers", string(users[size-1].ID))
	}
	out.Users = h.show(users, issuer, in.Extensions).Interface()
	return out, nil
}

func (h *Handler) filterUser(ctx context.Context, filters []filter) (center.User, error) {
	if len(filters) != 1 || !strings.EqualFold(filters[0].AttributePath, "UserName") {
		return center.User{}, invalid("Filters takes one filter on UserName")
	}
	return h.Center.UserByName(ctx, filters[0].AttributeValue)
}

type getIDInput struct {
	store
	AlternateIdentifier alternateIdentifier
}

func (h *Handler) getUserID(ctx context.Context, _ awsapi.Caller, in getIDInput) (userNamed, error) {
	if err := h.check(in.store); err != nil {
		return userNamed{}, err
	}
	u, err := h.findUser(ctx, in.AlternateIdentifier)
	return h.nameUser(u.ID), err
}

func (h *Handler) findUser(ctx context.Context, a alternateIdentifier) (center.User, error) {
	if a.ExternalID != nil {
		issuer, err := h.Center.ExternalIDIssuer(ctx)
		if err != nil {
			return center.User{}, err
		}
		if a.ExternalID.Issuer != issuer {
			return center.User{}, &refusal.Error{Code: center.UserNotFound, Subject: a.ExternalID.ID}
		}
		return h.Center.UserByExternalID(ctx, a.ExternalID.ID)
	}
	path, value, err := a.unique("userName", "emails.value")
	switch {
	case err != nil:
		return center.User{}, err
	case path == "userName":
		return h.Center.UserByName(ctx, value)
	}
	return h.Center.UserByEmail(ctx, value)
}

type operation struct {
	AttributePath  string
	AttributeValue jsontext.Value
}

type updateUserInput struct {
	store
	UserID     string `json:"UserId"`
	Operations []operation
	Revision   string
}

func (h *Handler) updateUser(ctx context.Context, who awsapi.Caller, in updateUserInput) (userOutput, error) {
	if err := h.check(in.store); err != nil {
		return userOutput{}, err
	}
	u, err := h.Center.UpdateUser(ctx, awsdoor.Actor(who), userID(in.UserID), func(u *center.User) error {
		if err := unchanged(in.Revision, u.Version, string(u.ID)); err != nil {
			return err
		}
		for _, op := range in.Operations {
			if err := op.apply(u); err != nil {
				return err
			}
		}
		return u.CheckAWS()
	})
	return h.userOutput(u), err
}

// apply sets one attribute; an absent or null value unsets it. Lists are replaced whole by an array
// with lower camel keys, as the Terraform provider sends them; name and the extension may be set
// whole or by their parts.
func (op operation) apply(u *center.User) error {
	if err := op.checkTexts(); err != nil {
		return err
	}
	missing := op.missing()
	if field := textAt(u, op.AttributePath); field != nil {
		return op.text(field, missing)
	}
	if name, ok := strings.CutPrefix(op.AttributePath, enterpriseExtension+"."); ok {
		var v any
		if !missing {
			if err := json.Unmarshal(op.AttributeValue, &v); err != nil {
				return op.wrong()
			}
		}
		return setEnterprise(u, name, v)
	}
	switch op.AttributePath {
	case "name":
		return whole(op, missing, &u.Name)
	case enterpriseExtension:
		return op.extension(missing, u)
	case "emails":
		return list(op, missing, &u.Emails)
	case "phoneNumbers":
		return list(op, missing, &u.PhoneNumbers)
	case "addresses":
		return list(op, missing, &u.Addresses)
	case "roles":
		return list(op, missing, &u.Roles)
	case "photos":
		if err := list(op, missing, &u.Photos); err != nil || len(u.Photos) <= maxPhotos {
			return err
		}
		return invalid("photos holds at most 3")
	}
	return invalid("there is no attribute " + op.AttributePath)
}

// maxPhotos is the model's bound of Photos.
const maxPhotos = 3 //bound:list photos of a user

func (op operation) missing() bool {
	return len(op.AttributeValue) == 0 || string(op.AttributeValue) == "null"
}

// checkTexts applies to every text in the value what the model demands of the attributes when a
// user is created.
func (op operation) checkTexts() error {
	if op.missing() {
		return nil
	}
	var v any
	if err := json.Unmarshal(op.AttributeValue, &v); err != nil {
		return op.wrong()
	}
	if v == "" { // unsets, as null does
		return nil
	}
	shape := text
	if op.AttributePath == "userName" {
		shape = userName
	}
	var check func(v any) error
	check = func(v any) error {
		switch v := v.(type) {
		case string:
			if n := utf8.RuneCountInString(v); n < shape.Min || n > shape.Max || !shape.Pattern.Match(v) {
				return invalid(
					"1 validation error detected: Value at '" + op.AttributePath +
						"' failed to satisfy constraint: Member must have 1 to " + strconv.Itoa(shape.Max) +
						" characters and satisfy regular expression pattern: " + shape.Pattern.Text)
			}
		case []any:
			for _, e := range v {
				if err := check(e); err != nil {
					return err
				}
			}
		case map[string]any:
			for _, e := range v {
				if err := check(e); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return check(v)
}

// whole replaces an object by one with lower camel keys.
func whole[T any](op operation, missing bool, into *T) error {
	var v T
	if !missing {
		if err := json.Unmarshal(op.AttributeValue, &v, lowerCamel); err != nil {
			return op.unreadable(err)
		}
	}
	*into = v
	return nil
}

// extension replaces the enterprise extension.
func (op operation) extension(missing bool, u *center.User) error {
	u.Enterprise = center.Enterprise{}
	if missing {
		return nil
	}
	var v map[string]any
	if json.Unmarshal(op.AttributeValue, &v) != nil {
		return op.wrong()
	}
	for name, value := range v {
		if err := setEnterprise(u, name, value); err != nil {
			return err
		}
	}
	return nil
}

func (op operation) wrong() error {
	return invalid("AttributeValue of " + op.AttributePath + " has the wrong type")
}

// unreadable says what is wrong with a value: a member that is not known is named.
func (op operation) unreadable(err error) error {
	var wrong *json.SemanticError
	if !errors.As(err, &wrong) || !errors.Is(wrong.Err, json.ErrUnknownName) {
		return op.wrong()
	}
	name := wrong.JSONPointer.LastToken()
	return invalid(
		"AttributeValue of " + op.AttributePath + " does not know the member " + strconv.Quote(
			name[:min(len(name), maxNamed)],
		) +
			"; Gatehouse refuses what it would otherwise ignore",
	)
}

// maxNamed bounds how much of a member's name is repeated.
const maxNamed = 64 //bound:none of a message

func (op operation) text(field *string, missing bool) error {
	*field = ""
	if missing {
		return nil
	}
	if json.Unmarshal(op.AttributeValue, field) != nil {
		return op.wrong()
	}
	return nil
}

// lowerCamel matches the lower camel keys to the domain's fields, and refuses others.
var lowerCamel = json.JoinOptions(json.MatchCaseInsensitiveNames(true), json.RejectUnknownMembers(true))

// list reads a list attribute.
func list[T any](op operation, missing bool, into *[]T) error {
	*into = nil
	if missing {
		return nil
	}
	if err := json.Unmarshal(op.AttributeValue, into, lowerCamel); err != nil {
		return op.unreadable(err)
	}
	return nil
}
