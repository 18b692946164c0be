package mapping

import (
	"context"
	"fmt"
)

const selectUnique = "SelectUniqueValue"

// maxCandidates is how many values of one attribute a target is asked for, for one object. Entra ID
// has no bound.
const maxCandidates = 50 //bound:list candidates of SelectUniqueValue

// firstCandidate is what SelectUniqueValue gives where no target can be asked: its first value.
func firstCandidate(a arguments) (Value, error) { return coalesce(a) }

func checkCandidates(c call) error {
	if n := len(c.arguments); n > maxCandidates {
		return fmt.Errorf("it takes at most %d rules here, not %d", maxCandidates, n)
	}
	return nil
}

// Unique are the target's attributes of which the target says which value is free. They are sent at
// a creation only.
func (c *Compiled) Unique() (targets []string) {
	for _, a := range c.attributes {
		if a.candidates() != nil && !a.blind {
			targets = append(targets, a.Target)
		}
	}
	return targets
}

// Candidates evaluates the rules of such an attribute: the values that may be taken, the first one
// first, each once.
func (c *Compiled) Candidates(ctx context.Context, target string, attributes Attributes) (values []string, err error) {
	for _, a := range c.attributes {
		if a.Target != target {
			continue
		}
		seen := map[string]bool{}
		e := &evaluation{Context: ctx, of: attributes}
		for _, rule := range a.candidates() {
			v, err := e.value(rule)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", target, err)
			}
			if text := v.Text(); text != "" && !seen[text] {
				seen[text] = true
				values = append(values, text)
			}
		}
	}
	return values, nil
}

func (a compiled) candidates() []node {
	if c, ok := a.expression.(call); ok && c.name == selectUnique {
		return c.arguments
	}
	return nil
}
