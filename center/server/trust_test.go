package server_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

var provisioner = audit.Actor{Kind: audit.Provisioning, Name: "t"}

// trusting are two nodes on one PostgreSQL, and who changes something at the second one by what
// that remembers.
type trusting struct {
	*testing.T
	nodes           [2]*centertest.Server
	endpoint, token string // of the second node
	key             center.OpenedKey
	n               int
}

func newTrusting(t *testing.T) *trusting {
	t.Helper()
	dsn := sqldbtest.Postgres(t)
	p := &trusting{T: t}
	for i := range p.nodes {
		s, err := store.Open(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		p.nodes[i] = centertest.ServeOn(t, s)
	}
	first := p.nodes[0]
	p.endpoint, p.token = centertest.Provisioned(t, first.Center, center.ProfileStandard)
	p.endpoint = strings.Replace(p.endpoint, first.URL, p.nodes[1].URL, 1)
	key, err := first.CreateAccessKey(t.Context(), centertest.Actor, "p", center.RoleAdministrator)
	if err == nil {
		_, err = first.CreateAccessKey(t.Context(), centertest.Actor, "another", center.RoleAdministrator)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.key = key
	return p
}

// send sends a request to the second node, and returns the status and the body.
func (p *trusting) send(r *http.Request) (int, string) {
	p.Helper()
	res, err := p.nodes[1].HTTP.Client().Do(r)
	if err != nil {
		p.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read
	body, err := io.ReadAll(res.Body)
	if err != nil {
		p.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func (p *trusting) post(url, body string) *http.Request {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		p.Fatal(err)
	}
	return r
}

// bySCIM makes a user with a title, or asks for what cannot be read where the title is empty.
func (p *trusting) bySCIM(title string) (int, string) {
	p.n++
	body := fmt.Sprintf(`{"userName":"scim%d@example.com","title":%q}`, p.n, title)
	if title == "" {
		body = `{`
	}
	r := p.post(p.endpoint+"Users", body)
	r.Header.Set("Content-Type", "application/scim+json")
	r.Header.Set("Authorization", "Bearer "+p.token)
	return p.send(r)
}

// byKey makes a new user a member of a group, or asks for what cannot be read where the group is
// empty.
func (p *trusting) byKey(group string) (int, string) {
	p.n++
	u, err := p.nodes[0].CreateUser(
		p.Context(), provisioner, centertest.Person(fmt.Sprintf("key%d@example.com", p.n)),
	)
	if err != nil {
		p.Fatal(err)
	}
	body := fmt.Sprintf(`{"IdentityStoreId":%q,"GroupId":%q,"MemberId":{"UserId":%q}}`,
		p.nodes[1].Instance.IdentityStoreID, group, u.ID)
	if group == "" {
		body = `{}`
	}
	r := p.post(p.nodes[1].URL+"/", body)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AWSIdentityStore.CreateGroupMembership")
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(
		p.Context(), aws.Credentials{AccessKeyID: p.key.ID, SecretAccessKey: p.key.SecretAccessKey.Reveal()}, r,
		hex.EncodeToString(sum[:]), "identitystore", p.nodes[1].Instance.Region, time.Now(),
	); err != nil {
		p.Fatal(err)
	}
	return p.send(r)
}

// answers fails unless a request is answered with a status, and with some words.
func (p *trusting) answers(want int, words string) func(int, string) {
	p.Helper()
	return func(status int, body string) {
		p.Helper()
		if status != want || !strings.Contains(body, words) {
			p.Errorf("answered with %d %s, want %d with %q", status, body, want, words)
		}
	}
}

// TestWhoIsRevokedAtAnotherNodeChangesNothing: a node that remembers a token and an access key, and
// changes things by them without a question of its own, does not when another one has revoked them,
// and neither says what is wrong with a request. What only notes their use is no end.
func TestWhoIsRevokedAtAnotherNodeChangesNothing(t *testing.T) {
	t.Parallel()
	p, ctx := newTrusting(t), t.Context()
	first, second := p.nodes[0], p.nodes[1]
	g, err := first.CreateGroup(ctx, provisioner, center.Group{DisplayName: "G"})
	if err != nil {
		t.Fatal(err)
	}
	group := string(g.ID)
	for range 3 {
		p.answers(201, "scim")(p.bySCIM("Dr"))
		p.answers(200, "MembershipId")(p.byKey(group))
	}
	noted := func(tx center.Tx) error { // as another node does it
		tokens, err := tx.BearerTokens()
		if err != nil {
			return err
		}
		keys, err := tx.AccessKeys()
		if err != nil {
			return err
		}
		for _, token := range tokens {
			token.LastUsedAddress = "192.0.2.1"
			err = errors.Join(err, tx.PutBearerToken(token))
		}
		for _, key := range keys {
			key.LastUsedAddress = "192.0.2.1"
			err = errors.Join(err, tx.PutAccessKey(key))
		}
		return err
	}
	for range 2 {
		if err := first.Store.Update(ctx, noted); err != nil {
			t.Fatal(err)
		}
		p.answers(201, "scim")(p.bySCIM("Dr"))
		p.answers(200, "MembershipId")(p.byKey(group))
		p.answers(400, "")(p.bySCIM(""))
		p.answers(400, "ValidationException")(p.byKey(""))
	}
	count := func() (users, members int) {
		users, e1 := second.CountUsers(ctx, center.UserQuery{})
		members, e2 := second.CountMemberships(ctx, center.MembershipQuery{GroupID: g.ID})
		if err := errors.Join(e1, e2); err != nil {
			t.Fatal(err)
		}
		return users, members
	}
	tokens, err := first.BearerTokens(ctx)
	if err == nil {
		err = errors.Join(
			first.DeleteBearerToken(ctx, centertest.Actor, tokens[0].ID),
			first.DeleteAccessKey(ctx, centertest.Actor, p.key.ID),
		)
	}
	if err != nil {
		t.Fatal(err)
	}
	before, members := count()
	for _, title := range []string{"Dr", ""} {
		p.answers(401, "bearer token")(p.bySCIM(title))
	}
	for _, to := range []string{group, ""} {
		p.answers(403, "UnrecognizedClientException")(p.byKey(to))
	}
	users, now := count()
	if now != members || users != before+2 { // whom byKey makes
		t.Errorf("%d users of %d, %d members of %d", users, before, now, members)
	}
}
