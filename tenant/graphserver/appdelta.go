package graphserver

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// appState is what the link of a delta query of applications, service principals or permission
// grants carries: which there were, and how each looked. There are few, and no journal has them.
type appState struct {
	Principals bool       `json:"p,omitempty"`
	Grants     bool       `json:"g,omitempty"`
	Issued     int64      `json:"t"` // seconds since 1970
	Seen       string     `json:"s"` // a UUID and four bytes of a digest for each, in base64
	Select     properties `json:"f,omitempty"`
	IDs        []string   `json:"i,omitempty"` // only these
}

const (
	appMark = 16 + 4
	//bound:list applications or grants that a delta query follows, which its link names
	maxDeltaApps = 250
)

// applicationsDelta answers with all objects at first, and then with those that are new, changed or
// gone. Sources: application: delta, servicePrincipal: delta, oAuth2PermissionGrant: delta.
func (h *Handler) applicationsDelta(ctx context.Context, r request) (int, any, error) {
	s, begins, err := h.appState(r)
	if err != nil {
		return 0, nil, err
	}
	all, err := h.followed(ctx, s)
	if err != nil {
		return 0, nil, err
	}
	seen, err := base64.RawURLEncoding.DecodeString(s.Seen)
	if err != nil || len(seen)%appMark != 0 {
		return 0, nil, errToken
	}
	was := map[string]string{}
	for mark := range slices.Chunk(seen, appMark) {
		was[string(mark[:16])] = string(mark)
	}
	page := graph.DeltaPage[object]{
		Context: h.Tenant.GraphURL() + "/$metadata#" + strings.Split(r.URL.Path, "/")[2],
		Value:   []object{},
	}
	var now []byte
	for _, x := range all {
		if len(s.IDs) > 0 && !slices.Contains(s.IDs, x["id"].(string)) {
			continue
		}
		x = s.Select.shape(x, nil)
		mark := markApp(x)
		now = append(now, mark...)
		if was[string(mark[:16])] != string(mark) && r.URL.Query().Get("$deltatoken") != "latest" {
			page.Value = append(page.Value, x)
		}
		delete(was, string(mark[:16]))
	}
	for id := range was {
		if begins {
			break
		}
		gone, err := h.removedObject(ctx, tenant.Mark{ID: tenant.PrincipalID(uuid.UUID([]byte(id)).String())})
		if err != nil {
			return 0, nil, err
		}
		page.Value = append(page.Value, gone)
	}
	s.Seen, s.Issued = base64.RawURLEncoding.EncodeToString(now), h.Tenant.Now().Unix()
	err = h.linkDelta(r, &page, s, false)
	return http.StatusOK, page, err
}

// followed are the objects that a delta query is about.
func (h *Handler) followed(ctx context.Context, s appState) (all []object, err error) {
	if s.Grants {
		var grants []grantOf
		grants, err = h.permissionGrants(ctx)
		all = grantObjects(grants)
	} else {
		all, err = h.applicationObjects(ctx, s.Principals)
	}
	if err == nil && len(all) > maxDeltaApps {
		err = unsupported("Gatehouse follows 250 objects of this kind at most with a delta query.")
	}
	return all, err
}

func markApp(x object) []byte {
	id, _ := uuid.Parse(x["id"].(string)) // the tenant made it
	data, _ := json.Marshal(x)            // it was made of JSON
	digest := fnv.New32a()
	_, _ = digest.Write(data)
	return digest.Sum(slices.Clone(id[:]))
}

// appState begins a delta query, or goes on from a link.
func (h *Handler) appState(r request) (s appState, begins bool, err error) {
	q, t := r.URL.Query(), applicationType()
	principals, grants := r.ofPrincipals(), strings.HasPrefix(r.URL.Path, root+"/oauth2PermissionGrants/")
	switch {
	case principals:
		t = principalType()
	case grants:
		t = permissionGrantType()
	}
	token := q.Get("$deltatoken")
	switch {
	case q.Has("$skiptoken"):
		return s, false, errToken
	case token == "" || token == "latest":
		if s.IDs, err = deltaIDs(q.Get("$filter")); err != nil {
			return s, false, err
		}
		s.Principals, s.Grants = principals, grants
		s.Select, err = t.selected(q.Get("$select"))
		return s, true, err
	}
	if err := openDelta(r, &s); err != nil {
		return s, false, err
	}
	if s.Principals != principals || s.Grants != grants {
		return s, false, errToken
	}
	return s, false, h.fresh(r, s.Issued)
}
