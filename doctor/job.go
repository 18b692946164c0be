package doctor

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi/trail"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/names"
)

const appProvisioning = learn + "app-provisioning/"

// The checks of what carries people from one side to the other: network, endpoint, token and job.
func jobChecks() []Check {
	return []Check{
		{
			"network-controls", "Network controls shut Entra's provisioning service, or everybody, out",
			[]Source{Controls}, Provision, nil, awsGuide + "network-controls.html", networkControls,
		},
		{
			"control-policy", "A service control policy denies what provisioning or its set-up needs",
			[]Source{Trail},
			Setup, nil, awsGuide + "delegated-admin.html", controlPolicy,
		},
		{
			"provisioning-off", "Automatic provisioning is off at AWS", []Source{Console}, Provision, nil,
			awsGuide + "provision-automatically.html", provisioningOff,
		},
		{
			"endpoint", "The tenant URL of the job is not the SCIM endpoint of the instance", []Source{Jobs},
			Provision,
			nil, awsGuide + "provision-automatically.html", endpoint,
		},
		{
			"token", "The access token of the job has ended, ends soon, or was deleted", []Source{Jobs}, Provision,
			[]string{"endpoint", "network-controls", "provisioning-off"}, awsGuide + "rotate-token.html", token,
		},
		{
			"job-missing", "There is no provisioning job", []Source{Apps, Jobs}, Provision,
			[]string{"application-missing", "wrong-application"},
			appProvisioning + "configure-automatic-user-provisioning-portal", jobMissing,
		},
		{
			"deletion-threshold", "The job holds back deletions that are more than its threshold", []Source{Jobs},
			Provision, nil, appProvisioning + "accidental-deletions", deletionThreshold,
		},
		{
			"job-mapping", "The job maps what the target does not have", []Source{Jobs}, Provision,
			[]string{"wrong-application"}, appProvisioning + "customize-application-attributes", jobMapping,
		},
		{
			"quarantine", "The job is in quarantine", []Source{Jobs}, Provision,
			[]string{"token", "endpoint", "network-controls", "provisioning-off", "job-mapping", "deletion-threshold",
				"wrong-application", "two-jobs", "customer-key", "net-endpoint"},
			appProvisioning + "application-provisioning-quarantine-status", quarantine,
		},
		{
			"job-off", "The job does not run", []Source{Jobs}, Provision,
			[]string{"quarantine", "deletion-threshold"},
			appProvisioning + "how-provisioning-works", jobOff,
		},
		{
			"job-stale", "The job has not run for long", []Source{Jobs}, Provision,
			[]string{"quarantine", "job-off", "deletion-threshold"}, appProvisioning + "known-issues", jobStale,
		},
		{
			"two-jobs", "Two jobs write to one identity store", []Source{Jobs}, Provision, nil,
			appProvisioning + "known-issues", twoJobs,
		},
		{
			"scim", "The SCIM service refuses the token that was given", []Source{SCIM}, Provision,
			[]string{"token", "endpoint", "network-controls", "provisioning-off", "quarantine"},
			awsGuide + "rotate-token.html", scimService,
		},
		{
			"net-endpoint", "An address does not answer: DNS, connection or TLS", []Source{Endpoints}, Setup, nil,
			"", netEndpoint,
		},
		{
			"net-clock", "A side's clock differs from ours", []Source{Endpoints}, SignInAt, nil,
			awsGuide + "troubleshooting.html", netClock,
		},
	}
}

func networkControls(l *look, a *answer) {
	n := l.a.Network
	if n == nil || n.VpceAccessRequired == nil || !*n.VpceAccessRequired {
		return
	}
	switch {
	case len(n.SCIMAllowSourceIPs) == 0:
		a.find(Broken, "scim", "access is only from VPC endpoints, and no address may reach the SCIM endpoint",
			"With VpceAccessRequired on and ScimAllowSourceIps empty, Entra's provisioning service is shut out").
			value("AWS, ScimAllowSourceIps", "").value("Entra sends from",
			"the ranges of the service tag AzureActiveDirectory").
			fix("Add the ranges of the service tag AzureActiveDirectory, or 0.0.0.0/0",
				l.ofStore("describe-identity-store"), "")
	case !l.admits(n.SCIMAllowSourceIPs):
		a.find(Broken, "frozen list", "provisioning comes from addresses that the SCIM endpoint does not admit",
			"The list was made from the wrong service tag, or is a copy from before Microsoft added ranges").
			value("AWS, ScimAllowSourceIps", strings.Join(n.SCIMAllowSourceIPs, ", ")).
			value("refused addresses", strings.Join(l.refusedAddresses(n.SCIMAllowSourceIPs), ", ")).
			fix("Take the ranges of the service tag AzureActiveDirectory, and keep them up to date", "", "")
	}
	if len(n.APIRestrictSourceVPCs) > 0 && len(n.APIAllowSourceIPs) == 0 {
		a.find(Warning, "vpc", "the identity store's API answers only inside of VPCs",
			"Programs and people outside of them are refused").
			value("AWS, ApiRestrictSourceVpcs", strings.Join(n.APIRestrictSourceVPCs, ", ")).
			fix("Ask from inside, or add the addresses to ApiAllowSourceIps", "", "")
	}
}

// refusedAddresses are those that SCIM requests came from without success.
func (l *look) refusedAddresses(allowed []string) (out []string) {
	for _, e := range l.a.Events {
		if e.EventSource != "identitystore-scim.amazonaws.com" || e.ErrorCode == "" {
			continue
		}
		if !within(e.SourceIPAddress, allowed) && !slices.Contains(out, e.SourceIPAddress) &&
			e.SourceIPAddress != "" {
			out = append(out, e.SourceIPAddress)
		}
	}
	return out
}

// admits says whether nothing speaks against a list of networks.
func (l *look) admits(allowed []string) bool { return len(l.refusedAddresses(allowed)) == 0 }

func within(address string, networks []string) bool {
	at, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(networks, func(n string) bool {
		p, err := netip.ParsePrefix(n)
		return err == nil && p.Contains(at)
	})
}

func controlPolicy(l *look, a *answer) {
	denied := map[string]trail.Event{}
	for _, e := range l.a.Events {
		if strings.Contains(e.ErrorMessage, "explicit deny in a service control policy") {
			denied[e.EventName] = e
		}
	}
	for name, e := range denied {
		writes := slices.Contains([]string{
			"CreateBearerToken", "CreateUser", "UpdateUser", "DeleteUser", "CreateGroup", "UpdateGroup",
			"DeleteGroup",
			"CreateGroupMembership", "DeleteGroupMembership",
		}, name)
		state, cause := Broken,
			"The organization's policy denies it on purpose or by an oversight; no permission of the caller helps"
		if writes && len(l.a.ControlPolicies) > 0 {
			state = OK
			cause = "AWS recommends a service control policy that denies this beside provisioning: it is there on " +
				"purpose. Lift it while you rotate the token, or write from the management account"
		}
		a.find(state, name, name+" was denied by a service control policy", cause).
			value("CloudTrail", cmp.Or(e.ErrorMessage, e.ErrorCode)).
			value("policies", strings.Join(l.a.ControlPolicies, ", ")).
			fix("Ask who keeps the policy; the management account is not bound by it",
				"aws organizations list-policies --filter SERVICE_CONTROL_POLICY", "")
	}
}

func endpoint(l *look, a *answer) {
	if l.prov == nil {
		return
	}
	address := l.secret(l.prov.ID, graph.KeyBaseAddress)
	if address == "" {
		if l.job != nil && len(l.e.Secrets[l.prov.ID]) > 0 {
			a.find(Broken, "missing", "the job has no tenant URL", "The credentials of the job were never saved").
				fix("Save the SCIM endpoint and the token", "", l.admin(l.prov, "Provisioning"))
		}
		return
	}
	want := ""
	if len(l.a.Tenants) > 0 {
		want = l.a.Tenants[0].ScimEndpoint
	}
	say := func(kind, fact, cause string) {
		a.find(Broken, kind, fact, cause).value("Entra, tenant URL", address).
			value("AWS, SCIM endpoint", cmp.Or(want, "https://scim.REGION.amazonaws.com/TENANT/scim/v2")).
			fix("Copy the SCIM endpoint from Manage provisioning, test the connection, save, and restart the job", "",
				l.admin(l.prov, "Provisioning"))
	}
	u, err := url.Parse(address)
	same := strings.TrimRight(want, "/") == strings.TrimRight(address, "/")
	switch {
	case err != nil || u.Host == "":
		say("form", "the tenant URL of the job is no address", "Something else was pasted into the field")
	case !strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/scim/v2"):
		say("form", "the tenant URL does not end in /scim/v2",
			"Only a part of the SCIM endpoint was copied: every request is answered with 404")
	case want != "" && !same && hostOf(want) == u.Host:
		say("store", "the tenant URL is of another provisioning tenant",
			"Automatic provisioning was switched off and on again, or the URL is of another instance: the part "+
				"before /scim/v2 differs")
	case want != "" && !same:
		say("host", "the tenant URL is of another host", "The URL is of another Region or another instance")
	case scimHost().MatchString(u.Host):
		region := scimHost().FindStringSubmatch(u.Host)[1]
		if home := append(l.regions(), "")[0]; home != "" && region != home {
			say("region", "the tenant URL is in "+region+", the instance in "+home,
				"SCIM is only in the instance's primary Region")
			return
		}
		l.otherTenant(say, u)
		l.finalSlash(a, address)
	}
}

// finalSlash finds the slash that AWS's own endpoint does not have, where requests fail by it.
func (l *look) finalSlash(a *answer, address string) {
	if strings.HasSuffix(address, "/") && l.quarantine() != nil && l.a.Probe != nil &&
		l.a.Probe.Status == http.StatusNotFound {
		a.find(Broken, "slash", "the tenant URL ends in a slash",
			"Requests go to …/scim/v2//Users, which AWS does not know").
			value("Entra, tenant URL", address).fix("Remove the final slash", "", l.admin(l.prov, "Provisioning"))
	}
}

// otherTenant compares with the tenant that CloudTrail's records of SCIM name.
func (l *look) otherTenant(say func(kind, fact, cause string), u *url.URL) {
	for _, e := range l.a.Events {
		tenant := detail(e.RequestParameters, "tenantId")
		if e.EventSource == "identitystore-scim.amazonaws.com" && tenant != "" && e.ErrorCode == "" &&
			!strings.Contains(u.Path, tenant) {
			say("store", "requests that succeed go to another provisioning tenant ("+tenant+")",
				"The URL of the job is of a tenant that was replaced, or of another instance")
			return
		}
	}
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// tokenLife is how long AWS's access tokens live.
const tokenLife = 365 * 24 * time.Hour //bound:none AWS's, not ours

func token(l *look, a *answer) {
	fix := func(f *Finding) {
		f.fix("Make a new token, save it in the job, test the connection, and restart the job", "",
			cmp.Or(l.console("settings"), l.admin(l.prov, "Provisioning")))
	}
	var newest time.Time
	for _, t := range l.a.Tokens {
		if t.ExpirationTime.After(newest) {
			newest = t.ExpirationTime
		}
	}
	created := l.events("CreateBearerToken")
	deleted := l.events("DeleteBearerToken")
	refused := l.refusesCredentials()
	switch {
	case refused && len(created) > 0 && len(deleted) > 0 && !deleted[0].EventTime.Before(created[0].EventTime):
		f := a.find(Broken, "replaced",
			"a new access token was made and the old one deleted, and the job's is refused",
			"Entra still has the old token").
			value("AWS, newest token made", date(created[0].EventTime)).
			value("AWS, old one deleted", date(deleted[0].EventTime))
		fix(f.value("Entra", l.whyRefused()))
	case !newest.IsZero() && !newest.After(l.Now):
		fix(a.find(Broken, "expired", "the newest access token ended on "+date(newest),
			"Access tokens live one year").
			value("AWS, token until", date(newest)).value("Entra", l.whyRefused()))
	case l.read(Console) && l.prov != nil && len(l.a.Tenants) > 0 && len(l.a.Tokens) == 0:
		fix(a.find(Broken, "deleted", "AWS's side has no access token", "The token that Entra has was deleted").
			value("AWS, tokens", "").value("Entra", "saved"))
	case refused:
		kind, cause := "refused", "The token ran out (they live one year), was deleted, or was pasted in part"
		if len(created) == 0 && l.oldToken() {
			kind, cause = "expired",
				"The token is older than a year: it ran out. AWS warns only in its console and in AWS Health"
		}
		fix(a.find(Broken, kind, "AWS refuses the job's access token", cause).value("Entra", l.whyRefused()))
	case !newest.IsZero() && newest.Sub(l.Now) < soon:
		fix(a.find(Warning, "soon", names.Counted("the newest access token ends in %d {day|days}",
			int(newest.Sub(l.Now).Hours()/24)),
			"Access tokens live one year, and nobody renews them by themselves").
			value("AWS, token until", date(newest)))
	case len(created) > 0 && l.a.Tokens == nil && created[len(created)-1].EventTime.Add(tokenLife).Sub(l.Now) < soon:
		fix(a.find(Warning, "soon", "an access token ends soon", "Access tokens live one year"))
	}
	l.unusedToken(a)
}

// unusedToken finds the one that Entra has when a newer one was made and nobody uses it.
func (l *look) unusedToken(a *answer) {
	if t := EndingToken(l.a.Tokens, l.Now); t != nil && len(l.a.Tokens) > 1 {
		a.find(Warning, "not saved",
			"the token in use ends on "+date(t.ExpirationTime)+", and a newer one is not in use",
			"A new token was made and never saved in Entra").value("in use until", date(t.ExpirationTime)).
			fix("Save the new token in the job before the old one ends", "", l.admin(l.prov, "Provisioning"))
	}
}

// EndingToken is the access token in use, where it ends soon: the one that was used last.
func EndingToken(tokens []adminapi.BearerToken, now time.Time) (ending *adminapi.BearerToken) {
	for i, t := range tokens {
		if t.LastUsedTime != nil && (ending == nil || t.LastUsedTime.After(*ending.LastUsedTime)) {
			ending = &tokens[i]
		}
	}
	if ending == nil || !ending.ExpirationTime.After(now) || ending.ExpirationTime.Sub(now) >= soon {
		return nil
	}
	return ending
}

// oldToken says whether the job has run for more than a year.
func (l *look) oldToken() bool {
	return l.job != nil && l.job.Status != nil && !l.job.Status.SteadyStateFirstAchievedTime.IsZero() &&
		l.Now.Sub(l.job.Status.SteadyStateFirstAchievedTime) > 350*24*time.Hour
}

// refusesCredentials says whether the target refuses what the job signs in with.
func (l *look) refusesCredentials() bool { return l.whyRefused() != "" }

func (l *look) whyRefused() string {
	if p := l.a.Probe; p != nil && (p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden) {
		return fmt.Sprintf("SCIM answers %d %s", p.Status, p.Detail)
	}
	q := l.quarantine()
	if q == nil || (l.a.Probe != nil && l.a.Probe.Status == http.StatusOK) {
		return ""
	}
	text := q.Reason
	if q.Error != nil {
		text += " " + q.Error.Code + " " + q.Error.Message
	}
	for _, sign := range []string{"CredentialValidation", "401", "Unauthorized", "InvalidCredentials", "Forbidden",
		"access token"} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(sign)) {
			return strings.TrimSpace(text)
		}
	}
	return ""
}

func provisioningOff(l *look, a *answer) {
	if l.prov == nil || len(l.a.Tenants) > 0 || l.a.Directory == nil {
		return
	}
	a.find(Broken, "", "AWS's side has no SCIM endpoint",
		"Automatic provisioning was never enabled, or was disabled: the job writes to an endpoint that is gone").
		value("Entra, tenant URL", l.secret(l.prov.ID, graph.KeyBaseAddress)).value("AWS, SCIM endpoint", "").
		fix("Enable automatic provisioning, and save the new endpoint and token in the job", "gatehouse connect",
			l.console("settings"))
}

func jobMissing(l *look, a *answer) {
	if l.sso == nil || l.prov != nil {
		return
	}
	state, cause := Broken, "Provisioning was never set up: nobody comes to AWS by themselves"
	if len(l.a.Users) > 0 && len(l.a.Tenants) == 0 && l.read(Console) {
		state, cause = Warning, "People are made by hand or by another program"
	}
	a.find(state, "", "the application "+l.sso.DisplayName+" has no provisioning job", cause).
		fix("Set up automatic provisioning", "gatehouse connect", l.admin(l.sso, "Provisioning"))
}

func deletionThreshold(l *look, a *answer) {
	q := l.quarantine()
	text := ""
	if q != nil {
		text = q.Reason
		if q.Error != nil {
			text += q.Error.Code + q.Error.Message
		}
	}
	if l.job != nil && l.job.Status != nil && l.job.Status.LastExecution != nil &&
		l.job.Status.LastExecution.Error != nil {
		e := l.job.Status.LastExecution.Error
		text += e.Code + e.Message
	}
	lower := strings.ToLower(text)
	if !strings.Contains(lower, "deletethreshold") && !strings.Contains(lower, "deletion threshold") &&
		!strings.Contains(lower, "accidentaldelet") && !strings.Contains(lower, "accidental delet") {
		return
	}
	a.find(Broken, "", "the job stopped because a cycle would delete more than its threshold",
		"Many people left the scope at once: a group was unassigned, a filter changed, or they really left").
		value("Entra, settings", l.secret(l.prov.ID, graph.KeyNotification)).
		fix("Look at who would go. Allow the deletions if they are meant, or bring the people back into scope", "",
			l.admin(l.prov, "Provisioning"))
}

// awsTargets are the attributes of users that AWS's SCIM knows. Source: SCIM developer guide.
var awsTargets = []string{
	"externalId", "userName", "displayName", "nickName", "profileUrl", "userType", "title", "preferredLanguage",
	"locale", "timezone", "active", "name.", "emails", "addresses", "phoneNumbers", "photos", "roles", "website",
	"birthdate",
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "urn:ietf:params:scim:schemas:core:2.0:", "urn:aws",
}

func jobMapping(l *look, a *answer) {
	if l.job == nil {
		return
	}
	schema := l.e.Schemas[l.job.ID]
	for _, rule := range schema.Rules {
		for _, o := range rule.ObjectMappings {
			l.judgeMapping(a, o)
		}
	}
}

func (l *look) judgeMapping(a *answer, o graph.ObjectMapping) {
	link := l.admin(l.prov, "Provisioning")
	switch {
	case !strings.EqualFold(o.SourceObjectName, "User") && !strings.EqualFold(o.SourceObjectName, "Group") &&
		o.Enabled:
		a.find(Broken, "object", "the job maps "+o.SourceObjectName+" objects",
			"AWS has only users and groups: the job cannot import the others").
			value("Entra, mapping", o.Name).fix("Disable that mapping", "", link)
		return
	case !o.Enabled && strings.EqualFold(o.SourceObjectName, "Group") && l.anyGroupInScope():
		a.find(Broken, "groups off", "the mapping of groups is switched off",
			"Groups are assigned, and none is sent").
			value("Entra, mapping", o.Name+" enabled: No").fix("Enable the mapping", "", link)
		return
	case !o.Enabled && strings.EqualFold(o.SourceObjectName, "User"):
		a.find(Broken, "users off", "the mapping of users is switched off", "Nobody is sent").
			value("Entra, mapping", o.Name+" enabled: No").fix("Enable the mapping", "", link)
		return
	}
	if !strings.EqualFold(o.SourceObjectName, "User") {
		return
	}
	lists := map[string][]string{}
	for _, m := range o.AttributeMappings {
		list, _, isList := strings.Cut(m.TargetAttributeName, "[")
		if isList && (list == "emails" || list == "phoneNumbers" || list == "addresses") &&
			strings.Contains(m.TargetAttributeName, "value") {
			lists[list] = append(lists[list], m.TargetAttributeName)
		}
		known := slices.ContainsFunc(awsTargets, func(t string) bool {
			return strings.HasPrefix(m.TargetAttributeName,
				t)
		})
		if !known {
			a.find(Broken, "unknown attribute", "the job sends "+m.TargetAttributeName+", which AWS does not have",
				"A mapping was added for an attribute that AWS's SCIM refuses").
				value("Entra, mapping", m.Source.Expression).
				fix("Delete that mapping", "", link).targets = []string{m.TargetAttributeName}
		}
	}
	for list, targets := range lists {
		if len(targets) > 1 {
			l.severalValues(a, list, targets)
		}
	}
}

func (l *look) severalValues(a *answer, list string, targets []string) {
	f := a.find(Broken, "several values", "the job sends several "+list,
		"AWS takes one value of each list: \"List attribute "+list+" exceeds allowed limit of 1\"").
		value("Entra, mappings", strings.Join(targets, ", ")).value("AWS takes", "1").
		fix("Keep one of the mappings", "", l.admin(l.prov, "Provisioning"))
	f.targets = targets[1:]
	for p := range l.everybody() {
		n := 0
		for _, t := range targets {
			if p.values.of(t) != "" {
				n++
			}
		}
		if n > 1 && p.scoped {
			f.of(p.UserPrincipalName)
		}
	}
	if f.Count == 0 && len(l.people) > 0 {
		f.State = Warning
	}
}

func (l *look) anyGroupInScope() bool {
	for _, in := range l.inScope {
		if in {
			return true
		}
	}
	return false
}

func quarantine(l *look, a *answer) {
	q := l.quarantine()
	if q == nil {
		return
	}
	text := q.Reason
	if q.Error != nil {
		text = strings.TrimSpace(text + " " + q.Error.Code + ": " + q.Error.Message)
	}
	kind, cause := "", "The target refuses what the job does: "+cmp.Or(text, "Graph gives no reason")
	if p := l.a.Probe; p != nil && p.Status == http.StatusOK &&
		strings.Contains(strings.ToLower(text), "credential") {
		kind = "not restarted"
		cause = "The credentials work again, and the job was never restarted: in quarantine it tries once a day at " +
			"most"
	}
	f := a.find(Broken, kind, "the job is in quarantine since "+date(q.CurrentBegan), cause).
		value("Entra, reason", text).
		fix("Mend the cause, test the connection, then restart the job", "", l.admin(l.prov, "Provisioning"))
	if !q.CurrentBegan.IsZero() {
		f.value("Entra disables the job on", date(q.CurrentBegan.AddDate(0, 0, 28)))
	}
	if kind == "not restarted" {
		f.Stage = Provision
	}
}

func jobOff(l *look, a *answer) {
	if l.job == nil {
		return
	}
	state, code := "", ""
	if l.job.Schedule != nil {
		state = l.job.Schedule.State
	}
	if l.job.Status != nil {
		code = l.job.Status.Code
	}
	last := l.lastCycle()
	switch {
	case code == "NotConfigured":
		a.find(Broken, "not configured", "the job has no credentials", "Its set-up was not finished").
			fix("Save the SCIM endpoint and the token, then start it", "", l.admin(l.prov, "Provisioning"))
	case code == "NotRun" || (last.IsZero() && state != "Active"):
		a.find(Broken, "never ran", "the job has never run", "It was made and never started").
			value("Entra, status", code).value("schedule", state).
			fix("Start provisioning", "", l.admin(l.prov, "Provisioning"))
	case (state != "" && state != "Active") || code == "Paused":
		a.find(Broken, "paused", "the job is switched off",
			"Somebody paused it, or a change of its configuration did; or Entra disabled it after four weeks of "+
				"quarantine").
			value("Entra, schedule", state).value("last cycle", date(last)).
			fix("Start provisioning", "", l.admin(l.prov, "Provisioning"))
	}
}

func jobStale(l *look, a *answer) {
	last := l.lastCycle()
	if l.job == nil || last.IsZero() || l.quarantine() != nil || l.Now.Sub(last) < 6*time.Hour ||
		(l.job.Schedule != nil && l.job.Schedule.State != "Active") {
		return
	}
	a.find(Warning, "", "the last cycle ended on "+date(last),
		"Cycles begin every 40 minutes: a long one may be under way, or the service is late").
		value("Entra, last cycle", date(last)).fix("Look at the job's progress", "", l.admin(l.prov, "Provisioning"))
}

func twoJobs(l *look, a *answer) {
	targets := map[string][]string{}
	for _, sp := range l.e.ServicePrincipals {
		address := strings.TrimRight(strings.ToLower(l.secret(sp.ID, graph.KeyBaseAddress)), "/")
		for _, job := range l.e.Jobs[sp.ID] {
			if address != "" && (job.Schedule == nil || job.Schedule.State == "Active") {
				targets[address] = append(targets[address], sp.DisplayName+" ("+sp.ID+")")
			}
		}
	}
	for address, who := range targets {
		if len(who) > 1 {
			a.find(Broken, "", fmt.Sprintf("%d jobs write to %s", len(who), address),
				"Each disables or removes whom the other sends, and both match the same objects").
				value("jobs of", strings.Join(who, "; ")).fix("Switch all but one of them off", "",
				l.admin(l.prov, "Provisioning"))
		}
	}
}
