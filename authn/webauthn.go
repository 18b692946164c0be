package authn

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

// RelyingParty registers and recognizes security keys and passkeys (WebAuthn level 2) for one site.
type RelyingParty struct{ site *webauthn.WebAuthn }

// Holder is whose keys they are. Credentials are what FinishRegistration and FinishLogin returned.
type Holder struct {
	ID                string // at most 64 bytes; tells nobody who it is
	Name, DisplayName string
	Credentials       [][]byte
}

// NewRelyingParty returns the relying party for a site at publicURL, or nil where browsers have no
// WebAuthn: at a bare address, and without TLS on another machine. The relying party's id is the
// host name, so that keys stop working when it changes.
func NewRelyingParty(publicURL, name string) *RelyingParty {
	u, err := url.Parse(publicURL)
	if err != nil || net.ParseIP(u.Hostname()) != nil || (u.Scheme != "https" && u.Hostname() != "localhost") {
		return nil
	}
	site, err := webauthn.New(&webauthn.Config{
		RPID:          u.Hostname(),
		RPDisplayName: name,
		RPOrigins:     []string{u.Scheme + "://" + u.Host},
	})
	if err != nil {
		return nil
	}
	return &RelyingParty{site}
}

// Challenge is what a key is asked, both parts as JSON.
type Challenge struct {
	Options []byte // for the browser
	State   []byte // to be kept for the answer
}

// BeginRegistration returns the options for navigator.credentials.create.
func (p *RelyingParty) BeginRegistration(h Holder) (Challenge, error) {
	u, err := read(h)
	if err != nil {
		return Challenge{}, err
	}
	creation, session, err := p.site.BeginRegistration(
		u,
		webauthn.WithExclusions(webauthn.Credentials(u.credentials).CredentialDescriptors()),
		webauthn.WithAuthenticatorSelection(protocol.AuthenticatorSelection{
			ResidentKey:      protocol.ResidentKeyRequirementPreferred,
			UserVerification: protocol.VerificationPreferred,
		}),
		webauthn.WithConveyancePreference(protocol.PreferNoAttestation),
	)
	if err != nil {
		return Challenge{}, fmt.Errorf("start to register a key: %w", err)
	}
	return challenge(creation.Response, session)
}

// FinishRegistration checks what the browser sent and returns the credential to keep.
func (p *RelyingParty) FinishRegistration(h Holder, state, response []byte) ([]byte, error) {
	u, err := read(h)
	if err != nil {
		return nil, err
	}
	session, err := resume(state)
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return nil, fmt.Errorf("the key's answer: %w", err)
	}
	c, err := p.site.CreateCredential(u, session, parsed)
	if err != nil {
		return nil, fmt.Errorf("the key's answer: %w", err)
	}
	return json.Marshal(c)
}

// BeginLogin returns the options for navigator.credentials.get.
func (p *RelyingParty) BeginLogin(h Holder) (Challenge, error) {
	u, err := read(h)
	if err != nil {
		return Challenge{}, err
	}
	assertion, session, err := p.site.BeginLogin(u, webauthn.WithUserVerification(protocol.VerificationPreferred))
	if err != nil {
		return Challenge{}, fmt.Errorf("start to ask for a key: %w", err)
	}
	return challenge(assertion.Response, session)
}

// Used is the credential of a holder that has answered.
type Used struct {
	Index      int    // in Holder.Credentials
	Credential []byte // to be kept from now on
}

// FinishLogin checks what the browser sent and returns which of the holder's credentials was used.
func (p *RelyingParty) FinishLogin(h Holder, state, response []byte) (Used, error) {
	u, err := read(h)
	if err != nil {
		return Used{}, err
	}
	session, err := resume(state)
	if err != nil {
		return Used{}, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return Used{}, fmt.Errorf("the key's answer: %w", err)
	}
	c, err := p.site.ValidateLogin(u, session, parsed)
	if err != nil {
		return Used{}, fmt.Errorf("the key's answer: %w", err)
	}
	if c.Authenticator.CloneWarning {
		return Used{}, errors.New("the key's counter went back: it may have been copied")
	}
	for i, known := range u.credentials {
		if string(known.ID) == string(c.ID) {
			credential, err := json.Marshal(c)
			return Used{i, credential}, err
		}
	}
	return Used{}, errors.New("the answer comes from another key")
}

// user is a Holder as the library wants it.
type user struct {
	Holder
	credentials []webauthn.Credential
}

func (u user) WebAuthnID() []byte                         { return []byte(u.ID) }
func (u user) WebAuthnName() string                       { return u.Name }
func (u user) WebAuthnDisplayName() string                { return u.DisplayName }
func (u user) WebAuthnCredentials() []webauthn.Credential { return u.credentials }

func read(h Holder) (user, error) {
	u := user{Holder: h}
	for _, data := range h.Credentials {
		var c webauthn.Credential
		if err := json.Unmarshal(data, &c); err != nil {
			return u, fmt.Errorf("a stored key: %w", err)
		}
		u.credentials = append(u.credentials, c)
	}
	return u, nil
}

func resume(state []byte) (session webauthn.SessionData, err error) {
	return session, json.Unmarshal(state, &session)
}

func challenge(options any, session *webauthn.SessionData) (c Challenge, err error) {
	if c.Options, err = json.Marshal(options); err != nil {
		return Challenge{}, err
	}
	c.State, err = json.Marshal(session)
	return c, err
}
