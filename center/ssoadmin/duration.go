package ssoadmin

import (
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
)

// The model's pattern of durations has a lookahead, which Go has not: a digit must follow P or PT.
var (
	isoBeginning = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^-?PT?\d`) })
	isoPattern   = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(
			`^(-?)P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W|(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$`,
		)
	})
)

func isDuration(text string) bool {
	return isoBeginning().MatchString(text) && isoPattern().MatchString(text)
}

// isoUnits are what the numbers of isoPattern count. Years and months, which vary, are far beyond
// the longest session all the same.
var isoUnits = [...]time.Duration{
	365 * 24 * time.Hour, 30 * 24 * time.Hour, 7 * 24 * time.Hour, 24 * time.Hour,
	time.Hour, time.Minute, time.Second,
}

// Sessions last from one to twelve hours. Source: user guide, "Set session duration".
const shortestSession, longestSession = time.Hour, 12 * time.Hour //bound:none of the user guide

// parseDuration reads a duration that the model allows; zero for an empty text. One that no session
// may have is refused, not taken for the default.
func parseDuration(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	m := isoPattern().FindStringSubmatch(text)
	if m == nil {
		return 0, invalid("SessionDuration must be an ISO 8601 duration such as PT1H")
	}
	var total float64 // in seconds: a text has room for numbers that no integer holds
	for i, unit := range isoUnits {
		n, _ := strconv.ParseFloat(m[i+2], 64) // zero for a unit that is absent
		total += n * unit.Seconds()
	}
	if m[1] != "" || total < shortestSession.Seconds() || total > longestSession.Seconds() {
		return 0, invalid("SessionDuration must be from PT1H to PT12H")
	}
	return time.Duration(total * float64(time.Second)), nil
}

// spelled is a permission set's session duration as it was sent, as long as that is what it is.
func spelled(p center.PermissionSet) string {
	if d, err := parseDuration(p.SessionText); err == nil && d == p.SessionDuration {
		return p.SessionText
	}
	text := fmt.Sprintf("PT%dH", int(p.SessionDuration.Hours()))
	if m := int(p.SessionDuration.Minutes()) % 60; m > 0 {
		text += fmt.Sprintf("%dM", m)
	}
	return text
}
