package gather

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/doctor"
	"github.com/gatehouse-id/gatehouse/graph"
)

// beta is the same Graph in its beta version, which alone has some of the facts.
func (g *gathering) beta() *graph.Client { return g.Graph.Beta() }

// customClaims is the policy behind the portal's Attributes & Claims. A Graph that has none, or
// shows none to the caller, says nothing of it: the claims mapping policies say what is missing.
func (g *gathering) customClaims(ctx context.Context, principal string) (out doctor.CustomClaims) {
	if err := g.beta().Do(ctx, http.MethodGet, "/servicePrincipals/"+principal+"/claimsPolicy", nil, &out); err != nil {
		return doctor.CustomClaims{}
	}
	return out
}

const mostEligible = 200 //bound:list groups whose eligible members doctor reads

// eligible reads who may activate a membership of the groups that applications are assigned to
// (Privileged Identity Management). Without the license or the permission there are none to see.
func (g *gathering) eligible(ctx context.Context) {
	var groups []string
	g.keep(func(f *doctor.Facts) {
		for _, a := range f.Entra.Assigned {
			if a.PrincipalType == "Group" && !slices.Contains(groups, a.PrincipalID) {
				groups = append(groups, a.PrincipalID)
			}
		}
	})
	for _, id := range groups[:min(len(groups), mostEligible)] {
		list, err := graph.All[struct{ PrincipalID, AccessID string }](ctx, g.Graph,
			"/identityGovernance/privilegedAccess/group/eligibilityScheduleInstances?"+
				url.Values{"$filter": {"groupId eq '" + id + "'"}}.Encode())
		if err != nil {
			return
		}
		g.keep(func(f *doctor.Facts) {
			for _, x := range list {
				if x.AccessID != "owner" {
					put(&f.Entra.EligibleMembers, id, append(f.Entra.EligibleMembers[id], x.PrincipalID))
				}
			}
		})
	}
}

const mostNamed = 5 //bound:list people who are looked up in what a provisioning job remembers

// connections reads which users of AWS's side the jobs remember for those who are asked about. A
// job tells one at a time, by its id. Source: objectConnection resource type (beta).
func (g *gathering) connections(ctx context.Context) {
	var ids []string
	jobs := map[string][]graph.SynchronizationJob{}
	g.keep(func(f *doctor.Facts) {
		jobs = f.Entra.Jobs
		for _, u := range f.Entra.Users {
			if slices.ContainsFunc(g.Words, func(word string) bool { return names(u, word) }) {
				ids = append(ids, u.ID)
			}
		}
	})
	for _, id := range ids[:min(len(ids), mostNamed)] {
		for principal, list := range jobs {
			for _, job := range list {
				var found struct{ SourceAnchor, TargetAnchor string }
				err := g.beta().Do(ctx, http.MethodGet, "/servicePrincipals/"+principal+"/synchronization/jobs/"+job.ID+
					"/objectConnections/"+id, nil, &found)
				if graph.NotFound(err) {
					continue // the job does not know them, or the Graph has no such address
				}
				if g.failed(doctor.Connected, err) {
					return
				}
				g.keep(func(f *doctor.Facts) {
					f.Entra.Connections = append(f.Entra.Connections,
						doctor.Connection{SourceID: id, TargetID: found.TargetAnchor})
				})
			}
		}
	}
}

// names says whether a word is somebody's name, address or id.
func names(u doctor.DirectoryUser, word string) bool {
	word = strings.TrimSpace(word)
	return word != "" && slices.ContainsFunc([]string{u.UserPrincipalName, u.Mail, u.DisplayName, u.ID},
		func(name string) bool { return strings.EqualFold(name, word) })
}

// graphAppID is Microsoft Graph's own, the same in every tenant.
const graphAppID = "00000003-0000-0000-c000-000000000000"

// consent reads which permissions of Graph the program that asks was registered with, and which of
// them were granted. A Graph that does not know the program or itself has no consent.
func (g *gathering) consent(ctx context.Context) {
	if g.ClientID == "" {
		return
	}
	type registration struct {
		RequiredResourceAccess []struct {
			ResourceAppID  string `json:"resourceAppId"`
			ResourceAccess []struct{ ID, Type string }
		}
	}
	apps, err := graph.All[registration](ctx, g.Graph, "/applications"+graph.Filter("appId", g.ClientID))
	if err != nil || len(apps) == 0 {
		return
	}
	programs, err := graph.All[graph.ServicePrincipal](ctx, g.Graph,
		"/servicePrincipals"+graph.Filter("appId", g.ClientID))
	if err != nil || len(programs) == 0 {
		return
	}
	resources, err := graph.All[graph.ServicePrincipal](ctx, g.Graph,
		"/servicePrincipals"+graph.Filter("appId", graphAppID))
	if err != nil || len(resources) == 0 {
		return
	}
	granted, err := graph.All[graph.AppRoleAssignment](ctx, g.Graph,
		"/servicePrincipals/"+programs[0].ID+"/appRoleAssignments")
	if g.failed(doctor.Permissions, err) {
		return
	}
	called := map[string]string{}
	for _, r := range resources[0].AppRoles {
		if r.Value != nil {
			called[r.ID] = *r.Value
		}
	}
	out := &doctor.Consent{AppID: g.ClientID}
	for _, a := range granted {
		if name := called[a.AppRoleID]; name != "" && a.ResourceID == resources[0].ID {
			out.Granted = append(out.Granted, name)
		}
	}
	for _, access := range apps[0].RequiredResourceAccess {
		for _, x := range access.ResourceAccess {
			if name := called[x.ID]; name != "" && x.Type == "Role" && access.ResourceAppID == graphAppID {
				out.Required = append(out.Required, name)
			}
		}
	}
	g.keep(func(f *doctor.Facts) { f.Entra.Consent = out })
}
