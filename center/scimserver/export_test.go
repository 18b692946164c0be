package scimserver

import (
	"context"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
)

// AnswerTo returns the status and the text that an error is answered with.
func AnswerTo(err error) (int, string) {
	e := answerTo(aws, err)
	return e.Status, e.Detail
}

// Call runs one operation without its door, in the profile of a token.
func Call(h *Handler, profile center.Profile, method, path string, body []byte) error {
	op, ok := route(method, path)
	if !ok {
		panic("no operation " + method + " " + path)
	}
	p := profileOf(center.BearerToken{Profile: profile})
	by := audit.Actor{Kind: audit.AccessKey, Name: "test", Role: string(center.RoleAdministrator)}
	_, err := op.call(h, context.Background(), &request{profile: p, by: by, action: op.name, id: op.id, body: body})
	return err
}

// ReadUser reads a user that a client sent; plain says whether the general schema was not needed.
func ReadUser(body []byte) (u center.User, plain bool, err error) {
	r := &request{profile: aws, body: body}
	_, plain = readPlainUser(r)
	whole, err := readUser(r)
	return whole.User, plain, err
}

// ReadPlainUser reads a user as nearly all clients send one.
func ReadPlainUser(body []byte) (center.User, bool) {
	u, ok := readPlainUser(&request{profile: aws, body: body})
	return u.User, ok
}

// ReadGeneralUser reads a user by the general schema.
func ReadGeneralUser(body []byte) (center.User, error) {
	u, err := readGeneralUser(&request{profile: aws, body: body})
	return u.User, err
}

// WriteUser writes a user as tokens of a profile see one.
func WriteUser(b []byte, profile center.Profile, u *center.User) []byte {
	r := &request{profile: profileOf(center.BearerToken{Profile: profile})}
	return r.appendUser(b, u, versioned{})
}
