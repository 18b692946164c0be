package adminserver

import (
	"context"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// namer tells the names of what a list has the ids of, asking for each once. What is deleted has
// none; the first other error stays.
type namer struct {
	names map[string]string
	ask   func(kind, id string) (string, error)
	err   error
}

const (
	ofGroup   = string(center.PrincipalGroup)
	ofUser    = string(center.PrincipalUser)
	ofSet     = "set"
	ofAccount = "account"
)

func (h *Handler) namer(ctx context.Context) *namer {
	return &namer{names: map[string]string{}, ask: func(kind, id string) (string, error) {
		switch kind {
		case ofGroup:
			g, err := h.Center.Group(ctx, center.GroupID(id))
			return g.DisplayName, err
		case ofUser:
			u, err := h.Center.User(ctx, center.UserID(id))
			return u.UserName, err
		case ofSet:
			s, err := h.Center.PermissionSet(ctx, id)
			return s.Name, err
		}
		a, err := h.Center.Account(ctx, id)
		return a.Name, err
	}}
}

func (n *namer) of(kind, id string) string {
	name, known := n.names[kind+id]
	if known || id == "" || n.err != nil {
		return name
	}
	name, err := n.ask(kind, id)
	if err != nil && refusal.KindOf(err) != refusal.NotFound {
		n.err = err
	}
	n.names[kind+id] = name
	return name
}

func (n *namer) group(id string) string           { return n.of(ofGroup, id) }
func (n *namer) set(arn string) string            { return n.of(ofSet, arn) }
func (n *namer) account(id string) string         { return n.of(ofAccount, id) }
func (n *namer) principal(kind, id string) string { return n.of(kind, id) }
