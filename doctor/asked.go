package doctor

import (
	"regexp"
	"strings"
	"sync"
)

var reference = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
})

// IsReference says whether a word is a reference, as error pages show it.
func IsReference(word string) bool { return reference().MatchString(strings.ToLower(word)) }

// Asked says what words are about: somebody or a group that one of the sides knows, or an address;
// everything else is a text that a person saw. What a center recorded under a reference may name
// the person.
func Asked(f Facts, words []string) (about About) {
	if len(words) == 0 && (f.AWS == nil || len(f.AWS.Explained) == 0) {
		return about // a look at everybody takes a while
	}
	l := newLook(f, About{})
	for _, word := range words {
		switch {
		case strings.TrimSpace(word) == "":
		case l.knowsPerson(word):
			about.Person = word
		case l.knowsGroup(word):
			about.Group = word
		case strings.Contains(word, "@") && !strings.Contains(strings.TrimSpace(word), " "):
			about.Person = word
		case IsReference(word) && len(l.a.Explained) > 0:
		default:
			about.Text = strings.TrimSpace(about.Text + " " + word)
		}
	}
	for _, e := range l.a.Explained {
		for _, name := range []string{e.Received, e.Subject, e.ActorName} {
			if about.Person == "" && l.knowsPerson(name) {
				about.Person = name
			}
		}
	}
	return about
}

func (l *look) knowsPerson(word string) bool {
	if word == "" {
		return false
	}
	l.about.Person = word
	defer func() { l.about.Person = "" }()
	return l.person() != nil || len(l.awsNames.find(fold(word))) > 0
}

func (l *look) knowsGroup(word string) bool {
	for _, g := range l.e.Groups {
		if fold(g.DisplayName) == fold(word) || g.ID == word {
			return true
		}
	}
	for _, g := range l.a.Groups {
		if fold(g.DisplayName) == fold(word) || g.GroupID == word {
			return true
		}
	}
	return false
}
