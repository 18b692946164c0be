package center

// What the tests outside of the package look at.
var (
	CheckRemedies = checkRemedies
	OwnChecks     = []string{checkFresh, checkAttributes}
)
