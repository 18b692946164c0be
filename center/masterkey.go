package center

import (
	"cmp"
	"context"
	"errors"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// proofPurpose is what Instance.SealedProof is sealed for. What is in it does not matter: it opens
// with the right master key, and with no other.
const proofPurpose = "master-key-proof"

// openInstance reads the instance and finds the master key that its secrets were sealed with, or
// makes both in an empty store: a key that is made over data opens nothing of it, and a node with a
// key of its own would answer every signature with a failure.
func (c *Center) openInstance(ctx context.Context, cfg Config) error {
	key := cfg.key()
	opens := func(*authn.Sealer) error { return nil }
	err := c.Store.View(ctx, func(r Reader) (err error) {
		if c.Instance, err = r.Instance(); err == nil {
			opens, err = OpensWith(r, c.Instance)
		}
		return err
	})
	empty := errors.Is(err, refusal.ErrNoRow)
	if err != nil && !empty {
		return err
	}
	if err := cfg.admit(c.Instance); err != nil {
		return err
	}
	if empty {
		c.Sealer, err = key.LoadOrMake() // before the data: data without its key is lost
	} else {
		c.Sealer, err = key.LoadFor(opens)
	}
	if err != nil {
		return err
	}
	if err := c.readOrMake(ctx, cfg, key); err != nil {
		return err
	}
	if cfg.Place == nil {
		return nil
	}
	if err := cfg.Place.Keep(c.Instance.PlaceID()); err != nil { // it serves all the same
		c.Log.WarnContext(ctx, "a later start will not notice that the database was lost", "error", err)
	}
	return nil
}

// DataPlace remembers whose data is where a center keeps it, and refuses others: Admit is asked
// before anything is made, with an empty id for an empty store. Keep is told whose it is now.
type DataPlace interface {
	Admit(id string) error
	Keep(id string) error
}

// Admits fails where a center of this configuration would not begin with the data: it is another
// one's by Place, or sealed with another master key. Ask before data of an older release is
// changed, after which that release may not take it back.
func (cfg Config) Admits(r Reader) error {
	i, err := r.Instance()
	if errors.Is(err, refusal.ErrNoRow) { // a first start died
		return nil
	}
	if err != nil {
		return err
	}
	if err := cfg.admit(i); err != nil {
		return err
	}
	opens, err := OpensWith(r, i)
	if err == nil {
		_, err = cfg.key().LoadFor(opens)
	}
	return err
}

// key is where the master key is.
func (cfg Config) key() authn.MasterKey {
	key := cfg.Key
	key.Loaded = cfg.Sealer
	return key
}

func (cfg Config) admit(i Instance) error {
	if cfg.Place == nil {
		return nil
	}
	return cfg.Place.Admit(i.PlaceID())
}

// PlaceID is what a DataPlace knows the instance by: what it keeps when it takes over the identity
// of another one.
func (i Instance) PlaceID() string { return i.SAMLTenantID }

// readOrMake reads or makes the instance, as the center is asked to begin.
func (c *Center) readOrMake(ctx context.Context, cfg Config, key authn.MasterKey) error {
	return c.Store.Update(ctx, func(tx Tx) error {
		if err := c.openIn(tx, cfg, key); err != nil || cfg.Identity == nil {
			return err
		}
		if err := c.Instance.adopt(tx, *cfg.Identity); err != nil {
			return err
		}
		if cfg.Copy && c.Instance.CopiedAt.IsZero() {
			if held, err := holds(tx); err != nil || held {
				return cmp.Or(err, error(&refusal.Error{Code: InstanceInUse, Subject: c.Instance.ARN}))
			}
			c.Instance.CopiedAt = c.now()
		}
		return tx.PutInstance(c.Instance)
	})
}

// openIn reads or makes the instance.
func (c *Center) openIn(tx Tx, cfg Config, key authn.MasterKey) (err error) {
	c.Instance, err = tx.Instance()
	switch {
	case errors.Is(err, refusal.ErrNoRow):
		c.Instance = c.newInstance(cmp.Or(cfg.Region, DefaultRegion))
		if cfg.WithoutPermissionSets {
			if err := tx.PutInstanceControls(InstanceControls{WithoutPermissionSets: true}); err != nil {
				return err
			}
		}
	case err != nil:
		return err
	case c.Instance.SealedProof != "": // perhaps of another node, which was faster
		_, err = c.Sealer.Open(proofPurpose, c.Instance.SealedProof)
		return key.Other(err)
	}
	c.Instance.SealedProof = c.Sealer.Seal(proofPurpose, []byte(c.Instance.ARN))
	return tx.PutInstance(c.Instance)
}

func (c *Center) newInstance(region string) Instance {
	return Instance{
		ARN:             instancePrefix + "ssoins-" + authn.NewHex(8),
		IdentityStoreID: "d-" + authn.NewHex(5),
		OwnerAccountID:  DefaultAccount,
		Region:          region,
		SAMLTenantID:    authn.NewHex(4) + c.NewID(),
		CreatedAt:       c.now(),
	}
}

// OpensWith returns what says of a master key whether the secrets of an instance's store were
// sealed with it. Earlier releases kept no value for that alone; they have sealed access keys, and
// keys that sign.
func OpensWith(r Reader, i Instance) (opens func(*authn.Sealer) error, err error) {
	if i.SealedProof != "" {
		return func(s *authn.Sealer) error {
			_, err := s.Open(proofPurpose, i.SealedProof)
			return err
		}, nil
	}
	keys, err := r.AccessKeys()
	if err != nil {
		return nil, err
	}
	if len(keys) > 0 {
		return func(s *authn.Sealer) (err error) {
			for _, k := range keys { // one may be damaged
				if _, err = k.Secret(s); err == nil {
					return nil
				}
			}
			return err
		}, nil
	}
	for _, read := range []func() (RequestKey, error){r.RequestKey, r.FederationKey} {
		key, err := read()
		if err == nil {
			return func(s *authn.Sealer) error {
				_, err := s.Open(requestKeyPurpose, key.SealedKey)
				return err
			}, nil
		}
		if !errors.Is(err, refusal.ErrNoRow) {
			return nil, err
		}
	}
	return func(*authn.Sealer) error { return nil }, nil // nothing is sealed
}

// Ready says what keeps the center from serving at the moment, by what was looked at; nil is good.
func (c *Center) Ready(ctx context.Context) map[string]error {
	key := c.Store.View(ctx, func(r Reader) error {
		i, err := r.Instance()
		if err == nil {
			_, err = c.Sealer.Open(proofPurpose, i.SealedProof)
		}
		return err
	})
	return map[string]error{"database": c.Store.Ready(ctx), "master key": key}
}
