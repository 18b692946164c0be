package center

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// InstanceControls are what an instance allows at all: from which networks it may be asked, and
// whether it has permission sets. They are a noun of their own, beside InstanceSettings, so that a
// release that does not know them does not lose them.
type InstanceControls struct {
	// Network is what UpdateInstance of sso-admin sets; nil: it was never set.
	Network *InstanceNetwork `json:",omitempty"`
	// StoreNetwork is what UpdateIdentityStore sets; nil: it was never set.
	StoreNetwork *StoreNetwork `json:",omitempty"`
	// WithoutPermissionSets is so from the instance's beginning until permission sets are enabled,
	// which cannot be undone.
	WithoutPermissionSets bool `json:",omitempty"`
}

// Restricted says whether not every network may ask.
func (i InstanceControls) Restricted() bool {
	return i.Network != nil && i.Network.Required || i.StoreNetwork != nil && i.StoreNetwork.Required
}

// InstanceNetwork says from where people and programs may use an instance. Source: API reference,
// NetworkConfigurationInfo.
type InstanceNetwork struct {
	Required       bool     // access from a VPC endpoint, or from the sources
	AllowSourceIPs []string // networks in CIDR notation, and addresses
}

// StoreNetwork says from where the identity store may be asked, over its API and over SCIM. Source:
// Identity Store API reference, NetworkConfiguration.
type StoreNetwork struct {
	Required           bool
	APIAllowSourceIPs  []string
	SCIMAllowSourceIPs []string
}

// instanceControlsReader reads the controls of the instance.
type instanceControlsReader interface {
	InstanceControls() (InstanceControls, error)
}

// instanceControlsWriter writes the controls of the instance.
type instanceControlsWriter interface {
	PutInstanceControls(InstanceControls) error
}

// Network is what may be asked from some networks only.
type Network int

// The networks' controls.
const (
	NetworkOfInstance Network = iota // sign-in, portal, role credentials, sso-admin
	NetworkOfStoreAPI                // identitystore
	NetworkOfSCIM
	networks
)

// maxSources bounds a list of networks. Source: the service models.
const maxSources = 50 //bound:list networks from which an instance or its identity store may be asked

// controlsKept is how long a node that shares its database remembers the controls: a proof for each
// request would cost more than they do.
const controlsKept = time.Second //bound:life the controls of an instance that a node remembers

// openControls are controls in the form in which requests are judged.
type openControls struct {
	InstanceControls

	sources [networks][]netip.Prefix
	limited [networks]bool
	readAt  time.Time
}

func (i InstanceControls) open(at time.Time) *openControls {
	o := &openControls{InstanceControls: i, readAt: at}
	set := func(n Network, required bool, sources []string) {
		o.limited[n] = required
		for _, s := range sources {
			if p, ok := parseSource(s); ok {
				o.sources[n] = append(o.sources[n], p)
			}
		}
	}
	if i.Network != nil {
		set(NetworkOfInstance, i.Network.Required, i.Network.AllowSourceIPs)
	}
	if i.StoreNetwork != nil {
		set(NetworkOfStoreAPI, i.StoreNetwork.Required, i.StoreNetwork.APIAllowSourceIPs)
		set(NetworkOfSCIM, i.StoreNetwork.Required, i.StoreNetwork.SCIMAllowSourceIPs)
	}
	return o
}

// parseSource reads a network in CIDR notation, or an address.
func parseSource(text string) (netip.Prefix, bool) {
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		return p.Masked(), err == nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

// admits says whether a request from an address is let in. No request comes through a VPC endpoint
// here, so what demands one leaves the networks that are allowed beside it.
func (o *openControls) admits(n Network, address string) bool {
	if !o.limited[n] {
		return true
	}
	a, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(o.sources[n], func(p netip.Prefix) bool { return p.Contains(a) })
}

func instanceControls(r instanceControlsReader) (InstanceControls, error) {
	controls, err := r.InstanceControls()
	if errors.Is(err, refusal.ErrNoRow) {
		err = nil
	}
	return controls, err
}

// InstanceControls returns the controls of the instance.
func (c *Center) InstanceControls(ctx context.Context) (i InstanceControls, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		i, err = instanceControls(r)
		return err
	})
	return i, err
}

// controls returns the controls as this node remembers them.
func (c *Center) controls(ctx context.Context) (*openControls, error) {
	known, ok := c.remembered.controls.Get("")
	if ok {
		since := c.Now().Sub(known.readAt)
		if !c.Store.Shared() || since < controlsKept {
			return known, nil
		}
		// one request at a time reads anew, and others do not wait for it
		if c.remembered.reading.TryLock() {
			defer c.remembered.reading.Unlock()
		} else if since < 2*controlsKept {
			return known, nil
		}
	}
	age, at := c.remembered.controls.Age(), c.Now()
	i, err := c.InstanceControls(ctx)
	if err != nil {
		return nil, err
	}
	known = i.open(at)
	c.remembered.controls.Keep("", known, age)
	return known, nil
}

// AdmitFrom refuses a request from an address that the controls of the instance do not allow, with
// NetworkNotAllowed.
func (c *Center) AdmitFrom(ctx context.Context, n Network, address string) error {
	controls, err := c.controls(ctx)
	if err != nil || controls.admits(n, address) {
		return err
	}
	return &refusal.Error{Code: NetworkNotAllowed, Subject: address}
}

// InstanceChange is what one UpdateInstance changes; nil and false: nothing.
type InstanceChange struct {
	Name    *string
	Network *InstanceNetwork
	// EnablePermissionSets lets an instance have permission sets that began without. It cannot be
	// undone, as at AWS.
	EnablePermissionSets bool
}

// UpdateInstance changes the instance. Where access is not required to come from somewhere, the
// networks are dropped, as AWS does. It fails with a code of kind Invalid, also where the caller
// would shut themselves out.
func (c *Center) UpdateInstance(ctx context.Context, by audit.Actor, change InstanceChange) error {
	return c.changeControls(ctx, by, ActionUpdateInstance, c.Instance.ARN, func(tx Tx, i *InstanceControls) error {
		if change.EnablePermissionSets {
			i.WithoutPermissionSets = false
		}
		if n := change.Network; n != nil {
			i.Network = &InstanceNetwork{Required: n.Required}
			if n.Required {
				i.Network.AllowSourceIPs = n.AllowSourceIPs
			}
			if err := checkSources(
				*i, by, NetworkOfInstance, "AllowSourceIps", i.Network.AllowSourceIPs,
			); err != nil {
				return err
			}
		}
		if change.Name == nil {
			return nil
		}
		s, err := c.instanceSettings(tx, c.Instance.ARN)
		if err == nil {
			err = s.rename(*change.Name)
		}
		if err != nil {
			return err
		}
		return tx.PutInstanceSettings(s)
	})
}

// LetIn is AdmitFrom for the address of an actor, and records a refusal.
func (c *Center) LetIn(ctx context.Context, n Network, by audit.Actor, to string) error {
	err := c.AdmitFrom(ctx, n, by.Address)
	if refusal.CodeOf(err) == NetworkNotAllowed {
		err = c.Refuse(ctx, by, "NetworkAccess", to, err)
	}
	return err
}

// SetStoreNetwork replaces the network controls of the identity store. It fails with a code of kind
// Invalid, also where the caller would shut themselves out, and where networks are named though
// none is required.
func (c *Center) SetStoreNetwork(ctx context.Context, by audit.Actor, n StoreNetwork) error {
	return c.changeControls(ctx, by, ActionUpdateIdentityStore, c.Instance.IdentityStoreID,
		func(_ Tx, i *InstanceControls) error {
			if !n.Required && len(n.APIAllowSourceIPs)+len(n.SCIMAllowSourceIPs) > 0 {
				return &refusal.Error{
					Code: InvalidValue, Field: "VpceAccessRequired",
					Detail: "networks are only allowed beside VPC endpoints: set it to true, or name no networks",
				}
			}
			i.StoreNetwork = &n
			return errors.Join(
				checkSources(*i, by, NetworkOfStoreAPI, "ApiAllowSourceIps", n.APIAllowSourceIPs),
				checkSources(*i, audit.SystemActor, NetworkOfSCIM, "ScimAllowSourceIps", n.SCIMAllowSourceIPs),
			)
		})
}

// OpenNetworks takes all network controls away.
func (c *Center) OpenNetworks(ctx context.Context, by audit.Actor) error {
	return errors.Join(
		c.UpdateInstance(ctx, by, InstanceChange{Network: &InstanceNetwork{}}),
		c.SetStoreNetwork(ctx, by, StoreNetwork{}),
	)
}

// checkSources refuses networks that are none, and controls that shut out who asks for them: only
// an administrator in the console could open them again.
func checkSources(i InstanceControls, by audit.Actor, n Network, field string, sources []string) error {
	if len(sources) > maxSources {
		return &refusal.Error{Code: InvalidValue, Field: field, Detail: "at most 50 networks"}
	}
	for _, s := range sources {
		if _, ok := parseSource(s); !ok {
			return &refusal.Error{
				Code: InvalidValue, Field: field, Subject: s,
				Detail: "use addresses, and networks in CIDR notation, such as 192.0.2.0/24 or 2001:db8::/32",
			}
		}
	}
	if by.Kind == audit.System || i.open(time.Time{}).admits(n, by.Address) {
		return nil
	}
	return &refusal.Error{
		Code: InvalidValue, Field: field, Subject: by.Address,
		Detail: "the configuration would deny the calling principal access: no request comes through a VPC " +
			"endpoint here; add the caller's source IP to " + field,
	}
}

func (c *Center) changeControls(
	ctx context.Context, by audit.Actor, action Action, subject string,
	edit func(Tx, *InstanceControls) error,
) error {
	defer c.remembered.controls.Forget()
	return c.change(ctx, by, action, func(tx Tx) (string, error) {
		i, err := instanceControls(tx)
		if err == nil {
			err = edit(tx, &i)
		}
		if err != nil {
			return subject, err
		}
		return subject, tx.PutInstanceControls(i)
	})
}

// HasPermissionSets fails with PermissionSetsOff while permission sets are not enabled.
func (c *Center) HasPermissionSets(ctx context.Context) error {
	controls, err := c.controls(ctx)
	if err == nil && controls.WithoutPermissionSets {
		err = &refusal.Error{Code: PermissionSetsOff, Subject: c.Instance.ARN}
	}
	return err
}

// checkPermissionSets is HasPermissionSets within a change.
func checkPermissionSets(r instanceControlsReader) error {
	i, err := instanceControls(r)
	if err == nil && i.WithoutPermissionSets {
		err = &refusal.Error{Code: PermissionSetsOff}
	}
	return err
}
