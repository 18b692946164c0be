package doctor

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/graph"
)

// Action is what an API can do about a finding. Package doctor/repair carries it out.
type Action string

// The actions, in the order in which they are carried out: trust and settings before credentials,
// these before the job, and the job before single people.
const (
	EnableApplication Action = "enable the application"
	SetSAML           Action = "set single sign-on to SAML"
	SetIdentifier     Action = "set the identifier"
	AddReplyURLs      Action = "add reply URLs"
	SetSignOnURL      Action = "set the sign-on URL"
	ImportCertificate Action = "import the certificate"
	NewCertificate    Action = "make a certificate, import it, activate it"
	DetachClaims      Action = "detach the claims policy"
	Assign            Action = "assign the application"
	EditMapping       Action = "edit the mapping"
	PauseJob          Action = "pause the job"
	CreateJob         Action = "create the job"
	SaveToken         Action = "make a token and save it in the job"
	RestartJob        Action = "restart the job"
	StartJob          Action = "start the job"
	ProvisionPerson   Action = "provision on demand"
	RenameUser        Action = "rename the user"
	EnableUser        Action = "enable the user"
	DisableUser       Action = "disable the user"
	AddMember         Action = "add the member"
	RemoveMember      Action = "remove the member"
	ProvisionSet      Action = "provision the permission set"
	DeleteAssignment  Action = "delete the assignment"
)

// Actions lists every action in its order.
func Actions() []Action {
	return []Action{
		EnableApplication, SetSAML, SetIdentifier, AddReplyURLs, SetSignOnURL, ImportCertificate, NewCertificate,
		DetachClaims, Assign, EditMapping, PauseJob, CreateJob, SaveToken, RestartJob, StartJob, ProvisionPerson,
		RenameUser, EnableUser, DisableUser, AddMember, RemoveMember, ProvisionSet, DeleteAssignment,
	}
}

// Permission is the least that an action takes, by Microsoft's permissions reference and AWS's
// Service Authorization Reference.
func (a Action) Permission() string {
	const (
		applications = "Application.ReadWrite.All"
		jobs         = "Synchronization.ReadWrite.All"
		center       = "access keys of an administrator of the Gatehouse center"
	)
	switch a {
	case EnableApplication, SetSAML, SetIdentifier, AddReplyURLs, SetSignOnURL:
		return applications
	case DetachClaims:
		return applications + " and Policy.Read.All"
	case Assign:
		return "AppRoleAssignment.ReadWrite.All"
	case EditMapping, PauseJob, RestartJob, StartJob, ProvisionPerson:
		return jobs
	case CreateJob, SaveToken:
		return jobs + ", and " + center
	case NewCertificate:
		return applications + ", and " + center
	case ImportCertificate, EnableUser, DisableUser:
		return center
	case RenameUser:
		return "identitystore:UpdateUser"
	case AddMember:
		return "identitystore:CreateGroupMembership"
	case RemoveMember:
		return "identitystore:GetGroupMembershipId and DeleteGroupMembership"
	case ProvisionSet:
		return "sso:ProvisionPermissionSet and DescribePermissionSetProvisioningStatus"
	case DeleteAssignment:
		return "sso:DeleteAccountAssignment and DescribeAccountAssignmentDeletionStatus"
	}
	return ""
}

// Repair is an action with its facts. It may be carried out again: what is so already stays.
type Repair struct {
	Action Action            `json:"action"`
	What   string            `json:"what"`
	With   map[string]string `json:"with,omitempty"` // ids and values; never a secret
	Values []string          `json:"values,omitempty"`
	// Gives and Takes name those who can do more, or less, than they can now.
	Gives []string `json:"gives,omitempty"`
	Takes []string `json:"takes,omitempty"`
}

// key is equal where two repairs do the same.
func (r Repair) key() string {
	keys := slices.Sorted(maps.Keys(r.With))
	keys = slices.DeleteFunc(keys, func(k string) bool { return k == withUntil }) // by the day of the plan
	for i, k := range keys {
		keys[i] = k + "=" + r.With[k]
	}
	return string(r.Action) + " " + strings.Join(append(keys, r.Values...), " ")
}

// Plan is what can be repaired by API, each action once and in its order.
func (r Report) Plan() (plan []Repair) {
	order, seen := map[Action]int{}, map[string]bool{}
	for i, a := range Actions() {
		order[a] = i
	}
	restarted := map[string]bool{}
	for _, f := range r.Findings {
		for _, x := range f.Repairs {
			if !seen[x.key()] {
				seen[x.key()] = true
				plan = append(plan, x)
			}
			if x.Action == RestartJob {
				restarted[x.With[withJob]] = true
			}
		}
	}
	plan = slices.DeleteFunc(plan, func(x Repair) bool { // a restart starts too
		return x.Action == StartJob && restarted[x.With[withJob]]
	})
	slices.SortStableFunc(plan, func(a, b Repair) int { return cmp.Compare(order[a.Action], order[b.Action]) })
	return plan
}

// OnlyAPerson are the findings that no action of the plan mends, and that follow from no other.
func (r Report) OnlyAPerson() (left []Finding) {
	for _, f := range r.Findings {
		if (f.State == Broken || f.State == Warning) && f.Behind == "" && len(f.Repairs) == 0 {
			left = append(left, f)
		}
	}
	return left
}

// Names of the facts of repairs.
const (
	withPrincipal = "servicePrincipalId"
	withApp       = "applicationId"
	withJob       = "jobId"
	withObject    = "objectId"
	withUser      = "UserId"
	withGroup     = "GroupId"
	withSet       = "PermissionSetArn"
	withWas       = "was" // what is overwritten
	withUntil     = "until"
)

// ErrChanged says that what a repair would overwrite is not what its plan was made of.
var ErrChanged = errors.New("somebody has changed that since, and it stays as it is: run this again")

// Needed says whether something is still what the plan was made of, and not yet what the repair
// wants. It fails with ErrChanged where it is neither.
func (r Repair) Needed(now, want []string) (bool, error) {
	switch joined(now) {
	case joined(want):
		return false, nil
	case r.With[withWas]:
		return true, nil
	}
	return false, ErrChanged
}

// joined is a list as what it was is told.
func joined(list []string) string {
	return strings.Join(slices.Sorted(slices.Values(list)), " ")
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// StillPlanned sorts what somebody has agreed to, by what is planned now: what is to be done still,
// and what is not, since others have done it or changed what it is about. Nobody has agreed to
// people who were not named.
func StillPlanned(agreed, now []Repair) (still, gone []Repair) {
	for _, x := range agreed {
		i := slices.IndexFunc(now, func(r Repair) bool { return r.key() == x.key() })
		more := func(was, is []string) bool {
			return slices.ContainsFunc(is, func(who string) bool { return !slices.Contains(was, who) })
		}
		if i < 0 || more(x.Gives, now[i].Gives) || more(x.Takes, now[i].Takes) {
			gone = append(gone, x)
		} else {
			still = append(still, x)
		}
	}
	return still, gone
}

// repairs say what an API can do about the findings of a check. A check that is not among them
// leaves its repair to a person: who is meant, and what a name should be, no program knows.
var repairs = map[string]func(*look, *Finding) []Repair{
	"application-disabled":    (*look).enableApplication,
	"saml-mode":               (*look).setMode,
	"identifier":              (*look).setIdentifier,
	"reply-url":               (*look).addReplyURLs,
	"sign-on-url":             (*look).setSignOnURL,
	"saml-key":                (*look).importCertificate,
	"saml-certificate":        (*look).newCertificate,
	"token":                   (*look).saveToken,
	"endpoint":                (*look).saveToken,
	"provisioning-off":        (*look).saveToken,
	"job-missing":             (*look).createJob,
	"quarantine":              (*look).restart,
	"job-off":                 (*look).start,
	"two-jobs":                (*look).pauseOthers,
	"job-mapping":             (*look).editMapping,
	"external-id-clash":       (*look).mapExternalID,
	"user-name-clash":         (*look).mapUserName,
	"name-id":                 (*look).alignNames,
	"name-id-missing":         (*look).alignNames,
	"application-roles":       (*look).assignAgain,
	"nested":                  (*look).assignInner,
	"sign-in-unassigned":      (*look).assignPeople,
	"not-there":               (*look).provision,
	"group-not-there":         (*look).restartWhole,
	"disabled-at-aws":         (*look).enableUsers,
	"left-behind":             (*look).disableUsers,
	"membership":              (*look).addMembers,
	"foreign-member":          (*look).removeMembers,
	"permission-set-outdated": (*look).provisionSets,
	"orphaned-assignment":     (*look).deleteOrphans,
}

// Repairable says whether an API can mend what a check finds, in some cases at least.
func Repairable(check string) bool { return repairs[check] != nil }

// mend gives findings their repairs. What follows from another finding is mended with that. A job
// that stopped is started too, if what stopped it is mended: one that holds back deletions, or that
// a person has to look at, stays as it is.
func (l *look) mend(found []*Finding) {
	mended := map[string]bool{}
	for _, f := range found {
		repair := repairs[f.Check]
		if repair != nil && (f.State == Broken || f.State == Warning) && f.Behind == "" {
			f.Repairs = repair(l, f)
			mended[f.Check] = mended[f.Check] || len(f.Repairs) > 0
		}
	}
	for _, f := range found {
		if (f.Check == "quarantine" || f.Check == "job-off") && f.State == Broken && mended[f.Behind] {
			f.Repairs = repairs[f.Check](l, f)
		}
	}
}

// ours says whether the other side is a Gatehouse center, whose console has an API.
func (l *look) ours() bool { return l.a.Directory != nil && l.read(Console) }

func (l *look) enableApplication(*Finding) []Repair {
	var who []string
	for p := range l.everybody() {
		if p.assigned != "" && p.enabled() {
			who = append(who, p.UserPrincipalName)
		}
	}
	return []Repair{{
		Action: EnableApplication, What: "Switch sign-in to " + l.sso.DisplayName + " on for those who are assigned",
		With: map[string]string{withPrincipal: l.sso.ID}, Gives: who,
	}}
}

func (l *look) setMode(*Finding) []Repair {
	return []Repair{{
		Action: SetSAML, What: "Set single sign-on of " + l.sso.DisplayName + " to SAML",
		With: map[string]string{withPrincipal: l.sso.ID},
	}}
}

func (l *look) setIdentifier(*Finding) []Repair {
	app := l.application(l.sso)
	if app == nil {
		return nil
	}
	uris := slices.DeleteFunc(slices.Clone(app.IdentifierURIs), func(u string) bool {
		return isIdentityCenter(u) || strings.EqualFold(strings.Trim(u, "/ "), strings.Trim(l.entityID(), "/ "))
	})
	return []Repair{{
		Action: SetIdentifier, What: "Set the identifier of " + app.DisplayName + " to " + l.entityID(),
		With:   map[string]string{withApp: app.ID, withWas: joined(app.IdentifierURIs)},
		Values: append(uris, l.entityID()),
	}}
}

// addReplyURLs adds a center's own; AWS tells its own only in a file of its console.
func (l *look) addReplyURLs(*Finding) []Repair {
	app := l.application(l.sso)
	if app == nil || l.a.SP == nil {
		return nil
	}
	all := slices.Clone(l.sso.ReplyURLs)
	for _, acs := range l.a.SP.AcsURLs {
		if !slices.Contains(all, acs) {
			all = append(all, acs)
		}
	}
	return []Repair{{
		Action: AddReplyURLs, What: "Add the reply URLs of the center to " + app.DisplayName,
		With: map[string]string{withApp: app.ID}, Values: all,
	}}
}

func (l *look) setSignOnURL(*Finding) []Repair {
	portal := ""
	switch {
	case l.a.Directory != nil:
		portal = l.a.Directory.PortalURL
	case l.a.Endpoint != "":
		portal = l.a.Endpoint + "/start"
	case l.instance != nil && strings.HasPrefix(l.instance.IdentityStoreID, "d-") && l.commercial():
		portal = "https://" + l.instance.IdentityStoreID + ".awsapps.com/start"
	}
	if !strings.Contains(portal, "://") {
		return nil
	}
	return []Repair{{
		Action: SetSignOnURL, What: "Set the sign-on URL of " + l.sso.DisplayName + " to " + portal,
		With: map[string]string{withPrincipal: l.sso.ID, "loginUrl": portal, withWas: orEmpty(l.sso.LoginURL)},
	}}
}

// commercial says whether the instance is in AWS's commercial partition, where the portal has the
// name that is made of the store.
func (l *look) commercial() bool {
	region := cmp.Or(append(l.regions(), l.a.Region)...)
	return region != "" && !strings.HasPrefix(region, "us-gov-") && !strings.HasPrefix(region, "cn-")
}

// importCertificate gives a center the certificate that signs. AWS takes it only in its console.
func (l *look) importCertificate(*Finding) []Repair {
	active, _ := l.signing()
	if !l.ours() || active == nil || active.Key == "" {
		return nil
	}
	der, err := base64.StdEncoding.DecodeString(active.Key)
	if err != nil {
		return nil
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return []Repair{{
		Action: ImportCertificate,
		What:   "Import the certificate that Entra signs with, " + thumbprint(*active) + ", at the center",
		With:   map[string]string{"certificate": string(text)},
	}}
}

func (l *look) newCertificate(f *Finding) []Repair {
	if !l.ours() || f.State == OK {
		return nil
	}
	return []Repair{{
		Action: NewCertificate,
		What: "Make a new signing certificate of " + l.sso.DisplayName + ", import it at the center, then make it " +
			"active",
		With: map[string]string{
			withPrincipal: l.sso.ID, withUntil: l.Now.AddDate(3, 0, 0).Format("2006-01-02"),
			withWas: orEmpty(l.sso.PreferredTokenSigningKeyThumbprint),
		},
	}}
}

// jobRepair is something that is done to the job.
func (l *look) jobRepair(action Action, what, reset string) Repair {
	with := map[string]string{withPrincipal: l.prov.ID, withJob: l.job.ID}
	if reset != "" {
		with["resetScope"] = reset
	}
	return Repair{Action: action, What: what + " of " + l.prov.DisplayName, With: with}
}

// anew is what a restart forgets: all but the links to the objects of the other side.
const anew = "QuarantineState,Escrows,Watermark"

func (l *look) restart(*Finding) []Repair {
	return []Repair{l.jobRepair(RestartJob, "Clear the quarantine and restart the job", anew)}
}

func (l *look) again() Repair { return l.jobRepair(RestartJob, "Restart the job", anew) }

func (l *look) restartWhole(*Finding) []Repair {
	return []Repair{l.jobRepair(RestartJob, "Restart the job and have it match everything again", "Full")}
}

func (l *look) start(f *Finding) []Repair {
	if f.Kind == "not configured" {
		return nil
	}
	return []Repair{l.jobRepair(StartJob, "Start the job", "")}
}

func (l *look) saveToken(*Finding) []Repair {
	if !l.ours() || l.prov == nil || l.job == nil {
		return nil
	}
	return []Repair{
		{
			Action: SaveToken,
			What: "Make an access token at the center, and save it with the SCIM endpoint in the job of " +
				l.prov.DisplayName + "; a token that ended or was never used makes room for it",
			With: map[string]string{withPrincipal: l.prov.ID},
		},
		l.again(),
	}
}

func (l *look) createJob(f *Finding) []Repair {
	if !l.ours() || f.State != Broken {
		return nil
	}
	return []Repair{{
		Action: CreateJob, What: "Create the provisioning job of " + l.sso.DisplayName +
			" with a new access token of the center, for assigned users and groups, and start it",
		With: map[string]string{withPrincipal: l.sso.ID},
	}}
}

func (l *look) pauseOthers(*Finding) (out []Repair) {
	if l.prov == nil || l.prov != l.sso {
		return nil // nobody knows which of them is meant
	}
	address := l.secret(l.prov.ID, graph.KeyBaseAddress)
	same := func(other string) bool {
		return strings.EqualFold(strings.TrimRight(other, "/"), strings.TrimRight(address, "/"))
	}
	for _, sp := range l.e.ServicePrincipals {
		for _, job := range l.e.Jobs[sp.ID] {
			if sp.ID != l.prov.ID && same(l.secret(sp.ID, graph.KeyBaseAddress)) {
				out = append(out, Repair{
					Action: PauseJob, What: "Pause the job of " + sp.DisplayName + " (" + sp.ID +
						"), through which nobody signs in",
					With: map[string]string{withPrincipal: sp.ID, withJob: job.ID},
				})
			}
		}
	}
	return out
}

// edit is a change of the job's mapping, and the restart that makes it count for everybody.
func (l *look) edit(what, object, target, expression string) []Repair {
	if l.job == nil || l.prov == nil {
		return nil
	}
	r := l.jobRepair(EditMapping, what+" in the job", "")
	maps.Copy(r.With, map[string]string{"object": object, "target": target, "expression": expression})
	return []Repair{r, l.again()}
}

func (l *look) editMapping(f *Finding) (out []Repair) {
	switch f.Kind {
	case "groups off":
		return l.edit("Enable the mapping of groups", "Group", "", "")
	case "users off":
		return l.edit("Enable the mapping of users", "User", "", "")
	case "unknown attribute", "several values":
		for _, target := range f.targets {
			out = append(out, l.edit("Remove the mapping of "+target, "User", target, "")...)
		}
	}
	return out
}

func (l *look) mapExternalID(*Finding) []Repair {
	return l.edit("Map externalId from objectId", "User", "externalId", "[objectId]")
}

func (l *look) mapUserName(*Finding) []Repair {
	if l.mappedFrom("userName") == "[userPrincipalName]" {
		return nil
	}
	return l.edit("Map userName from userPrincipalName", "User", "userName", "[userPrincipalName]")
}

// mappedFrom is the expression that an attribute of users is mapped from.
func (l *look) mappedFrom(target string) string {
	if l.job != nil {
		for _, rule := range l.e.Schemas[l.job.ID].Rules {
			for _, o := range rule.ObjectMappings {
				for _, m := range o.AttributeMappings {
					if strings.EqualFold(o.SourceObjectName, "User") && m.TargetAttributeName == target {
						return cmp.Or(m.Source.Expression, "["+m.Source.Name+"]")
					}
				}
			}
		}
	}
	return ""
}

// alignNames makes the NameID and the user name one, where one of the two was set apart: the claim
// goes back to the user principal name, the mapping to what the NameID is made of, and a user that
// was renamed at the center gets the name back.
func (l *look) alignNames(f *Finding) (out []Repair) {
	from := strings.ToLower(l.mappedFrom("userName"))
	switch {
	case from == "[userprincipalname]" && l.subject.attribute != "userprincipalname" && l.detachable() != nil:
		return []Repair{{
			Action: DetachClaims,
			What: "Detach the claims policy from " + l.sso.DisplayName +
				", which sets nothing but the NameID: it is the user principal name then",
			With: map[string]string{withPrincipal: l.sso.ID, withObject: l.detachable().ID},
		}}
	case f.Kind == "mapping changed" && l.subject.attribute == "userprincipalname" && l.subject.known:
		return l.edit("Map userName from userPrincipalName", "User", "userName", "[userPrincipalName]")
	case f.Kind == "renamed" || f.Kind == "short name" || f.Kind == "two domains":
		for _, p := range l.concerned(f) {
			if p.aws != nil && p.by == "externalId" && p.nameID != "" && l.mapped(p) {
				out = append(out, Repair{
					Action: RenameUser, What: "Rename the user " + p.aws.UserName + " at AWS to " + p.nameID,
					With:  map[string]string{withUser: p.aws.UserID, "userName": p.nameID, withWas: p.aws.UserName},
					Gives: []string{p.UserPrincipalName},
				})
			}
		}
	}
	return out
}

// detachable is the claims policy that sets nothing but the NameID.
func (l *look) detachable() *ClaimsPolicy {
	policies := l.e.ClaimsPolicies[l.sso.ID]
	if len(policies) != 1 || len(policies[0].Definition) != 1 {
		return nil
	}
	var d struct {
		ClaimsMappingPolicy struct {
			ClaimsSchema []struct{ SamlClaimType string }
		}
	}
	if json.Unmarshal([]byte(policies[0].Definition[0]), &d) != nil {
		return nil
	}
	schema := d.ClaimsMappingPolicy.ClaimsSchema
	if len(schema) != 1 || schema[0].SamlClaimType != nameIdentifier {
		return nil
	}
	return &policies[0]
}
