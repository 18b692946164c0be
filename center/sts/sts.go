// Package sts is the center's door for AWS's Security Token Service, over the query protocol.
// GetCallerIdentity proves credentials: others verify identities by it, for somebody signs such a
// request and hands it over, and the verifier sends it (EKS, HashiCorp Vault, Teleport). AssumeRole
// opens a role for the person whom an identity context names. The other operations are refused,
// each in AWS's form.
//
// It may import awsapi, center, center/awsdoor, center/broker and refusal.
package sts

import (
	"context"
	"encoding/xml"
	"net/http"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/center/broker"
)

// Handler serves STS.
type Handler struct {
	Center *center.Center
	// Sandbox opens the roles that AssumeRole asks for; nil: they are in AWS, whose STS opens them.
	Sandbox *broker.Sandbox
}

// Service is the door for awsapi.Handler.
func (h *Handler) Service() awsapi.QueryService {
	operations := map[string]awsapi.QueryOperation{
		"AssumeRole":        awsapi.QueryOp(inputs["AssumeRole"], h.assumeRole),
		"GetAccessKeyInfo":  awsapi.QueryOp(inputs["GetAccessKeyInfo"], h.getAccessKeyInfo),
		"GetCallerIdentity": awsapi.QueryOp(inputs["GetCallerIdentity"], getCallerIdentity),
	}
	for name, why := range refused {
		operations[name] = why.operation(name)
	}
	return awsapi.QueryService{
		SigningName: "sts",
		Global:      "sts.amazonaws.com",
		Version:     "2011-06-15",
		Namespace:   "https://sts.amazonaws.com/doc/2011-06-15/",
		Operations:  operations,
		Refused:     awsdoor.Refused(h.Center),
	}
}

// reason is why an operation is refused.
type reason struct {
	code      string
	status    int
	anonymous bool // nobody signs such a request
	text      string
}

// refused are the operations that a center cannot carry out honestly. Where AWS has an exception
// that says so, it is that one.
var refused = map[string]reason{
	"AssumeRoleWithSAML": {"AccessDenied", http.StatusForbidden, true,
		"Not authorized to perform sts:AssumeRoleWithSAML: Gatehouse opens roles for people in its portal and by " +
			"sso GetRoleCredentials, and takes no assertion for one"},
	"AssumeRoleWithWebIdentity": {"AccessDenied", http.StatusForbidden, true,
		"Not authorized to perform sts:AssumeRoleWithWebIdentity: the roles of this center trust no OpenID Connect " +
			"provider; get an identity context by sso-oidc CreateTokenWithIAM, and call AssumeRole with it"},
	"AssumeRoot": {"AccessDenied", http.StatusForbidden, false,
		"Not authorized to perform sts:AssumeRoot: the accounts of this center have no root user here"},
	"DecodeAuthorizationMessage": {"InvalidAuthorizationMessageException", http.StatusBadRequest, false,
		"Message is not valid: this center encodes no authorization messages"},
	"GetDelegatedAccessToken": {"AccessDenied", http.StatusForbidden, false,
		"Not authorized to perform sts:GetDelegatedAccessToken: this center gives out no trade-in tokens"},
	"GetFederationToken": {"AccessDenied", http.StatusForbidden, false,
		"Not authorized to perform sts:GetFederationToken: an access key of this center is of one administrator, " +
			"and cannot be used for somebody else"},
	"GetSessionToken": {"AccessDenied", http.StatusForbidden, false,
		"Not authorized to perform sts:GetSessionToken: use the access key itself (aws-vault: --no-session)"},
	"GetWebIdentityToken": {"OutboundWebIdentityFederationDisabledException", http.StatusForbidden, false,
		"Outbound web identity federation is not enabled for your account: a center has none; CreateTokenWithIAM of " +
			"sso-oidc issues ID tokens of people"},
}

// operation is one that checks what it is asked with, and then says no.
func (r reason) operation(name string) awsapi.QueryOperation {
	op := awsapi.QueryOp(inputs[name], func(context.Context, awsapi.Caller, map[string]any) (any, error) {
		return nil, &awsapi.Error{Code: r.code, Status: r.status, Message: r.text}
	})
	op.Anonymous = r.anonymous
	return op
}

type identity struct {
	XMLName xml.Name `xml:"GetCallerIdentityResult" json:"-"`
	Arn     string
	UserID  string `xml:"UserId" json:"UserId"`
	Account string
}

func getCallerIdentity(_ context.Context, who awsapi.Caller, _ struct{}) (any, error) {
	return identity{Arn: who.ARN, UserID: who.UserID, Account: who.AccountID}, nil
}

type keyInfo struct {
	XMLName xml.Name `xml:"GetAccessKeyInfoResult" json:"-"`
	Account string
}

type keyInfoInput struct {
	AccessKeyID string `json:"AccessKeyId"`
}

// getAccessKeyInfo says whose an access key is: of the center's own, disabled ones among them, it
// is known. AWS answers for every key that it has given out.
func (h *Handler) getAccessKeyInfo(ctx context.Context, who awsapi.Caller, in keyInfoInput) (any, error) {
	if !center.KeyRole(who.Role).Reads() {
		return nil, denied(who, "sts:GetAccessKeyInfo", "*", "")
	}
	keys, err := h.Center.AccessKeys(ctx)
	if err != nil {
		return nil, answer(err)
	}
	for _, k := range keys {
		if k.ID == in.AccessKeyID {
			return keyInfo{Account: h.Center.Instance.OwnerAccountID}, nil
		}
	}
	return nil, &awsapi.Error{
		Code:    "ValidationError",
		Message: "The access key " + in.AccessKeyID + " is none of this center's; it knows only its own",
	}
}
