package scimserver

import (
	"net/http"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/scim"
)

// profile is what a token's bearer may expect: AWS's dialect with its limits, or the whole of RFC
// 7643 and RFC 7644. Both run through the same operations, which ask it where the two differ.
type profile struct {
	standard    bool
	contentType []string
	maxCount    int // resources on a page
	maxMembers  int // memberships that one request may name
}

var (
	aws = profile{contentType: []string{"application/json"}, maxCount: 100, maxMembers: 100}

	// The limits of the standard profile are those of a body of 1 MiB.
	rfc = profile{standard: true, contentType: []string{scim.ContentType}, maxCount: 1000, maxMembers: 20_000}
)

// minCount is the least that count may ask for: RFC 7644 §3.4.2.4 has 0 for a total without
// resources.
func (p profile) minCount() int {
	if p.standard {
		return 0
	}
	return 1
}

func profileOf(t center.BearerToken) profile {
	if t.Standard() {
		return rfc
	}
	return aws
}

// bad is a 400 with its reason.
func bad(scimType, reason string) *scim.Error {
	return &scim.Error{Status: http.StatusBadRequest, Type: scimType, Detail: reason}
}

func (p profile) tooLarge() error {
	if p.standard {
		return &scim.Error{
			Status: http.StatusRequestEntityTooLarge,
			Detail: "The body is larger than 1 MiB, or cannot be read.",
		}
	}
	return bad("", "The body is larger than 1 MiB, or cannot be read.")
}

// noMe refuses /Me, which stands for the person behind the token: there is none (RFC 7644 §3.11
// wants 501).
func (p profile) noMe() error {
	if p.standard {
		return &scim.Error{
			Status: http.StatusNotImplemented,
			Detail: "The token belongs to a program, so there is no /Me.",
		}
	}
	return p.noOperation()
}

func (p profile) noOperation() error {
	if p.standard {
		return &scim.Error{
			Status: http.StatusNotFound,
			Detail: "There is no such endpoint, or it does not know this method.",
		}
	}
	return bad("", "there is no such operation")
}
