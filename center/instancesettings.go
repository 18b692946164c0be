package center

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// InstanceSettings are what can be changed of an instance.
type InstanceSettings struct {
	Name    string // empty: none
	Tags    []Tag
	Regions []Region // without the primary one, in the order they were added
	// AccessControl are the attributes for access control that are filled from the identity source.
	// They count while SignInSettings.AccessControl is set.
	AccessControl []AccessControlAttribute
}

// instanceSettingsReader reads the settings of the instance.
type instanceSettingsReader interface {
	InstanceSettings() (InstanceSettings, error)
}

// instanceSettingsWriter writes the settings of the instance.
type instanceSettingsWriter interface {
	PutInstanceSettings(InstanceSettings) error
}

// Region is a Region that the instance is replicated to. A center has one place only: the Regions
// are a record for tools that ask for them.
type Region struct {
	Name    string
	AddedAt time.Time
}

// MaxRegions bounds the Regions of an instance, the primary one included. Source: user guide,
// quotas.
const MaxRegions = 6 //bound:rows Regions of an instance

var (
	instanceName = newPattern(`^[\w+=,.@-]{0,255}$`)
	regionName   = newPattern(`^([a-z]+-){2,3}\d$`)
)

// instanceSettings reads the settings of the instance that arn names, or fails with
// InstanceNotFound.
func (c *Center) instanceSettings(r instanceSettingsReader, arn string) (InstanceSettings, error) {
	if arn != c.Instance.ARN {
		return InstanceSettings{}, &refusal.Error{Code: InstanceNotFound, Subject: arn}
	}
	s, err := r.InstanceSettings()
	if errors.Is(err, refusal.ErrNoRow) {
		err = nil
	}
	return s, err
}

// InstanceSettings returns the settings of the instance.
func (c *Center) InstanceSettings(ctx context.Context) (s InstanceSettings, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		s, err = c.instanceSettings(r, c.Instance.ARN)
		return err
	})
	return s, err
}

func (s *InstanceSettings) rename(name string) error {
	if !instanceName.match(name) {
		return &refusal.Error{
			Code:   InvalidValue,
			Field:  "Name",
			Detail: "use at most 255 letters, digits or + = , . @ - _",
		}
	}
	s.Name = name
	return nil
}

// AddRegion adds a Region. It fails with RegionExists or QuotaExceeded.
func (c *Center) AddRegion(ctx context.Context, by audit.Actor, name string) error {
	return c.changeInstance(ctx, by, ActionAddRegion, func(s *InstanceSettings) error {
		switch {
		case !regionName.match(name):
			return &refusal.Error{Code: InvalidValue, Field: "RegionName", Detail: "use a name such as eu-central-1"}
		case name == c.Instance.Region || slices.ContainsFunc(s.Regions, func(r Region) bool { return r.Name == name }):
			return &refusal.Error{Code: RegionExists, Subject: name}
		case len(s.Regions)+1 >= MaxRegions:
			return &refusal.Error{Code: QuotaExceeded, Subject: name, Detail: "at most 6 Regions"}
		}
		s.Regions = append(s.Regions, Region{name, c.now()})
		return nil
	})
}

// RemoveRegion removes a Region that was added. It fails with RegionNotFound, and with
// RegionPrimary for the first one.
func (c *Center) RemoveRegion(ctx context.Context, by audit.Actor, name string) error {
	return c.changeInstance(ctx, by, ActionRemoveRegion, func(s *InstanceSettings) error {
		if name == c.Instance.Region {
			return &refusal.Error{Code: RegionPrimary, Subject: name}
		}
		left := slices.DeleteFunc(slices.Clone(s.Regions), func(r Region) bool { return r.Name == name })
		if len(left) == len(s.Regions) {
			return &refusal.Error{Code: RegionNotFound, Subject: name}
		}
		s.Regions = left
		return nil
	})
}

func (c *Center) changeInstance(
	ctx context.Context, by audit.Actor, action Action, edit func(*InstanceSettings) error,
) error {
	return c.change(ctx, by, action, func(tx Tx) (string, error) {
		s, err := c.instanceSettings(tx, c.Instance.ARN)
		if err == nil {
			err = edit(&s)
		}
		if err != nil {
			return c.Instance.ARN, err
		}
		return c.Instance.ARN, tx.PutInstanceSettings(s)
	})
}

// AccessControlAttribute is an attribute for access control that is filled from the identity
// source.
type AccessControlAttribute struct {
	Key    string // the key of the session tag
	Source string // such as ${path:enterprise.costCenter}
}

// maxAccessControl bounds the attributes. Source: the service model.
const maxAccessControl = 50 //bound:list attributes for access control in one request

// CreateAccessControl enables attributes for access control with these attributes. It fails with
// AccessControlOn.
func (c *Center) CreateAccessControl(ctx context.Context, by audit.Actor, attributes []AccessControlAttribute) error {
	return c.changeAccessControl(ctx, by, ActionCreateAccessControl, false, true, attributes)
}

// UpdateAccessControl replaces the attributes. It fails with AccessControlOff.
func (c *Center) UpdateAccessControl(ctx context.Context, by audit.Actor, attributes []AccessControlAttribute) error {
	return c.changeAccessControl(ctx, by, ActionUpdateAccessControl, true, true, attributes)
}

// DeleteAccessControl disables attributes for access control. It fails with AccessControlOff.
func (c *Center) DeleteAccessControl(ctx context.Context, by audit.Actor) error {
	return c.changeAccessControl(ctx, by, ActionDeleteAccessControl, true, false, nil)
}

// AccessControl returns the attributes for access control, or AccessControlOff.
func (c *Center) AccessControl(ctx context.Context) (attributes []AccessControlAttribute, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		settings, err := signInSettings(r)
		if err == nil && !settings.AccessControl {
			return &refusal.Error{Code: AccessControlOff}
		}
		if err != nil {
			return err
		}
		s, err := c.instanceSettings(r, c.Instance.ARN)
		attributes = s.AccessControl
		return err
	})
	return attributes, err
}

// changeAccessControl goes from one state of attributes for access control, on or off, to another.
func (c *Center) changeAccessControl(
	ctx context.Context, by audit.Actor, action Action, from, to bool, attributes []AccessControlAttribute,
) error {
	return c.change(ctx, by, action, func(tx Tx) (string, error) {
		arn := c.Instance.ARN
		settings, err := signInSettings(tx)
		if err != nil {
			return arn, err
		}
		if settings.AccessControl != from {
			return arn, &refusal.Error{
				Code: map[bool]refusal.Code{true: AccessControlOff, false: AccessControlOn}[from],
			}
		}
		if err := checkAccessControl(attributes); err != nil {
			return arn, err
		}
		s, err := c.instanceSettings(tx, arn)
		if err != nil {
			return arn, err
		}
		settings.AccessControl, s.AccessControl = to, attributes
		return arn, errors.Join(tx.PutSignInSettings(settings), tx.PutInstanceSettings(s))
	})
}

func checkAccessControl(attributes []AccessControlAttribute) error {
	if len(attributes) > maxAccessControl {
		return &refusal.Error{Code: InvalidValue, Field: "AccessControlAttributes", Detail: "at most 50 attributes"}
	}
	seen := map[string]bool{}
	for _, a := range attributes {
		if !isTagKey(a.Key) || seen[a.Key] {
			return &refusal.Error{
				Code:    InvalidValue,
				Field:   "AccessControlAttributes.Key",
				Subject: a.Key,
				Detail:  "use keys of 1 to 128 letters, digits, spaces and _ . : / = + - @, each once",
			}
		}
		if !isSource(a.Source) {
			return &refusal.Error{
				Code:    InvalidValue,
				Field:   "AccessControlAttributes.Value.Source",
				Subject: a.Key,
				Detail: a.Source + ` is no attribute of a user that can be read here; use ${path:userName}, ` +
					`${path:emails[primary eq true].value}, ${path:enterprise.costCenter} or another that ` +
					`the user guide lists under "Attributes for access control"`,
			}
		}
		seen[a.Key] = true
	}
	return nil
}
