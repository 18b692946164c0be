package identitystore

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
)

// The input shapes of the service model, with its names, bounds and patterns. Source: the published
// model, API version 2020-06-15.

// chars is a pattern of one or more characters that are a letter, mark, symbol, number or
// punctuation, or one of some others.
func chars(text string, others ...rune) *awsapi.Pattern {
	return &awsapi.Pattern{
		Text: text,
		Match: func(s string) bool {
			for _, r := range s {
				if r > ' ' && r < 0x7f || unicode.In(r, unicode.L, unicode.M, unicode.S, unicode.N, unicode.P) {
					continue
				}
				if !slices.Contains(others, r) {
					return false
				}
			}
			return s != ""
		},
	}
}

// cidr is an address or a network, as the model has it.
const cidr = `((([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])\.){3}([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|` +
	`25[0-5])(\/(3[0-2]|[1-2][0-9]|[0-9]))?|(([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,7}:|` +
	`([0-9a-fA-F]{1,4}:){1,6}:[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,5}(:[0-9a-fA-F]{1,4}){1,2}|` +
	`([0-9a-fA-F]{1,4}:){1,4}(:[0-9a-fA-F]{1,4}){1,3}|([0-9a-fA-F]{1,4}:){1,3}(:[0-9a-fA-F]{1,4}){1,4}|` +
	`([0-9a-fA-F]{1,4}:){1,2}(:[0-9a-fA-F]{1,4}){1,5}|[0-9a-fA-F]{1,4}:(:[0-9a-fA-F]{1,4}){1,6}|` +
	`:((:[0-9a-fA-F]{1,4}){1,7}|:))(\/(12[0-8]|1[0-1][0-9]|[1-9][0-9]|[0-9]))?)`

var (
	plainChars = chars(`[\p{L}\p{M}\p{S}\p{N}\p{P}]+`)
	textChars  = chars(`[\p{L}\p{M}\p{S}\p{N}\p{P}\t\n\r  　]+`, '\t', '\n', '\r', ' ', 0xa0, 0x3000)

	storeID = &awsapi.Shape{
		Kind: awsapi.String,
		Min:  1,
		Max:  93,
		Pattern: awsapi.NewPattern(`(arn:aws[a-z-]*:identitystore::\d{12}:identitystore/)?(d-[0-9a-f]{10}|` +
			`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})`),
	}
	objectID = &awsapi.Shape{
		Kind: awsapi.String,
		Min:  1,
		Max:  100,
		Pattern: &awsapi.Pattern{
			Text: `(arn:aws[a-z-]*:identitystore:::(user|group|membership)/)?([0-9a-f]{10}-|)[A-Fa-f0-9]{8}-` +
				`[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{12}`,
			Match: isObjectID,
		},
	}
	sourceIP = awsapi.TextOf(2, 43, cidr)
	network  = awsapi.StructureOf(awsapi.Members{
		"VpceAccessRequired":    flag,
		"ApiRestrictSourceVpcs": awsapi.ListOf(1, 50, awsapi.TextOf(12, 0, "")),
		"ApiAllowSourceIps":     awsapi.ListOf(1, 50, sourceIP),
		"ScimAllowSourceIps":    awsapi.ListOf(1, 50, sourceIP),
	}, "VpceAccessRequired")
	revision  = &awsapi.Shape{Kind: awsapi.String, Min: 1, Max: 64}
	userName  = &awsapi.Shape{Kind: awsapi.String, Min: 1, Max: 128, Sensitive: true, Pattern: plainChars}
	groupName = &awsapi.Shape{
		Kind:      awsapi.String,
		Min:       1,
		Max:       1024,
		Sensitive: true,
		Pattern:   chars(`[\p{L}\p{M}\p{S}\p{N}\p{P}\t\n\r  ]+`, '\t', '\n', '\r', ' ', 0xa0),
	}
	text     = &awsapi.Shape{Kind: awsapi.String, Min: 1, Max: 1024, Sensitive: true, Pattern: textChars}
	flag     = &awsapi.Shape{Kind: awsapi.Boolean}
	issuerID = &awsapi.Shape{Kind: awsapi.String, Min: 1, Max: 256, Sensitive: true, Pattern: plainChars}
	path     = &awsapi.Shape{
		Kind:    awsapi.String,
		Min:     1,
		Max:     255,
		Pattern: awsapi.NewPattern(`\p{L}+:\p{L}+:\p{L}+(?:\.\p{L}+){0,3}|\p{L}+(?:\.\p{L}+){0,2}`),
	}
	document = &awsapi.Shape{}

	extensionName = &awsapi.Shape{
		Kind:    awsapi.String,
		Min:     1,
		Max:     50,
		Pattern: awsapi.NewPattern(`aws:identitystore:[a-z]{1,20}`),
	}
	typed      = awsapi.StructureOf(awsapi.Members{"Value": text, "Type": text, "Primary": flag})
	maxResults = &awsapi.Shape{Kind: awsapi.Integer, Min: 1, Max: 100}
	nextToken  = &awsapi.Shape{
		Kind:    awsapi.String,
		Min:     1,
		Max:     65535,
		Pattern: awsapi.NewPattern(`[-a-zA-Z0-9+=/:_]*`),
	}
	filters = awsapi.ListOf(
		0,
		1,
		awsapi.StructureOf(
			awsapi.Members{"AttributePath": path, "AttributeValue": text}, "AttributePath", "AttributeValue",
		),
	)
	extensions = awsapi.ListOf(1, 10, extensionName)
	alternate  = awsapi.UnionOf(awsapi.Members{
		"ExternalId": awsapi.StructureOf(awsapi.Members{"Issuer": issuerID, "Id": issuerID}, "Issuer", "Id"),
		"UniqueAttribute": awsapi.StructureOf(
			awsapi.Members{"AttributePath": path, "AttributeValue": document}, "AttributePath", "AttributeValue",
		)})
	member     = awsapi.UnionOf(awsapi.Members{"UserId": objectID})
	operations = awsapi.ListOf(
		1, 100,
		awsapi.StructureOf(awsapi.Members{"AttributePath": path, "AttributeValue": document}, "AttributePath"),
	)
)

// objectARN is what stands before the id where an object is named by its ARN.
var objectARN = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^arn:aws[a-z-]*:identitystore:::(user|group|membership)/`)
})

// isObjectID is objectID's pattern without a regular expression: every request has such an id.
func isObjectID(s string) bool {
	if strings.HasPrefix(s, "arn:") {
		place := objectARN().FindStringIndex(s)
		if place == nil {
			return false
		}
		s = s[place[1]:]
	}
	if len(s) == 47 {
		if s[10] != '-' || strings.Trim(s[:10], "0123456789abcdef") != "" {
			return false
		}
		s = s[11:]
	}
	if len(s) != 36 {
		return false
	}
	for i, r := range s {
		isDash := i == 8 || i == 13 || i == 18 || i == 23
		isHex := r >= '0' && r <= '9' || r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F'
		if isDash && r != '-' || !isDash && !isHex {
			return false
		}
	}
	return true
}

// input is the shape of an operation's input. Every operation has the identity store's id.
func input(m awsapi.Members, required ...string) *awsapi.Shape {
	m["IdentityStoreId"] = storeID
	return awsapi.StructureOf(m, append([]string{"IdentityStoreId"}, required...)...)
}

// lists is the input of an operation that answers in pages.
func lists(m awsapi.Members, required ...string) *awsapi.Shape {
	return input(paged(m), required...)
}

// paged adds the members of inputs whose answers come in pages.
func paged(m awsapi.Members) awsapi.Members {
	m["MaxResults"], m["NextToken"] = maxResults, nextToken
	return m
}

var createUserShape = input(withTexts(awsapi.Members{
	"Emails":       awsapi.ListOf(1, 1, typed),
	"PhoneNumbers": awsapi.ListOf(1, 1, typed),
	"Roles":        awsapi.ListOf(1, 1, typed),
	"Addresses": awsapi.ListOf(
		1,
		1,
		awsapi.StructureOf(awsapi.Members{
			"StreetAddress": text,
			"Locality":      text,
			"Region":        text,
			"PostalCode":    text,
			"Country":       text,
			"Formatted":     text,
			"Type":          text,
			"Primary":       flag,
		}),
	),
	"Photos": awsapi.ListOf(
		1, 3,
		awsapi.StructureOf(awsapi.Members{"Value": text, "Type": text, "Display": text, "Primary": flag}, "Value"),
	),
	"Extensions": {Kind: awsapi.Map, Min: 1, Max: 10, Key: extensionName, Of: document},
}))

// withTexts adds the attributes of a user that are one text, and those of the name.
func withTexts(m awsapi.Members) awsapi.Members {
	name := awsapi.Members{}
	for _, t := range new(center.User).TextAttributes() {
		part, ofName := strings.CutPrefix(t.Path, center.NamePrefix)
		switch {
		case ofName:
			name[upperCamel(part)] = text
		case isAttribute(t.Path) && !strings.HasPrefix(t.Path, center.EnterprisePrefix):
			m[upperCamel(t.Path)] = text
		}
	}
	m["UserName"], m["Name"] = userName, awsapi.StructureOf(name)
	return m
}
