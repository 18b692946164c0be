package connect

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/scim"
)

// refusal is why provisioning would not be taken of somebody.
type refusal struct {
	outcome   Outcome // Clashes or Lacks
	attribute string
	with      string // who has the value
	reason    string
}

// refusals asks the engine that provisions what AWS would refuse of the people in scope, by their
// ids: the same that a dry run of sync says.
func refusals(ctx context.Context, people []Person, s Snapshot, by Provisioner) (map[string]refusal, error) {
	mappings, err := provisioning.Compile(mapping.Default(""))
	if err != nil {
		return nil, err
	}
	mappings.Groups = nil // they are compared by name
	of := map[string]Person{}
	var users []provisioning.Object
	for _, p := range people {
		if p.Reach != InScope || p.Disabled {
			continue
		}
		of[p.ID] = p
		users = append(users, provisioning.Object{
			Ref:  provisioning.Ref{Kind: provisioning.User, ID: p.ID},
			Name: cmp.Or(p.UserName, p.UserPrincipalName), Assigned: true, Active: true, Attributes: p.attributes(),
		})
	}
	there := &provisioning.Snapshot{Name: s.IdentityStoreID, Refuses: provisioning.AWSRules()}
	for _, u := range s.Users {
		if by == ByGatehouse {
			u.ExternalIDs = nil // it writes none, and so goes by names
		}
		there.Users = append(there.Users, u.resource())
	}
	entries, _, err := provisioning.Foresee(ctx, users, nil, mappings, there)
	if err != nil {
		return nil, fmt.Errorf("foresee what AWS refuses: %w", err)
	}
	out := map[string]refusal{}
	for _, e := range entries {
		if e.Outcome == provisioning.Failure || e.Code == "ImportSkipped" {
			out[e.Ref.ID] = refusalOf(e, of[e.Ref.ID])
		}
	}
	return out, nil
}

func refusalOf(e provisioning.Entry, p Person) refusal {
	r := refusal{Clashes, strings.TrimSuffix(e.Attribute, ".value"), e.Holder, e.Reason}
	switch e.Code {
	case "EntryConflict", "DuplicateTargetEntries":
		if r.attribute == "externalId" {
			r.reason += ": rename that user at AWS if it is the same person, or delete it"
		}
	case "DuplicateSourceEntries": // two people with one user name
		r.attribute = "userName"
	default:
		r.outcome = Lacks
		r.attribute = cmp.Or(p.missing(), r.attribute)
	}
	return r
}

// attributes are what the mappings read of a person. The user name is what the job's own mapping
// makes of it.
func (p Person) attributes() mapping.Attributes {
	return mapping.Texts(map[string]string{
		"userPrincipalName": p.UserName, "mail": p.Mail, "givenName": p.GivenName, "surname": p.Surname,
		"displayName": p.DisplayName, "objectId": p.ID, "IsSoftDeleted": "False",
	})
}

// resource is a user as a SCIM service has it.
func (u StoreUser) resource() scim.Resource {
	r := scim.Resource{
		"id": u.ID, "userName": u.UserName, "displayName": u.DisplayName, "active": !u.Disabled,
		"name": map[string]any{"givenName": u.GivenName, "familyName": u.FamilyName},
	}
	if u.Email != "" {
		r["emails"] = []any{map[string]any{"value": u.Email, "type": "work", "primary": true}}
	}
	if len(u.ExternalIDs) > 0 {
		r["externalId"] = u.ExternalIDs[0].ID
	}
	return r
}
