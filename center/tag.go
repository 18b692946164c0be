package center

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/audit"
)

// Tag is a key and a value on a resource.
type Tag struct {
	Key   string // 1 to 128 characters
	Value string // at most 256 characters
}

// maxTags bounds the tags of one resource. Source: AWS General Reference, "Tagging your AWS resources".
const maxTags = 50

var tagText = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

// withTags returns old with more added or replaced by key, in the order of the keys.
func withTags(old, more []Tag) ([]Tag, error) {
	all := slices.Clone(old)
	seen := map[string]bool{}
	for _, t := range more {
		refuse := func(detail string) error {
			return &Error{Code: InvalidValue, Field: "Tags", Subject: t.Key, Detail: detail}
		}
		switch {
		case seen[t.Key]:
			return nil, refuse("the key stands twice")
		case t.Key == "" || utf8.RuneCountInString(t.Key) > 128 || !tagText.MatchString(t.Key):
			return nil, refuse("want keys of 1 to 128 letters, digits, blanks and _ . : / = + - @")
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return nil, refuse("keys that begin with aws: are reserved")
		case utf8.RuneCountInString(t.Value) > 256 || !tagText.MatchString(t.Value):
			return nil, refuse("want values of at most 256 letters, digits, blanks and _ . : / = + - @")
		}
		seen[t.Key] = true
		all = append(slices.DeleteFunc(all, func(o Tag) bool { return o.Key == t.Key }), t)
	}
	if len(all) > maxTags {
		return nil, &Error{Code: QuotaExceeded, Field: "Tags", Detail: "at most 50 tags a resource"}
	}
	slices.SortFunc(all, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	return all, nil
}

// TagResource adds tags to an instance, a permission set, an application or a trusted token issuer, or replaces their values.
func (c *Center) TagResource(ctx context.Context, by audit.Actor, arn string, tags []Tag) error {
	return c.change(ctx, by, "TagResource", func(tx Tx) (string, error) {
		return arn, c.retag(tx, arn, func(old []Tag) ([]Tag, error) { return withTags(old, tags) })
	})
}

// UntagResource removes tags by their keys. Keys that the resource does not have are passed over.
func (c *Center) UntagResource(ctx context.Context, by audit.Actor, arn string, keys []string) error {
	return c.change(ctx, by, "UntagResource", func(tx Tx) (string, error) {
		return arn, c.retag(tx, arn, func(old []Tag) ([]Tag, error) {
			return slices.DeleteFunc(slices.Clone(old), func(t Tag) bool { return slices.Contains(keys, t.Key) }), nil
		})
	})
}

// retag changes the tags of whatever the ARN names.
func (c *Center) retag(tx Tx, arn string, edit func([]Tag) ([]Tag, error)) (err error) {
	switch resourceOf(arn) {
	case "instance":
		s, err := c.instanceSettings(tx, arn)
		if err == nil {
			s.Tags, err = edit(s.Tags)
		}
		if err != nil {
			return err
		}
		return tx.PutInstanceSettings(s)
	case "permissionSet":
		p, err := tx.PermissionSet(arn)
		if err == nil {
			p.Tags, err = edit(p.Tags)
		}
		if err != nil {
			return orRefuse(err, PermissionSetNotFound, arn)
		}
		return tx.PutPermissionSet(p)
	case "application":
		a, err := tx.Application(arn)
		if err == nil {
			a.Tags, err = edit(a.Tags)
		}
		if err != nil {
			return orRefuse(err, ApplicationNotFound, arn)
		}
		return tx.PutApplication(a)
	case "trustedTokenIssuer":
		i, err := tx.TokenIssuer(arn)
		if err == nil {
			i.Tags, err = edit(i.Tags)
		}
		if err != nil {
			return orRefuse(err, TokenIssuerNotFound, arn)
		}
		return tx.PutTokenIssuer(i)
	}
	return &Error{Code: InvalidValue, Field: "ResourceArn", Detail: "want the ARN of an instance, a permission set, an application or a trusted token issuer"}
}

// Tags returns the tags of a resource, in the order of their keys.
func (c *Center) Tags(ctx context.Context, arn string) (tags []Tag, err error) {
	err = c.Store.Get(ctx, func(r Reader) error {
		switch resourceOf(arn) {
		case "instance":
			s, err := c.instanceSettings(r, arn)
			tags = s.Tags
			return err
		case "permissionSet":
			p, err := r.PermissionSet(arn)
			tags = p.Tags
			return orRefuse(err, PermissionSetNotFound, arn)
		case "application":
			a, err := r.Application(arn)
			tags = a.Tags
			return orRefuse(err, ApplicationNotFound, arn)
		case "trustedTokenIssuer":
			i, err := r.TokenIssuer(arn)
			tags = i.Tags
			return orRefuse(err, TokenIssuerNotFound, arn)
		}
		return &Error{Code: InvalidValue, Field: "ResourceArn"}
	})
	return tags, err
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
