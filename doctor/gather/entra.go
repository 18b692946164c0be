package gather

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/doctor"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/saml"
)

const (
	userFields = "id,accountEnabled,displayName,givenName,surname,userPrincipalName,mail,mailNickname,jobTitle," +
		"department,employeeId,mobilePhone,businessPhones,companyName,officeLocation,streetAddress,city,state," +
		"postalCode,country,userType,preferredLanguage,usageLocation,onPremisesExtensionAttributes"
	groupFields = "id,displayName,securityEnabled,mailEnabled,groupTypes"

	logDays  = 7 //bound:none days of the logs that are read
	logPages = 3 //bound:list pages of a log of Graph that doctor reads
)

// accountAccess is the gallery's application that federates with IAM.
const accountAccess = "8b1025e4-1dd2-430b-a150-2ef79cd700f5"

// entra asks Microsoft Graph.
func (g *gathering) entra(ctx context.Context, entityID <-chan string) {
	g.Told("Entra: the tenant")
	g.clock(ctx)
	g.adminCenter()
	var parts sync.WaitGroup
	parts.Go(func() { g.organization(ctx) })
	parts.Go(func() { g.people(ctx) })
	g.applications(ctx, <-entityID)
	parts.Go(func() { g.logs(ctx) })
	parts.Go(func() { g.consent(ctx) })
	g.groups(ctx)
	g.eligible(ctx)
	parts.Wait()
	g.connections(ctx)
}

// clock takes the time of a tenant of ours, which can be moved in a rehearsal.
func (g *gathering) clock(ctx context.Context) {
	var clock struct {
		DateTime time.Time `json:"dateTime"`
	}
	if err := g.Graph.Do(ctx, http.MethodGet, "/gatehouse/clock", nil, &clock); err == nil &&
		!clock.DateTime.IsZero() {
		g.keep(func(f *doctor.Facts) { f.Now = clock.DateTime })
	}
}

// adminCenters are Microsoft's, by the host of their Graph. Source: national cloud deployments.
var adminCenters = map[string]string{
	"graph.microsoft.com": "https://entra.microsoft.com/",
	"graph.microsoft.us":  "https://entra.microsoft.us/",

	"dod-graph.microsoft.us":          "https://entra.microsoft.us/",
	"microsoftgraph.chinacloudapi.cn": "https://entra.microsoftonline.cn/",
}

func (g *gathering) adminCenter() {
	if u, err := url.Parse(g.Graph.BaseURL); err == nil {
		g.keep(func(f *doctor.Facts) { f.Entra.AdminURL = adminCenters[u.Host] })
	}
}

func (g *gathering) now() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.facts.Now
}

func (g *gathering) organization(ctx context.Context) {
	organizations, err := graph.All[struct {
		ID              string
		VerifiedDomains []struct{ Name string }
	}](ctx, g.Graph, "/organization?$select=id,verifiedDomains")
	if !g.failed(doctor.Organizations, err) && len(organizations) > 0 {
		g.keep(func(f *doctor.Facts) {
			f.Entra.TenantID = organizations[0].ID
			for _, d := range organizations[0].VerifiedDomains {
				f.Entra.VerifiedDomains = append(f.Entra.VerifiedDomains, d.Name)
			}
		})
	}
	skus, err := graph.All[doctor.SKU](ctx, g.Graph, "/subscribedSkus")
	if !g.failed(doctor.Licenses, err) {
		g.keep(func(f *doctor.Facts) { f.Entra.SubscribedSkus = skus })
	}
}

func (g *gathering) people(ctx context.Context) {
	g.Told("Entra: people")
	err := graph.Pages(ctx, g.Graph, "/users?$top=999&$select="+userFields, func(users []graph.User) {
		g.keep(func(f *doctor.Facts) {
			for _, u := range users {
				u.ID = f.Entra.Members.One(u.ID)
				f.Entra.Users = append(f.Entra.Users, doctor.Pack(u))
			}
		})
	})
	if g.failed(doctor.People, err) {
		g.keep(func(f *doctor.Facts) { f.Entra.Users = nil }) // some of them would be wrong about the rest
	}
	deleted, err := graph.All[graph.User](
		ctx, g.Graph, "/directory/deletedItems/microsoft.graph.user?$select=id,displayName,userPrincipalName,mail",
	)
	if !g.failed(doctor.RecycleBin, err) {
		g.keep(func(f *doctor.Facts) {
			for _, u := range deleted {
				u.ID = strings.Clone(u.ID)
				u.UserPrincipalName = strings.TrimPrefix( // the name has the id before it
					u.UserPrincipalName, strings.ReplaceAll(u.ID, "-", ""),
				)
				f.Entra.Deleted = append(f.Entra.Deleted, doctor.Pack(u))
			}
		})
	}
}

// applications finds those of the gallery, and whichever has the center's entity ID.
func (g *gathering) applications(ctx context.Context, entityID string) {
	g.Told("Entra: applications")
	filters := []string{
		"applicationTemplateId eq '" + graph.AWSTemplateID + "'", "applicationTemplateId eq '" + accountAccess + "'",
	}
	if entityID != "" {
		filters = append(filters, "servicePrincipalNames/any(n:n eq '"+strings.ReplaceAll(entityID, "'", "''")+"')")
	}
	var principals []graph.ServicePrincipal
	for i, filter := range filters {
		found, err := graph.All[graph.ServicePrincipal](
			ctx, g.Graph, "/servicePrincipals?"+url.Values{"$filter": {filter}}.Encode(),
		)
		if i == 0 && g.failed(doctor.Apps, err) {
			for _, s := range []doctor.Source{doctor.Assigned, doctor.Jobs, doctor.Claims} {
				g.failed(s, err)
			}
			return
		}
		for _, sp := range found {
			if !slices.ContainsFunc(principals, func(o graph.ServicePrincipal) bool { return o.ID == sp.ID }) {
				principals = append(principals, sp)
			}
		}
	}
	for _, sp := range principals {
		g.application(ctx, sp)
	}
}

func (g *gathering) application(ctx context.Context, sp graph.ServicePrincipal) {
	if whole := (graph.ServicePrincipal{}); g.Graph.Do(
		ctx, http.MethodGet, "/servicePrincipals/"+sp.ID, nil, &whole,
	) == nil {
		sp = whole // lists leave out keys
	}
	apps, err := graph.All[graph.Application](ctx, g.Graph, "/applications"+graph.Filter("appId", sp.AppID))
	g.failed(doctor.Apps, err)
	assigned, err := graph.All[graph.AppRoleAssignment](
		ctx, g.Graph, "/servicePrincipals/"+sp.ID+"/appRoleAssignedTo?$top=999",
	)
	g.failed(doctor.Assigned, err)
	policies, err := graph.All[doctor.ClaimsPolicy](ctx, g.Graph,
		"/servicePrincipals/"+sp.ID+"/claimsMappingPolicies")
	g.failed(doctor.Claims, err)
	custom := g.customClaims(ctx, sp.ID)
	g.keep(func(f *doctor.Facts) {
		f.Entra.ServicePrincipals = append(f.Entra.ServicePrincipals, sp)
		f.Entra.Applications = append(f.Entra.Applications, apps...)
		f.Entra.Assigned = append(f.Entra.Assigned, assigned...)
		put(&f.Entra.ClaimsPolicies, sp.ID, policies)
		put(&f.Entra.CustomClaims, sp.ID, custom)
	})
	g.synchronization(ctx, sp)
	if g.LoginURL != "" {
		g.metadata(ctx, sp)
	}
}

func put[V any](m *map[string]V, key string, value V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = value
}

func (g *gathering) synchronization(ctx context.Context, sp graph.ServicePrincipal) {
	base := "/servicePrincipals/" + sp.ID + "/synchronization"
	jobs, err := graph.All[graph.SynchronizationJob](ctx, g.Graph, base+"/jobs")
	if g.failed(doctor.Jobs, err) || len(jobs) == 0 {
		return
	}
	var secrets graph.Secrets
	if err := g.Graph.Do(ctx, http.MethodGet, base+"/secrets", nil, &secrets); err != nil {
		secrets.Value = nil // the job says the rest
	}
	for i, kv := range secrets.Value { // Graph does not give the token; a proxy might
		if kv.Key == graph.KeySecretToken {
			secrets.Value[i].Value = "*"
		}
	}
	g.keep(func(f *doctor.Facts) {
		put(&f.Entra.Jobs, sp.ID, jobs)
		put(&f.Entra.Secrets, sp.ID, secrets.Value)
	})
	for _, job := range jobs {
		var schema graph.SynchronizationSchema
		if err := g.Graph.Do(ctx, http.MethodGet, base+"/jobs/"+job.ID+"/schema", nil, &schema); err == nil {
			schema.Directories = nil
			g.keep(func(f *doctor.Facts) { put(&f.Entra.Schemas, job.ID, schema) })
		}
	}
}

// metadata reads what the sign-in host publishes of an application, and of the tenant in general.
func (g *gathering) metadata(ctx context.Context, sp graph.ServicePrincipal) {
	address := strings.TrimRight(g.LoginURL, "/") + "/federationmetadata/2007-06/federationmetadata.xml"
	of, err := g.download(ctx, address+"?appid="+sp.AppID)
	if !g.failed(doctor.FederationXML, err) {
		g.keep(func(f *doctor.Facts) { put(&f.Entra.Metadata, sp.ID, of) })
	}
	if general, err := g.download(ctx, address); err == nil {
		g.keep(func(f *doctor.Facts) { f.Entra.TenantMetadata = &general })
	}
}

const maxMetadata = 1 << 20 //bound:body federation metadata that doctor reads

func (g *gathering) download(ctx context.Context, address string) (out doctor.Metadata, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return out, err
	}
	res, err := g.HTTP.Do(req)
	if err != nil {
		return out, err
	}
	defer res.Body.Close() //nolint:errcheck // a read body has nothing to lose
	data, err := io.ReadAll(io.LimitReader(res.Body, maxMetadata))
	if err != nil {
		return out, err
	}
	if res.StatusCode != http.StatusOK {
		return out, fmt.Errorf("%s answered %s", address, res.Status)
	}
	idp, err := saml.ParseIdentityProvider(data)
	if err != nil {
		return out, err
	}
	out = doctor.Metadata{EntityID: idp.EntityID, SignInURL: idp.SignInURL}
	for _, c := range idp.Certificates {
		sum := sha256.Sum256(c.Raw)
		out.Thumbprints = append(out.Thumbprints, hex.EncodeToString(sum[:]))
	}
	return out, nil
}

// groups reads all groups, and the members of those that some application means.
func (g *gathering) groups(ctx context.Context) {
	g.Told("Entra: groups")
	groups, err := graph.All[graph.Group](ctx, g.Graph, "/groups?$top=999&$select="+groupFields)
	if g.failed(doctor.Circles, err) {
		return
	}
	known := map[string]bool{}
	for _, x := range groups {
		known[x.ID] = true
	}
	var wanted []string
	g.keep(func(f *doctor.Facts) {
		f.Entra.Groups = groups
		for _, a := range f.Entra.Assigned {
			if a.PrincipalType == "Group" {
				wanted = append(wanted, a.PrincipalID)
			}
		}
		for _, secrets := range f.Entra.Secrets {
			if slices.Contains(secrets, graph.KeyValue{Key: graph.KeySyncAll, Value: "true"}) {
				for id := range known {
					wanted = append(wanted, id)
				}
			}
		}
	})
	g.members(ctx, wanted, known)
	rules, err := graph.All[struct{ ID, MembershipRule string }](
		ctx, g.Graph,
		"/groups?"+url.Values{
			"$filter": {"groupTypes/any(t:t eq 'DynamicMembership')"}, "$select": {"id,membershipRule"},
		}.Encode(),
	)
	if err == nil {
		g.keep(func(f *doctor.Facts) {
			for _, r := range rules {
				put(&f.Entra.Dynamic, r.ID, r.MembershipRule)
			}
		})
	}
}

const atOnce = 8 //bound:none requests under way together

// members reads the members of groups, and of groups inside of them.
func (g *gathering) members(ctx context.Context, wanted []string, known map[string]bool) {
	done := map[string]bool{}
	for len(wanted) > 0 && ctx.Err() == nil {
		var next []string
		var mu sync.Mutex
		var workers sync.WaitGroup
		queue := make(chan string)
		for range atOnce {
			workers.Go(func() {
				for id := range queue {
					list, err := graph.All[graph.DirectoryObject](
						ctx, g.Graph, "/groups/"+id+"/members?$top=999&$select=id",
					)
					if g.failed(doctor.Circles, err) {
						continue
					}
					g.keep(func(f *doctor.Facts) {
						ids := make([]string, len(list))
						for i := range list {
							ids[i] = list[i].ID
						}
						f.Entra.Members.Add(id, ids...)
					})
					mu.Lock()
					for _, m := range list {
						if known[m.ID] {
							next = append(next, m.ID)
						}
					}
					mu.Unlock()
				}
			})
		}
		for _, id := range wanted {
			if !done[id] {
				done[id] = true
				queue <- id
			}
		}
		close(queue)
		workers.Wait()
		wanted = slices.DeleteFunc(next, func(id string) bool { return done[id] })
	}
}

// logs reads the newest pages of each log once: Graph allows five requests in ten seconds.
func (g *gathering) logs(ctx context.Context) {
	g.Told("Entra: logs")
	since := g.now().AddDate(0, 0, -logDays).UTC().Format(time.RFC3339)
	provisioning, err := newest[graph.ProvisioningObjectSummary](
		ctx, g.Graph, "/auditLogs/provisioning", "activityDateTime ge "+since,
	)
	if !g.failed(doctor.ProvisionLog, err) {
		g.keep(func(f *doctor.Facts) { f.Entra.Provisioning = provisioning })
	}
	signIns, err := newest[doctor.SignIn](ctx, g.Graph, "/auditLogs/signIns", "createdDateTime ge "+since)
	if !g.failed(doctor.SignInLog, err) {
		g.keep(func(f *doctor.Facts) { f.Entra.SignIns = signIns })
	}
	today := g.now().AddDate(0, 0, -1).UTC().Format(time.RFC3339)
	audits, err := newest[doctor.Audit](ctx, g.Graph, "/auditLogs/directoryAudits", "activityDateTime ge "+today)
	if err == nil {
		g.keep(func(f *doctor.Facts) { f.Entra.Audits = audits })
	}
}

func newest[T any](ctx context.Context, c *graph.Client, path, filter string) (all []T, err error) {
	path += "?" + url.Values{"$filter": {filter}, "$top": {"500"}}.Encode()
	for range logPages {
		var page graph.Page[T]
		if err := c.Do(ctx, http.MethodGet, path, nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Value...)
		if page.NextLink == "" {
			break
		}
		path = page.NextLink
	}
	return all, nil
}
