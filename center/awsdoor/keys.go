package awsdoor

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/broker"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Lookup finds the secret of an access key, and whose it is: a long-term one of an administrator,
// or one that the sandbox issued. It is for awsapi.Verifier.Lookup.
//
// The ids of users begin with AIDA and those of assumed roles with AROA. Source: IAM User Guide,
// IAM identifiers, "Understanding unique ID prefixes".
func Lookup(
	c *center.Center, sandbox *broker.Sandbox,
) func(ctx context.Context, id, token string) (awsapi.Credential, error) {
	return func(ctx context.Context, id, token string) (awsapi.Credential, error) {
		if token != "" {
			return roleSession(ctx, c, sandbox, id, token)
		}
		key, err := c.AccessKeySecret(ctx, id)
		if refusal.CodeOf(err) == center.NotAllowed {
			return awsapi.Credential{}, unknownKey()
		}
		if err != nil {
			return awsapi.Credential{}, err
		}
		return awsapi.Credential{Secret: key.SecretAccessKey.Reveal(), Caller: awsapi.Caller{
			AccessKeyID: id,
			Principal:   key.Principal,
			AccountID:   c.Instance.OwnerAccountID,
			Role:        string(key.Role),
			LastUsed:    key.LastUsedAt,
			ARN:         "arn:aws:iam::" + c.Instance.OwnerAccountID + ":user/" + key.Principal,
			UserID:      "AIDA" + id[4:],
		}}, nil
	}
}

func roleSession(
	ctx context.Context, c *center.Center, sandbox *broker.Sandbox, id, token string,
) (awsapi.Credential, error) {
	s, err := sandbox.Session(id, token)
	if err == nil && s.Assumed {
		err = c.StillHasRole(ctx, s.UserID, s.AccountID, s.RoleName)
		if refusal.KindOf(err) == refusal.Denied {
			err = broker.ErrExpired // it ended with the assignment
		} else if err != nil {
			return awsapi.Credential{}, err
		}
	}
	if errors.Is(err, broker.ErrExpired) {
		return awsapi.Credential{}, &awsapi.Error{
			Code:    "ExpiredTokenException",
			Message: "The security token included in the request is expired.",
			Status:  http.StatusForbidden,
		}
	}
	if err != nil {
		return awsapi.Credential{}, unknownKey()
	}
	if s.UserID != "" {
		err := c.RoleSessionOpen(ctx, s.UserID, s.IssuedAt, s.Under)
		if err == nil {
			err = c.RoleStillOpen(ctx, s.UserID, s.RoleName, s.IssuedAt, s.RefusedUnder)
		}
		if err != nil {
			if refusal.CodeOf(err) == center.NotAllowed {
				err = unknownKey()
			}
			return awsapi.Credential{}, err
		}
	}
	return awsapi.Credential{Secret: s.SecretAccessKey, Caller: awsapi.Caller{
		AccessKeyID: id,
		Principal:   s.SessionName,
		AccountID:   s.AccountID,
		ARN:         s.ARN(),
		UserID:      s.ID(),
	}}, nil
}

func unknownKey() error {
	return &awsapi.Error{
		Code:    "UnrecognizedClientException",
		Message: "The security token included in the request is invalid.",
		Status:  http.StatusForbidden,
	}
}

// OnTrust runs an operation of a caller who may have been let in by what is remembered. It is for
// awsapi.Service.Around, where Begins is the center's Trust.
func OnTrust(c *center.Center) func(ctx context.Context, run func() (any, error)) (any, error) {
	return func(ctx context.Context, run func() (any, error)) (any, error) {
		out, err := center.OnTrust(ctx, c, run)
		if no := new(center.NotLetIn); errors.As(err, &no) && refusal.CodeOf(no.Err) == center.NotAllowed {
			return nil, unknownKey()
		}
		return out, err
	}
}

// Used notes the use of an access key. It is for awsapi.Handler.Used.
func Used(c *center.Center) func(context.Context, awsapi.Caller, string) {
	return func(ctx context.Context, who awsapi.Caller, service string) {
		if !ofAdministrator(who) { // no access key of ours
			return
		}
		if err := c.AccessKeyUsed(ctx, who.AccessKeyID, who.LastUsed, service, who.Address); err != nil {
			c.Log.WarnContext(ctx, "note the use of an access key", "error", err)
		}
	}
}
