package graphserver

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// The query options of routes. What a route does not know is refused: a $filter that is passed over
// gives everybody.
var (
	noOptions         []string
	ofOne             = []string{"$select", "$expand"}
	ofList            = append([]string{"$filter", "$search", "$orderby", "$top", "$skiptoken", "$count"}, ofOne...)
	ofCount           = []string{"$filter", "$search", "$count"}
	ofDelta           = []string{"$select", "$filter", "$skiptoken", "$deltatoken"}
	ofLog             = []string{"$filter", "$top", "$skiptoken", "$select"}
	ofProvisioningLog = []string{"$filter", "$top"}
)

// withOptions refuses query options that a route does not know, or that are duplicated.
func withOptions(known []string, fn call) call {
	return func(ctx context.Context, r request) (int, any, error) {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return 0, nil, badRequest("The query cannot be read.")
		}
		for _, name := range slices.Sorted(maps.Keys(query)) {
			if !slices.Contains(known, name) {
				return 0, nil, unsupported("The query option '" + quotable(name) +
					"' is not supported here: Gatehouse refuses what it would otherwise ignore.")
			}
			if len(query[name]) > 1 {
				return 0, nil, badRequest("The query option '" + name + "' is duplicated.")
			}
		}
		return fn(ctx, r)
	}
}

// resource is a type of resource as queries see it.
type resource struct {
	name     string
	sample   object // with all properties that there can be
	relation string // that can be expanded; may be empty
}

var (
	userType   = resource{"user", userObject(tenant.User{}), "manager"}
	groupType  = resource{"group", groupObject(tenant.Group{}), "members"}
	objectType = resource{"directoryObject", merge(userType.sample, groupType.sample), ""}

	templateType     = resource{"applicationTemplate", sampleOf(reflect.TypeFor[graph.ApplicationTemplate]()), ""}
	applicationType  = resource{"application", sampleOf(reflect.TypeFor[graph.Application]()), ""}
	principalType    = resource{"servicePrincipal", sampleOf(reflect.TypeFor[graph.ServicePrincipal]()), ""}
	assignmentType   = resource{"appRoleAssignment", sampleOf(reflect.TypeFor[graph.AppRoleAssignment]()), ""}
	jobType          = resource{"synchronizationJob", sampleOf(reflect.TypeFor[graph.SynchronizationJob]()), ""}
	policyType       = resource{"stsPolicy", policyObject(tenant.Policy{}), ""}
	organizationType = resource{"organization", organizationObject(tenant.Organization{}), ""}
	syncTemplateType = resource{"synchronizationTemplate", syncTemplateObject(tenant.Template{}), ""}
	signInType       = resource{"signIn", signInObject(tenant.SignIn{}), ""}
	auditType        = resource{"directoryAudit", auditSample(), ""}
)

func merge(a, b object) object {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// sampleOf is an object with the properties of a type of the wire.
func sampleOf(t reflect.Type) object {
	out := object{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		field := f.Type
		if field.Kind() == reflect.Pointer {
			field = field.Elem()
		}
		out[name] = nil
		if field.Kind() == reflect.Struct {
			out[name] = sampleOf(field)
		}
	}
	return out
}

// has says whether there is a property of a path such as status/errorCode.
func (t resource) has(path string) bool {
	x := t.sample
	for {
		name, rest, deeper := strings.Cut(path, "/")
		value, ok := x[name]
		if !ok || !deeper {
			return ok
		}
		if x, ok = value.(object); !ok {
			return false
		}
		path = rest
	}
}

// check refuses a query about properties that the type has not: every object, or none, would meet
// it. Properties that are only selected are none of them here: clients ask for all that Graph has.
func (t resource) check(o query) error {
	var names []string
	if o.condition != nil {
		names = o.condition.Properties()
	}
	for _, s := range o.search {
		names = append(names, s[0])
	}
	if o.orderBy != "" {
		names = append(names, o.orderBy)
	}
	for _, name := range names {
		if !t.has(name) {
			return badRequest(
				"Could not find a property named '" + quotable(name) + "' on type 'microsoft.graph." + t.name +
					"', or Gatehouse does not keep it.",
			)
		}
	}
	for name := range o.expand {
		if t.relation == "" || name != t.relation {
			return unsupported("Could not expand '" + quotable(name) + "' of type 'microsoft.graph." + t.name + "'.")
		}
	}
	return nil
}

// one answers with what is selected of one resource.
func one[T any](r request, t resource, v T) (int, any, error) {
	o, err := options(r, t)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, o.shape(objects([]T{v})[0], nil), nil
}
