package sts

import "github.com/gatehouse-id/gatehouse/awsapi"

// The shapes of the service model, with its bounds and patterns. Source: the published model, API
// version 2011-06-15.
const (
	namePattern = `[\w+=,.@-]*`
	arnPattern  = `[\x{0009}\x{000A}\x{000D}\x{0020}-\x{007E}\x{0085}\x{00A0}-\x{D7FF}` +
		`\x{E000}-\x{FFFD}\x{10000}-\x{10FFFF}]+`
	policyChars  = `[\x{0009}\x{000A}\x{000D}\x{0020}-\x{00FF}]+`
	tagPattern   = `[\p{L}\p{Z}\p{N}_.:/=+\-@]`
	serialFormat = `[\w+=/:,.@-]*`
)

// maxTokenSize is the size of a session token that a caller may ask for. Source: the SDK's module,
// AssumeRoleInput.MinimumSessionTokenSize.
const maxTokenSize = 4096 //bound:text a session token of STS, in bytes

var (
	arn       = awsapi.TextOf(20, 2048, arnPattern)
	name      = awsapi.TextOf(2, 64, namePattern)
	policy    = awsapi.TextOf(1, 0, policyChars)
	policyARN = awsapi.StructureOf(awsapi.Members{"arn": arn})
	policies  = awsapi.ListOf(0, 10, policyARN)
	tagKey    = awsapi.TextOf(1, 128, tagPattern+"+")
	tags      = awsapi.ListOf(0, 50, awsapi.StructureOf(
		awsapi.Members{"Key": tagKey, "Value": awsapi.TextOf(0, 256, tagPattern+"*")}, "Key", "Value",
	))
	tokenSize = seconds(0, maxTokenSize)
	serial    = awsapi.TextOf(9, 256, serialFormat)
	tokenCode = awsapi.TextOf(6, 6, `[\d]*`)
	secret    = func(most int) *awsapi.Shape {
		return &awsapi.Shape{Kind: awsapi.String, Min: 4, Max: most, Sensitive: true}
	}
)

func seconds(least, most int) *awsapi.Shape {
	return &awsapi.Shape{Kind: awsapi.Integer, Min: least, Max: most}
}

// inputs are what the operations are asked with.
var inputs = map[string]*awsapi.Shape{
	"AssumeRole": awsapi.StructureOf(awsapi.Members{
		"RoleArn":                 arn,
		"RoleSessionName":         name,
		"DurationSeconds":         seconds(900, 43200),
		"ExternalId":              awsapi.TextOf(2, 1224, `[\w+=,.@:\/-]*`),
		"MinimumSessionTokenSize": tokenSize,
		"Policy":                  policy,
		"PolicyArns":              policies,
		"ProvidedContexts": awsapi.ListOf(1, 5, awsapi.StructureOf(
			awsapi.Members{"ProviderArn": arn, "ContextAssertion": secret(2048)},
		)),
		"SerialNumber":      serial,
		"SourceIdentity":    name,
		"Tags":              tags,
		"TokenCode":         tokenCode,
		"TransitiveTagKeys": awsapi.ListOf(0, 50, tagKey),
	}, "RoleArn", "RoleSessionName"),
	"AssumeRoleWithSAML": awsapi.StructureOf(awsapi.Members{
		"RoleArn":                 arn,
		"PrincipalArn":            arn,
		"SAMLAssertion":           secret(100000),
		"DurationSeconds":         seconds(900, 43200),
		"MinimumSessionTokenSize": tokenSize,
		"Policy":                  policy,
		"PolicyArns":              policies,
	}, "RoleArn", "PrincipalArn", "SAMLAssertion"),
	"AssumeRoleWithWebIdentity": awsapi.StructureOf(awsapi.Members{
		"RoleArn":                 arn,
		"RoleSessionName":         name,
		"WebIdentityToken":        secret(20000),
		"ProviderId":              awsapi.TextOf(4, 2048, ""),
		"DurationSeconds":         seconds(900, 43200),
		"MinimumSessionTokenSize": tokenSize,
		"Policy":                  policy,
		"PolicyArns":              policies,
	}, "RoleArn", "RoleSessionName", "WebIdentityToken"),
	"AssumeRoot": awsapi.StructureOf(awsapi.Members{
		"TargetPrincipal":         awsapi.TextOf(12, 2048, ""),
		"TaskPolicyArn":           policyARN,
		"DurationSeconds":         seconds(0, 900),
		"MinimumSessionTokenSize": tokenSize,
	}, "TargetPrincipal", "TaskPolicyArn"),
	"DecodeAuthorizationMessage": awsapi.StructureOf(
		awsapi.Members{"EncodedMessage": awsapi.TextOf(1, 10240, "")}, "EncodedMessage",
	),
	"GetAccessKeyInfo": awsapi.StructureOf(
		awsapi.Members{"AccessKeyId": awsapi.TextOf(16, 128, `[\w]*`)}, "AccessKeyId",
	),
	"GetCallerIdentity": awsapi.StructureOf(awsapi.Members{}),
	"GetDelegatedAccessToken": awsapi.StructureOf(
		awsapi.Members{"TradeInToken": &awsapi.Shape{Kind: awsapi.String, Sensitive: true}}, "TradeInToken",
	),
	"GetFederationToken": awsapi.StructureOf(awsapi.Members{
		"Name":                    awsapi.TextOf(2, 32, namePattern),
		"DurationSeconds":         seconds(900, 129600),
		"MinimumSessionTokenSize": tokenSize,
		"Policy":                  policy,
		"PolicyArns":              policies,
		"Tags":                    tags,
	}, "Name"),
	"GetSessionToken": awsapi.StructureOf(awsapi.Members{
		"DurationSeconds":         seconds(900, 129600),
		"MinimumSessionTokenSize": tokenSize,
		"SerialNumber":            serial,
		"TokenCode":               tokenCode,
	}),
	"GetWebIdentityToken": awsapi.StructureOf(awsapi.Members{
		"Audience":         awsapi.ListOf(1, 10, awsapi.TextOf(1, 1000, "")),
		"SigningAlgorithm": awsapi.TextOf(5, 5, ""),
		"DurationSeconds":  seconds(60, 3600),
		"Tags":             tags,
	}, "Audience", "SigningAlgorithm"),
}
