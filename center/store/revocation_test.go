package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/broker"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// revocable is something that is good until it is revoked.
type revocable struct {
	use    func(context.Context, *center.Center) error // at a node; nil: it is good
	revoke func(context.Context, *center.Center) error
}

var errInactive = errors.New("the user is disabled")

// company is what revocables are made of.
type company struct {
	*center.Center
	t      testing.TB
	tenant center.ProvisioningTenant
	group  center.Group
	role   center.Assignment
	n      int
}

func newCompany(t testing.TB, c *center.Center) *company {
	t.Helper()
	ctx := context.Background()
	centertest.Federate(t, c, "https://idp")
	w := &company{Center: c, t: t}
	var errs [5]error
	w.tenant, errs[0] = c.CreateProvisioningTenant(ctx, centertest.Actor)
	w.group, errs[1] = c.CreateGroup(ctx, provisioner, center.Group{DisplayName: "G"})
	set, err := c.CreatePermissionSet(ctx, centertest.Actor, center.PermissionSet{Name: "Admin"})
	errs[2] = err
	errs[3] = c.PutAccount(ctx, centertest.Actor, center.Account{ID: "111122223333", Name: "P"})
	w.role = center.Assignment{
		AccountID:        "111122223333",
		PermissionSetARN: set.ARN,
		PrincipalType:    center.PrincipalGroup,
		PrincipalID:      string(w.group.ID),
	}
	_, errs[4] = c.CreateAssignment(ctx, centertest.Actor, w.role)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return w
}

var provisioner = audit.Actor{Kind: audit.Provisioning, Name: "t"}

// person is a member of the group with a portal session, by its secret.
func (w *company) person() (u center.User, secret string) {
	w.t.Helper()
	ctx := context.Background()
	w.n++
	secret = fmt.Sprintf("secret%d", w.n)
	u, err := w.CreateUser(ctx, provisioner, centertest.Person(fmt.Sprintf("ada%d@example.com", w.n)))
	if err == nil {
		err = w.Store.Update(ctx, func(tx center.Tx) error {
			_, err := tx.AddMembers(w.group.ID, []center.UserID{u.ID}, time.Now(), "t")
			return errors.Join(err, tx.PutSession(center.Session{
				Digest:    authn.Digest(secret),
				Kind:      center.PortalSession,
				UserID:    u.ID,
				CreatedAt: time.Now(),
				ExpiresAt: time.Now().Add(time.Hour),
			}))
		})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return u, secret
}

// program is one that a person has allowed.
func (w *company) program(u center.User, secret string) (id, idSecret string, tokens center.Tokens) {
	w.t.Helper()
	ctx, by := context.Background(), audit.Actor{Kind: audit.User, Name: "ada", Address: "127.0.0.1"}
	cli, err := w.RegisterOAuthClient(context.Background(), center.OAuthClient{
		Name: "cli", Scopes: []string{"sso:account:access"}, StartURL: w.PortalURL(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	d, err := w.StartDevice(ctx, "127.0.0.1", cli.ID, cli.Secret.Reveal(), w.PortalURL())
	if err == nil {
		err = w.DecideDevice(ctx, by, u.ID, secret, d.UserCode, true)
	}
	if err == nil {
		tokens, err = w.TokensForDevice(ctx, by, center.TokenRequest{
			ClientID: cli.ID, ClientSecret: cli.Secret.Reveal(), DeviceCode: d.DeviceCode.Reveal(),
		})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return cli.ID, cli.Secret.Reveal(), tokens
}

func ignore[T any](_ T, err error) error { return err }

func (w *company) openRole(secret string) func(context.Context, *center.Center) error {
	choice := center.RoleChoice{Session: authn.Digest(secret), Account: w.role.AccountID, PermissionSet: "Admin"}
	return func(ctx context.Context, c *center.Center) error {
		b := &broker.Sandbox{Sealer: c.Sealer, Now: c.Now}
		return ignore(c.RoleCredentials(ctx, audit.Actor{Kind: audit.User}, b, choice))
	}
}

func activeUser(find func(context.Context, *center.Center) (center.User, error)) func(
	context.Context, *center.Center,
) error {
	return func(ctx context.Context, c *center.Center) error {
		u, err := find(ctx, c)
		if err == nil && !u.Active {
			err = errInactive
		}
		return err
	}
}

// revocables are the kinds, each with a maker of new ones.
var revocables = map[string]func(w *company) revocable{
	"a SCIM token, deleted": func(w *company) revocable {
		token, err := w.CreateBearerToken(context.Background(), centertest.Actor, "")
		if err != nil {
			w.t.Fatal(err)
		}
		return revocable{
			func(ctx context.Context, c *center.Center) error {
				return ignore(c.AuthenticateToken(ctx, w.tenant.ID, token.Secret.Reveal(), "127.0.0.1"))
			},
			func(ctx context.Context, c *center.Center) error {
				return c.DeleteBearerToken(ctx, centertest.Actor, token.ID)
			},
		}
	},
	"a change by a SCIM token, deleted": func(w *company) revocable {
		token, err := w.CreateBearerToken(context.Background(), centertest.Actor, "")
		if err != nil {
			w.t.Fatal(err)
		}
		return revocable{
			changesBy(func(ctx context.Context, c *center.Center) error {
				return ignore(c.AuthenticateToken(ctx, w.tenant.ID, token.Secret.Reveal(), "127.0.0.1"))
			}),
			func(ctx context.Context, c *center.Center) error {
				return c.DeleteBearerToken(ctx, centertest.Actor, token.ID)
			},
		}
	},
	"a change by an access key, disabled": func(w *company) revocable {
		key := w.key()
		use := func(ctx context.Context, c *center.Center) error {
			k, err := c.AccessKeySecret(ctx, key)
			if err == nil {
				err = c.AccessKeyUsed(ctx, key, k.LastUsedAt, "identitystore", "127.0.0.1")
			}
			return err
		}
		return revocable{changesBy(use), func(ctx context.Context, c *center.Center) error {
			return c.SetAccessKeyEnabled(ctx, centertest.Actor, key, false)
		}}
	},
	"an access key, disabled": func(w *company) revocable {
		key := w.key()
		return revocable{useKey(key), func(ctx context.Context, c *center.Center) error {
			return c.SetAccessKeyEnabled(ctx, centertest.Actor, key, false)
		}}
	},
	"an access key, deleted": func(w *company) revocable {
		key := w.key()
		return revocable{useKey(key), func(ctx context.Context, c *center.Center) error {
			return c.DeleteAccessKey(ctx, centertest.Actor, key)
		}}
	},
	"a user by id, disabled": func(w *company) revocable {
		u, _ := w.person()
		return revocable{
			activeUser(func(ctx context.Context, c *center.Center) (center.User, error) { return c.User(ctx, u.ID) }),
			disable(u.ID),
		}
	},
	"a user by name, disabled": func(w *company) revocable {
		u, _ := w.person()
		return revocable{
			activeUser(func(ctx context.Context, c *center.Center) (center.User, error) {
				return c.UserByName(ctx, u.UserName)
			}),
			disable(u.ID),
		}
	},
	"a user, deleted": func(w *company) revocable {
		u, _ := w.person()
		return revocable{
			activeUser(func(ctx context.Context, c *center.Center) (center.User, error) { return c.User(ctx, u.ID) }),
			func(ctx context.Context, c *center.Center) error { return c.DeleteUser(ctx, provisioner, u.ID) },
		}
	},
	"a portal session, signed out": func(w *company) revocable {
		_, secret := w.person()
		return revocable{
			func(ctx context.Context, c *center.Center) error { return ignore(c.PortalUser(ctx, secret)) },
			func(ctx context.Context, c *center.Center) error {
				return ignore(c.SignOut(ctx, audit.Actor{Kind: audit.User}, secret))
			},
		}
	},
	"a portal session, its user disabled": func(w *company) revocable {
		u, secret := w.person()
		return revocable{
			func(ctx context.Context, c *center.Center) error { return ignore(c.PortalUser(ctx, secret)) },
			disable(u.ID),
		}
	},
	"an access token, its user disabled": func(w *company) revocable {
		u, secret := w.person()
		_, _, tokens := w.program(u, secret)
		return revocable{
			func(ctx context.Context, c *center.Center) error {
				return ignore(c.TokenUser(ctx, tokens.Access.Reveal()))
			},
			disable(u.ID),
		}
	},
	"a refresh token, its user disabled": func(w *company) revocable {
		u, secret := w.person()
		id, idSecret, tokens := w.program(u, secret)
		return revocable{
			func(ctx context.Context, c *center.Center) error {
				return ignore(c.RefreshTokens(ctx, audit.Actor{Kind: audit.User}, center.TokenRequest{
					ClientID: id, ClientSecret: idSecret, RefreshToken: tokens.Refresh.Reveal(),
				}))
			},
			disable(u.ID),
		}
	},
	"a role, out of the group": func(w *company) revocable {
		u, secret := w.person()
		return revocable{w.openRole(secret), func(ctx context.Context, c *center.Center) error {
			return c.Store.Update(ctx, func(tx center.Tx) error {
				_, err := tx.RemoveMembers(w.group.ID, []center.UserID{u.ID})
				return err
			})
		}}
	},
	"a role, the assignment deleted": func(w *company) revocable {
		u, secret := w.person()
		own := w.role
		own.PrincipalType, own.PrincipalID = center.PrincipalUser, string(u.ID)
		ctx := context.Background()
		_, err := w.CreateAssignment(ctx, centertest.Actor, own)
		if err == nil {
			err = w.Store.Update(ctx, func(tx center.Tx) error {
				_, err := tx.RemoveMembers(w.group.ID, []center.UserID{u.ID})
				return err
			})
		}
		if err != nil {
			w.t.Fatal(err)
		}
		return revocable{w.openRole(secret), func(ctx context.Context, c *center.Center) error {
			return ignore(c.DeleteAssignment(ctx, centertest.Actor, own))
		}}
	},
}

func (w *company) key() string {
	w.t.Helper()
	key, err := w.CreateAccessKey(context.Background(), centertest.Actor, "p", center.RoleReadOnly)
	if err != nil {
		w.t.Fatal(err)
	}
	return key.ID
}

func useKey(id string) func(context.Context, *center.Center) error {
	return func(ctx context.Context, c *center.Center) error {
		return ignore(c.AccessKeySecret(ctx, id))
	}
}

// changed counts the users that are made by changesBy.
var changed atomic.Int64

// changesBy lets a change be made by whom a credential lets in, without a proof of its own.
func changesBy(letIn func(context.Context, *center.Center) error) func(context.Context, *center.Center) error {
	return func(ctx context.Context, c *center.Center) error {
		ctx = c.Moment(ctx)
		c.Trust(ctx)
		if err := letIn(ctx, c); err != nil {
			return err
		}
		return ignore(center.OnTrust(ctx, c, func() (center.User, error) {
			name := fmt.Sprintf("by%d@example.com", changed.Add(1))
			return c.CreateUser(ctx, provisioner, centertest.Person(name))
		}))
	}
}

func disable(id center.UserID) func(context.Context, *center.Center) error {
	return func(ctx context.Context, c *center.Center) error {
		return c.SetUserActive(ctx, centertest.Actor, id, false)
	}
}

// requests are how what is remembered is asked for: in no request, and in one.
var requests = []func(*center.Center) context.Context{
	func(*center.Center) context.Context { return context.Background() },
	func(c *center.Center) context.Context { return c.Moment(context.Background()) },
}

// TestNothingRevokedIsGoodOnAnotherNode: what is used on one node all the time, so that it is
// remembered at every moment, is revoked on another. No use that began after the revocation was
// acknowledged is good.
func TestNothingRevokedIsGoodOnAnotherNode(t *testing.T) {
	dsn, ctx := sqldbtest.Postgres(t), context.Background()
	a, b := centertest.On(t, open(t, dsn), "http://localhost"), centertest.On(t, open(t, dsn), "http://localhost")
	w := newCompany(t, a)
	const rounds = 25
	for name, kind := range revocables {
		t.Run(name, func(t *testing.T) {
			w.t = t
			for range rounds {
				one := kind(w)
				if err := one.use(ctx, b); err != nil {
					t.Fatalf("before it is revoked: %v", err)
				}
				var revoked atomic.Bool
				var late atomic.Int32
				stop := make(chan struct{})
				var users sync.WaitGroup
				for _, request := range requests {
					users.Go(func() {
						for {
							select {
							case <-stop:
								return
							default:
							}
							after := revoked.Load()
							if one.use(request(b), b) == nil && after {
								late.Add(1)
							}
						}
					})
				}
				time.Sleep(time.Millisecond) // not for a condition: for the users to be anywhere
				err := one.revoke(ctx, a)
				for refusal.CodeOf(err) == center.ConcurrentChange { // with who uses it
					err = one.revoke(ctx, a)
				}
				revoked.Store(true)
				for _, request := range requests {
					if one.use(request(b), b) == nil {
						late.Add(1)
					}
				}
				close(stop)
				users.Wait()
				if err != nil {
					t.Fatal(err)
				}
				if n := late.Load(); n > 0 {
					t.Fatalf("used %d times after it was revoked", n)
				}
			}
		})
	}
}

// TestANodeWithoutTheDatabaseDoesNotActOnWhatItRemembers: a node is cut off, what it has used is
// revoked, and it is asked while it is cut off, and when it is not anymore: first after a while
// without answers from the database, then over new connections.
func TestANodeWithoutTheDatabaseDoesNotActOnWhatItRemembers(t *testing.T) {
	dsn, ctx := sqldbtest.Postgres(t), context.Background()
	way, cutOff := relayed(t, dsn)
	a, b := centertest.On(t, open(t, dsn), "http://localhost"), centertest.On(t, open(t, cutOff), "http://localhost")
	w := newCompany(t, a)
	for name, back := range map[string]func(){"the same connections": way.release, "new connections": way.cut} {
		for kind, another := range revocables {
			one := another(w)
			for range 3 {
				if err := one.use(ctx, b); err != nil {
					t.Fatalf("%s before it is revoked: %v", kind, err)
				}
			}
			way.hold()
			if err := one.revoke(ctx, a); err != nil {
				t.Fatal(err)
			}
			short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			if one.use(short, b) == nil {
				t.Errorf("%s is good without the database", kind)
			}
			cancel()
			asked := make(chan error, 1)
			go func() { asked <- one.use(ctx, b) }()
			back()
			if err := <-asked; err == nil {
				t.Errorf("%s, over %s: good after it was revoked", kind, name)
			}
			if one.use(ctx, b) == nil {
				t.Errorf("%s, over %s: good again", kind, name)
			}
		}
	}
}

// TestChangesByOthersAreNoticed: what a person or an earlier release changes past this one's code
// is forgotten too, rows one by one and whole tables.
func TestChangesByOthersAreNoticed(t *testing.T) {
	dsn, ctx := sqldbtest.Postgres(t), context.Background()
	c := centertest.On(t, open(t, dsn), "http://localhost")
	w := newCompany(t, c)
	prompt, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer prompt.Close(ctx) //nolint:errcheck // the test is over
	for _, statement := range []string{
		`DELETE FROM bearer_tokens`, `TRUNCATE bearer_tokens`,
		`UPDATE bearer_tokens SET digest = 'another', doc = replace(doc, '"Digest"', '"X"')`,
		`BEGIN; SAVEPOINT s; DELETE FROM bearer_tokens; RELEASE s; COMMIT`,
		`SET session_replication_role = replica; DELETE FROM bearer_tokens; RESET session_replication_role`,
	} {
		for _, kind := range []string{"a SCIM token, deleted", "a change by a SCIM token, deleted"} {
			one := revocables[kind](w)
			for range 3 {
				if err := one.use(ctx, c); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := prompt.Exec(ctx, statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
			if one.use(ctx, c) == nil {
				t.Errorf("%s: good after %s", kind, statement)
			}
			if _, err := prompt.Exec(ctx, `DELETE FROM bearer_tokens`); err != nil {
				t.Fatal(err)
			}
		}
	}
}
