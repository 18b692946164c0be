package accountaccess

import "github.com/gatehouse-id/gatehouse/awsapi"

// The texts of the model.
var (
	applicationARN = awsapi.TextOf(
		49, 2048, `arn:[a-z0-9-]+:account-access:[a-z0-9-]+:[0-9]{12}:application/[a-zA-Z0-9-]+`,
	)
	instanceARN = awsapi.TextOf(10, 1224, `arn:[a-z0-9-]+:sso:::instance/(sso)?ins-[a-zA-Z0-9-.]{16}`)
	principalID = awsapi.TextOf(
		1, 47, `([0-9a-f]{10}-)?[A-Fa-f0-9]{8}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{12}`,
	)
	roleARN = awsapi.TextOf(
		1, 0, `arn:[a-z0-9-]+:iam::[0-9]{12}:role/([a-zA-Z0-9+=,.@_-]+/)*[a-zA-Z0-9+=,.@_-]+`,
	)
	account    = awsapi.TextOf(12, 12, `[0-9]{12}`)
	anyText    = awsapi.TextOf(0, 0, "")
	maxResults = &awsapi.Shape{Kind: awsapi.Integer, Min: 1, Max: 100}
	tags       = &awsapi.Shape{Kind: awsapi.Map, Key: anyText, Of: anyText}
	principal  = awsapi.UnionOf(awsapi.Members{
		"identityCenter": awsapi.UnionOf(awsapi.Members{"userId": principalID, "groupId": principalID}),
	})
)

// Shapes are the inputs of the operations. Source: the service model of account-access, 2018-05-10.
var Shapes = awsapi.Members{
	"CreateApplication": awsapi.StructureOf(awsapi.Members{
		"identitySource": awsapi.UnionOf(awsapi.Members{
			"identityCenter": awsapi.StructureOf(awsapi.Members{"instanceArn": instanceARN}, "instanceArn"),
		}),
		"tags": tags,
	}, "identitySource"),
	"GetApplication":    awsapi.StructureOf(awsapi.Members{"applicationArn": applicationARN}, "applicationArn"),
	"DeleteApplication": awsapi.StructureOf(awsapi.Members{"applicationArn": applicationARN}, "applicationArn"),
	"ListApplications":  awsapi.StructureOf(awsapi.Members{"maxResults": maxResults, "nextToken": anyText}),
	"CreateEntitlement": awsapi.StructureOf(awsapi.Members{
		"applicationArn": applicationARN,
		"entitlement": awsapi.UnionOf(awsapi.Members{
			"principalRole": awsapi.StructureOf(
				awsapi.Members{"principal": principal, "roleArn": roleARN}, "principal", "roleArn",
			),
		}),
	}, "applicationArn", "entitlement"),
	"GetEntitlement":    entitlementShape,
	"DeleteEntitlement": entitlementShape,
	"ListEntitlements": awsapi.StructureOf(awsapi.Members{
		"applicationArn": applicationARN,
		"filter": awsapi.StructureOf(awsapi.Members{
			"principalRole": awsapi.StructureOf(
				awsapi.Members{"principal": principal, "roleArn": roleARN, "account": account},
			),
		}),
		"maxResults": maxResults,
		"nextToken":  anyText,
	}, "applicationArn", "filter"),
	"ListTagsForResource": awsapi.StructureOf(awsapi.Members{"resourceArn": applicationARN}, "resourceArn"),
	"TagResource": awsapi.StructureOf(
		awsapi.Members{"resourceArn": applicationARN, "tags": tags}, "resourceArn", "tags",
	),
	"UntagResource": awsapi.StructureOf(
		awsapi.Members{"resourceArn": applicationARN, "tagKeys": awsapi.ListOf(0, 0, anyText)},
		"resourceArn", "tagKeys",
	),
}

var entitlementShape = awsapi.StructureOf(
	awsapi.Members{"applicationArn": applicationARN, "entitlementId": anyText}, "applicationArn", "entitlementId",
)

// Routes are where the operations are. Source: the same, HTTP bindings.
var Routes = map[string]awsapi.Route{
	"CreateApplication":   {Pattern: "POST /applications"},
	"GetApplication":      {Pattern: "GET /applications/{applicationArn}"},
	"ListApplications":    {Pattern: "POST /applications-list"},
	"DeleteApplication":   {Pattern: "DELETE /applications/{applicationArn}", Status: 204},
	"CreateEntitlement":   {Pattern: "POST /entitlements"},
	"GetEntitlement":      {Pattern: "GET /entitlements/{entitlementId}", Query: []string{"applicationArn"}},
	"ListEntitlements":    {Pattern: "POST /entitlements-list"},
	"ListTagsForResource": {Pattern: "GET /tags/{resourceArn}"},
	"TagResource":         {Pattern: "POST /tags/{resourceArn}"},
	"UntagResource":       {Pattern: "DELETE /tags/{resourceArn}", Lists: []string{"tagKeys"}},
	"DeleteEntitlement": {
		Pattern: "DELETE /entitlements/{entitlementId}", Query: []string{"applicationArn"}, Status: 204,
	},
}
