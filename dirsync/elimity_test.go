package dirsync

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	elimityscim "github.com/elimity-com/scim"
	"github.com/elimity-com/scim/errors"
	"github.com/elimity-com/scim/filter"
	"github.com/elimity-com/scim/optional"
	"github.com/elimity-com/scim/schema"

	"github.com/gatehouse-id/gatehouse/scim"
)

// elimity starts a service by elimity-com/scim, which parses, checks against its schemas, filters
// and answers; what it stores is in a map.
func elimity(t *testing.T) foreign {
	t.Helper()
	user, group := schema.CoreUserSchema(), schema.CoreGroupSchema()
	enterprise := schema.ExtensionEnterpriseUser()
	server, err := elimityscim.NewServer(&elimityscim.ServerArgs{
		ServiceProviderConfig: &elimityscim.ServiceProviderConfig{SupportPatch: true, SupportFiltering: true},
		ResourceTypes: []elimityscim.ResourceType{
			{
				Name: "User", Endpoint: "/Users", Schema: user,
				SchemaExtensions: []elimityscim.SchemaExtension{{Schema: enterprise}},
				Handler:          &shelf{unique: "userName", schema: user, extension: &enterprise},
			},
			{
				Name: "Group", Endpoint: "/Groups", Schema: group,
				Handler: &shelf{unique: "displayName", schema: group},
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(http.StripPrefix("/v2", server))
	t.Cleanup(listener.Close)
	return foreign{&scim.Client{BaseURL: listener.URL + "/v2", Token: "a-token"}, t, false}
}

// shelf keeps the resources of one type.
type shelf struct {
	unique    string
	schema    schema.Schema
	extension *schema.Schema

	mu   sync.Mutex
	next int
	all  map[string]elimityscim.ResourceAttributes
}

func (s *shelf) resource(id string) elimityscim.Resource {
	attributes := elimityscim.ResourceAttributes{}
	copyOf(s.all[id], &attributes)
	r := elimityscim.Resource{ID: id, Attributes: attributes}
	if external, ok := attributes["externalId"].(string); ok {
		r.ExternalID = optional.NewString(external)
	}
	return r
}

func copyOf(from, to any) {
	data, _ := json.Marshal(from)
	_ = json.Unmarshal(data, to)
}

func (s *shelf) put(id string, attributes elimityscim.ResourceAttributes) (elimityscim.Resource, error) {
	for other, r := range s.all {
		if other != id && strings.EqualFold(fmt.Sprint(r[s.unique]), fmt.Sprint(attributes[s.unique])) {
			return elimityscim.Resource{}, errors.ScimErrorUniqueness
		}
	}
	if s.all == nil {
		s.all = map[string]elimityscim.ResourceAttributes{}
	}
	s.all[id] = attributes
	return s.resource(id), nil
}

func (s *shelf) Create(
	_ *http.Request, attributes elimityscim.ResourceAttributes,
) (elimityscim.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	return s.put(fmt.Sprint(s.next), attributes)
}

func (s *shelf) Get(_ *http.Request, id string) (elimityscim.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[id] == nil {
		return elimityscim.Resource{}, errors.ScimErrorResourceNotFound(id)
	}
	return s.resource(id), nil
}

func (s *shelf) GetAll(_ *http.Request, p elimityscim.ListRequestParams) (page elimityscim.Page, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	page.Resources = []elimityscim.Resource{}
	for i := 1; i <= s.next; i++ {
		id := fmt.Sprint(i)
		if s.all[id] == nil || (p.FilterValidator != nil && p.FilterValidator.PassesFilter(s.all[id]) != nil) {
			continue
		}
		page.Resources = append(page.Resources, s.resource(id))
	}
	page.TotalResults = len(page.Resources)
	start := min(p.StartIndex-1, page.TotalResults)
	page.Resources = page.Resources[start:min(start+p.Count, page.TotalResults)]
	return page, nil
}

func (s *shelf) Replace(
	_ *http.Request, id string, attributes elimityscim.ResourceAttributes,
) (elimityscim.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.put(id, attributes)
}

func (s *shelf) Delete(_ *http.Request, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[id] == nil {
		return errors.ScimErrorResourceNotFound(id)
	}
	delete(s.all, id)
	return nil
}

// Patch follows RFC 7644, 3.5.2, to the letter: a filter that finds nothing is an error.
func (s *shelf) Patch(
	_ *http.Request, id string, operations []elimityscim.PatchOperation,
) (elimityscim.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[id] == nil {
		return elimityscim.Resource{}, errors.ScimErrorResourceNotFound(id)
	}
	changed := elimityscim.ResourceAttributes{}
	copyOf(s.all[id], &changed)
	for _, o := range operations {
		if err := s.apply(changed, o); err != nil {
			return elimityscim.Resource{}, err
		}
	}
	return s.put(id, changed)
}

func (s *shelf) apply(r map[string]any, o elimityscim.PatchOperation) error {
	if o.Path == nil {
		for name, value := range o.Value.(map[string]any) {
			r[name] = value
		}
		return nil
	}
	name := o.Path.AttributePath.AttributeName
	if uri := o.Path.AttributePath.URI(); uri != "" && s.extension != nil && uri == s.extension.ID {
		inside, ok := r[uri].(map[string]any)
		if !ok {
			inside = map[string]any{}
			r[uri] = inside
		}
		r = inside
	}
	var value any
	copyOf(o.Value, &value)
	switch {
	case o.Path.ValueExpression != nil:
		return s.applyToEntries(r, name, value, o)
	case o.Path.AttributePath.SubAttribute != nil:
		inside, ok := r[name].(map[string]any)
		if !ok {
			inside = map[string]any{}
			r[name] = inside
		}
		r, name = inside, *o.Path.AttributePath.SubAttribute
	}
	old, many := r[name].([]any)
	list, given := value.([]any)
	switch {
	case o.Op == elimityscim.PatchOperationRemove:
		delete(r, name)
	case o.Op == elimityscim.PatchOperationAdd && many && given:
		for _, e := range list {
			if !slices.ContainsFunc(old, func(o any) bool { return fmt.Sprint(o) == fmt.Sprint(e) }) {
				old = append(old, e)
			}
		}
		r[name] = old
	default:
		r[name] = value
	}
	return nil
}

func (s *shelf) applyToEntries(r map[string]any, name string, value any, o elimityscim.PatchOperation) error {
	matches := filter.NewFilterValidator(o.Path.ValueExpression, entrySchema(s.schema, name))
	var kept []any
	found := false
	old, _ := r[name].([]any)
	for _, e := range old {
		entry := e.(map[string]any)
		if matches.PassesFilter(entry) != nil {
			kept = append(kept, e)
			continue
		}
		found = true
		switch {
		case o.Op != elimityscim.PatchOperationRemove && o.Path.SubAttribute != nil:
			entry[*o.Path.SubAttribute] = value
		case o.Op != elimityscim.PatchOperationRemove:
			entry = value.(map[string]any)
		case o.Path.SubAttribute != nil:
			delete(entry, *o.Path.SubAttribute)
		default:
			continue
		}
		kept = append(kept, entry)
	}
	if !found {
		return errors.ScimErrorNoTarget
	}
	if r[name] = kept; len(kept) == 0 {
		delete(r, name)
	}
	return nil
}

// entrySchema is the schema of the entries of a list, by which a filter in a path goes.
func entrySchema(s schema.Schema, name string) schema.Schema {
	a, _ := s.Attributes.ContainsAttribute(name)
	return schema.Schema{Attributes: schema.Attributes(a.SubAttributes())}
}
