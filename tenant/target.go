package tenant

import (
	"context"
	"errors"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Credentials are how a job reaches the target.
type Credentials struct {
	BaseAddress string
	SealedToken string // opens for this job and this address only: see tokenPurpose
}

// Target is an address to provision to, with the token that goes there. Only this package makes
// one, so that no door can send a saved token to another address than its own.
type Target struct {
	address string
	token   authn.Secret
}

// Address is the tenant URL as it was given.
func (t Target) Address() string { return t.address }

// Token is what is presented there.
func (t Target) Token() authn.Secret { return t.token }

// NewTarget is an address with a token that came with it. It fails with CredentialsMissing or
// InvalidValue.
func NewTarget(address, token string) (Target, error) {
	if address == "" || token == "" {
		return Target{}, &refusal.Error{Code: CredentialsMissing}
	}
	if err := checkAddress(address); err != nil {
		return Target{}, err
	}
	return Target{address, authn.Secret(token)}, nil
}

// SavedTarget is an address with the token that was saved for it. For any other address it fails
// with CredentialsMissing, as where none is saved.
func (t *Tenant) SavedTarget(j Job, address string) (Target, error) {
	if address == "" || j.Credentials.SealedToken == "" {
		return Target{}, &refusal.Error{Code: CredentialsMissing, Subject: string(j.ID)}
	}
	if err := checkAddress(address); err != nil {
		return Target{}, err
	}
	if !j.Credentials.savedFor(address) {
		return Target{}, &refusal.Error{Code: CredentialsMissing, Subject: string(j.ID), Detail: tokenIsElsewhere}
	}
	token, err := t.Sealer.Open(tokenPurpose(j.ID, address), j.Credentials.SealedToken)
	return Target{address, authn.Secret(token)}, err
}

const tokenIsElsewhere = "the saved secret token belongs to another tenant URL and is not sent to a new one: " +
	"enter the token again"

// savedFor says whether the token was saved for an address.
func (c Credentials) savedFor(address string) bool {
	return c.SameTarget(Credentials{BaseAddress: address})
}

// SameTarget says whether two jobs write to the same target, by its address.
func (c Credentials) SameTarget(other Credentials) bool {
	here, err := outbound.Canonical(c.BaseAddress)
	there, wrong := outbound.Canonical(other.BaseAddress)
	return err == nil && wrong == nil && here == there
}

// place is the address of the target, in one form; "" where there is none.
func (c Credentials) place() string {
	place, err := outbound.Canonical(c.BaseAddress)
	if err != nil {
		return ""
	}
	return place
}

// move has a job that has another target than before compare everything with it. What its links say
// is true of the other target only.
func (j *Job) move(before Credentials) {
	if j.LinkedTo == "" {
		j.LinkedTo = before.place()
	}
	if there := j.Credentials.place(); there != "" && j.LinkedTo != "" && there != j.LinkedTo {
		j.Compare = false // it was asked for of the other target
		j.compareUnasked()
	}
}

// Moved says whether a job's links are of another target than its own.
func (j Job) Moved() bool {
	place := j.Credentials.place()
	return place != "" && j.LinkedTo != "" && j.LinkedTo != place
}

// Arrive notes that a job is about to write to its target, and puts aside what it knows of another
// one. An id of that may be somebody else's at this one. Whoever works on the job calls it before,
// and fails with ConcurrentChange where the job has been given another target meanwhile.
func (t *Tenant) Arrive(ctx context.Context, h Holding, j Job) error {
	if place := j.Credentials.place(); place == "" || j.LinkedTo == place {
		return nil
	}
	return t.Store.Update(ctx, func(tx Tx) error {
		if err := h.Check(tx); err != nil {
			return err
		}
		now, err := tx.Job(j.ID)
		if errors.Is(err, refusal.ErrNoRow) {
			return nil
		}
		if err != nil {
			return err
		}
		if !now.Credentials.SameTarget(j.Credentials) {
			return &refusal.Error{
				Code:    ConcurrentChange,
				Subject: string(j.ID),
				Detail:  "the job was given another tenant URL; try again",
			}
		}
		if now.Moved() {
			err = leave(tx, now.ID, now.LinkedTo, t.now())
		}
		now.LinkedTo = now.Credentials.place()
		return errors.Join(err, tx.PutJob(now))
	})
}

// tokenPurpose is what a secret token is sealed for: it does not open beside another address, even
// where somebody has written that into the store.
func tokenPurpose(jobID JobID, address string) string {
	place, err := outbound.Canonical(address)
	if err != nil {
		place = "" // no address yet: one that comes later needs the token again
	}
	return legacyPurpose(jobID) + " " + place
}

// legacyPurpose is what versions before this one sealed tokens for.
func legacyPurpose(jobID JobID) string { return "secret-token/" + string(jobID) }

// setCredentials saves an address, a token or both. A token goes with the address that it is saved
// for: a new address needs it again, and no address means no token.
func (t *Tenant) setCredentials(j *Job, address, token *string) error {
	saved := &j.Credentials
	before := *saved
	if address != nil {
		if err := checkAddress(*address); err != nil {
			return err
		}
		saved.BaseAddress, j.Quarantine = *address, nil
		j.move(before)
	}
	switch {
	case token != nil:
		saved.SealedToken, j.Quarantine = "", nil
		if *token != "" {
			saved.SealedToken = t.Sealer.Seal(tokenPurpose(j.ID, saved.BaseAddress), []byte(*token))
		}
	case saved.SealedToken == "" || address == nil || before.savedFor(*address):
	case *address == "":
		saved.SealedToken = ""
	default:
		return &refusal.Error{Code: CredentialsMissing, Subject: string(j.ID), Detail: tokenIsElsewhere}
	}
	return nil
}

// checkAddress accepts the tenant URLs that the real service does, and http on loopback.
func checkAddress(s string) error {
	if s == "" {
		return nil
	}
	if _, err := outbound.Parse(s); err != nil {
		return &refusal.Error{Code: InvalidValue, Subject: "tenant URL", Detail: err.Error()}
	}
	return nil
}

// bindTokens seals again what a version before this one has sealed for a job but for no address.
func (t *Tenant) bindTokens(ctx context.Context) error {
	jobs, err := t.Jobs(ctx, "")
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if _, err := t.Sealer.Open(legacyPurpose(j.ID), j.Credentials.SealedToken); err != nil {
			continue // it has none, or it is bound
		}
		if err := t.Store.Update(ctx, func(tx Tx) error { return t.bindToken(tx, j.ID) }); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tenant) bindToken(tx Tx, id JobID) error {
	j, err := tx.Job(id)
	if errors.Is(err, refusal.ErrNoRow) {
		return nil
	}
	if err != nil {
		return err
	}
	token, err := t.Sealer.Open(legacyPurpose(id), j.Credentials.SealedToken)
	if err != nil {
		return nil //nolint:nilerr // another node was faster
	}
	j.Credentials.SealedToken = t.Sealer.Seal(tokenPurpose(id, j.Credentials.BaseAddress), token)
	return tx.PutJob(j)
}
