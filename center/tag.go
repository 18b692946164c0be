package center

import (
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Tag is a key and a value on a resource.
type Tag struct {
	Key   string // 1 to 128 characters
	Value string // at most 256 characters
}

// Text is the tag as KEY=VALUE, as forms and links have it. A key that has an equals sign stands in
// double quotes, which neither keys nor values can have.
func (t Tag) Text() string {
	if strings.Contains(t.Key, "=") {
		return `"` + t.Key + `"=` + t.Value
	}
	return t.Key + "=" + t.Value
}

// ReadTag reads what Text writes.
func ReadTag(text string) Tag {
	separator := "="
	if quoted, ok := strings.CutPrefix(text, `"`); ok {
		text, separator = quoted, `"=`
	}
	key, value, _ := strings.Cut(text, separator)
	return Tag{key, value}
}

// maxTags bounds the tags of one resource. Source: AWS General Reference, "Tagging your AWS
// resources".
const maxTags = 50 //bound:rows tags of a resource

// isTagKey is the rule for keys of tags, and of the attributes for access control that become tags.
func isTagKey(text string) bool { return text != "" && isTagText(text, 128) }

// isTagValue is the rule for their values.
func isTagValue(text string) bool { return isTagText(text, 256) }

// isTagText says whether text has at most so many characters, and only those that tags may have. A
// regular expression for it takes six megabytes: a state for each character, with all letters.
func isTagText(text string, most int) bool {
	return utf8.RuneCountInString(text) <= most && !strings.ContainsFunc(text, func(r rune) bool {
		return !unicode.In(r, unicode.L, unicode.Z, unicode.N) && !strings.ContainsRune("_.:/=+-@", r)
	})
}

// withTags returns old with more added or replaced by key, in the order of the keys.
func withTags(old, more []Tag) ([]Tag, error) {
	all := slices.Clone(old)
	seen := map[string]bool{}
	for _, t := range more {
		refuse := func(detail string) error {
			return &refusal.Error{Code: InvalidValue, Field: "Tags", Subject: t.Key, Detail: detail}
		}
		switch {
		case seen[t.Key]:
			return nil, refuse("duplicate key")
		case !isTagKey(t.Key):
			return nil, refuse("use keys of 1 to 128 letters, digits, spaces and _ . : / = + - @")
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return nil, refuse("keys that begin with aws: are reserved")
		case !isTagValue(t.Value):
			return nil, refuse("use values of at most 256 letters, digits, spaces and _ . : / = + - @")
		}
		seen[t.Key] = true
		all = append(slices.DeleteFunc(all, func(o Tag) bool { return o.Key == t.Key }), t)
	}
	if len(all) > maxTags {
		return nil, &refusal.Error{Code: QuotaExceeded, Field: "Tags", Detail: "at most 50 tags per resource"}
	}
	slices.SortFunc(all, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	return all, nil
}

// TagResource adds tags to an instance, a permission set, an application or a trusted token issuer,
// or replaces their values.
func (c *Center) TagResource(ctx context.Context, by audit.Actor, arn string, tags []Tag) error {
	return c.retag(ctx, by, ActionTagResource, arn, func(old []Tag) ([]Tag, error) { return withTags(old, tags) })
}

// UntagResource removes tags by their keys. Keys that the resource does not have are passed over.
func (c *Center) UntagResource(ctx context.Context, by audit.Actor, arn string, keys []string) error {
	return c.retag(ctx, by, ActionUntagResource, arn, func(old []Tag) ([]Tag, error) {
		return slices.DeleteFunc(slices.Clone(old), func(t Tag) bool { return slices.Contains(keys, t.Key) }), nil
	})
}

func (c *Center) retag(
	ctx context.Context, by audit.Actor, action Action, arn string, edit func([]Tag) ([]Tag, error),
) error {
	return c.change(ctx, by, action, func(tx Tx) (string, error) {
		resource, err := c.tagged(tx, arn)
		if err != nil {
			return arn, err
		}
		tags, err := edit(resource.tags)
		if err != nil {
			return arn, err
		}
		return arn, resource.put(tx, tags)
	})
}

// Tags returns the tags of a resource, in the order of their keys.
func (c *Center) Tags(ctx context.Context, arn string) (tags []Tag, err error) {
	err = c.Store.Get(ctx, func(r Reader) error {
		resource, err := c.tagged(r, arn)
		tags = resource.tags
		return err
	})
	return tags, err
}

// tagged is a resource with tags.
type tagged struct {
	tags []Tag
	put  func(Tx, []Tag) error // replaces them
}

// tagged returns whatever the ARN names.
func (c *Center) tagged(r Reader, arn string) (tagged, error) {
	switch resourceOf(arn) {
	case "instance":
		s, err := c.instanceSettings(r, arn)
		return tagged{s.Tags, func(tx Tx, tags []Tag) error {
			s.Tags = tags
			return tx.PutInstanceSettings(s)
		}}, err
	case "permissionSet":
		p, err := r.PermissionSet(arn)
		return tagged{p.Tags, func(tx Tx, tags []Tag) error {
			p.Tags = tags
			return tx.PutPermissionSet(p)
		}}, refusal.IfNoRow(err, PermissionSetNotFound, arn)
	case "application":
		if isAccessManager(arn) {
			a, err := c.accessManager(r, arn)
			return tagged{a.Tags, func(tx Tx, tags []Tag) error {
				a.Tags, a.UpdatedAt = tags, c.now()
				return tx.PutAccessManager(a)
			}}, err
		}
		a, err := r.Application(arn)
		return tagged{a.Tags, func(tx Tx, tags []Tag) error {
			a.Tags = tags
			return tx.PutApplication(a)
		}}, refusal.IfNoRow(err, ApplicationNotFound, arn)
	case "trustedTokenIssuer":
		i, err := r.TokenIssuer(arn)
		return tagged{i.Tags, func(tx Tx, tags []Tag) error {
			i.Tags = tags
			return tx.PutTokenIssuer(i)
		}}, refusal.IfNoRow(err, TokenIssuerNotFound, arn)
	}
	return tagged{}, &refusal.Error{
		Code:   InvalidValue,
		Field:  "ResourceArn",
		Detail: "use the ARN of an instance, a permission set, an application or a trusted token issuer",
	}
}

// resourceOf is the kind of resource that an ARN of the service sso names.
func resourceOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	kind, _, _ := strings.Cut(parts[5], "/")
	return kind
}
