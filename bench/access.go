package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
)

// The person who is measured: 7,000 accounts, by 200 groups.
const (
	manyAccounts = 7000
	manyGroups   = 200
	manySets     = 50
)

// accessWorld is a center with accounts, permission sets and assignments, and a token of the person
// who has them.
type accessWorld struct {
	*target
	sets  []string // ARNs
	token string
}

// access measures what `aws` asks the portal API for, and a page of assignments, beside the floors.
func access(s settings, self string) ([]figure, error) {
	b, err := newBench(s, self)
	if err != nil {
		return nil, err
	}
	defer b.stop()
	if err := b.startFloors(); err != nil {
		return nil, err
	}
	t, err := b.startCenter("center", "")
	if err != nil {
		return nil, err
	}
	w := &accessWorld{target: t}
	s.say(
		"making %s users, %s accounts and %s account assignments",
		thousands(s.users), thousands(manyAccounts), thousands(s.assigned),
	)
	if err := w.fillAccess(s.users, s.assigned); err != nil {
		return nil, err
	}
	var figures []figure
	for _, load := range []workload{
		{
			name:    "GetRoleCredentials, sandbox, durable event",
			against: "echo",
			must:    0.4,
			build:   w.portal(w.credentials),
		},
		{
			name:        "GetRoleCredentials, 64 in flight",
			connections: maxConnections,
			against:     "echo",
			must:        0.4,
			build:       w.portal(w.credentials),
		},
		{
			name: fmt.Sprintf(
				"ListAccounts, first of %d accounts by %d groups", manyAccounts, manyGroups,
			),
			connections: 1,
			against:     "hello",
			build: w.portal(func() string {
				return "/assignment/accounts?max_result=100"
			}),
		},
		{
			name:    "ListAccountRoles",
			against: "hello",
			build: w.portal(func() string {
				return "/assignment/roles?account_id=" + anyAccount()
			}),
		},
		{
			name:        fmt.Sprintf("ListAccountAssignments, SigV4, %d assignments", s.assigned),
			connections: 1,
			against:     "hello",
			build:       w.pages,
		},
	} {
		more, err := b.measure(load, []*target{t})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", load.name, err)
		}
		figures = append(figures, more...)
	}
	more, err := w.inForce(b)
	return append(figures, more...), err
}

func accountID(n int) string { return fmt.Sprintf("%012d", 100_000_000_000+n) }

func anyAccount() string { return accountID(rand.IntN(manyAccounts)) }

func (w *accessWorld) portal(path func() string) func(*target) (request, int) {
	return func(*target) (request, int) {
		return func(buf []byte, _, _ int) []byte {
			return message(buf, "GET", path(), "X-Amz-Sso_bearer_token: "+w.token+"\r\n", nil)
		}, 0
	}
}

// credentials asks for the role that every account has for the person.
func (w *accessWorld) credentials() string {
	return "/federation/credentials?role_name=Set0&account_id=" + anyAccount()
}

// pages asks for the first pages of account assignments, signed before the clock starts.
func (w *accessWorld) pages(t *target) (request, int) {
	stock := make([][]byte, 2048)
	for i := range stock {
		stock[i] = t.signedFor(
			"SWBExternalService.ListAccountAssignments",
			"sso",
			fmt.Appendf(
				nil, `{"InstanceArn":"%s","AccountId":"%s","PermissionSetArn":"%s"}`, w.instance(), anyAccount(),
				w.sets[rand.IntN(manySets)],
			),
		)
	}
	return func(buf []byte, _, i int) []byte { return append(buf, stock[i%len(stock)]...) }, 0
}

func (w *accessWorld) instance() string { return w.center.instanceARN }

// fillAccess makes users, groups with the person in each, accounts, permission sets and
// assignments: the first of each account is for one of the person's groups, the others are for
// groups of nobody.
func (w *accessWorld) fillAccess(users, assignments int) error {
	if err := w.fill(users); err != nil {
		return err
	}
	ctx := context.Background()
	for from := 0; from < manyAccounts; from += adminapi.MaxAccountsAtOnce {
		var some []adminapi.Account
		for i := range adminapi.MaxAccountsAtOnce {
			some = append(
				some,
				adminapi.Account{
					ID:    accountID(from + i),
					Name:  fmt.Sprintf("Account %d", from+i),
					Email: fmt.Sprintf("root%d@example.com", from+i),
				},
			)
		}
		if err := w.center.admin.PutAccounts(ctx, some); err != nil {
			return err
		}
	}
	var mine, others []string
	for i := range 2 * manyGroups {
		members := ""
		if i < manyGroups {
			members = `,"members":[{"value":"` + w.users[0] + `"}]`
		}
		id, err := created(
			w.address,
			message(
				nil,
				"POST",
				w.prefix+"Groups",
				w.headers,
				fmt.Appendf(
					nil, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Access %d"%s}`, i,
					members,
				),
			),
		)
		if err != nil {
			return err
		}
		if i < manyGroups {
			mine = append(mine, id)
		} else {
			others = append(others, id)
		}
	}
	for i := range manySets {
		var out struct {
			PermissionSet struct{ PermissionSetArn string }
		}
		if err := w.ssoAdmin(
			"CreatePermissionSet", fmt.Sprintf(`{"InstanceArn":"%s","Name":"Set%d"}`, w.instance(), i), &out,
		); err != nil {
			return err
		}
		w.sets = append(w.sets, out.PermissionSet.PermissionSetArn)
	}
	each := (max(assignments, manyAccounts) + connections - 1) / connections
	_, err := closedLoop(w.address, connections, time.Hour, each, func(buf []byte, c, i int) []byte {
		n := c*each + i
		account, round := n%manyAccounts, n/manyAccounts
		group, set := others[(n*7)%manyGroups], w.sets[round%manySets]
		if round == 0 {
			group = mine[account%manyGroups]
		}
		return append(buf, w.signedFor("SWBExternalService.CreateAccountAssignment", "sso", fmt.Appendf(
			nil,
			`{"InstanceArn":"%s","TargetId":"%s","TargetType":"AWS_ACCOUNT",`+
				`"PermissionSetArn":"%s","PrincipalType":"GROUP","PrincipalId":"%s"}`,
			w.instance(), accountID(account), set, group,
		))...)
	})
	if err != nil {
		return fmt.Errorf("fill assignments: %w", err)
	}
	return w.signInOnDevice()
}

// ssoAdmin calls an operation of sso-admin.
func (w *accessWorld) ssoAdmin(operation, body string, into any) error {
	return w.do(w.signedFor("SWBExternalService."+operation, "sso", []byte(body)), into)
}

// signInOnDevice gets a token of the first user.
func (w *accessWorld) signInOnDevice() (err error) {
	w.token, err = w.tokenOf(w.users[0])
	return err
}

// tokenOf signs a user in and gets a token.
func (w *accessWorld) tokenOf(id string) (string, error) {
	var person struct{ UserName string }
	if err := w.do(message(nil, "GET", w.prefix+"Users/"+id, w.headers, nil), &person); err != nil {
		return "", err
	}
	cookie, err := w.signInAs(person.UserName)
	if err != nil {
		return "", err
	}
	base := "http://" + w.address
	return deviceToken(base, func(form *http.Request) error {
		form.AddCookie(cookie)
		answer, err := http.DefaultClient.Do(form)
		if err == nil {
			err = answer.Body.Close()
		}
		return err
	})
}

// deviceToken gets a token by the way that `aws sso login --use-device-code` goes. send sends the
// form that allows it, as somebody who is signed in.
func deviceToken(base string, send func(*http.Request) error) (string, error) {
	var client struct{ ClientID, ClientSecret string }
	if err := post(
		base+"/client/register", map[string]any{"clientName": "bench", "clientType": "public"}, &client,
	); err != nil {
		return "", err
	}
	ask := map[string]any{"clientId": client.ClientID, "clientSecret": client.ClientSecret, "startUrl": base + "/start"}
	var device struct{ DeviceCode, UserCode string }
	if err := post(base+"/device_authorization", ask, &device); err != nil {
		return "", err
	}
	form, err := http.NewRequestWithContext(
		context.Background(), http.MethodPost, base+"/start/device",
		strings.NewReader(url.Values{"user_code": {device.UserCode}, "decision": {"allow"}}.Encode()),
	)
	if err != nil {
		return "", err
	}
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := send(form); err != nil {
		return "", err
	}
	delete(ask, "startUrl") // which the token endpoint does not know
	ask["grantType"], ask["deviceCode"] = "urn:ietf:params:oauth:grant-type:device_code", device.DeviceCode
	var tokens struct{ AccessToken string }
	err = post(base+"/token", ask, &tokens)
	return tokens.AccessToken, err
}

// post sends JSON and reads the answer, which must be 200.
func post(address string, body map[string]any, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		//nolint:noctx,gosec // a benchmark of a local server
		answer, err := http.Post(address, "application/json", bytes.NewReader(text))
		if err != nil {
			return err
		}
		said, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
		_ = answer.Body.Close()
		switch {
		case err != nil:
			return err
		case answer.StatusCode == http.StatusOK:
			return json.Unmarshal(said, into)
		case try == slowTries || !bytes.Contains(said, []byte("slow_down")):
			return fmt.Errorf("%s: %s %s", address, answer.Status, said)
		}
		time.Sleep(slowDown) // so many people at one address: the center says when it is too many
	}
}

const (
	slowTries = 100
	slowDown  = 50 * time.Millisecond
)
