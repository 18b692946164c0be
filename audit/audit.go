// Package audit says who did what: the actor that every change names, and the event that every
// change leaves.
//
// It stores nothing and knows neither half: each half keeps its events in its own store, in the
// transaction of the change they describe. It imports nothing of ours.
package audit

import (
	"log/slog"
	"time"
)

// Kind is the way an actor proved who it is.
type Kind string

// The kinds of actor.
const (
	System        Kind = "System"        // the program itself: start-up, background jobs
	Administrator Kind = "Administrator" // a person signed in to the console or the admin center
	AccessKey     Kind = "AccessKey"     // a SigV4 request
	Provisioning  Kind = "Provisioning"  // a SCIM client with a bearer token
	User          Kind = "User"          // a person signed in to the access portal, or signing in
	Application   Kind = "Application"   // a client of Microsoft Graph; who signs for an application of the center
	Anonymous     Kind = "Anonymous"     // nobody yet: the request was refused before it proved who sent it
)

// Actor is who asks for a change, and through which request. It is a parameter of every rule, so
// that no door can forget it.
type Actor struct {
	Kind      Kind
	Name      string // access key id, token id, user name
	Role      string // what an access key allows; empty for other kinds
	Person    string `json:"-"` // whose directory roles bound what the actor may; empty: the kind decides alone
	Address   string // the client's IP address, empty for System
	RequestID string // the id that the answer carries, so that an error page or body leads to the event
}

// SystemActor acts for the program itself.
var SystemActor = Actor{Kind: System, Name: "gatehouse"}

// Results of an event.
const (
	Granted = "Granted"
	Refused = "Refused"
)

// Event is one line of the audit log.
type Event struct {
	ID      string
	Time    time.Time
	Actor   Actor
	Action  string // the vendor's name of the operation, such as CreateUser or ExternalIdPDirectoryLogin
	Subject string // what it was done to: an id or a name
	Result  string // Granted or Refused
	Code    string // the stable code of a refusal; empty when granted
	Detail  string // the reason in words, for administrators only; never a secret

	// Of a message that failed a check: which one, the value that was expected and the one that was
	// received.
	Check     string `json:",omitempty"`
	Want, Got string `json:",omitempty"`

	// Count is how many refusals of strangers the event stands for, none of which has an event of
	// its own; 0 for all other events.
	Count int `json:",omitempty"`
}

// LogValue makes an event one structured group in the program's log.
func (e Event) LogValue() slog.Value {
	e = e.Bounded()
	attrs := []slog.Attr{
		slog.String("id", e.ID), slog.String("action", e.Action), slog.String("result", e.Result),
		slog.String("actor", string(e.Actor.Kind)+"/"+e.Actor.Name), slog.String("subject", e.Subject),
		slog.String("address", e.Actor.Address), slog.String("request_id", e.Actor.RequestID),
	}
	if e.Code != "" {
		attrs = append(attrs, slog.String("code", e.Code), slog.String("detail", e.Detail))
	}
	if e.Count > 0 {
		attrs = append(attrs, slog.Int("count", e.Count))
	}
	return slog.GroupValue(attrs...)
}
