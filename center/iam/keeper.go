package iam

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/saml"
)

// Keeper keeps the roles of a center in IAM. It implements center.RoleKeeper.
type Keeper struct {
	Center *center.Center
	Trust  Trust
	// Client returns what is called of IAM in an account.
	Client func(account string) *Operations
}

// undoPatience is how long the way back may take after a failure, the time of the work itself being
// over.
const undoPatience = 30 * time.Second //bound:wait the way back after work on a role failed

func (k *Keeper) providerARN(account string) string {
	return "arn:aws:iam::" + account + ":saml-provider/" + k.Center.SAMLProviderName()
}

// wanted is a role as it should be.
func (k *Keeper) wanted(r center.AccountRole) (*role, error) {
	trust, err := json.Marshal(k.Trust.policy(k.providerARN(r.AccountID)))
	want := &role{
		trust:       string(trust),
		description: description(r),
		session:     maxRoleSession,
		boundary:    r.Boundary,
		attached:    slices.Sorted(slices.Values(r.Policies)),
		inline:      map[string]string{},
	}
	if r.InlinePolicy != "" {
		want.inline[inlineName] = r.InlinePolicy
	}
	if err == nil && len(r.Revoked) > 0 {
		want.inline[revocationName], err = center.DenyRevoked(r.Revoked)
	}
	return want, err
}

// Keep implements center.RoleKeeper.
func (k *Keeper) Keep(ctx context.Context, r center.AccountRole) error {
	client := k.Client(r.AccountID)
	want, err := k.wanted(r)
	if err != nil {
		return err
	}
	if err := deny(ctx, client, r.Name, want); err != nil {
		return asRefusal(err, r)
	}
	if err := k.keepProvider(ctx, client, r.AccountID); err != nil {
		return asRefusal(err, r)
	}
	was, err := read(ctx, client, r.Name)
	if err != nil {
		return asRefusal(err, r)
	}
	is := was
	if was == nil {
		is, err = create(ctx, client, k.Trust.Path, r.Name, want)
	}
	if err == nil {
		err = bring(ctx, client, r.Name, is, want)
	}
	if err != nil {
		undone := undo(context.WithoutCancel(ctx), client, r.Name, was)
		return asRefusal(errors.Join(err, undone), r)
	}
	return nil
}

// undo takes a role back to what it was.
func undo(ctx context.Context, client *Operations, name string, was *role) error {
	ctx, cancel := context.WithTimeout(ctx, undoPatience)
	defer cancel()
	if was == nil {
		return remove(ctx, client, name)
	}
	is, err := read(ctx, client, name)
	if err == nil && is != nil {
		err = bring(ctx, client, name, is, was)
	}
	if err != nil {
		return fmt.Errorf("the role may be partly changed; provision it again: %w", err)
	}
	return nil
}

// keepProvider makes the center known to an account, or known with the certificate of today.
func (k *Keeper) keepProvider(ctx context.Context, client *Operations, account string) error {
	metadata, err := ProviderMetadata(ctx, k.Center)
	if err != nil {
		return err
	}
	arn, document := k.providerARN(account), string(metadata)
	out, err := client.GetSAMLProvider(ctx, &iam.GetSAMLProviderInput{SAMLProviderArn: &arn})
	switch {
	case isMissing(err):
		_, err = client.CreateSAMLProvider(
			ctx,
			&iam.CreateSAMLProviderInput{
				Name:                 aws.String(k.Center.SAMLProviderName()),
				SAMLMetadataDocument: &document,
			},
		)
		if alreadyExists(err) { // somebody else has just made it
			_, err = client.UpdateSAMLProvider(
				ctx, &iam.UpdateSAMLProviderInput{SAMLProviderArn: &arn, SAMLMetadataDocument: &document},
			)
		}
	case err == nil && !sameProvider(aws.ToString(out.SAMLMetadataDocument), document):
		_, err = client.UpdateSAMLProvider(
			ctx, &iam.UpdateSAMLProviderInput{SAMLProviderArn: &arn, SAMLMetadataDocument: &document},
		)
	}
	return err
}

// sameProvider compares metadata by what IAM reads of it: it may write the document anew.
func sameProvider(a, b string) bool {
	x, e1 := saml.ParseIdentityProvider([]byte(a))
	y, e2 := saml.ParseIdentityProvider([]byte(b))
	return e1 == nil && e2 == nil && x.EntityID == y.EntityID &&
		slices.EqualFunc(x.Certificates, y.Certificates, func(p, q *x509.Certificate) bool { return p.Equal(q) })
}

// Retire implements center.RoleKeeper.
func (k *Keeper) Retire(ctx context.Context, r center.AccountRole, last bool) error {
	client := k.Client(r.AccountID)
	err := remove(ctx, client, r.Name)
	if err == nil && last {
		_, err = client.DeleteSAMLProvider(
			ctx, &iam.DeleteSAMLProviderInput{SAMLProviderArn: aws.String(k.providerARN(r.AccountID))},
		)
		if isMissing(err) {
			err = nil
		}
	}
	return asRefusal(err, r)
}

// Drift implements center.RoleKeeper.
func (k *Keeper) Drift(ctx context.Context, r center.AccountRole) ([]string, error) {
	client := k.Client(r.AccountID)
	want, err := k.wanted(r)
	if err != nil {
		return nil, err
	}
	metadata, err := ProviderMetadata(ctx, k.Center)
	if err != nil {
		return nil, err
	}
	var found []string
	out, err := client.GetSAMLProvider(
		ctx, &iam.GetSAMLProviderInput{SAMLProviderArn: aws.String(k.providerARN(r.AccountID))},
	)
	switch {
	case isMissing(err):
		found = append(found, "the SAML provider does not exist")
	case err != nil:
		return nil, asRefusal(err, r)
	case !sameProvider(aws.ToString(out.SAMLMetadataDocument), string(metadata)):
		found = append(found, "the SAML provider's metadata was changed")
	}
	is, err := read(ctx, client, r.Name)
	if err != nil {
		return nil, asRefusal(err, r)
	}
	return append(found, differences(is, want)...), nil
}

// asRefusal gives what IAM said the center's codes, and the words in which sso-admin tells of such
// failures.
func asRefusal(err error, r center.AccountRole) error {
	if err == nil {
		return nil
	}
	subject := r.AccountID + "/" + r.Name
	var said smithy.APIError
	var answer *smithyhttp.ResponseError
	if !errors.As(err, &said) || !errors.As(err, &answer) {
		return &refusal.Error{Code: center.RoleUnavailable, Subject: subject, Detail: err.Error()}
	}
	e := &refusal.Error{
		Code:    center.RoleRefused,
		Subject: subject,
		Detail: fmt.Sprintf(
			"Received a %d status error: %s: %s", answer.HTTPStatusCode(), said.ErrorCode(), said.ErrorMessage(),
		),
	}
	_, throttled := retry.DefaultThrottleErrorCodes[said.ErrorCode()]
	_, later := passing[said.ErrorCode()]
	if throttled || later || answer.HTTPStatusCode() >= http.StatusInternalServerError {
		e.Code = center.RoleUnavailable
	}
	return e
}

// passing are refusals of IAM that are over in a moment. Source: IAM API reference.
var passing = map[string]struct{}{
	"ConcurrentModification":        {},
	"EntityTemporarilyUnmodifiable": {},
	"ServiceFailure":                {},
}
