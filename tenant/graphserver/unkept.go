package graphserver

import (
	"maps"
	"strings"
	"sync"

	"github.com/gatehouse-id/gatehouse/graph"
)

// unkeptElsewhere are properties of applications, service principals and the organization that
// Graph has and this tenant has not. An asterisk marks a collection, and a colon what is complex.
// Source: application, servicePrincipal and organization resource types.
var unkeptElsewhere = map[string]map[graph.Kind]string{
	"application": {
		graph.Text: `certification: defaultRedirectUri description disabledByMicrosoftStatus groupMembershipClaims
			nativeAuthenticationApisEnabled notes publisherDomain samlMetadataUrl tags*
			tokenEncryptionKeyId uniqueName addIns:* api: info: optionalClaims: parentalControlSettings:
			publicClient: requestSignatureVerification: requiredResourceAccess:*
			servicePrincipalLockConfiguration:
			spa: verifiedPublisher:`,
		graph.Truth:  `isDeviceOnlyAuthSupported isFallbackPublicClient`,
		graph.Moment: `deletedDateTime`,
	},
	"servicePrincipal": {
		graph.Text: `addIns:* alternativeNames* appDescription appOwnerOrganizationId customSecurityAttributes:
			description disabledByMicrosoftStatus homepage info: notes oauth2PermissionScopes:*
			resourceSpecificApplicationPermissions:* samlSingleSignOnSettings: tokenEncryptionKeyId
			verifiedPublisher:`,
		graph.Moment: `deletedDateTime preferredTokenSigningKeyEndDateTime`,
	},
	"organization": {
		graph.Text: `assignedPlans:* businessPhones* city country countryLetterCode defaultUsageLocation
			marketingNotificationEmails* mobileDeviceManagementAuthority partnerTenantType postalCode
			preferredLanguage privacyProfile: provisionedPlans:* securityComplianceNotificationMails*
			securityComplianceNotificationPhones* state street technicalNotificationMails* tenantType`,
		graph.Truth:  `onPremisesSyncEnabled`,
		graph.Moment: `deletedDateTime onPremisesLastSyncDateTime`,
	},
}

// unkeptOf are those of one type.
func unkeptOf(kind string) graph.Properties {
	out := graph.Properties{}
	for of, list := range unkeptElsewhere[kind] {
		for _, name := range strings.Fields(list) {
			name, many := strings.CutSuffix(name, "*")
			p := graph.Property{Kind: of, Many: many}
			if plain, parts := strings.CutSuffix(name, ":"); parts {
				name, p.Kind = plain, graph.Complex
				p.Of = graph.Properties{}
			}
			out[name] = p
		}
	}
	return out
}

// unkeptTypes are those of applications and service principals.
var unkeptTypes = map[string]graph.Properties{
	"application": unkeptOf("application"), "servicePrincipal": unkeptOf("servicePrincipal"),
}

// complete adds what an object of a type has not: Graph gives all properties of an application
// where none are selected, and programs look for them.
func complete(x object, kind string) {
	for name, p := range unkeptTypes[kind] {
		if _, has := x[name]; has {
			continue
		}
		x[name] = nil
		if p.Many {
			x[name] = []any{}
		}
	}
}

// withUnkept adds to a type what of it this tenant has not.
func (t *resource) withUnkept() *resource {
	for name, p := range unkeptOf(t.Type) {
		if _, kept := t.Properties[name]; !kept {
			t.Properties[name] = p
		}
	}
	return t
}

// anyUnkept are the properties that no object here has, of whichever type.
var anyUnkept = sync.OnceValue(func() graph.Properties {
	out := maps.Clone(unkept())
	for kind := range unkeptElsewhere {
		maps.Copy(out, unkeptOf(kind))
	}
	return out
})
