package provisioning

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/gatehouse-id/gatehouse/scim"
)

// withFreeValues is what is sent to make an object, with a value that nobody has at the target for
// each attribute that is mapped by SelectUniqueValue.
func (c *cycle) withFreeValues(ctx context.Context, o candidate, sent map[string]string) (map[string]string, error) {
	targets := o.mapping.Unique()
	if len(targets) > 0 {
		sent = maps.Clone(sent)
	}
	for _, path := range targets {
		values, err := o.mapping.Candidates(ctx, path, o.attributes("False"))
		if err != nil {
			return nil, &unfit{"AttributeMappingError", err.Error()}
		}
		delete(sent, path)
		free, err := c.freeValue(ctx, o, path, values)
		if err != nil {
			return nil, err
		}
		if free != "" {
			sent[path] = free
		}
	}
	return sent, nil
}

// freeValue is the first value that nobody has; "" when there is no value at all.
func (c *cycle) freeValue(ctx context.Context, o candidate, path string, values []string) (string, error) {
	for _, value := range values {
		if !c.reserve(o.Ref, path, value) {
			continue
		}
		taken, err := c.isTaken(ctx, o.Kind, path, value)
		if err != nil {
			return "", fmt.Errorf("ask who has %s %s: %w", path, o.shown(path, value), err)
		}
		if !taken {
			return value, nil
		}
	}
	if len(values) == 0 {
		return "", nil
	}
	shown := make([]string, len(values))
	for i, value := range values {
		shown[i] = o.shown(path, value)
	}
	return "", &unfit{"EntryConflict", fmt.Sprintf(
		"all values that SelectUniqueValue gives for %s are taken at the target: %s; add a rule to the expression",
		path, strings.Join(shown, ", "),
	)}
}

// reserve keeps a value for an object that is to be made, since others are made at the same time.
func (c *cycle) reserve(ref Ref, path, value string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reserved == nil {
		c.reserved = map[string]Ref{}
	}
	at := string(ref.Kind) + " " + path + " " + key(path, value)
	by, held := c.reserved[at]
	if held && by != ref {
		return false
	}
	c.reserved[at] = ref
	return true
}

// isTaken says whether somebody has a value at the target. One that does not search by the
// attribute is listed, once in a cycle.
func (c *cycle) isTaken(ctx context.Context, kind Kind, path, value string) (bool, error) {
	found, err := c.ask(ctx, kind, path, value)
	if err == nil {
		for _, r := range found {
			has := uniqueValue(r, path)
			if has == "" || key(path, has) == key(path, value) { // one that does not tell was found by it
				return true, nil
			}
		}
		return false, nil
	}
	if !refuses(err) {
		return false, err
	}
	all, unlisted := c.valuesThere(ctx, kind, path)
	if unlisted != nil {
		return false, errors.Join(err, unlisted)
	}
	return all[key(path, value)], nil
}

// valuesThere are all values that objects at the target have of an attribute.
func (c *cycle) valuesThere(ctx context.Context, kind Kind, path string) (map[string]bool, error) {
	c.listing.Lock()
	defer c.listing.Unlock()
	at := string(kind) + " " + path
	if all := c.values[at]; all != nil {
		return all, nil
	}
	all, read := map[string]bool{}, reading{}
	page := Page{}
	for from := ""; ; {
		var err error
		if page, err = c.page(ctx, kind, from, page.Unsure); err == nil {
			err = read.add(page)
		}
		if err != nil {
			return nil, err
		}
		for _, r := range page.Resources {
			if value := uniqueValue(r, path); value != "" {
				all[key(path, value)] = true
			}
		}
		if from = page.Next; from == "" {
			break
		}
	}
	if c.values == nil {
		c.values = map[string]map[string]bool{}
	}
	c.values[at] = all
	return all, nil
}

// withoutFreeValues is what an object must have that was at the target before: values that are
// chosen at a creation stay as they are there.
func (o candidate) withoutFreeValues(found scim.Resource) map[string]string {
	targets := o.mapping.Unique()
	if len(targets) == 0 {
		return o.creating
	}
	wanted := maps.Clone(o.creating)
	for _, path := range targets {
		if wanted[path] = valueAt(found, path); wanted[path] == "" {
			delete(wanted, path)
		}
	}
	return wanted
}
