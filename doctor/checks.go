package doctor

import "slices"

// Checks lists every check: those of causes before those of consequences, and the more likely
// before the less.
func Checks() []Check {
	return slices.Concat(
		setUpChecks(), trustChecks(), jobChecks(), scopeChecks(), signInChecks(), arrivalChecks(), accessChecks(),
	)
}
