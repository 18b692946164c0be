package ssoadmin

import (
	"regexp"
	"sync"

	"github.com/gatehouse-id/gatehouse/awsapi"
)

// The input shapes of the service model, with its names, bounds and patterns. Source: the published
// model, API version 2020-07-20.

const (
	partition   = `arn:aws(-[a-z]{1,5}){0,3}:`
	instanceID  = `(sso)?ins-[a-zA-Z0-9-.]{16}`
	setID       = `permissionSet/` + instanceID + `/ps-[a-zA-Z0-9-./]{16}`
	application = `\d{12}:application/` + instanceID + `/apl-[a-zA-Z0-9]{16}`
	issuer      = `\d{12}:trustedTokenIssuer/` + instanceID +
		`/tti-[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}`
	cidr = `((([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])\.){3}([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|` +
		`25[0-5])(\/(3[0-2]|[1-2][0-9]|[0-9]))?|(([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,7}:|` +
		`([0-9a-fA-F]{1,4}:){1,6}:[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,5}(:[0-9a-fA-F]{1,4}){1,2}|` +
		`([0-9a-fA-F]{1,4}:){1,4}(:[0-9a-fA-F]{1,4}){1,3}|([0-9a-fA-F]{1,4}:){1,3}(:[0-9a-fA-F]{1,4}){1,4}|` +
		`([0-9a-fA-F]{1,4}:){1,2}(:[0-9a-fA-F]{1,4}){1,5}|[0-9a-fA-F]{1,4}:(:[0-9a-fA-F]{1,4}){1,6}|` +
		`:((:[0-9a-fA-F]{1,4}){1,7}|:))(\/(12[0-8]|1[0-1][0-9]|[1-9][0-9]|[0-9]))?)`
	tagPattern = `([\p{L}\p{Z}\p{N}_.:/=+\-@]*)`
)

// matches is what a text must match whole whose pattern Go writes in another way than the model. It
// is compiled when a text comes first, as those of awsapi.NewPattern are.
func matches(pattern string) func(string) bool {
	re := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })

	return func(text string) bool { return re().MatchString(text) }
}

var (
	instanceArn    = awsapi.TextOf(10, 1224, partition+`sso:::instance/`+instanceID)
	setArn         = awsapi.TextOf(10, 1224, partition+`sso:::`+setID)
	applicationArn = awsapi.TextOf(10, 1224, partition+`sso::`+application)
	providerArn    = awsapi.TextOf(10, 1224, partition+`sso::aws:applicationProvider/[a-zA-Z0-9-/]+`)
	issuerArn      = awsapi.TextOf(10, 1224, partition+`sso::`+issuer)
	taggableArn    = awsapi.TextOf(
		10, 2048, partition+`sso::((:instance/`+instanceID+`)|(:`+setID+`)|(`+application+`)|(`+issuer+`))`,
	)
	targetArn   = awsapi.TextOf(1, 100, partition+`sso::(`+application+`|:instance/`+instanceID+`)`)
	account     = awsapi.TextOf(12, 12, `\d{12}`)
	requestID   = awsapi.TextOf(36, 36, `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	principalID = awsapi.TextOf(
		1, 47, `([0-9a-f]{10}-|)[A-Fa-f0-9]{8}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{12}`,
	)
	principalType = awsapi.EnumOf("USER", "GROUP")
	targetType    = awsapi.EnumOf("AWS_ACCOUNT")
	statusFilter  = awsapi.StructureOf(awsapi.Members{"Status": awsapi.EnumOf("IN_PROGRESS", "FAILED", "SUCCEEDED")})
	provisioning  = awsapi.EnumOf("LATEST_PERMISSION_SET_PROVISIONED", "LATEST_PERMISSION_SET_NOT_PROVISIONED")
	enabled       = awsapi.EnumOf("ENABLED", "DISABLED")
	name          = awsapi.TextOf(0, 255, `[\w+=,.@-]+`)
	region        = awsapi.TextOf(1, 32, `([a-z]+-){2,3}\d`)
	clientToken   = awsapi.TextOf(1, 64, `[!-~]+`)
	flag          = &awsapi.Shape{Kind: awsapi.Boolean}
	anyText       = &awsapi.Shape{Kind: awsapi.String}
	maxResults    = &awsapi.Shape{Kind: awsapi.Integer, Min: 1, Max: 100}
	nextToken     = awsapi.TextOf(0, 2048, `[-a-zA-Z0-9+=/_]*`)
	tagKey        = awsapi.TextOf(1, 128, tagPattern)
	tags          = awsapi.ListOf(
		0, 75,
		awsapi.StructureOf(awsapi.Members{"Key": tagKey, "Value": awsapi.TextOf(0, 256, tagPattern)}, "Key", "Value"),
	)

	setName        = awsapi.TextOf(1, 32, `[\w+=,.@-]+`)
	setDescription = &awsapi.Shape{
		Kind: awsapi.String,
		Min:  1,
		Max:  700,
		Pattern: &awsapi.Pattern{
			Text:  `[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*`,
			Match: matches(`^[\x{09}\x{0A}\x{0D}\x{20}-\x{7E}\x{A1}-\x{FF}]*$`),
		},
	}
	duration = &awsapi.Shape{
		Kind: awsapi.String,
		Min:  1,
		Max:  100,
		Pattern: &awsapi.Pattern{
			Text: `(-?)P(?=\d|T\d)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)([DW]))?` +
				`(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?`,
			Match: isDuration,
		},
	}
	relayState   = awsapi.TextOf(1, 240, `[a-zA-Z0-9&$@#\\/%?=~\-_'"|!:,.;*+\[\]\ \(\)\{\}]+`)
	inlinePolicy = &awsapi.Shape{
		Kind: awsapi.String,
		Min:  1,
		Max:  32768,
		Pattern: &awsapi.Pattern{
			Text:  `[\u0009\u000A\u000D\u0020-\u00FF]+`,
			Match: matches(`^[\x{09}\x{0A}\x{0D}\x{20}-\x{FF}]+$`),
		},
	}
	managedPolicyArn = awsapi.TextOf(
		20, 2048, partition+`iam::aws:policy((/[A-Za-z0-9\.,\+@=_-]+)*)/([A-Za-z0-9\.,\+=@_-]+)`,
	)
	customerPolicy = awsapi.StructureOf(awsapi.Members{
		"Name": awsapi.TextOf(1, 128, `[\w+=,.@-]+`),
		"Path": awsapi.TextOf(1, 512, `((/[A-Za-z0-9\.,\+@=_-]+)*)/`),
	}, "Name")
	boundary = awsapi.StructureOf(awsapi.Members{
		"CustomerManagedPolicyReference": customerPolicy,
		"ManagedPolicyArn":               managedPolicyArn,
	})

	accessControl = awsapi.StructureOf(
		awsapi.Members{"AccessControlAttributes": awsapi.ListOf(0, 50, awsapi.StructureOf(awsapi.Members{
			"Key": awsapi.TextOf(1, 128, `[\p{L}\p{Z}\p{N}_.:\/=+\-@]+`),
			"Value": awsapi.StructureOf(awsapi.Members{
				"Source": awsapi.ListOf(
					1, 1, awsapi.TextOf(0, 256, `[\p{L}\p{Z}\p{N}_.:\/=+\-@\[\]\{\}\$\\"]*`),
				)}, "Source")}, "Key", "Value"))},
		"AccessControlAttributes",
	)

	applicationName = awsapi.TextOf(1, 100, `[\S\s]*`)
	description     = awsapi.TextOf(1, 128, "")
	signInOptions   = awsapi.StructureOf(awsapi.Members{"Origin": awsapi.EnumOf("IDENTITY_CENTER", "APPLICATION"),
		"ApplicationUrl": awsapi.TextOf(
			1, 512, `http(s)?:\/\/[-a-zA-Z0-9+&@#\/%?=~_|!:,.;]*[-a-zA-Z0-9+&bb@#\/%?=~_|]`,
		)}, "Origin")
	scope     = awsapi.TextOf(0, 0, `([A-Za-z0-9_]{1,50})(:[A-Za-z0-9_]{1,50}){0,1}(:[A-Za-z0-9_]{1,50}){0,1}`)
	method    = awsapi.EnumOf("IAM")
	grantType = awsapi.EnumOf(
		"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer",
		"urn:ietf:params:oauth:grant-type:token-exchange",
	)
	grantOf = awsapi.UnionOf(awsapi.Members{
		"AuthorizationCode": awsapi.StructureOf(awsapi.Members{"RedirectUris": awsapi.ListOf(1, 10, anyText)}),
		"JwtBearer": awsapi.StructureOf(awsapi.Members{"AuthorizedTokenIssuers": awsapi.ListOf(1, 10,
			awsapi.StructureOf(awsapi.Members{
				"TrustedTokenIssuerArn": issuerArn,
				"AuthorizedAudiences":   awsapi.ListOf(1, 10, awsapi.TextOf(1, 512, ""))}))}),
		"RefreshToken":  awsapi.StructureOf(nil),
		"TokenExchange": awsapi.StructureOf(nil),
	})

	issuerName    = awsapi.TextOf(1, 255, `[\w+=,.@-]+`)
	claimPath     = awsapi.TextOf(1, 255, `\p{L}+(?:(\.|_)\p{L}+){0,2}`)
	attributePath = awsapi.TextOf(1, 255, `\p{L}+(?:\.\p{L}+){0,2}`)
	keys          = awsapi.EnumOf("OPEN_ID_DISCOVERY")
)

// forInstance is the shape of an input with the instance's ARN.
func forInstance(m awsapi.Members, required ...string) *awsapi.Shape {
	m["InstanceArn"] = instanceArn
	return awsapi.StructureOf(m, append([]string{"InstanceArn"}, required...)...)
}

// forSet is the shape of an input about a permission set.
func forSet(m awsapi.Members, required ...string) *awsapi.Shape {
	m["PermissionSetArn"] = setArn
	return forInstance(m, append([]string{"PermissionSetArn"}, required...)...)
}

// forApplication is the shape of an input about an application.
func forApplication(m awsapi.Members, required ...string) *awsapi.Shape {
	m["ApplicationArn"] = applicationArn
	return awsapi.StructureOf(m, append([]string{"ApplicationArn"}, required...)...)
}

// paged adds the members of inputs whose answers come in pages.
func paged(m awsapi.Members) awsapi.Members {
	m["MaxResults"], m["NextToken"] = maxResults, nextToken
	return m
}

func assignmentShape() *awsapi.Shape {
	return forSet(
		awsapi.Members{
			"TargetId":      account,
			"TargetType":    targetType,
			"PrincipalType": principalType,
			"PrincipalId":   principalID,
		},
		"TargetId",
		"TargetType",
		"PrincipalType",
		"PrincipalId",
	)
}

func applicationPrincipal() *awsapi.Shape {
	return forApplication(
		awsapi.Members{"PrincipalId": principalID, "PrincipalType": principalType}, "PrincipalId", "PrincipalType",
	)
}

// Shapes are the inputs of all operations of the service model.
var Shapes = map[string]*awsapi.Shape{
	"CreateInstance":   awsapi.StructureOf(awsapi.Members{"Name": name, "ClientToken": clientToken, "Tags": tags}),
	"DeleteInstance":   forInstance(awsapi.Members{}),
	"DescribeInstance": forInstance(awsapi.Members{}),
	"ListInstances": awsapi.StructureOf(
		paged(awsapi.Members{"RegionScope": awsapi.EnumOf("CURRENT_REGION", "ALL_REGIONS")}),
	),
	"UpdateInstance": forInstance(awsapi.Members{"Name": name,
		"PermissionSetsEnabled": flag,
		"NetworkConfiguration": awsapi.StructureOf(awsapi.Members{
			"VpceAccessRequired":     flag,
			"RestrictSourceVpcs":     awsapi.ListOf(0, 50, awsapi.TextOf(12, 0, "")),
			"AllowSourceIps":         awsapi.ListOf(0, 50, awsapi.TextOf(2, 43, cidr)),
			"ExcludeApplicationArns": awsapi.ListOf(0, 50, awsapi.TextOf(10, 1224, "")),
		}, "VpceAccessRequired"),
		"EncryptionConfiguration": awsapi.StructureOf(awsapi.Members{
			"KeyType":   awsapi.EnumOf("AWS_OWNED_KMS_KEY", "CUSTOMER_MANAGED_KEY"),
			"KmsKeyArn": awsapi.TextOf(20, 2048, ""),
		}, "KeyType")}),
	"AddRegion":      forInstance(awsapi.Members{"RegionName": region}, "RegionName"),
	"RemoveRegion":   forInstance(awsapi.Members{"RegionName": region}, "RegionName"),
	"DescribeRegion": forInstance(awsapi.Members{"RegionName": region}, "RegionName"),
	"ListRegions":    forInstance(paged(awsapi.Members{})),
	"CreateInstanceAccessControlAttributeConfiguration": forInstance(
		awsapi.Members{"InstanceAccessControlAttributeConfiguration": accessControl},
		"InstanceAccessControlAttributeConfiguration",
	),
	"DescribeInstanceAccessControlAttributeConfiguration": forInstance(awsapi.Members{}),
	"UpdateInstanceAccessControlAttributeConfiguration": forInstance(
		awsapi.Members{"InstanceAccessControlAttributeConfiguration": accessControl},
		"InstanceAccessControlAttributeConfiguration",
	),
	"DeleteInstanceAccessControlAttributeConfiguration": forInstance(awsapi.Members{}),
	"TagResource": awsapi.StructureOf(
		awsapi.Members{"InstanceArn": instanceArn, "ResourceArn": taggableArn, "Tags": tags}, "ResourceArn", "Tags",
	),
	"UntagResource": awsapi.StructureOf(
		awsapi.Members{"InstanceArn": instanceArn, "ResourceArn": taggableArn, "TagKeys": awsapi.ListOf(1, 75, tagKey)},
		"ResourceArn", "TagKeys",
	),
	"ListTagsForResource": awsapi.StructureOf(
		awsapi.Members{"InstanceArn": instanceArn, "ResourceArn": taggableArn, "NextToken": nextToken}, "ResourceArn",
	),

	"CreatePermissionSet": forInstance(
		awsapi.Members{
			"Name":            setName,
			"Description":     setDescription,
			"SessionDuration": duration,
			"RelayState":      relayState,
			"Tags":            tags,
		},
		"Name",
	),
	"DescribePermissionSet": forSet(awsapi.Members{}),
	"UpdatePermissionSet": forSet(awsapi.Members{
		"Description":     setDescription,
		"SessionDuration": duration,
		"RelayState":      relayState,
	}),
	"DeletePermissionSet":                 forSet(awsapi.Members{}),
	"ListPermissionSets":                  forInstance(paged(awsapi.Members{})),
	"PutInlinePolicyToPermissionSet":      forSet(awsapi.Members{"InlinePolicy": inlinePolicy}, "InlinePolicy"),
	"GetInlinePolicyForPermissionSet":     forSet(awsapi.Members{}),
	"DeleteInlinePolicyFromPermissionSet": forSet(awsapi.Members{}),
	"AttachManagedPolicyToPermissionSet": forSet(
		awsapi.Members{"ManagedPolicyArn": managedPolicyArn}, "ManagedPolicyArn",
	),
	"DetachManagedPolicyFromPermissionSet": forSet(
		awsapi.Members{"ManagedPolicyArn": managedPolicyArn}, "ManagedPolicyArn",
	),
	"ListManagedPoliciesInPermissionSet": forSet(paged(awsapi.Members{})),
	"AttachCustomerManagedPolicyReferenceToPermissionSet": forSet(
		awsapi.Members{"CustomerManagedPolicyReference": customerPolicy}, "CustomerManagedPolicyReference",
	),
	"DetachCustomerManagedPolicyReferenceFromPermissionSet": forSet(
		awsapi.Members{"CustomerManagedPolicyReference": customerPolicy}, "CustomerManagedPolicyReference",
	),
	"ListCustomerManagedPolicyReferencesInPermissionSet": forSet(paged(awsapi.Members{})),
	"PutPermissionsBoundaryToPermissionSet": forSet(
		awsapi.Members{"PermissionsBoundary": boundary}, "PermissionsBoundary",
	),
	"GetPermissionsBoundaryForPermissionSet":     forSet(awsapi.Members{}),
	"DeletePermissionsBoundaryFromPermissionSet": forSet(awsapi.Members{}),

	"CreateAccountAssignment": assignmentShape(),
	"DeleteAccountAssignment": assignmentShape(),
	"DescribeAccountAssignmentCreationStatus": forInstance(
		awsapi.Members{"AccountAssignmentCreationRequestId": requestID}, "AccountAssignmentCreationRequestId",
	),
	"DescribeAccountAssignmentDeletionStatus": forInstance(
		awsapi.Members{"AccountAssignmentDeletionRequestId": requestID}, "AccountAssignmentDeletionRequestId",
	),
	"ListAccountAssignmentCreationStatus": forInstance(paged(awsapi.Members{"Filter": statusFilter})),
	"ListAccountAssignmentDeletionStatus": forInstance(paged(awsapi.Members{"Filter": statusFilter})),
	"ListAccountAssignments":              forSet(paged(awsapi.Members{"AccountId": account}), "AccountId"),
	"ListAccountAssignmentsForPrincipal": forInstance(
		paged(awsapi.Members{
			"PrincipalId":   principalID,
			"PrincipalType": principalType,
			"Filter":        awsapi.StructureOf(awsapi.Members{"AccountId": account}),
		}),
		"PrincipalId",
		"PrincipalType",
	),
	"ListAccountsForProvisionedPermissionSet": forSet(paged(awsapi.Members{"ProvisioningStatus": provisioning})),
	"ListPermissionSetsProvisionedToAccount": forInstance(
		paged(awsapi.Members{"AccountId": account, "ProvisioningStatus": provisioning}), "AccountId",
	),
	"ProvisionPermissionSet": forSet(
		awsapi.Members{"TargetId": account, "TargetType": awsapi.EnumOf("AWS_ACCOUNT", "ALL_PROVISIONED_ACCOUNTS")},
		"TargetType",
	),
	"DescribePermissionSetProvisioningStatus": forInstance(
		awsapi.Members{"ProvisionPermissionSetRequestId": requestID}, "ProvisionPermissionSetRequestId",
	),
	"ListPermissionSetProvisioningStatus": forInstance(paged(awsapi.Members{"Filter": statusFilter})),

	"CreateApplication": forInstance(
		awsapi.Members{
			"ApplicationProviderArn": providerArn,
			"Name":                   applicationName,
			"Description":            description,
			"Tags":                   tags,
			"Status":                 enabled,
			"ClientToken":            clientToken,
			"PortalOptions": awsapi.StructureOf(awsapi.Members{
				"SignInOptions": signInOptions,
				"Visibility":    enabled,
			}),
		},
		"ApplicationProviderArn",
		"Name",
	),
	"DescribeApplication": forApplication(awsapi.Members{}),
	"UpdateApplication": forApplication(awsapi.Members{
		"Name":          applicationName,
		"Description":   description,
		"Status":        enabled,
		"PortalOptions": awsapi.StructureOf(awsapi.Members{"SignInOptions": signInOptions}),
	}),
	"DeleteApplication": forApplication(awsapi.Members{}),
	"ListApplications": forInstance(
		paged(awsapi.Members{
			"Filter": awsapi.StructureOf(awsapi.Members{
				"ApplicationAccount":  account,
				"ApplicationProvider": providerArn,
			}),
		}),
	),
	"ListApplicationProviders": awsapi.StructureOf(paged(awsapi.Members{})),
	"DescribeApplicationProvider": awsapi.StructureOf(
		awsapi.Members{"ApplicationProviderArn": providerArn}, "ApplicationProviderArn",
	),
	"CreateApplicationAssignment":   applicationPrincipal(),
	"DescribeApplicationAssignment": applicationPrincipal(),
	"DeleteApplicationAssignment":   applicationPrincipal(),
	"ListApplicationAssignments":    forApplication(paged(awsapi.Members{})),
	"ListApplicationAssignmentsForPrincipal": forInstance(
		paged(awsapi.Members{
			"PrincipalId":   principalID,
			"PrincipalType": principalType,
			"Filter":        awsapi.StructureOf(awsapi.Members{"ApplicationArn": applicationArn}),
		}),
		"PrincipalId",
		"PrincipalType",
	),
	"GetApplicationAssignmentConfiguration": forApplication(awsapi.Members{}),
	"PutApplicationAssignmentConfiguration": forApplication(
		awsapi.Members{"AssignmentRequired": flag}, "AssignmentRequired",
	),
	"GetApplicationSessionConfiguration": forApplication(awsapi.Members{}),
	"PutApplicationSessionConfiguration": forApplication(awsapi.Members{
		"UserBackgroundSessionApplicationStatus": enabled,
	}),
	"PutApplicationAccessScope": forApplication(
		awsapi.Members{"Scope": scope, "AuthorizedTargets": awsapi.ListOf(1, 10, targetArn)}, "Scope",
	),
	"GetApplicationAccessScope":    forApplication(awsapi.Members{"Scope": scope}, "Scope"),
	"DeleteApplicationAccessScope": forApplication(awsapi.Members{"Scope": scope}, "Scope"),
	"ListApplicationAccessScopes": forApplication(awsapi.Members{
		"MaxResults": {Kind: awsapi.Integer, Min: 1, Max: 10},
		"NextToken":  nextToken,
	}),
	"PutApplicationAuthenticationMethod": forApplication(awsapi.Members{"AuthenticationMethodType": method,
		"AuthenticationMethod": awsapi.UnionOf(awsapi.Members{
			"Iam": awsapi.StructureOf(awsapi.Members{"ActorPolicy": {}}, "ActorPolicy"),
		})}, "AuthenticationMethodType", "AuthenticationMethod"),
	"GetApplicationAuthenticationMethod": forApplication(
		awsapi.Members{"AuthenticationMethodType": method}, "AuthenticationMethodType",
	),
	"DeleteApplicationAuthenticationMethod": forApplication(
		awsapi.Members{"AuthenticationMethodType": method}, "AuthenticationMethodType",
	),
	"ListApplicationAuthenticationMethods": forApplication(awsapi.Members{"NextToken": nextToken}),
	"PutApplicationGrant": forApplication(
		awsapi.Members{"GrantType": grantType, "Grant": grantOf}, "GrantType", "Grant",
	),
	"GetApplicationGrant":    forApplication(awsapi.Members{"GrantType": grantType}, "GrantType"),
	"DeleteApplicationGrant": forApplication(awsapi.Members{"GrantType": grantType}, "GrantType"),
	"ListApplicationGrants":  forApplication(awsapi.Members{"NextToken": nextToken}),

	"CreateTrustedTokenIssuer": forInstance(
		awsapi.Members{
			"Name":                   issuerName,
			"TrustedTokenIssuerType": awsapi.EnumOf("OIDC_JWT"),
			"ClientToken":            clientToken,
			"Tags":                   tags,
			"TrustedTokenIssuerConfiguration": awsapi.UnionOf(
				awsapi.Members{"OidcJwtConfiguration": awsapi.StructureOf(awsapi.Members{
					"IssuerUrl": awsapi.TextOf(
						1, 512, `https?:\/\/[-a-zA-Z0-9+&@\/%=~_|!:,.;]*[-a-zA-Z0-9+&@\/%=~_|]`,
					),
					"ClaimAttributePath":         claimPath,
					"IdentityStoreAttributePath": attributePath,
					"JwksRetrievalOption":        keys,
				}, "IssuerUrl", "ClaimAttributePath", "IdentityStoreAttributePath",
					"JwksRetrievalOption")}),
		},
		"Name",
		"TrustedTokenIssuerType",
		"TrustedTokenIssuerConfiguration",
	),
	"DescribeTrustedTokenIssuer": awsapi.StructureOf(
		awsapi.Members{"TrustedTokenIssuerArn": issuerArn}, "TrustedTokenIssuerArn",
	),
	"UpdateTrustedTokenIssuer": awsapi.StructureOf(
		awsapi.Members{
			"TrustedTokenIssuerArn": issuerArn,
			"Name":                  issuerName,
			"TrustedTokenIssuerConfiguration": awsapi.UnionOf(
				awsapi.Members{"OidcJwtConfiguration": awsapi.StructureOf(awsapi.Members{
					"ClaimAttributePath":         claimPath,
					"IdentityStoreAttributePath": attributePath,
					"JwksRetrievalOption":        keys,
				})}),
		},
		"TrustedTokenIssuerArn",
	),
	"DeleteTrustedTokenIssuer": awsapi.StructureOf(
		awsapi.Members{"TrustedTokenIssuerArn": issuerArn}, "TrustedTokenIssuerArn",
	),
	"ListTrustedTokenIssuers": forInstance(paged(awsapi.Members{})),
}
