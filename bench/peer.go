package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/elimity-com/scim"
	scimerrors "github.com/elimity-com/scim/errors"
	"github.com/elimity-com/scim/optional"
	"github.com/elimity-com/scim/schema"
	"github.com/google/uuid"
	filter "github.com/scim2/filter-parser/v2"
)

// The floors: what net/http itself does with the same requests.

// hello answers a constant.
func hello(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"totalResults":0,"Resources":[]}`)
}

// echoUser is a user as most servers declare one.
type echoUser struct {
	Schemas     []string `json:"schemas"`
	ExternalID  string   `json:"externalId,omitempty"`
	UserName    string   `json:"userName"`
	DisplayName string   `json:"displayName"`
	Title       string   `json:"title,omitempty"`
	Locale      string   `json:"locale,omitempty"`
	Timezone    string   `json:"timezone,omitempty"`
	Active      bool     `json:"active"`
	Name        struct {
		GivenName  string `json:"givenName"`
		FamilyName string `json:"familyName"`
	} `json:"name"`
	Emails []struct {
		Value   string `json:"value"`
		Type    string `json:"type"`
		Primary bool   `json:"primary"`
	} `json:"emails"`
	Enterprise *struct {
		EmployeeNumber string `json:"employeeNumber,omitempty"`
		Department     string `json:"department,omitempty"`
	} `json:"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User,omitempty"`
}

// echo decodes a user and encodes it again.
func echo(w http.ResponseWriter, r *http.Request) {
	var u echoUser
	data, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(data, &u)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	data, err = json.Marshal(u)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(data)
}

// peer is an in-memory SCIM server on elimity-com/scim. It keeps nothing across a restart, asks for
// no token and writes no audit log. Its user names and group members are indexed. A PATCH is
// answered with the resource, as servers on this library do.
func peer() (http.Handler, error) {
	server, err := scim.NewServer(&scim.ServerArgs{
		ServiceProviderConfig: &scim.ServiceProviderConfig{},
		ResourceTypes: []scim.ResourceType{
			{
				ID:               optional.NewString("User"),
				Name:             "User",
				Endpoint:         "/Users",
				Schema:           schema.CoreUserSchema(),
				SchemaExtensions: []scim.SchemaExtension{{Schema: schema.ExtensionEnterpriseUser()}},
				Handler:          newMemory("userName"),
			},
			{
				ID:       optional.NewString("Group"),
				Name:     "Group",
				Endpoint: "/Groups",
				Schema:   schema.CoreGroupSchema(),
				Handler:  newMemory("displayName"),
			},
		},
	})
	return server, err
}

type memory struct {
	nameAttribute string
	mu            sync.RWMutex
	byID          map[string]*entry
	byName        map[string]*entry
	order         []*entry
}

type entry struct {
	scim.Resource
	members map[string]bool
}

func newMemory(nameAttribute string) *memory {
	return &memory{nameAttribute: nameAttribute, byID: map[string]*entry{}, byName: map[string]*entry{}}
}

func (m *memory) Create(_ *http.Request, attributes scim.ResourceAttributes) (scim.Resource, error) {
	name, _ := attributes[m.nameAttribute].(string)
	external, _ := attributes["externalId"].(string)
	now := time.Now().UTC()
	e := &entry{
		Resource: scim.Resource{
			ID:         uuid.NewString(),
			ExternalID: optional.NewString(external),
			Attributes: attributes,
			Meta:       scim.Meta{Created: &now, LastModified: &now},
		},
		members: map[string]bool{},
	}
	key := strings.ToLower(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byName[key] != nil {
		return scim.Resource{}, scimerrors.ScimErrorUniqueness
	}
	m.byID[e.ID] = e
	m.byName[key] = e
	m.order = append(m.order, e)
	return e.Resource, nil
}

func (m *memory) Get(_ *http.Request, id string) (scim.Resource, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	e := m.byID[id]
	if e == nil {
		return scim.Resource{}, scimerrors.ScimErrorResourceNotFound(id)
	}
	return e.Resource, nil
}

func (m *memory) GetAll(_ *http.Request, p scim.ListRequestParams) (scim.Page, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if p.FilterValidator != nil {
		if f, ok := p.FilterValidator.GetFilter().(*filter.AttributeExpression); ok && f.Operator == filter.EQ &&
			f.AttributePath.AttributeName == m.nameAttribute {
			value, _ := f.CompareValue.(string)
			if e := m.byName[strings.ToLower(value)]; e != nil {
				return scim.Page{TotalResults: 1, Resources: []scim.Resource{e.Resource}}, nil
			}
			return scim.Page{Resources: []scim.Resource{}}, nil
		}
	}
	from := min(max(p.StartIndex-1, 0), len(m.order))
	page := scim.Page{TotalResults: len(m.order), Resources: []scim.Resource{}}
	for _, e := range m.order[from:min(from+p.Count, len(m.order))] {
		page.Resources = append(page.Resources, e.Resource)
	}
	return page, nil
}

func (m *memory) Patch(_ *http.Request, id string, operations []scim.PatchOperation) (scim.Resource, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.byID[id]
	if e == nil {
		return scim.Resource{}, scimerrors.ScimErrorResourceNotFound(id)
	}
	changed := scim.ResourceAttributes{}
	for k, v := range e.Attributes {
		changed[k] = v
	}
	for _, op := range operations {
		if op.Path == nil {
			continue
		}
		name := op.Path.AttributePath.AttributeName
		if list, ok := op.Value.([]any); ok && name == "members" {
			changed[name] = e.add(list)
			continue
		}
		changed[name] = op.Value
	}
	now := time.Now().UTC()
	e.Attributes, e.Meta.LastModified = changed, &now
	return e.Resource, nil
}

// add adds the members that are not there yet.
func (e *entry) add(list []any) []any {
	members, _ := e.Attributes["members"].([]any)
	for _, v := range list {
		member, _ := v.(map[string]any)
		id, _ := member["value"].(string)
		if !e.members[id] {
			e.members[id] = true
			members = append(members, v)
		}
	}
	return members
}

func (m *memory) Replace(*http.Request, string, scim.ResourceAttributes) (scim.Resource, error) {
	return scim.Resource{}, scimerrors.ScimErrorBadRequest("not part of the comparison")
}

func (m *memory) Delete(_ *http.Request, id string) error {
	return scimerrors.ScimErrorBadRequest("not part of the comparison: " + strconv.Quote(id))
}
