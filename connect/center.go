package connect

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
)

// Center is AWS's side of a connection: what its console does about the identity source and about
// automatic provisioning. The methods have the names of AWS's own actions (sso-directory in the
// Service Authorization Reference), for which AWS publishes no API. *adminapi.Client is the driver
// for a Gatehouse center, which has an API for them. Another may read what AWS publishes and have a
// person do the rest.
//
// Steps, plan and proofs are the same for all.
type Center interface {
	CenterReader
	CenterWriter
}

// CenterReader is what a side says of itself. It changes nothing.
type CenterReader interface {
	DescribeDirectory(context.Context) (adminapi.Directory, error)
	ServiceProvider(context.Context) (adminapi.ServiceProvider, error)
	Configurations(context.Context) ([]adminapi.Configuration, error)
	Tenants(context.Context) ([]adminapi.Tenant, error)
	BearerTokens(ctx context.Context, tenant string) ([]adminapi.BearerToken, error)
}

// Previewer is a side that says itself what a change of the identity source does to its users.
type Previewer interface {
	Preview(context.Context, adminapi.PreviewInput) (adminapi.Report, error)
}

// CenterWriter changes a side. A driver that has a person do it returns when it is proved.
type CenterWriter interface {
	CreateConfiguration(ctx context.Context, metadata string) (adminapi.Configuration, error)
	EnableConfiguration(context.Context, adminapi.ChangeInput) error
	DisableConfiguration(context.Context, adminapi.ConfirmInput) error
	CreateTenant(context.Context) (adminapi.Tenant, error)
	DeleteTenant(ctx context.Context, id string) error
	CreateBearerToken(ctx context.Context, tenant, profile string) (adminapi.BearerToken, error)
	DeleteBearerToken(ctx context.Context, tenant, id string) error
}

// Learner is a side that cannot say everything about itself, and takes it from what the tenant has,
// if that can be right.
type Learner interface {
	LearnACS(urls []string) error
	LearnEndpoint(address string) (adminapi.Tenant, error)
	// Meet tells who can see at the tenant what the side does not tell.
	Meet(Witness)
}

// Witness sees at the tenant what AWS's side does not tell.
type Witness interface {
	// SignIns are those to the application since, or before by no more than ClockSkew.
	SignIns(ctx context.Context, since time.Time) (SignIns, error)
}

// CertificateProver is a side that does not tell which certificates it trusts: only a sign-in with
// what the tenant signs with shows it.
type CertificateProver interface {
	// BeginCertificate notes that the tenant signs with a certificate from now on.
	BeginCertificate(id string) error
	// ProveCertificate has a person sign in, and reads what the side itself has recorded of it.
	// After an error the certificate does not count as trusted.
	ProveCertificate(ctx context.Context, id string) error
	// CertificateSince is since when the tenant signs with a certificate, as far as runs remember,
	// and whether a sign-in has yet to prove it.
	CertificateSince(id string) (at time.Time, unproved bool)
}

// SignIns are how many sign-ins to an application the tenant's log has, and how many succeeded.
type SignIns struct {
	Seen, Succeeded int
	Last            time.Time // when the newest was, by the clock of who saw it
	Who             string    // the last one who succeeded
	Refused         string    // why the last one was refused, that was
	At              time.Time // of the last one who succeeded
	RefusedAt       time.Time // of the last one who was refused
}

// TokenKeeper is a side that does not see which of its tokens the tenant has, and remembers it. Its
// BearerTokens begins with that one.
type TokenKeeper interface {
	// TokenSaved says that the tenant has saved the token that was made last. before says that the
	// one before works still: it is to be deleted.
	TokenSaved(before bool) error
}

// Prover is a side where one real sign-in is made, and read back from the tenant's log.
type Prover interface {
	ProveSignIn(context.Context) (SignIns, error)
}

// Recorder is a side that keeps a record of its own of who signs in, which may come late.
type Recorder interface {
	RecordedSignIns(ctx context.Context, since time.Time) (SignIns, error)
}

// SnapshotKeeper is a side that remembers, until undo, which file has what was there before a
// connection. A later run's snapshot has a store that is changed in part.
type SnapshotKeeper interface {
	FirstSnapshot() string // empty: none
	RememberSnapshot(file string) error
}

// ErrUnrecorded says that a Recorder's record cannot be read, such as without the permission.
var ErrUnrecorded = errors.New("AWS's own record of sign-ins cannot be read")

// ErrUnseen says that the tenant does not let anybody see who signs in, such as without a license.
// No proof will come then.
var ErrUnseen = errors.New("the tenant's sign-in log cannot be read")

var _ Center = (*adminapi.Client)(nil)
