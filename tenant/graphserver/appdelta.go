package graphserver

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// appState is what the link of a delta query of applications or service principals carries: which
// there were, and how each looked. There are few, and no journal has them.
type appState struct {
	Principals bool       `json:"p,omitempty"`
	Issued     int64      `json:"t"` // seconds since 1970
	Seen       string     `json:"s"` // a UUID and four bytes of a digest for each, in base64
	Select     properties `json:"f,omitempty"`
	IDs        []string   `json:"i,omitempty"` // only these
}

const (
	appMark = 16 + 4
	//bound:list applications that a delta query follows, which its link names
	maxDeltaApps = 250
)

// applicationsDelta answers with all objects at first, and then with those that are new, changed or
// gone. Source: application: delta, servicePrincipal: delta.
func (h *Handler) applicationsDelta(ctx context.Context, r request) (int, any, error) {
	s, begins, err := h.appState(r)
	if err != nil {
		return 0, nil, err
	}
	all, err := h.applicationObjects(ctx, s.Principals)
	if err != nil {
		return 0, nil, err
	}
	if len(all) > maxDeltaApps {
		return 0, nil, unsupported("Gatehouse follows 250 applications at most with a delta query.")
	}
	seen, err := base64.RawURLEncoding.DecodeString(s.Seen)
	if err != nil || len(seen)%appMark != 0 {
		return 0, nil, badRequest("Badly formed token.")
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
	token, err := json.Marshal(s)
	if err != nil {
		return 0, nil, err
	}
	page.DeltaLink = h.Tenant.URL + r.URL.Path + "?" +
		encode(url.Values{"$deltatoken": {base64.RawURLEncoding.EncodeToString(token)}})
	return http.StatusOK, page, nil
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
	principals := r.ofPrincipals()
	if principals {
		t = principalType()
	}
	token := q.Get("$deltatoken")
	switch {
	case q.Has("$skiptoken"):
		return s, false, badRequest("Badly formed token.")
	case token == "" || token == "latest":
		if s.IDs, err = deltaIDs(q.Get("$filter")); err != nil {
			return s, false, err
		}
		s.Principals = principals
		s.Select, err = t.selected(q.Get("$select"))
		return s, true, err
	case q.Has("$select"), q.Has("$filter"):
		return s, false, badRequest("Use the link of a delta query as it is, without other query options.")
	}
	data, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(data) > maxState || json.Unmarshal(data, &s) != nil || s.Principals != principals {
		return s, false, badRequest("Badly formed token.")
	}
	if h.Tenant.Now().Sub(time.Unix(s.Issued, 0)) > tenant.DeltaLife {
		return s, false, &wireError{
			status:   http.StatusGone,
			code:     "syncStateNotFound",
			message:  "The sync state generation is not found; full synchronization is required.",
			location: h.Tenant.URL + r.URL.Path,
		}
	}
	return s, false, nil
}
