package identitystore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/scim"
)

// refused is what the store would refuse, or what it cannot do.
func refused(why string) error { return &scim.Problem{Status: http.StatusBadRequest, Detail: why} }

// answer is what an identity store has answered: a scim.Problem for the engine, and AWS's words for
// people.
type answer struct {
	problem scim.Problem
	text    string
}

func (a *answer) Error() string { return a.text }

// Unwrap returns the answer in SCIM's words.
func (a *answer) Unwrap() error { return &a.problem }

// concurrent says that somebody else has changed an object since it was read.
type concurrent struct{ *answer }

func (c *concurrent) Error() string { return c.text }

// Unwrap returns the answer.
func (c *concurrent) Unwrap() error { return c.answer }

// problem says in SCIM's words what an error of AWS's means for the engine: what it sends again,
// what waits for another cycle, and what ends this one.
func (t *Target) problem(ctx context.Context, operation string, connected bool, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	doing := "identitystore:" + operation
	var api smithy.APIError
	var response *smithyhttp.ResponseError
	if !errors.As(err, &api) {
		if connected || isNetwork(err) {
			return &scim.Unanswered{Sent: connected, Err: fmt.Errorf("reach the identity store: %w", err)}
		}
		return &provisioning.CredentialsError{Err: t.explain(doing, err)} // they were not to be had
	}
	status := http.StatusBadRequest
	if errors.As(err, &response) && response.HTTPStatusCode() >= http.StatusInternalServerError {
		status = response.HTTPStatusCode()
	}
	a := &answer{scim.Problem{Status: status, Detail: api.ErrorMessage()}, t.explain(doing, err).Error()}
	conflict, missing := new(types.ConflictException), new(types.ResourceNotFoundException)
	busy, internal := new(types.ThrottlingException), new(types.InternalServerException)
	switch {
	case errors.As(err, &conflict):
		a.problem.Status = http.StatusConflict
		if conflict.Reason == types.ConflictExceptionReasonConcurrentModification {
			// It may be over soon. The engine sends it again, after this package has done so.
			a.problem.Status = http.StatusServiceUnavailable
			a.problem.RetryAfter = time.Second
			return &concurrent{a}
		}
	case errors.As(err, &missing) && missing.ResourceType == types.ResourceTypeIdentityStore:
		return &provisioning.CredentialsError{Err: fmt.Errorf(
			"there is no identity store %s in %s for these credentials: check the id and the Region (%w)", t.store,
			t.region, err,
		)}
	case isKMS(err):
		return &provisioning.CredentialsError{Err: fmt.Errorf(
			"the store's customer managed key cannot be used: allow kms:Decrypt with kms:ViaService to the caller, "+
				"and see that the key is enabled (%w)", err,
		)}
	case errors.As(err, &missing):
		a.problem.Status = http.StatusNotFound
	case errors.As(err, &busy):
		a.problem.Status = http.StatusTooManyRequests
		a.problem.RetryAfter = time.Duration(busy.RetryAfterSeconds) * time.Second
	case strings.Contains(api.ErrorCode(), "Throttl"), strings.Contains(api.ErrorCode(), "TooManyRequests"):
		a.problem.Status = http.StatusTooManyRequests
	case errors.As(err, &internal):
		a.problem.Status = http.StatusInternalServerError
		a.problem.RetryAfter = time.Duration(internal.RetryAfterSeconds) * time.Second
	case isDenied(api.ErrorCode()):
		return &provisioning.CredentialsError{Err: errors.New(a.text)}
	}
	return a
}

// isNetwork says that no connection came about.
func isNetwork(err error) bool {
	var sent *smithyhttp.RequestSendError
	return errors.As(err, &sent)
}

func isKMS(err error) bool {
	var denied *types.AccessDeniedException
	var missing *types.ResourceNotFoundException
	var invalid *types.ValidationException
	return errors.As(err, &denied) && denied.Reason == types.AccessDeniedExceptionReasonKmsAccessDenied ||
		errors.As(err, &missing) && missing.Reason == types.ResourceNotFoundExceptionReasonKmsKeyNotFound ||
		errors.As(err, &invalid) && strings.HasPrefix(string(invalid.Reason), "KMS_")
}

// isDenied says that AWS does not let the caller do that, whoever it is about.
func isDenied(code string) bool {
	switch code {
	case "UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch",
		"IncompleteSignature", "IncompleteSignatureException", "MissingAuthenticationToken",
		"MissingAuthenticationTokenException", "RequestExpired", "OptInRequired", "NotAuthorized",
		"SignatureExpired", "SignatureNotYetCurrent":
		return true
	}
	return strings.HasPrefix(code, "AccessDenied") || strings.HasPrefix(code, "ExpiredToken") ||
		strings.HasPrefix(code, "UnauthorizedAccess")
}
