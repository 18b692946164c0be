package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/names"
)

// Names of findings that are no check's: explanations of what was asked about.
const (
	soundAnswer  = "sound"
	textAnswer   = "text"
	refAnswer    = "reference"
	notAssigned  = "not-assigned"
	recycleBin   = "recycle-bin"
	unknownName  = "unknown"
	disabledUser = "disabled"
)

// person is who is asked about, or nil.
func (l *look) person() *person {
	if l.about.Person == "" {
		return nil
	}
	if p := l.byName(l.about.Person); p != nil {
		return p
	}
	var deleted *person
	for p := range l.everybody() {
		if p.is(l.about.Person) {
			if !p.deleted {
				return p
			}
			deleted = p
		}
	}
	for u := range l.awsNamed(l.about.Person) { // by the name at AWS's side
		for p := range l.everybody() {
			if p.aws == u && p.by != "email" {
				return p
			}
		}
	}
	return deleted
}

// names are those by which findings may concern what is asked about.
func (l *look) names() []string {
	names := []string{}
	for _, n := range []string{l.about.Person, l.about.Group} {
		if n != "" {
			names = append(names, fold(n))
		}
	}
	if p := l.person(); p != nil {
		names = append(names, fold(p.UserPrincipalName))
		if p.aws != nil {
			names = append(names, fold(p.aws.UserName))
		}
	}
	return names
}

// groupsAsked are the groups that matter to who is asked about.
func (l *look) groupsAsked() (names []string) {
	if p := l.person(); p != nil {
		for g := range l.via(p) {
			names = append(names, fold(g.DisplayName))
		}
	}
	return names
}

func (f *Finding) about(names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return f.concerns[n] })
}

// stopped is where the way of who is asked about ends; "" where it does not.
func (l *look) stopped() Stage {
	p := l.person()
	switch {
	case p == nil && l.about.Group != "":
		for id, g := range l.circles {
			if fold(g.DisplayName) == fold(l.about.Group) && l.counterpart(id) == nil {
				return Provision
			}
		}
		return Memberships
	case p == nil:
		return ""
	case (p.assigned == "" && !l.all) || p.unmet != "" || !p.enabled():
		return Scope
	case p.aws == nil || p.by == "email":
		return Provision
	case p.nameID != "" && !strings.EqualFold(p.nameID, p.aws.UserName):
		return SignInAt
	}
	return ""
}

// concern says how near a finding is to what was asked: 0 the text means it, 1 the person or what
// they lie behind, 2 the whole set-up, 3 others.
func (l *look) concern(f *Finding, stage Stage) int {
	switch {
	case f.meant > 0:
		return 0
	case f.near || f.about(l.names()):
		return 1
	case len(f.concerns) > 0 && l.about.Person+l.about.Group != "":
		if f.about(l.groupsAsked()) && f.State == Broken {
			return 1
		}
		return 3
	case f.State != Broken:
		return 2
	case l.about.Person+l.about.Group == "":
		return 1
	case stage == "" && (f.Stage == SignInAt || f.Stage == Access || f.Stage == Setup):
		return 1
	case f.Stage == stage, f.Stage == Setup, f.Stage == Provision && stage == Memberships:
		return 1
	}
	return 2
}

// answers adds what explains the question itself, and marks the findings that the question means.
func (l *look) answers(found []*Finding) []*Finding {
	if l.about == (About{}) {
		return found
	}
	found = append(found, l.recorded()...)
	found = append(found, l.personal()...)
	for _, f := range found { // what the person's findings lie behind is about the person too
		if f.Behind == "" || !f.about(l.names()) {
			continue
		}
		for _, cause := range found {
			if cause.Check == f.Behind && (len(cause.concerns) == 0 || cause.about(l.names())) {
				cause.near = true
			}
		}
	}
	if l.about.Text == "" {
		return found
	}
	return l.readText(found)
}

// readText answers a text: by what was found, where the text means that; else by what it says.
func (l *look) readText(found []*Finding) []*Finding {
	if numbers := l.outside(l.about.Text); len(numbers) > 0 {
		f := &Finding{
			Check: soundAnswer, Kind: "account outside", State: OK, Stage: Access, meant: 1,
			Fact: "the organization has no account " + strings.Join(numbers, ", "),
			Cause: "Identity Center gives access to accounts of its own organization only: that one is outside, or " +
				"left it",
			Fix: Fix{Do: "Invite the account to the organization, or federate with its IAM"},
		}
		return append(found, f)
	}
	t, ok := meaning(l.about.Text)
	if !ok && l.Entra == nil && l.AWS == nil {
		return append(found, &Finding{
			Check: textAnswer, Kind: "unknown", State: Unseen, Stage: Setup, meant: 1,
			Fact:  "doctor does not know what this means: " + l.about.Text,
			Cause: "Neither side was asked, and no text that it knows is like this one",
			Fix: Fix{Do: "Name a side (--center, --sign-in) and the person, so that both sides are looked at; an " +
				"AADSTS number or a code of SCIM says more than a sentence"},
		})
	}
	if !ok {
		return found
	}
	broken := slices.ContainsFunc(found, func(f *Finding) bool {
		return f.State == Broken && (len(f.concerns) == 0 || f.about(l.names()) || l.about.Person == "")
	})
	place := -1
	for _, f := range found {
		if f.State == OK && f.Check != notAssigned && f.Check != recycleBin && f.Check != "control-policy" &&
			f.Check != "refused-assertions" {
			continue
		}
		at := slices.IndexFunc(t.likely, func(name string) bool {
			check, kind, both := strings.Cut(name, "/")
			return f.Check == check && (!both || f.Kind == kind)
		})
		if at < 0 || (len(f.concerns) > 0 && l.about.Person != "" && !f.about(l.names())) {
			continue
		}
		f.meant = at + 1
		place = at
	}
	if place >= 0 || (t.state == OK && broken && len(t.likely) == 0 && l.about.Person != "") {
		return found // the facts say more than the text
	}
	name := textAnswer
	if t.state == OK {
		name = soundAnswer
	}
	state := t.state
	if state == Broken {
		state = Warning // the text says so; no fact does
	}
	return append(found, &Finding{
		Check: name, Kind: t.name, State: state, Stage: Setup, meant: 1, Fact: "you saw: " + l.about.Text,
		Cause: t.means,
		Fix:   Fix{Do: t.do}, Reference: t.whence,
	})
}

// recorded is what a center recorded under the reference that was asked about.
func (l *look) recorded() (out []*Finding) {
	for _, e := range l.a.Explained {
		state := OK
		if e.Result == "Refused" {
			state = Broken
		}
		f := &Finding{
			Check: refAnswer, Kind: e.ErrorCode, State: state, Stage: SignInAt, meant: 1,
			Fact: fmt.Sprintf("%s was %s on %s for %s", e.EventName, strings.ToLower(e.Result), date(e.EventTime),
				cmp.Or(e.ActorName, e.Subject, "somebody")),
			Cause: strings.TrimSpace(e.What + " " + e.Detail), Fix: Fix{Do: e.Remedy},
		}
		if e.Expected != "" || e.Received != "" {
			f.value("expected", e.Expected).value("received", e.Received)
		}
		out = append(out, f)
	}
	return out
}

// personal says what there is to say of somebody whom no check speaks of.
func (l *look) personal() (out []*Finding) {
	if l.about.Person == "" {
		return l.groupNotMeant()
	}
	say := func(check, kind string, state State, stage Stage, fact, cause, do string) *Finding {
		f := &Finding{Check: check, Kind: kind, State: state, Stage: stage, Fact: fact, Cause: cause,
			Fix:  Fix{Do: do},
			near: true}
		out = append(out, f)
		return f
	}
	p := l.person()
	if p == nil {
		if len(l.awsNames.find(fold(l.about.Person))) == 0 && l.Entra != nil && l.read(People) {
			say(unknownName, "", Warning, Scope, "neither side knows "+l.about.Person,
				"The name is misspelt, or the account is of another tenant", "Look the name up")
		}
		return out
	}
	name := p.UserPrincipalName
	switch {
	case p.deleted:
		say(recycleBin, "", OK, Scope, name+" is in Entra's recycle bin",
			"The account was deleted: it is kept for 30 days, and AWS has the user disabled until it is deleted for "+
				"good", "Restore the account, if the person is still here")
	case !p.enabled():
		say(disabledUser, "", OK, Scope, name+" is disabled in Entra",
			"The account may not sign in, and AWS is told to disable its user",
			"Enable the account, if the person is still here")
	case len(l.eligible(p)) > 0:
		say(soundAnswer, "just in time", OK, Scope, name+" is eligible for "+strings.Join(l.eligible(p),
			", ")+", and has not activated it",
			"Just-in-time access: the membership exists only while it is activated, and reaches AWS 2 to 10 minutes "+
				"after", "Activate it in Privileged Identity Management")
	case p.assigned == "" && !l.all && p.nested == "" && l.read(Assigned) && l.meaning() != nil:
		l.unassigned(say, p)
	case (!l.arrived(p.since) || l.pending(p.ID)) && l.running() && (p.aws == nil || l.pending(p.ID)):
		say(soundAnswer, "next cycle", OK, Provision, name+" was assigned or changed after the last cycle",
			"The job runs every 40 minutes: the next cycle sends the person", "Wait, or provision on demand").
			value("assigned", date(p.since)).value("last cycle", date(l.lastCycle()))
	}
	return out
}

func (l *look) unassigned(say func(string, string, State, Stage, string, string, string) *Finding, p *person) {
	if groups := l.dynamic(p); len(groups) > 0 {
		say(soundAnswer, "dynamic group", OK, Scope,
			p.UserPrincipalName+" is to be in the dynamic group "+strings.Join(groups, ", "),
			"Entra evaluates the rules of dynamic groups by itself, which takes minutes and at times a day",
			"Wait, or look at the rule's validation")
		return
	}
	say(notAssigned, "", Warning, Scope, p.UserPrincipalName+" is not assigned to "+l.meaning().DisplayName,
		"The job sends assigned people only, and Entra refuses the others with AADSTS50105: nothing is broken, the "+
			"person is not meant", "Assign the person or a group of theirs").
		value("Entra, assigned", "no").value("Entra, scope", "assigned users and groups")
}

// running says whether nothing holds the job.
func (l *look) running() bool {
	return l.job != nil && l.quarantine() == nil && (l.job.Schedule == nil || l.job.Schedule.State == "Active")
}

// eligible are the groups in scope that a person may activate and has not.
func (l *look) eligible(p *person) (names []string) {
	for id, people := range l.e.EligibleMembers {
		member := l.e.Members.Has(id, p.ID)
		if g := l.circles[id]; g != nil && l.inScope[id] && slices.Contains(people, p.ID) && !member {
			names = append(names, g.DisplayName)
		}
	}
	return names
}

// dynamic are the dynamic groups in scope whose rule seems to speak of a person.
func (l *look) dynamic(p *person) (names []string) {
	user := p.whole()
	for id, rule := range l.e.Dynamic {
		g := l.circles[id]
		if g == nil || !l.inScope[id] {
			continue
		}
		for _, value := range []string{
			user.Department, user.JobTitle, user.CompanyName, user.Country, user.City,
		} {
			if value != "" && strings.Contains(strings.ToLower(rule), strings.ToLower(value)) {
				names = append(names, g.DisplayName)
				break
			}
		}
	}
	return names
}

// Step is one step of somebody's way through both sides.
type Step struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	Entra string `json:"entra,omitempty"`
	AWS   string `json:"aws,omitempty"`
}

// steps follow who is asked about.
func (l *look) steps() []Step {
	p := l.person()
	if l.about.Person == "" {
		return l.groupSteps()
	}
	if p == nil {
		there := ""
		for u := range l.awsNamed(l.about.Person) {
			there = u.UserName + ", " + cmp.Or(u.UserStatus, "ENABLED")
		}
		return []Step{{"in the directory", judge(false, false), "(unknown)", there}}
	}
	scope := cmp.Or(p.assigned, "not assigned")
	switch {
	case p.assigned == "" && l.all:
		scope = "everyone is in scope"
	case p.assigned == "" && p.nested != "":
		scope = "only by a group inside of " + p.nested
	}
	out := []Step{
		{"in the directory", judge(p.enabled(), true), p.UserPrincipalName + ", " +
			map[bool]string{true: "enabled", false: "disabled or deleted"}[p.enabled()], ""},
		{"assigned", judge(p.scoped, true), scope, ""},
		{"in scope", judge(p.unmet == "", p.scoped), cmp.Or(p.unmet, "passes the filter"), ""},
		{"complete", judge(len(p.missing) == 0, p.scoped), cmp.Or(strings.Join(p.missing, ", "),
			"has what AWS requires"), ""},
	}
	if l.AWS == nil {
		return out
	}
	if p.aws == nil {
		return append(out, Step{"there", judge(false, p.scoped), p.values.of("userName"), "(none)"})
	}
	u := p.aws
	return append(out,
		Step{"matched", judge(p.by != "email", true), "object id " + p.ID, "by " + p.by + ": user " + u.UserID},
		Step{"there", judge(!strings.EqualFold(u.UserStatus, "DISABLED"), p.enabled()), p.values.of("userName"),
			u.UserName + ", " + cmp.Or(u.UserStatus, "ENABLED")},
		l.memberStep(p), l.accessStep(p),
		Step{"can sign in", judge(strings.EqualFold(p.nameID, u.UserName), true),
			"NameID " + cmp.Or(p.nameID, "(none)"), "user name " + u.UserName},
	)
}

func judge(good, matters bool) State {
	switch {
	case good:
		return OK
	case matters:
		return Broken
	}
	return Warning
}

func (l *look) memberStep(p *person) Step {
	var meant, there []string
	good := true
	for circle := range l.via(p) {
		meant = append(meant, circle.DisplayName)
		g := l.counterpart(circle.ID)
		good = good && g != nil && l.groupsOf.has(p.aws.UserID, g.GroupID)
	}
	for g := range l.groupsOf.of(p.aws.UserID) {
		if x := l.awsGroup[g]; x != nil {
			there = append(there, x.DisplayName)
		}
	}
	slices.Sort(meant)
	slices.Sort(there)
	return Step{"member", judge(good, true), cmp.Or(strings.Join(meant, ", "), "(of none in scope)"),
		cmp.Or(strings.Join(there, ", "), "(of none)")}
}

func (l *look) accessStep(p *person) Step {
	var has []string
	for _, x := range l.a.Assignments {
		if x.PrincipalID == p.aws.UserID || l.groupsOf.has(p.aws.UserID, x.PrincipalID) {
			has = append(has, l.setNames[x.PermissionSetArn]+" in "+x.AccountID)
		}
	}
	slices.Sort(has)
	state := OK
	if len(has) == 0 {
		state = Warning
	}
	return Step{"assigned in AWS", state, "", cmp.Or(strings.Join(slices.Compact(has), ", "), "(nothing)")}
}

func (l *look) groupSteps() []Step {
	if l.about.Group == "" {
		return nil
	}
	for id, g := range l.circles {
		if fold(g.DisplayName) != fold(l.about.Group) && g.ID != l.about.Group {
			continue
		}
		out := []Step{
			{"in the directory", OK,
				names.Counted("%s, %d {member|members}", g.DisplayName, len(l.e.Members.numbers(id))), ""},
			{"assigned", judge(l.inScope[id], true), map[bool]string{true: "in scope",
				false: "not in scope"}[l.inScope[id]], ""},
		}
		x := l.counterpart(id)
		if x == nil {
			return append(out, Step{"there", judge(false, l.inScope[id]), g.DisplayName, "(none)"})
		}
		members := len(l.a.Memberships.numbers(x.GroupID))
		return append(out,
			Step{"there", OK, g.DisplayName, names.Counted("%s, %d {member|members}", x.DisplayName, members)},
			Step{"assigned in AWS", OK, "", names.Counted("%d {assignment|assignments}", l.access[x.GroupID])})
	}
	return []Step{{"in the directory", Broken, "(unknown)", ""}}
}
