package gatehouse

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// counts are places where a text puts several things behind a number that may be one: in Go, and
// in pages.
var (
	counts = regexp.MustCompile(
		`(?:(\w+) )?%d ((?:[a-z]+ )?(?:[a-z]+[^aius\W]s|people|failures|statuses|addresses|classes|ones))\b`)
	pageCounts = regexp.MustCompile(`\}\}(?:</[a-z]+>)? ([a-z]+[^aius\W]s|people)\b`)
	notPrinted = regexp.MustCompile(`_test\.go$|test/|^(bench|examples|tools|internal)/`)
	quotes     = regexp.MustCompile("\"(?:\\\\.|[^\"\\\\])*\"|`[^`]*`")
)

// bounds are words before a number that is a bound, which is never one; or that name a thing by
// its number.
var boundWords = map[string]bool{
	"than": true, "most": true, "least": true, "to": true, "takes": true, "first": true, "argument": true,
	"position": true,
}

// severalAlways are texts with a number that is never one, with the reason.
var severalAlways = map[string]string{
	"%d applications have":      "doctor asks for two or more",
	"%d jobs write":             "doctor asks for two or more",
	"%d groups have":            "doctor asks for 90 or more",
	"%d instances":              "one is what there should be",
	"%d applications":           "one is what there should be",
	"%d groups named":           "one is what there should be",
	"%d tenants: ":              "one is what there should be",
	"%d sessions: name":         "one needs no name",
	"%d accounts have the name": "one has an id",
	"%d access tokens: delete":  "AWS takes two",
	"%d jobs":                   "one is what there should be",
	"%d entities with":          "one is what there should be",
	"%d app roles":              "one is allowed",
	"%d values":                 "one is allowed",
	"%d ways: use":              "a limit was reached",
	"%d users; --limit":         "a limit was reached",
	"%d requests within":        "a limit was reached",
	"%d times at most":          "a limit was reached",
	"%d times because":          "it was stopped thrice or more often",
	"%d rows: narrow":           "a limit was reached",
	"%d lines; a review":        "a limit was reached",
	"%d bytes":                  "a size",
	"%d characters":             "a size",
	"%d has numbers":            "a user's number",
	"%d bits":                   "a size",
	"%d ranges":                 "a size",
	"%d seconds instead":        "a session has 900 or more",
	"%d of its":                 "the chain's block of this number, or members",
}

// TestOneThingIsNotCalledSeveral reads every text with a number: what is counted has the form that
// the number asks for (names.Counted, and counted in pages).
func TestOneThingIsNotCalledSeveral(t *testing.T) {
	found := 0
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		name := filepath.ToSlash(file)
		page := strings.HasSuffix(name, ".html")
		if err != nil || d.IsDir() || !page && !strings.HasSuffix(name, ".go") || notPrinted.MatchString(name) {
			return err
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		found += strings.Count(string(source), "ounted(")
		if page {
			for _, m := range pageCounts.FindAllStringSubmatch(string(source), -1) {
				if countedNouns[m[1]] {
					t.Errorf("%s: %q: use {{counted …}}", name, m[0])
				}
			}
			return nil
		}
		for _, text := range quotes.FindAllString(string(source), -1) {
			for _, at := range counts.FindAllStringSubmatchIndex(text, -1) {
				if at[2] >= 0 && boundWords[text[at[2]:at[3]]] || several(text[at[0]:]) {
					continue
				}
				t.Errorf("%s: %q of %s: use names.Counted", name, text[at[0]:at[1]], text)
			}
		}
		return nil
	})
	if err != nil || found < 40 {
		t.Error(found, err)
	}
}

func several(text string) bool {
	for known := range severalAlways {
		if strings.HasPrefix(text[strings.Index(text, "%d"):], known) {
			return true
		}
	}
	return false
}

// countedNouns are what pages count.
var countedNouns = map[string]bool{
	"accounts": true, "applications": true, "assignments": true, "attempts": true, "changes": true, "days": true,
	"events": true, "groups": true, "hours": true, "lines": true, "members": true, "memberships": true, "minutes": true,
	"names": true, "objects": true, "people": true, "requests": true, "roles": true, "rows": true, "rules": true,
	"sessions": true, "tokens": true, "users": true,
}
