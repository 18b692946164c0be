package adminapi

import (
	"cmp"
	"context"
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SignInSettings are the settings of sign-in. In the input of UpdateSignInSettings, what is left
// out stays as it is.
type SignInSettings struct {
	PortalSessionMinutes *int    `json:",omitzero"`
	MFAMode              *string `json:"MfaMode,omitzero"` // CONTEXT_AWARE, ALWAYS_ON or DISABLED
	WithoutDevice        *string `json:",omitzero"`        // REQUIRE_REGISTRATION, EMAIL_OTP, BLOCK or ALLOW
	SecurityKeys         *bool   `json:",omitzero"`        // may be registered
	AuthenticatorApps    *bool   `json:",omitzero"`        // may be registered
	SelfService          *bool   `json:",omitzero"`        // users manage their own devices
	AccessControl        *bool   `json:",omitzero"`        // attributes for access control are on
}

// Attribute is one for access control: the key of a session tag, and where its value is from, such
// as ${path:enterprise.department}.
type Attribute struct {
	Key   string
	Value AttributeValue
}

// AttributeValue has the sources of an attribute's value.
type AttributeValue struct{ Source []string }

// attributeConfiguration is what AWS's operations about attributes for access control take and
// answer.
type attributeConfiguration struct {
	InstanceArn   string
	Configuration *struct {
		AccessControlAttributes []Attribute
	} `json:"InstanceAccessControlAttributeConfiguration,omitempty"`
}

// MetadataWatch is the input of WatchIdPMetadata; an empty address ends the watch.
type MetadataWatch struct {
	URL string `json:"Url"`
}

// MetadataOffer is the input of AcceptIdPMetadata: the differences that were seen.
type MetadataOffer struct {
	Differences []string
}

// SearchEvents says which events LookupEvents is to return, as CloudTrail's operation of this name.
// A member that is empty excludes nothing.
type SearchEvents struct {
	StartTime, EndTime *time.Time `json:",omitempty"`
	ActorName          string     `json:",omitempty"` // part of it
	EventName          string     `json:",omitempty"` // whole, such as CreateUser
	Subject            string     `json:",omitempty"` // part of it
	Result             string     `json:",omitempty"` // Granted or Refused
	Reference          string     `json:",omitempty"`
	SourceIPAddress    string     `json:",omitempty"`
	MaxResults         int        `json:",omitempty"` // 1 to 500; 0: 50
	NextToken          string     `json:",omitempty"`
}

// EventPage is the answer of LookupEvents, the newest first. It may have fewer events than were
// asked for, or none, and a NextToken all the same: a request looks at a part of the log.
type EventPage struct {
	Events    []Event
	NextToken string `json:",omitempty"`
}

// SignIn returns the settings of sign-in.
func (c *Client) SignIn(ctx context.Context) (SignInSettings, error) {
	return call[SignInSettings](ctx, c, "DescribeSignInSettings", None{})
}

// UpdateSignIn changes the settings that are not nil.
func (c *Client) UpdateSignIn(ctx context.Context, in SignInSettings) error {
	_, err := call[None](ctx, c, "UpdateSignInSettings", in)
	return err
}

// OpenNetworks removes all network controls.
func (c *Client) OpenNetworks(ctx context.Context) error {
	_, err := call[None](ctx, c, "RemoveNetworkControls", None{})
	return err
}

// ssoAdmin is AWS's own service for the rest of an instance, which a center serves too.
const (
	ssoAdminTarget  = "SWBExternalService"
	ssoAdminSigning = "sso"
)

// AccessControl lists the attributes for access control, with AWS's own operation. created says
// whether they are on.
func (c *Client) AccessControl(ctx context.Context, instance string) (list []Attribute, created bool, err error) {
	var out attributeConfiguration
	err = c.send(ctx, ssoAdminTarget, ssoAdminSigning, "DescribeInstanceAccessControlAttributeConfiguration",
		attributeConfiguration{InstanceArn: instance}, &out)
	switch {
	case CodeOf(err) == "ResourceNotFoundException":
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case out.Configuration == nil:
		return nil, true, nil
	}
	return out.Configuration.AccessControlAttributes, true, nil
}

// SetAccessControl replaces the attributes for access control, with AWS's own operations. created
// says whether they are on already; if not, they are then.
func (c *Client) SetAccessControl(ctx context.Context, instance string, created bool, attributes []Attribute) error {
	operation := "CreateInstanceAccessControlAttributeConfiguration"
	if created {
		operation = "UpdateInstanceAccessControlAttributeConfiguration"
	}
	in := attributeConfiguration{InstanceArn: instance}
	in.Configuration = &struct{ AccessControlAttributes []Attribute }{attributes}
	return c.send(ctx, ssoAdminTarget, ssoAdminSigning, operation, in, nil)
}

// SetAttribute fills one attribute for access control from a source, and leaves the others; ""
// takes the attribute away. It says whether anything changed. Attributes are on from then on.
func (c *Client) SetAttribute(ctx context.Context, instance, key, source string) (changed bool, err error) {
	list, created, err := c.AccessControl(ctx, instance)
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(list, func(x Attribute) bool { return x.Key == key })
	switch wanted := (Attribute{Key: key, Value: AttributeValue{Source: []string{source}}}); {
	case source == "" && i < 0, source != "" && i >= 0 && slices.Equal(list[i].Value.Source, wanted.Value.Source):
		return false, nil
	case source == "":
		list = slices.Delete(list, i, i+1)
	case i >= 0:
		list[i] = wanted
	default:
		list = append(list, wanted)
	}
	return true, c.SetAccessControl(ctx, instance, created, list)
}

// PreviewAll is Preview with every user.
func (c *Client) PreviewAll(ctx context.Context, in PreviewInput) (Report, error) {
	report, err := c.Preview(ctx, in)
	for in.NextToken = report.NextToken; err == nil && in.NextToken != ""; {
		var more Report
		if more, err = c.Preview(ctx, in); err == nil {
			report.Users, in.NextToken = append(report.Users, more.Users...), more.NextToken
		}
	}
	report.NextToken = ""
	return report, err
}

// RevokeTokens revokes all access tokens of a SCIM endpoint.
func (c *Client) RevokeTokens(ctx context.Context, tenant string) error {
	tokens, err := c.BearerTokens(ctx, tenant)
	for _, t := range tokens {
		if err := c.DeleteBearerToken(ctx, tenant, t.TokenID); err != nil {
			return err
		}
	}
	return err
}

// WatchMetadata has the center look at the address at which the identity provider publishes its
// metadata; "" ends that.
func (c *Client) WatchMetadata(ctx context.Context, address string) error {
	_, err := call[None](ctx, c, "WatchIdPMetadata", MetadataWatch{address})
	return err
}

// AcceptMetadata trusts published metadata, whose differences the caller has seen.
func (c *Client) AcceptMetadata(ctx context.Context, differences []string) error {
	_, err := call[None](ctx, c, "AcceptIdPMetadata", MetadataOffer{differences})
	return err
}

// UpdateConfiguration changes how the identity provider in force is dealt with.
func (c *Client) UpdateConfiguration(ctx context.Context, in UpdateConfigurationInput) error {
	_, err := call[None](ctx, c, "UpdateExternalIdPConfigurationForDirectory", in)
	return err
}

// CreateConfigurationOf knows an identity provider by three values instead of its metadata, to be
// enabled later.
func (c *Client) CreateConfigurationOf(ctx context.Context, in CreateConfigurationInput) (Configuration, error) {
	return call[Configuration](ctx, c, "CreateExternalIdPConfigurationForDirectory", in)
}

// LookupEvents calls each for the events of the audit log that a search is for, the newest first,
// until it returns false or there are no more.
func (c *Client) LookupEvents(ctx context.Context, in SearchEvents, each func(Event) bool) error {
	for {
		page, err := call[EventPage](ctx, c, "LookupEvents", in)
		if err != nil {
			return err
		}
		for _, e := range page.Events {
			if !each(e) {
				return nil
			}
		}
		if in.NextToken = page.NextToken; in.NextToken == "" {
			return nil
		}
	}
}

// DidItself says whether the audit log has it that the client's own access key did something: an
// event with this name, about this subject.
func (c *Client) DidItself(ctx context.Context, event, subject string) (did bool, err error) {
	keys, err := c.AccessKeys(ctx)
	i := slices.IndexFunc(keys, func(k AccessKey) bool { return k.AccessKeyID == c.AccessKeyID })
	if err != nil || i < 0 {
		return false, err
	}
	name := cmp.Or(keys[i].UserName, c.AccessKeyID)
	in := SearchEvents{EventName: event, Subject: subject, ActorName: name, Result: "Granted", MaxResults: 1}
	err = c.LookupEvents(ctx, in, func(e Event) bool {
		did = e.ActorType == "AccessKey" && e.ActorName == name && e.Subject == subject
		return !did
	})
	return did, err
}

// ConfigurationOf is the identity provider with a status; nil: there is none.
func (c *Client) ConfigurationOf(ctx context.Context, status string) (*Configuration, error) {
	all, err := c.Configurations(ctx)
	for _, x := range all {
		if x.Status == status {
			return &x, nil
		}
	}
	return nil, err
}

// InForce is the id of the configuration in force, or DIRECTORY. A change that names it is refused
// where that is another one by then.
func (c *Client) InForce(ctx context.Context) (string, error) {
	now, err := c.ConfigurationOf(ctx, StatusEnabled)
	switch {
	case err != nil:
		return "", err
	case now == nil:
		return SourceDirectory, nil
	}
	return now.ConfigurationID, nil
}

// WriteReport writes CSV, one user a line. Texts that a spreadsheet would take for a formula are
// quoted for it.
func WriteReport(to io.Writer, users []UserEffect) error {
	plain := func(text string) string {
		if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
			return "'" + text
		}
		return text
	}
	lines := [][]string{{"user id", "user name", "display name", "effect", "explanation", "administrator"}}
	for _, u := range users {
		lines = append(lines, []string{
			u.UserID, plain(u.UserName), plain(u.DisplayName), u.Effect, u.Explanation,
			strconv.FormatBool(u.Administrator),
		})
	}
	return csv.NewWriter(to).WriteAll(lines)
}
