// Package gatehousetest starts Gatehouse inside a Go test, as net/http/httptest starts a web
// server: an IAM Identity Center and an Entra-like tenant on loopback, connected by SAML and SCIM,
// with a small company in them. There is no process to run, nothing to install, and nothing is left
// behind.
//
//	func TestMyCode(t *testing.T) {
//		pair := gatehousetest.Start(t)
//		client := ssoadmin.NewFromConfig(pair.AWSConfig())
//		...
//	}
//
// Everything is reached as the real ones are: the AWS SDKs and the AWS CLI by an endpoint URL,
// SCIM clients by the SCIM endpoint and its token, Microsoft Graph and MSAL by the tenant's URLs,
// browsers by the portal. Pair has the settings for each.
//
// Each pair has a store, keys and ports of its own, so tests may run in parallel. A start takes
// around a second.
//
// It may import audit, authn, center, center/server, center/store, demo, internal/keypool, mail,
// outbound, tenant, tenant/server, tenant/store and tenant/syncjobs.
package gatehousetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	centerserver "github.com/gatehouse-id/gatehouse/center/server"
	centerstore "github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/demo"
	"github.com/gatehouse-id/gatehouse/internal/keypool"
	"github.com/gatehouse-id/gatehouse/mail"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/tenant"
	tenantserver "github.com/gatehouse-id/gatehouse/tenant/server"
	tenantstore "github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
)

func init() { authn.HashCheaply() }

// Pair is a center and a tenant that serve until Close. The fields of Output say how to reach them,
// and who and what is there: they are the same as those of the JSON of gatehouse demo --json.
type Pair struct {
	demo.Output

	center *center.Center
	tenant *tenant.Tenant
	outbox *mail.Outbox
	clock  *tenant.Clock  // of both halves
	closes []func() error // in the order of their making
	once   sync.Once
	err    error
}

// Option changes what New and Start make.
type Option func(*settings)

type settings struct {
	people, groups int
	connected      bool
	log            *slog.Logger
	cycle, lag     time.Duration
	limit          int
}

// Company makes the company of another size. Without it there are 25 people in six groups. The
// first people and groups are always the same: amara.okafor@northwind.example is in the group
// Platform Engineering, whose members are administrators of all four AWS accounts.
func Company(people, groups int) Option {
	return func(s *settings) { s.people, s.groups = people, groups }
}

// Unconnected leaves the two apart, for tests of what connects them: no SAML, no SCIM, and nobody
// at the center.
func Unconnected() Option {
	return func(s *settings) { s.connected = false }
}

// Log writes what both say to a logger. Without it nothing is written.
func Log(to *slog.Logger) Option {
	return func(s *settings) { s.log = to }
}

// Cycle makes a provisioning cycle begin that long after the one before, as every forty minutes at
// Entra ID. Without it one begins as soon as something changes.
func Cycle(every time.Duration) Option {
	return func(s *settings) { s.cycle = every }
}

// GraphLimit makes Microsoft Graph take so many requests in ten seconds, and answer the others with
// 429. Without it any number is taken.
func GraphLimit(requests int) Option {
	return func(s *settings) { s.limit = requests }
}

// GraphLag makes Microsoft Graph not know for so long what was made, as the real one may.
func GraphLag(lag time.Duration) Option {
	return func(s *settings) { s.lag = lag }
}

// Start starts a pair that ends with the test. It fails the test when it cannot.
func Start(t testing.TB, options ...Option) *Pair {
	t.Helper()
	p, err := New(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// New starts a pair. It is Start for programs that are no test; call Close when done.
func New(options ...Option) (*Pair, error) {
	s := settings{people: 25, groups: 6, connected: true, log: slog.New(slog.DiscardHandler)}
	for _, o := range options {
		o(&s)
	}
	if s.people < 1 || s.groups < 1 {
		return nil, errors.New("gatehousetest: a company has one person and one group at least")
	}
	p := &Pair{outbox: &mail.Outbox{}, clock: &tenant.Clock{}}
	if err := p.start(context.Background(), s); err != nil {
		return nil, errors.Join(fmt.Errorf("gatehousetest: %w", err), p.Close())
	}
	return p, nil
}

// Close ends both servers and removes all that they kept. More than one call does nothing more.
func (p *Pair) Close() error {
	p.once.Do(func() {
		for i := len(p.closes) - 1; i >= 0; i-- {
			p.err = errors.Join(p.err, p.closes[i]())
		}
	})
	return p.err
}

// atEnd adds what Close does, before what was added earlier.
func (p *Pair) atEnd(f func() error) { p.closes = append(p.closes, f) }

func (p *Pair) start(ctx context.Context, s settings) error {
	dir, err := os.MkdirTemp("", "gatehousetest-")
	if err != nil {
		return err
	}
	p.atEnd(func() error { return os.RemoveAll(dir) })
	atCenter, atTenant := httptest.NewUnstartedServer(nil), httptest.NewUnstartedServer(nil)
	hangUp := func() error {
		atCenter.Close()
		atTenant.Close()
		return nil
	}
	p.atEnd(hangUp) // also where the stores do not open
	if err := p.open(ctx, s, dir, atCenter.Listener, atTenant.Listener); err != nil {
		return err
	}
	p.atEnd(hangUp) // before the stores are closed
	keys, err := demo.Seed(ctx, p.center, p.tenant, s.people, s.groups)
	if err != nil {
		return err
	}
	queue := mail.NewQueue(p.outbox, p.center.Log)
	p.center.Mailer = centerserver.Mailer(queue)
	p.tenant.Notify = tenantserver.Notifier(queue)
	own := outbound.Policy{Loopback: true}
	jobs := syncjobs.New(p.tenant, p.tenant.Log, own.Client(syncjobs.AnswerTimeout))
	jobs.Interval = s.cycle
	atCenter.Config.Handler = centerserver.Handler(p.center, centerserver.Config{Targets: own})
	atTenant.Config.Handler = tenantserver.Handler(p.tenant, tenantserver.Config{
		Jobs:       jobs,
		GraphLimit: s.limit,
		GraphLag:   s.lag,
	})
	atCenter.Start()
	atTenant.Start()
	background, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { queue.Run(background) })
	running.Go(func() { p.center.Run(background) })
	running.Go(func() { p.tenant.Run(background) })
	p.atEnd(func() error {
		cancel()
		running.Wait()
		return nil
	})
	var connected demo.Connected
	if s.connected {
		connected, err = keys.Connect(ctx, p.center, p.tenant, own.Client(time.Minute), demo.Watch{})
		if err != nil {
			return err
		}
	}
	config, err := demo.AWSConfig(ctx, p.center, p.tenant.Organization.Domain)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "aws-config")
	if err := authn.WritePrivate(file, []byte(config)); err != nil {
		return err
	}
	p.Output, err = keys.Describe(ctx, p.center, p.tenant, connected.State, file)
	return err
}

// open opens both halves on stores in a folder, as reached by two listeners.
func (p *Pair) open(ctx context.Context, s settings, dir string, atCenter, atTenant net.Listener) error {
	key := make([]byte, authn.MasterKeySize)
	_, _ = rand.Read(key) // it never fails
	sealer, err := authn.NewSealer(key)
	if err != nil {
		return err
	}
	cs, err := centerstore.Open(ctx, filepath.Join(dir, "center.db"))
	if err != nil {
		return err
	}
	p.atEnd(cs.Close)
	ts, err := tenantstore.Open(ctx, filepath.Join(dir, "tenant.db"))
	if err != nil {
		return err
	}
	p.atEnd(ts.Close)
	p.center, err = center.Open(ctx, center.Config{
		Store:  cs,
		Sealer: sealer,
		Log:    s.log.With("half", "center"),
		URL:    "http://" + atCenter.Addr().String(),
		Now:    p.clock.Now,
	})
	if err != nil {
		return err
	}
	p.center.Ahead = p.clock.Ahead
	p.tenant, err = tenant.Open(ctx, tenant.Config{
		Store:     ts,
		Sealer:    sealer,
		Log:       s.log.With("half", "tenant"),
		URL:       "http://" + atTenant.Addr().String(),
		Clock:     p.clock,
		NewRSAKey: keypool.Shared.Lend(func(end func()) { p.atEnd(func() error { end(); return nil }) }),
	})
	return err
}

// Mails returns what both have sent, newest first: invitations, codes, notifications. Nothing
// leaves the test.
func (p *Pair) Mails() []mail.Message { return p.outbox.Messages() }

// Forward moves the clock of both ahead, so that what takes hours or months happens at once: codes,
// tokens, sessions and passwords end, and the next provisioning cycle begins.
func (p *Pair) Forward(ahead time.Duration) error {
	return p.tenant.MoveClock(context.Background(), audit.SystemActor, ahead)
}

// AWSConfig returns the settings of the AWS SDK for Go that reach the center as its administrator.
// Every operation of the API that the center serves is allowed.
func (p *Pair) AWSConfig() aws.Config {
	return aws.Config{
		Region:       p.AWS.Region,
		BaseEndpoint: aws.String(p.AWS.EndpointURL),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{
				AccessKeyID:     p.AWS.AccessKeyID,
				SecretAccessKey: p.AWS.SecretAccessKey,
				Source:          "gatehousetest",
			}, nil
		}),
	}
}

// Env returns the environment by which the AWS CLI and every AWS SDK reach the center as its
// administrator, in the form of os.Environ. With the profile gatehouse of the configuration file,
// programs sign people in.
func (p *Pair) Env() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + p.AWS.EndpointURL,
		"AWS_REGION=" + p.AWS.Region,
		"AWS_DEFAULT_REGION=" + p.AWS.Region,
		"AWS_ACCESS_KEY_ID=" + p.AWS.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + p.AWS.SecretAccessKey,
		"AWS_CONFIG_FILE=" + p.AWS.ConfigFile,
		"AWS_EC2_METADATA_DISABLED=true",
	}
}

// AuthorityURL is the authority for OpenID Connect and OAuth clients of the tenant, such as MSAL:
// its discovery document is below it, at /v2.0/.well-known/openid-configuration.
func (p *Pair) AuthorityURL() string { return p.Tenant.URL + "/" + p.Tenant.TenantID }

// Person returns somebody of the company by the user name.
func (p *Pair) Person(userName string) (demo.Person, bool) {
	for _, person := range p.People {
		if person.UserName == userName {
			return person, true
		}
	}
	return demo.Person{}, false
}
