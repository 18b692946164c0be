// Package sts is the center's door for the one STS operation that proves credentials:
// GetCallerIdentity, over the query protocol. Others verify identities by it: somebody signs such a
// request and hands it over, and the verifier sends it (EKS, HashiCorp Vault, Teleport).
//
// It may import awsapi.
package sts

import (
	"context"
	"encoding/xml"
	"net/url"

	"github.com/gatehouse-id/gatehouse/awsapi"
)

// Service is the door for awsapi.Handler. refused is told about requests that were refused, for the
// audit log.
func Service(refused func(context.Context, awsapi.Caller, string, error)) awsapi.QueryService {
	return awsapi.QueryService{
		SigningName: "sts",
		Global:      "sts.amazonaws.com",
		Version:     "2011-06-15",
		Namespace:   "https://sts.amazonaws.com/doc/2011-06-15/",
		Operations:  map[string]awsapi.QueryOperation{"GetCallerIdentity": {Call: getCallerIdentity}},
		Refused:     refused,
	}
}

type identity struct {
	XMLName xml.Name `xml:"GetCallerIdentityResult" json:"-"`
	Arn     string
	UserID  string `xml:"UserId" json:"UserId"`
	Account string
}

func getCallerIdentity(_ context.Context, who awsapi.Caller, _ url.Values) (any, error) {
	return identity{Arn: who.ARN, UserID: who.UserID, Account: who.AccountID}, nil
}
