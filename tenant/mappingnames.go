package tenant

import (
	"slices"

	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
)

// MappingProblems says what of attribute mappings names attributes that the directory or the target
// does not have, in a line for each. Such mappings are not saved, since an attribute that does not
// exist is empty for everybody: a mapping would clear the target's attribute, and a scoping filter
// would put everybody out of scope. What earlier releases saved may have some.
func MappingProblems(s mapping.Schema) (problems []string) {
	for _, o := range s.Objects {
		problems = append(problems, problemsOf(o)...)
	}
	return problems
}

func problemsOf(o mapping.Object) []string {
	kind := ObjectKind(o.Source)
	return o.Problems(func(name string) bool { return KnownSource(kind, name) }, SourceAttributes(kind))
}

// KnownSource says whether users or groups have an attribute by the name that expressions of
// attribute mappings use. Letter case counts, as it does for Entra ID.
func KnownSource(kind ObjectKind, name string) bool {
	if _, ok := textPlaces[name]; ok && kind == KindUser { // some have a second name
		return true
	}
	return slices.Contains(SourceAttributes(kind), name)
}

// SourceProblem says that neither users nor groups have an attribute, or "".
func SourceProblem(name string) string {
	if KnownSource(KindUser, name) || KnownSource(KindGroup, name) {
		return ""
	}
	return mapping.UnknownSource(name, string(KindUser), SourceAttributes(KindUser))
}
