package graphserver

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// addressed is the routes of Graph, behind the forms of addresses that they do not know.
type addressed struct {
	*http.ServeMux
	plainPath func(escaped string) string
}

// ServeHTTP hands a request on by its address in the plain form that the routes have.
func (a addressed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if path := a.plainPath(r.URL.EscapedPath()); path != r.URL.EscapedPath() {
		address := *r.URL
		if plain, err := url.PathUnescape(path); err == nil {
			address.Path, address.RawPath = plain, path
			inner := *r
			inner.URL = &address
			r = &inner
		}
	}
	a.ServeMux.ServeHTTP(w, r)
}

// segment is a name with something in brackets: users('x'), servicePrincipals(appId='x'), delta().
var segment = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([A-Za-z.$]+)\((?:([A-Za-z]+)=)?(.*)\)$`)
})

// plainPath rewrites an escaped path: keys in brackets become segments, appId='x' becomes the
// segment appId=x, and functions lose their brackets and their namespace. Names are written as the
// routes write them. Source: OData 4.01 URL conventions, 4.3 and 4.4; "Use alternate keys".
func (h *Handler) plainPath(escaped string) string {
	rest, ok := strings.CutPrefix(escaped, root+"/")
	if !ok {
		return escaped
	}
	var out []string
	for _, part := range strings.Split(strings.TrimSuffix(rest, "/"), "/") {
		text, err := url.PathUnescape(part)
		if err != nil {
			return escaped
		}
		m := segment().FindStringSubmatch(text)
		if m == nil {
			out = append(out, url.PathEscape(h.plainName(text)))
			continue
		}
		out = append(out, url.PathEscape(h.plainName(m[1])))
		key, value := m[2], m[3]
		if len(value) > 1 && value[0] == '\'' && value[len(value)-1] == '\'' {
			value = strings.ReplaceAll(value[1:len(value)-1], "''", "'")
		}
		if strings.EqualFold(key, "appId") {
			key = "appId"
		}
		if key != "" {
			value = key + "=" + value
		}
		if m[3] != "" { // a key, though perhaps an empty one
			out = append(out, url.PathEscape(cmp.Or(value, m[3])))
		}
	}
	return root + "/" + strings.Join(out, "/")
}

// plainName is the name of a segment as the routes write it, or the segment itself.
func (h *Handler) plainName(name string) string {
	lower := strings.ToLower(name)
	for _, namespace := range []string{"", "microsoft.graph.", "graph."} {
		if rest, ok := strings.CutPrefix(lower, namespace); ok {
			if plain, known := h.names[rest]; known {
				return plain
			}
		}
	}
	return name
}

// segmentNames are the names that stand in routes, by their small letters.
func segmentNames(routes []route) map[string]string {
	names := map[string]string{}
	for _, route := range routes {
		_, path, _ := strings.Cut(route.pattern, " ")
		for _, name := range strings.Split(path, "/") {
			if name != "" && name[0] != '{' {
				names[strings.ToLower(name)] = name
			}
		}
	}
	return names
}
