package doctor

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/awsapi/trail"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
)

// look is the facts with what follows from them: which application is meant, who is in scope, who
// is who on the other side.
type look struct {
	Facts
	about About
	e     Entra // empty when Entra was not asked
	a     AWS   // empty when AWS's side was not asked

	sso  *graph.ServicePrincipal // signs people in; nil: there is none
	prov *graph.ServicePrincipal // has the provisioning job; nil: none has
	job  *graph.SynchronizationJob

	instance *Instance
	all      bool // the job's scope is everyone

	users, groups *mapping.Compiled // nil: not known
	subject       nameIDSource

	people   []*person
	byID     map[string]*person // by Entra's id
	byName   map[string]*person // by user principal name and by mail, in lower case
	awsUsers map[string]*User   // by id
	awsNames map[string][]*User // by user name, in lower case
	awsMails map[string][]*User
	awsExt   map[string][]*User // by external id
	awsGroup map[string]*Group  // by id
	circles  map[string]*graph.Group
	inScope  map[string]bool // groups, by Entra's id
	groupsOf relation        // groups of AWS's users, by their ids
	setNames map[string]string

	access   map[string]int       // assignments, by their principal
	changed  map[string]time.Time // when something was last changed in the directory
	groupExt map[string]*Group    // AWS's groups, by external id
	groupsBy map[string]*Group    // by name, in lower case
	members  relation             // of AWS's groups
	local    map[string]*person   // by the part of the name before the @
	display  map[string]*person
	circleBy map[string]*graph.Group // Entra's groups, by name in lower case
}

func newLook(f Facts, about About) *look {
	l := &look{
		Facts: f, about: about,
		byID: map[string]*person{}, byName: map[string]*person{},
		awsUsers: map[string]*User{}, awsNames: map[string][]*User{}, awsMails: map[string][]*User{},
		awsExt: map[string][]*User{}, awsGroup: map[string]*Group{}, circles: map[string]*graph.Group{},
		inScope: map[string]bool{}, setNames: map[string]string{},
		access: map[string]int{}, changed: map[string]time.Time{}, groupExt: map[string]*Group{},
		groupsBy: map[string]*Group{}, local: map[string]*person{},
		display: map[string]*person{}, circleBy: map[string]*graph.Group{},
	}
	if f.Entra != nil {
		l.e = *f.Entra
	}
	if f.AWS != nil {
		l.a = *f.AWS
	}
	l.indexAWS()
	l.findInstance()
	l.findApplications()
	l.readMappings()
	l.findPeople()
	return l
}

// relation is ids by another id, each list sorted. There may be a million: a set for each takes
// three times the memory.
type relation map[string][]string

func relate(list []Membership, ids func(Membership) (of, is string)) relation {
	counts := map[string]int{}
	for _, m := range list {
		of, _ := ids(m)
		counts[of]++
	}
	r := make(relation, len(counts))
	for _, m := range list {
		of, is := ids(m)
		if r[of] == nil {
			r[of] = make([]string, 0, counts[of])
		}
		r[of] = append(r[of], is)
	}
	for of, all := range r {
		slices.Sort(all)
		r[of] = slices.Compact(all)
	}
	return r
}

// has says whether an id has another.
func (r relation) has(of, is string) bool {
	_, found := slices.BinarySearch(r[of], is)
	return found
}

func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

func (l *look) indexAWS() {
	for i := range l.a.Users {
		u := &l.a.Users[i]
		l.awsUsers[u.UserID] = u
		l.awsNames[fold(u.UserName)] = append(l.awsNames[fold(u.UserName)], u)
		for _, m := range u.Emails {
			l.awsMails[fold(m.Value)] = append(l.awsMails[fold(m.Value)], u)
		}
		for _, x := range u.ExternalIDs {
			l.awsExt[x.ID] = append(l.awsExt[x.ID], u)
		}
	}
	for i := range l.a.Groups {
		g := &l.a.Groups[i]
		l.awsGroup[g.GroupID] = g
		l.groupsBy[fold(g.DisplayName)] = g
		for _, x := range g.ExternalIDs {
			l.groupExt[x.ID] = g
		}
	}
	for _, x := range l.a.Assignments {
		l.access[x.PrincipalID]++
	}
	l.groupsOf = relate(l.a.Memberships, func(m Membership) (of, is string) { return m.MemberID, m.GroupID })
	l.members = relate(l.a.Memberships, func(m Membership) (of, is string) { return m.GroupID, m.MemberID })
	for _, s := range l.a.PermissionSets {
		l.setNames[s.PermissionSetArn] = s.Name
	}
}

// findInstance takes the one whose store was asked, else an active one of the organization.
func (l *look) findInstance() {
	for i := range l.a.Instances {
		in := &l.a.Instances[i]
		better := l.instance == nil || in.IdentityStoreID == l.a.IdentityStoreID ||
			(l.instance.IdentityStoreID != l.a.IdentityStoreID && l.organizational(*in) &&
				!l.organizational(*l.instance))
		if better {
			l.instance = in
		}
	}
}

// organizational says whether an instance is the organization's, and not an account's own.
func (l *look) organizational(in Instance) bool {
	o := l.a.Organization
	return o == nil || in.OwnerAccountID == "" || in.OwnerAccountID == o.MasterAccountID
}

// entityID is what the identifier of the application must be, or "" where it is not known.
func (l *look) entityID() string {
	if l.a.SP != nil {
		return l.a.SP.EntityID
	}
	if l.instance == nil || l.instance.IdentityStoreID == "" {
		return ""
	}
	region := cmp.Or(l.instance.PrimaryRegion, l.a.Region)
	if region == "" {
		return ""
	}
	return EntityID(region, l.instance.IdentityStoreID)
}

// EntityID is that of AWS's instance with an identity store, in its primary Region. Source: User
// Guide, Entra tutorial.
func EntityID(region, store string) string {
	host := ".signin.aws.amazon.com"
	if strings.HasPrefix(region, "us-gov-") {
		host = ".signin.amazonaws-us-gov.com"
	}
	return "https://" + region + host + "/platform/saml/" + store
}

// regions are those that the instance is in, the primary one first.
func (l *look) regions() []string {
	if l.instance == nil {
		return nil
	}
	all := []string{cmp.Or(l.instance.PrimaryRegion, l.a.Region)}
	for _, r := range l.instance.Regions {
		if !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	return all
}

// accountAccessTemplate is the gallery's other application of AWS, which federates with IAM.
// Source: Microsoft's tutorial on "AWS Single-Account Access".
const accountAccessTemplate = "8b1025e4-1dd2-430b-a150-2ef79cd700f5"

// federatesIAM says whether an application is for the SAML of AWS accounts, not of Identity Center.
func federatesIAM(sp graph.ServicePrincipal) bool {
	return sp.ApplicationTemplateID == accountAccessTemplate ||
		slices.ContainsFunc(sp.ServicePrincipalNames, func(n string) bool {
			return strings.HasPrefix(n, "https://signin.aws.amazon.com/saml")
		})
}

func (l *look) findApplications() {
	want := l.entityID()
	rank := func(sp *graph.ServicePrincipal) int {
		switch {
		case want != "" && slices.Contains(sp.ServicePrincipalNames, want):
			return 5
		case slices.ContainsFunc(sp.ServicePrincipalNames, isIdentityCenter):
			return 4
		case sp.ApplicationTemplateID == graph.AWSTemplateID && sp.PreferredSingleSignOnMode != nil:
			return 3
		case sp.ApplicationTemplateID == graph.AWSTemplateID:
			return 2
		case federatesIAM(*sp):
			return 1
		}
		return 0
	}
	provRank := func(sp *graph.ServicePrincipal) int {
		if len(l.e.Jobs[sp.ID]) == 0 {
			return 0
		}
		if address := l.secret(sp.ID, graph.KeyBaseAddress); address != "" || sp == l.sso {
			return 2 + rank(sp)
		}
		return 1
	}
	best := 0
	for i := range l.e.ServicePrincipals {
		if n := rank(&l.e.ServicePrincipals[i]); n > best {
			l.sso, best = &l.e.ServicePrincipals[i], n
		}
	}
	best = 0
	for i := range l.e.ServicePrincipals {
		if n := provRank(&l.e.ServicePrincipals[i]); n > best {
			l.prov, best = &l.e.ServicePrincipals[i], n
		}
	}
	if l.prov != nil {
		l.job = &l.e.Jobs[l.prov.ID][0]
		l.all = strings.EqualFold(l.secret(l.prov.ID, graph.KeySyncAll), "true")
	}
}

func isIdentityCenter(name string) bool { return strings.Contains(name, "/platform/saml/d-") }

func (l *look) secret(sp, key string) string {
	for _, kv := range l.e.Secrets[sp] {
		if kv.Key == key {
			return kv.Value
		}
	}
	return ""
}

func (l *look) application(sp *graph.ServicePrincipal) *graph.Application {
	for i := range l.e.Applications {
		if sp != nil && l.e.Applications[i].AppID == sp.AppID {
			return &l.e.Applications[i]
		}
	}
	return nil
}

// read says whether a source was looked at.
func (l *look) read(s Source) bool {
	_, unread := l.Unread[s]
	return !unread && l.asked(s)
}

// asked says whether the side that a source belongs to was asked at all.
func (l *look) asked(s Source) bool {
	switch side, _, _ := strings.Cut(string(s), ":"); side {
	case "graph", "login":
		return l.Entra != nil
	case "aws":
		return l.AWS != nil && l.a.Region != "" // else only its SCIM service was named
	case "scim":
		return l.a.Probe != nil
	}
	return true
}

var scimHost = regexp.MustCompile(`^scim\.([a-z0-9-]+)\.(amazonaws\.com|api\.aws)`)

// quarantine is the job's, or nil.
func (l *look) quarantine() *graph.Quarantine {
	if l.job == nil || l.job.Status == nil {
		return nil
	}
	if l.job.Status.Code == "Quarantine" && l.job.Status.Quarantine == nil {
		return &graph.Quarantine{}
	}
	return l.job.Status.Quarantine
}

// lastCycle is when the job last ended a cycle.
func (l *look) lastCycle() time.Time {
	if l.job == nil || l.job.Status == nil || l.job.Status.LastExecution == nil {
		return time.Time{}
	}
	return l.job.Status.LastExecution.TimeEnded
}

// events are those of one of the names, newest first.
func (l *look) events(names ...string) (out []trail.Event) {
	for _, e := range l.a.Events {
		if slices.Contains(names, e.EventName) {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b trail.Event) int { return b.EventTime.Compare(a.EventTime) })
	return out
}

// detail is a text of a record's map, "" when it has none.
func detail(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

// console is the deep link to the settings of the instance.
func (l *look) console(page string) string {
	region := cmp.Or(append(l.regions(), l.a.Region)...)
	if l.a.Directory != nil {
		return l.a.Directory.ConsoleURL
	}
	if region == "" {
		return ""
	}
	return "https://" + region + ".console.aws.amazon.com/singlesignon/home?region=" + region + "#!/" + page
}

// admin is the deep link to a page of an enterprise application.
func (l *look) admin(sp *graph.ServicePrincipal, page string) string {
	if sp == nil || l.e.AdminURL == "" {
		return ""
	}
	return l.e.AdminURL + "#view/Microsoft_AAD_IAM/ManagedAppMenuBlade/~/" + page + "/objectId/" +
		sp.ID +
		"/appId/" + sp.AppID
}

// readMappings makes the job's mappings ready; the defaults where the job has none of its own.
func (l *look) readMappings() {
	defaults := mapping.Default("")
	schema, known := graph.SynchronizationSchema{}, false
	if l.job != nil {
		schema, known = l.e.Schemas[l.job.ID]
	}
	compile := func(source string) *mapping.Compiled {
		o := defaults.Of(source)
		for _, rule := range schema.Rules {
			for _, m := range rule.ObjectMappings {
				if known && strings.EqualFold(m.SourceObjectName, source) {
					o = objectOf(m, *defaults.Of(source))
				}
			}
		}
		c, err := mapping.Compile(*o)
		if err != nil {
			return nil
		}
		return c
	}
	l.users, l.groups = compile("User"), compile("Group")
	l.subject = l.nameIDSource()
}

// objectOf is the mapping of a kind of object, as the wire has it. What it cannot say is left out:
// a mapping that does not evaluate says nothing of anybody.
func objectOf(m graph.ObjectMapping, defaults mapping.Object) *mapping.Object {
	o := &mapping.Object{
		Name:    m.Name,
		Source:  defaults.Source,
		Target:  m.TargetObjectName,
		Enabled: m.Enabled,
		Flows:   mapping.AllFlows,
	}
	for _, a := range m.AttributeMappings {
		required := slices.ContainsFunc(defaults.Attributes, func(d mapping.Attribute) bool {
			return d.Target == a.TargetAttributeName && d.Required
		})
		expression := a.Source.Expression
		if expression == "" && a.Source.Name != "" {
			expression = "[" + a.Source.Name + "]"
		}
		if mapping.Parse(expression) != nil {
			continue
		}
		value := ""
		if a.DefaultValue != nil {
			value = *a.DefaultValue
		}
		o.Attributes = append(o.Attributes, mapping.Attribute{
			Target:     a.TargetAttributeName,
			Expression: expression,
			Matching:   a.MatchingPriority,
			Default:    value,
			OnlyOnce:   a.FlowType == "ObjectAddOnly",
			Required:   required,
		})
	}
	if m.Scope != nil {
		for _, g := range m.Scope.Groups {
			f := mapping.Filter{Name: g.Name}
			for _, c := range g.Clauses {
				f.Clauses = append(f.Clauses, mapping.Clause{
					Attribute: c.SourceOperandName,
					Operator:  c.OperatorName,
					Values:    c.TargetOperand.Values,
				})
			}
			o.Scope = append(o.Scope, f)
		}
	}
	return o
}
