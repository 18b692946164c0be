package doctor

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// What people retell has none of the words of the page that they saw. It is understood by what it
// speaks of: each word is brought to its stem, stems that mean the same are one notion, and a
// retelling is what has all notions of one of its lines. The first kind that has one wins: they are
// in their order, the more particular before. A text that has no line is not known: a guess would
// send somebody the wrong way.

// notions are words that mean the same, by the name of what they mean. Words with a space follow
// each other.
var notions = map[string][]string{
	"aws":   {"aws", "amazon", "identity center", "iam", "access portal"},
	"entra": {"entra", "azure", "aad", "microsoft", "office 365", "active directory", "ad"},
	"sync": {"sync", "scim", "provision", "provisioning", "synchronise", "synchronize", "synchronisation",
		"synchronization", "propagate", "push", "replicate", "import"},
	"arrive": {"arrive", "appear", "show up", "turn up", "come over", "come across", "come through", "created",
		"synced", "provisioned", "propagated", "imported", "transferred"},
	"sign-in": {"login", "log in", "log into", "logged", "log on", "logon", "sign in", "signin", "sign into", "sso",
		"signed in", "authenticate", "authentication"},
	"authenticate": {"authenticate", "authorise", "authorize", "authentication", "credential", "unauthorised",
		"unauthorized"},
	"person": {"user", "person", "people", "colleague", "employee", "somebody", "someone", "joiner", "hire", "she",
		"he", "her", "him", "guy", "they", "teammate", "contractor", "developer"},
	"group":  {"group", "team", "circle"},
	"member": {"member", "membership"},
	"nobody": {"nobody", "no one", "no user", "no member", "without member", "empty", "no people", "zero member"},
	"nested": {"nest", "nested", "subgroup", "sub group", "sub team", "subteam", "group in a group",
		"group inside", "inside a group", "inside another", "inside our", "parent group", "child group", "inner group",
		"group of group", "member of a member"},
	"not":     {"not", "cannot", "never", "no", "without", "fail", "nothing", "none", "stop", "neither", "unable"},
	"missing": {"missing", "empty", "blank", "absent", "lack", "no", "without", "not fill", "not have", "not set"},
	"token":   {"token", "bearer"},
	"over": {"expire", "expired", "run out", "ran out", "expiry", "past its", "outdated", "lapse", "no longer valid",
		"end date", "not valid anymore", "too old", "renew", "end soon", "about to end", "end next"},
	"refused": {"refuse", "reject", "invalid", "fail", "error", "cannot", "deny", "denied", "complain", "not accept",
		"not work", "not let", "unable", "not able", "problem", "break", "broke", "wrong", "not possible"},
	"exists": {"already", "exist", "duplicate", "twice", "taken", "conflict", "in use", "collide", "clash"},
	"absent": {"not exist", "missing", "not there", "not found", "absent", "not created", "no such"},
	"find": {"not find", "cannot find", "not found", "not see", "look up", "lookup", "looked up", "not resolve",
		"unknown", "not exist"},
	"email":     {"email", "mail", "e mail", "mailbox", "address"},
	"two":       {"two", "several", "multiple", "second", "both", "more than one"},
	"one":       {"one", "single", "only"},
	"name":      {"surname", "last name", "first name", "given name", "family name", "display name"},
	"user name": {"user name", "username", "upn", "principal name", "name"},
	"renamed": {"rename", "renamed", "marry", "married", "wedding", "name change", "changed name", "new name",
		"change of name", "maiden"},
	"certificate": {"certificate", "cert", "signing key"},
	"address":     {"url", "address", "uri", "redirect", "callback", "acs"},
	"reply":       {"reply", "acs", "redirect uri", "callback", "sent back", "send back", "come back", "return"},
	"mismatch":    {"not match", "not register", "mismatch", "differ", "not configured", "not known", "not list"},
	"assigned":    {"assign", "assigned", "given", "grant", "granted", "entitle"},
	"app":         {"app", "application"},
	"policy":      {"policy"},
	"own policy":  {"customer managed", "customer policy", "own policy", "custom policy", "policy"},
	"set":         {"permission set", "permissionset", "role"},
	"account":     {"account"},
	"payer": {"management account", "payer", "master account", "root account", "organization account",
		"organisation account"},
	"still":  {"still", "keep", "remain", "hours after", "continue", "works after", "usable"},
	"access": {"access", "session", "console", "credential"},
	"removed": {"remove", "removed", "fire", "fired", "take out", "took out", "taken out", "offboard", "terminate",
		"left", "leave", "revoke", "disable", "disabled", "delete", "deleted"},
	"when":    {"when", "how long", "how often", "interval", "schedule", "delay", "how soon", "how fast", "until"},
	"mfa":     {"mfa", "multi factor", "multifactor", "two factor", "second factor", "2fa", "authenticator"},
	"ending":  {"suffix", "ending", "random", "hash", "random character"},
	"changed": {"change", "changed", "new", "other", "different", "again", "got"},
	"locked": {"grey", "greyed", "gray", "grayed", "lock", "locked", "cannot edit", "not edit", "read only",
		"cannot change", "cannot rename", "cannot delete", "cannot remove", "not editable"},
	"console": {"console", "field", "button", "settings page"},
	"deletions": {"would be deleted", "would be removed", "deletion", "delete too many", "remove too many",
		"too many user", "too many deletion",
		"many deletion", "accidental deletion", "accidental delete", "disable too many"},
	"held": {"pause", "paused", "stop", "stopped", "held", "on hold", "hold", "halt", "block", "prevention",
		"threshold"},
	"loop": {"loop", "bounce", "bouncing", "back and forth", "endless", "never stop", "over and over", "ping pong",
		"round in circle", "in circle", "and back", "infinitely"},
	"portal": {"portal", "start page", "start url", "my application", "after logging in", "after login", "log in",
		"landing page", "access page"},
	"nothing listed": {"no account", "not see any", "see no", "nothing there", "no tile", "nothing list",
		"completely blank", "empty page", "no application", "no aws account", "blank", "is empty"},
	"cli":       {"cli", "command line", "terminal", "profile", "config", "awscli", "configure"},
	"region":    {"region", "sso_region"},
	"terraform": {"terraform", "data source", "cloudformation", "cdk", "pulumi", "opentofu", "terragrunt"},
	"free":      {"free", "license", "licence", "premium", "p1", "plan"},
	"logs":      {"log", "logs"},
	"consent":   {"consent", "admin approval", "approval", "approve"},
	"wall": {"ip restriction", "allow list", "allowlist", "firewall", "network restriction", "ip allow", "ip range",
		"network control", "whitelist", "ip address", "ip block", "network policy", "vpc endpoint"},
	"guest": {"guest", "external user", "b2b", "another company", "invited", "partner company"},
	"generic": {"generic", "unexpected", "something went wrong", "contact your admin", "contact admin", "vague",
		"not you", "some error", "strange error", "unhelpful"},
	"listed":   {"list", "listed", "exist", "there", "show up", "shows up", "visible", "synced"},
	"disabled": {"disabled", "disable", "inactive", "deactivated", "deactivate", "left", "deleted"},
	"unknown app": {"not know the app", "not know the application", "not find the app", "not find the application",
		"no such application", "application not found", "unknown application"},
	"compliant":     {"compliant", "comply", "hybrid join"},
	"blocked":       {"block", "blocked", "not allowed"},
	"saml response": {"saml response", "saml assertion", "assertion"},
	"outside":       {"not in the group", "not in their group", "not in its group", "not member", "not a member"},
	"whole":         {"whole", "replace", "complete list", "full list", "all at once", "overwrite", "overwrites"},
	"quarantine":    {"quarantine", "quarantined"},
	"allowed":       {"permission", "allow", "allowed", "right", "forbidden", "no access"},
	"expires soon":  {"hour", "day", "again", "every morning"},
}

// retelling is a kind of text, with the notions that it speaks of, one line for each way to say it.
type retelling struct {
	kind  string
	lines []string
}

var retellings = []retelling{
	{"quarantine", []string{"quarantine"}},
	{"not at AWS", []string{"terraform, find, group", "terraform, find, person", "terraform, absent, group"}},
	{"deletion threshold", []string{"deletions, held", "deletions, sync"}},
	{"token refused", []string{
		"token, over, sync", "token, over, aws", "token, refused, sync", "authenticate, sync, refused",
	}},
	{"certificate expired", []string{"certificate, over"}},
	{"nested group", []string{"nested, group", "nested, sync", "nested, person"}},
	{"duplicate", []string{"exists, sync, person", "exists, sync, email", "exists, sync, group, refused"}},
	{"several values", []string{"two, email, one, aws"}},
	{"violates schema", []string{"name, missing"}},
	{"AADSTS50105", []string{"not, assigned, app, entra", "not, assigned, app, aws", "not, assigned, app, person"}},
	{"AADSTS50011", []string{"reply, mismatch, address", "reply, mismatch, app"}},
	{"AADSTS700016", []string{"app, unknown app, entra"}},
	{"AADSTS53000", []string{"device, compliant", "device, refused, entra, blocked"}},
	{attributeEmpty, []string{"attribute, missing, cli", "email, missing, cli", "attribute, missing, sign-in, aws"}},
	{"IAM federation", []string{"saml response, refused, aws", "saml response, not, aws"}},
	{"consent", []string{"consent, entra", "consent, administrator", "consent, admin"}},
	{"redirect loop", []string{"loop, sign-in", "loop, entra, aws"}},
	{"customer policy missing", []string{"own policy, absent, account, set", "own policy, absent, account, assigned"}},
	{"management account", []string{"payer, assigned", "payer, set"}},
	{"cli region", []string{"cli, region, refused", "sso_region"}},
	{"cli role", []string{"cli, allowed, not, set", "cli, refused, set, sign-in"}},
	{"session ended", []string{
		"cli, sign-in, expires soon, removed", "cli, sign-in, over", "cli, sign-in, gone, again",
	}},
	{"members cannot be replaced", []string{"whole, member, refused", "whole, group, refused"}},
	{"shut out by address", []string{"wall, sync", "wall, arrive, aws", "wall, entra, aws"}},
	{"logs need a license", []string{"free, logs, entra", "free, logs, sync"}},
	{"no user for the sign-in", []string{
		"sign-in, generic, aws", "guest, sign-in, refused, aws", "renamed, sign-in, refused",
		"listed, sign-in, refused, person, aws, entra", "sign-in, generic, entra",
	}},
	{"nothing assigned", []string{"portal, nothing listed", "nothing listed, aws, sign-in"}},
	{"disabled at AWS", []string{
		"disabled, still, aws, entra", "disabled, person, still, set", "disabled, listed, aws, entra, person",
	}},
	{"role suffix", []string{"set, ending, changed"}},
	{"role session", []string{"still, access, removed"}},
	{"console locked", []string{"locked, console"}},
	{"mfa", []string{"mfa, not, aws", "mfa, missing, aws"}},
	{"does not arrive", []string{
		"group, nobody, aws", "outside, aws", "not, arrive, person, aws", "not, arrive, group, aws",
		"not, arrive, member, aws",
		"not, sync, person, entra", "not, sync, group, entra",
	}},
	{"next cycle", []string{"when, sync", "when, arrive, person", "when, arrive, group", "when, arrive, change"}},
}

var notWord = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[^\p{L}\p{N}_]+`) })

// contractions are said otherwise before words are told apart.
var contractions = strings.NewReplacer("’", "'", "can't", "cannot", "can not", "cannot", "won't", "will not", "n't",
	" not", "'re", " are", "'s", "", "haven't", "have not")

// stem takes off what English adds to the end of a word.
func stem(word string) string {
	for _, end := range []string{"ings", "ing", "ies", "ied", "ed", "es", "s"} {
		if cut, found := strings.CutSuffix(word, end); found && len(cut) >= 3 {
			return strings.TrimSuffix(cut, "e")
		}
	}
	return strings.TrimSuffix(word, "e")
}

// stems are the words of a text by their stems, between spaces.
func stems(text string) string {
	words := strings.Fields(notWord().ReplaceAllString(contractions.Replace(strings.ToLower(text)), " "))
	for i, word := range words {
		words[i] = stem(word)
	}
	return " " + strings.Join(words, " ") + " "
}

// speaksOf says whether a text, as stems, has a notion. One without words of its own is a word.
func speaksOf(text, notion string) bool {
	list, known := notions[notion]
	if !known {
		list = []string{notion}
	}
	return slices.ContainsFunc(list, func(words string) bool { return strings.Contains(text, stems(words)) })
}

// retold is the kind of a text in somebody's own words.
func retold(s string) (kind string, known bool) {
	text := stems(s)
	for _, r := range retellings {
		for _, line := range r.lines {
			all := strings.Split(line, ", ")
			if !slices.ContainsFunc(all, func(n string) bool { return !speaksOf(text, n) }) {
				return r.kind, true
			}
		}
	}
	return "", false
}

// ofKind is what is known of a kind of text.
func ofKind(kind string) (text, bool) {
	if number, is := strings.CutPrefix(kind, "AADSTS"); is {
		return codeText(number)
	}
	for _, list := range [][]text{textsOfPrograms, textsOfOthers, textsOfAWS, texts, soundsOfAWS, sounds} {
		for _, t := range list {
			if t.name == kind {
				return t, true
			}
		}
	}
	return text{}, false
}
