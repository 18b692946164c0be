// Package awsdoor is what the AWS doors of a center share: whose an access key is, who the actor
// behind a signed request is, how refusals are recorded that never reach a rule, and the exceptions
// that AWS's services have for each class of refusal.
//
// It is no door of its own.
//
// It may import audit, awsapi, center, center/broker and refusal.
package awsdoor

import (
	"context"
	"errors"
	"net/http"
	"net/netip"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Actor is who signed a request.
func Actor(who awsapi.Caller) audit.Actor {
	a := audit.Actor{
		Kind:      audit.AccessKey,
		Name:      who.Principal,
		Role:      who.Role,
		Address:   who.Address,
		RequestID: who.RequestID,
	}
	if a.Name == "" {
		a.Name = who.AccessKeyID
	}
	if !ofAdministrator(who) {
		a.Kind = audit.Anonymous
	}
	return a
}

// ofAdministrator says whether an access key is one of the center's, all of which have a role. What
// is not proved and the session of a role in an account have none.
func ofAdministrator(who awsapi.Caller) bool { return who.Role != "" }

// Admit refuses a caller who signs for a role in an account: such a caller may only ask who it is,
// which is not asked here. The words are IAM's, which Terraform's provider looks for. It is for
// awsapi.Service.Admit.
func Admit(_ context.Context, who awsapi.Caller, operation string) error {
	if ofAdministrator(who) {
		return nil
	}
	return &awsapi.Error{
		Code:    "AccessDeniedException",
		Message: "User: " + who.ARN + " is not authorized to perform: " + operation,
	}
}

// AdmitFrom is Admit where requests come from certain networks only.
func AdmitFrom(
	c *center.Center, network center.Network,
) func(ctx context.Context, who awsapi.Caller, operation string) error {
	return func(ctx context.Context, who awsapi.Caller, operation string) error {
		if err := Admit(ctx, who, operation); err != nil {
			return err
		}
		return c.AdmitFrom(ctx, network, who.Address)
	}
}

// AdmitFromHere is AdmitFrom for who keeps the controls: the center's own machine is let in always,
// so that controls that shut out their administrator can be taken away.
func AdmitFromHere(
	c *center.Center, network center.Network,
) func(ctx context.Context, who awsapi.Caller, operation string) error {
	admit := AdmitFrom(c, network)
	return func(ctx context.Context, who awsapi.Caller, operation string) error {
		if a, err := netip.ParseAddr(who.Address); err == nil && a.Unmap().IsLoopback() {
			return Admit(ctx, who, operation)
		}
		return admit(ctx, who, operation)
	}
}

// Refused records a request that was turned away before it reached a rule. It is for
// awsapi.Service.Refused.
func Refused(c *center.Center) func(context.Context, awsapi.Caller, string, error) {
	return func(ctx context.Context, who awsapi.Caller, operation string, err error) {
		_ = c.Refuse(ctx, Actor(who), operation, "", err) // the caller is answered with err itself
	}
}

// Authorize says whether the role of an access key allows an operation at all: which changes it
// allows, the rules say. It is for awsapi.Service.Authorize.
func Authorize(who awsapi.Caller, operation string, access awsapi.Access) error {
	role := center.KeyRole(who.Role)
	switch {
	case access == awsapi.Reads && role.Reads(), access == awsapi.Changes && role.Changes():
		return nil
	}
	return &refusal.Error{
		Code:    center.NotAllowed,
		Subject: operation,
		Detail:  "the access key has the role " + who.Role,
	}
}

// byKind are the exceptions that the services have in common. Source: the API references, common
// errors.
var byKind = map[refusal.Kind]awsapi.Error{
	refusal.Internal: {
		Code:    "InternalServerException",
		Status:  http.StatusInternalServerError,
		Message: "internal error",
	},
	refusal.Invalid:         {Code: "ValidationException"},
	refusal.NotFound:        {Code: "ResourceNotFoundException"},
	refusal.Conflict:        {Code: "ConflictException"},
	refusal.Denied:          {Code: "AccessDeniedException"},
	refusal.Unauthenticated: {Code: "AccessDeniedException"},
	refusal.Quota:           {Code: "ServiceQuotaExceededException"},
	refusal.Unavailable: {
		Code:    "InternalServerException",
		Status:  http.StatusServiceUnavailable,
		Members: map[string]any{"RetryAfterSeconds": 2},
	},
}

// Answer maps an error to the wire. A refusal gets the exception of its class, and words adds what
// the service says of it; an error that is already one on the wire does not change; of any other
// error nothing is told.
func Answer(err error, words func(refused *refusal.Error, answer *awsapi.Error)) *awsapi.Error {
	var refused *refusal.Error
	var wire *awsapi.Error
	switch {
	case errors.As(err, &refused):
		kind := refused.Code.Kind()
		if refused.Code == center.ConcurrentChange { // as AWS says it: clients of theirs know what to do
			kind = refusal.Conflict
		}
		e := byKind[kind]
		e.Message = refused.Error()
		words(refused, &e)
		return &e
	case errors.As(err, &wire):
		return wire
	}
	e := byKind[refusal.Internal]
	return &e
}
