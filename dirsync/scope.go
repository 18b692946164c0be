package dirsync

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"sync"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// scope is whom a state is of: what was found at the source by the names in the configuration, when
// it was last read. With it, a sync goes on while the source is away, and knows a group that was
// there from one that never was.
type scope struct {
	Name   string            `json:"name"`   // of the application
	Remote string            `json:"remote"` // its service principal
	Groups map[string]string `json:"groups"` // ids by the names in the configuration
	Roles  bool              `json:"roles"`  // which app role each one has was read, too
}

// noteScope is the name of the note that has it.
const noteScope = "sync/scope"

// scope is the scope as it is in the configuration now.
func (s *Synchronizer) scope() scope {
	now := scope{s.config.Application, s.remote, map[string]string{}, s.config.Mappings.ReadsRoles()}
	for i, name := range s.config.Groups {
		now.Groups[name] = string(s.groups[i])
	}
	return now
}

func (a scope) equal(b scope) bool {
	return a.Name == b.Name && a.Remote == b.Remote && maps.Equal(a.Groups, b.Groups) && a.Roles == b.Roles
}

// knownScope is the scope that was last read. One that cannot be read is none.
func (s *Synchronizer) knownScope(ctx context.Context) (known scope, err error) {
	text, err := s.config.State.Note(ctx, noteScope)
	if err != nil || json.Unmarshal([]byte(text), &known) != nil {
		return scope{}, err
	}
	return known, nil
}

// findScope finds the application and the groups at the source, or, while that is away, where they
// were found before.
func (s *Synchronizer) findScope(ctx context.Context) error {
	known, err := s.knownScope(ctx)
	if err != nil {
		return err
	}
	if name := s.config.Application; name != "" {
		was := ""
		if known.Name == name {
			was = known.Remote
		}
		if s.remote, err = s.find(ctx, applications, name, was); err != nil {
			return err
		}
	}
	for _, name := range s.config.Groups {
		id, err := s.find(ctx, groups, name, known.Groups[name])
		if err != nil {
			return err
		}
		s.groups = append(s.groups, tenant.GroupID(id))
	}
	return nil
}

// what is found by a name.
type what struct{ word, path, say string }

var (
	applications = what{"application", "/servicePrincipals", "give the id of a service principal"}
	groups       = what{"group", "/groups", "give an id"}
)

// anID is what no name is: it is looked for as an id first.
var anID = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
})

// find finds an application or a group by its name, or its id. Names are no one's own: whoever may
// make a group gives it any. So what was found before, known, is what is meant for as long as it is
// there, under whatever name and whoever else has that. What is found by no name is taken for an
// id.
func (s *Synchronizer) find(ctx context.Context, w what, name, known string) (id string, err error) {
	if anID().MatchString(name) {
		err := s.exists(ctx, w, name)
		if err == nil || known == name {
			return name, ctx.Err()
		}
		if !graph.NoResource(err) {
			return "", fmt.Errorf("find the %s %q: %w", w.word, name, err)
		}
	}
	found, err := graph.All[graph.DirectoryObject](ctx, s.config.Source, w.path+graph.Filter("displayName", name))
	if known != "" && ctx.Err() == nil {
		return s.keeps(ctx, w, name, known, found, err), nil
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("find the %s %q: %w", w.word, name, err)
	case len(found) > 1:
		return "", fmt.Errorf("there are %d %ss named %q: %s", len(found), w.word, name, w.say)
	case len(found) == 1:
		return found[0].ID, nil
	}
	return name, nil
}

// keeps is what is followed where that was found before: the same, unless the source says that it
// is gone, and there is one other by the name. Another application is not followed by its name:
// whoever makes it anew assigns people to it later, and all would lose access until then.
func (s *Synchronizer) keeps(
	ctx context.Context, w what, name, known string, found []graph.DirectoryObject, unread error,
) string {
	is := func(x graph.DirectoryObject) bool { return x.ID == known }
	switch {
	case unread != nil:
		s.config.Log.WarnContext(ctx, "the "+w.word+" is looked for later", "name", name, "error", unread)
	case slices.ContainsFunc(found, is) && len(found) == 1:
	case slices.ContainsFunc(found, is) || !graph.NoResource(s.exists(ctx, w, known)):
		s.config.Log.WarnContext(
			ctx, "the "+w.word+" that was followed is followed still, and the name is not its own: "+w.say,
			"name", name, "id", known,
		)
	case len(found) == 1 && w == groups:
		s.config.Log.WarnContext(
			ctx, "the "+w.word+" that was followed is gone, and another of the name is followed: look whose it is",
			"name", name, "was", known, "id", found[0].ID,
		)
		return found[0].ID
	case len(found) > 0:
		s.config.Log.WarnContext(
			ctx, "the "+w.word+" that was followed is gone, and another of the name is not followed: "+w.say,
			"name", name, "was", known, "id", found[0].ID,
		)
	}
	return known
}

// exists asks whether something is there; nil: it is.
func (s *Synchronizer) exists(ctx context.Context, w what, id string) error {
	return s.config.Source.Do(ctx, "GET", w.path+"/"+url.PathEscape(id)+"?$select=id", nil, nil)
}
