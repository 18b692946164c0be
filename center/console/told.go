package console

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
)

// told is an attribute of a user: as it is here, by SCIM or by hand, and as the identity provider
// said at the newest sign-in that has not ended.
type told struct {
	Name        string
	Here, Said  string
	Contradicts bool // both are known, and differ
}

// toldOf puts beside each other what is kept of a user and what the identity provider said.
func toldOf(u center.User, sessions []center.Session) (list []told, at time.Time) {
	said := map[string]string{}
	for _, s := range sessions {
		if s.CreatedAt.After(at) && len(s.Attributes) > 0 {
			at, said = s.CreatedAt, s.Attributes
		}
	}
	seen := map[string]bool{}
	add := func(path, here string) {
		x := told{Name: strings.TrimSuffix(path, ".value"), Here: here}
		last := x.Name[strings.LastIndexByte(x.Name, '.')+1:]
		for key, value := range said {
			if strings.EqualFold(key, last) {
				x.Said, seen[key] = value, true
			}
		}
		x.Contradicts = x.Here != "" && x.Said != "" && x.Here != x.Said
		if x.Here != "" || x.Said != "" {
			list = append(list, x)
		}
	}
	for _, a := range u.TextAttributes() {
		add(a.Path, *a.Value)
	}
	for _, a := range u.ListAttributes() {
		var values []string
		for _, v := range *a.Values {
			values = append(values, v.Value)
		}
		add(a.Path, strings.Join(values, ", "))
	}
	for _, key := range slices.Sorted(maps.Keys(said)) {
		if !seen[key] {
			list = append(list, told{Name: key, Said: said[key]})
		}
	}
	return list, at
}
