package doctor

import "slices"

// Checks lists every check: those of causes before those of consequences, and the more likely
// before the less.
func Checks() []Check {
	return slices.Concat(trustChecks(), jobChecks(), scopeChecks(), signInChecks(), accessChecks())
}
