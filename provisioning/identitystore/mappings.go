package identitystore

import (
	"slices"

	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
)

// Mappings are those of a SCIM application without what an identity store cannot be given: external
// ids, by which SCIM recognizes what it has made.
func Mappings(s mapping.Schema) mapping.Schema {
	s.Objects = slices.Clone(s.Objects)
	for i := range s.Objects {
		s.Objects[i].Attributes = slices.DeleteFunc(
			slices.Clone(s.Objects[i].Attributes),
			func(a mapping.Attribute) bool { return a.Target == "externalId" && a.Matching == 0 },
		)
	}
	return s
}
