package doctor

import (
	"cmp"
	"iter"
	"regexp"
	"slices"
	"strings"
	"sync"
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

	people   []person
	ids      index // of people, by Entra's id
	upns     index // of people, by user principal name, in lower case
	awsIDs   index // of AWS's users, by id
	awsNames index // by user name, in lower case
	awsMails index
	awsExt   index             // by external id
	awsGroup map[string]*Group // by id
	circles  map[string]*graph.Group
	inScope  map[string]bool // groups, by Entra's id
	member   []*person       // by their number among the members of Entra's groups
	circleOf groupsOf        // Entra's groups of people, by their ids
	groupsOf groupsOf        // groups of AWS's users, by their ids
	setNames map[string]string

	access   map[string]int          // assignments, by their principal
	changed  map[string]time.Time    // when something was last changed in the directory
	groupExt map[string]*Group       // AWS's groups, by external id
	groupsBy map[string]*Group       // by name, in lower case
	circleBy map[string]*graph.Group // Entra's groups, by name in lower case
	twins    func() (local, display index)
}

func newLook(f Facts, about About) *look {
	l := &look{
		Facts: f, about: about,
		awsGroup: map[string]*Group{}, circles: map[string]*graph.Group{},
		inScope: map[string]bool{}, setNames: map[string]string{},
		access: map[string]int{}, changed: map[string]time.Time{}, groupExt: map[string]*Group{},
		groupsBy: map[string]*Group{}, circleBy: map[string]*graph.Group{},
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

// awsUser is a user of AWS's side by its id, or nil.
func (l *look) awsUser(id string) *User {
	if at := l.awsIDs.find(id); len(at) > 0 {
		return &l.a.Users[at[len(at)-1]]
	}
	return nil
}

// awsNamed are the users of AWS's side of a name.
func (l *look) awsNamed(name string) iter.Seq[*User] { return l.usersAt(l.awsNames.find(fold(name))) }

func (l *look) usersAt(places []uint32) iter.Seq[*User] {
	return func(yield func(*User) bool) {
		for _, at := range places {
			if !yield(&l.a.Users[at]) {
				return
			}
		}
	}
}

// byID is somebody of the directory by their id, or nil.
func (l *look) byID(id string) *person { return l.last(l.ids.find(id)) }

// byName is somebody of the directory by their user principal name, or nil.
func (l *look) byName(name string) *person { return l.last(l.upns.find(fold(name))) }

func (l *look) last(places []uint32) *person {
	if len(places) == 0 {
		return nil
	}
	return &l.people[places[len(places)-1]]
}

// everybody are the people of the directory, those in the recycle bin too.
func (l *look) everybody() iter.Seq[*person] {
	return func(yield func(*person) bool) {
		for i := range l.people {
			if !yield(&l.people[i]) {
				return
			}
		}
	}
}

func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

func (l *look) indexAWS() {
	users := l.a.Users
	l.awsIDs = indexed(len(users), func(i int, add func(string)) { add(users[i].UserID) })
	l.awsNames = indexed(len(users), func(i int, add func(string)) { add(fold(users[i].UserName)) })
	l.awsMails = indexed(len(users), func(i int, add func(string)) {
		for _, m := range users[i].Emails {
			add(fold(m.Value))
		}
	})
	l.awsExt = indexed(len(users), func(i int, add func(string)) {
		for _, x := range users[i].ExternalIDs {
			add(x.ID)
		}
	})
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
	l.groupsOf = l.a.Memberships.turned()
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
	if l.commercial() || l.a.Endpoint != "" {
		return EntityID(l.a.Endpoint, region, l.instance.IdentityStoreID)
	}
	for _, sp := range l.e.ServicePrincipals { // nobody has published it: the store's name has to do
		for _, name := range sp.ServicePrincipalNames {
			if isIdentityCenter(name) && storeOf(name) == l.instance.IdentityStoreID {
				return name
			}
		}
	}
	return ""
}

// EntityID is that of AWS's instance with an identity store, in its primary Region, or that of what
// stands for all of AWS at an endpoint. Source: User Guide, Entra tutorial.
func EntityID(endpoint, region, store string) string {
	if endpoint != "" {
		return endpoint + "/platform/saml/" + store
	}
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

var scimHost = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^scim\.([a-z0-9-]+)\.(amazonaws\.com|api\.aws)`)
})

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
	if l.a.Endpoint != "" {
		return l.a.Endpoint + "/console/"
	}
	if region == "" {
		return ""
	}
	host := region + ".console.aws.amazon.com"
	switch {
	case strings.HasPrefix(region, "us-gov-"):
		host = "console.amazonaws-us-gov.com"
	case strings.HasPrefix(region, "cn-"):
		host = "console.amazonaws.cn"
	}
	return "https://" + host + "/singlesignon/home?region=" + region + "#!/" + page
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
