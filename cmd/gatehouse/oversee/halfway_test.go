package oversee_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/iam"
)

// refusing is IAM, which refuses what has some words in it for as long as they are set.
func refusing(t *testing.T, moto string, words *atomic.Value) string {
	t.Helper()
	to, err := url.Parse(moto)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		refused := true
		for _, word := range strings.Fields(words.Load().(string)) {
			refused = refused && strings.Contains(string(body), word)
		}
		if refused {
			w.Header().Set("Content-Type", "text/xml")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type>`+
				`<Code>AccessDenied</Code><Message>not this one</Message></Error></ErrorResponse>`)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return front.URL
}

// TestIAMRefusesTheDenialHalfWay: one role takes it and another does not. The command says so and
// fails, the signed proof and the page say so too, and it is tried until IAM takes it.
func TestIAMRefusesTheDenialHalfWay(t *testing.T) {
	t.Parallel()
	moto := centertest.Moto(t)
	o, s := newOffice(t)
	var words atomic.Value
	words.Store("PutRolePolicy Writer")
	front := refusing(t, moto, &words)
	const account = "123456789012" // moto's own
	cli := centertest.NewAWSCLI(t, moto, "us-east-1", "AKIAIOSFODNN7EXAMPLE", "secret")
	ada := s.NewPerson("ada@example.com")
	err := s.PutAccount(t.Context(), centertest.Actor, center.Account{ID: account, Name: "Production"})
	for _, name := range []string{"Reader", "Writer"} {
		cli.Run(nil, "iam", "create-role", "--role-name", name, "--assume-role-policy-document", "{}")
		role := "arn:aws:iam::" + account + ":role/" + name
		err = errors.Join(err, s.Store.Update(t.Context(), func(tx center.Tx) error {
			return tx.ExtendRoleSession(center.RoleSession{
				UserID: ada.ID, Name: "ada@example.com", AccountID: account, RoleName: role, PermissionSetARN: role,
				Until: s.Now().Add(time.Hour),
			})
		}))
	}
	if err != nil {
		t.Fatal(err)
	}
	s.OwnSTS = false
	clients := &iam.Clients{
		Config: aws.Config{
			Region: "us-east-1", BaseEndpoint: &front,
			Credentials: credentials.NewStaticCredentialsProvider("AKIAHUB", "x", ""),
		},
		Own: account, Role: "OrganizationAccountAccessRole",
	}
	s.Roles = &iam.Keeper{
		Center: s.Center, Trust: iam.Trust{Path: "/gatehouse/", Hub: "arn:aws:iam::" + account + ":role/hub"},
		Client: clients.In,
	}
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() { s.Run(ctx); close(over) }()
	t.Cleanup(func() { stop(); <-over })

	file := filepath.Join(t.TempDir(), "proof.json")
	out, said, err := o.call("", "revoke", "ada@example.com", "--proof", file, "--wait", "3s")
	if err == nil || !strings.Contains(err.Error(), "not everything has ended") ||
		!strings.Contains(out, "refused by IAM") || !strings.Contains(out, "not refused by IAM yet, tried") ||
		!strings.Contains(out, "not this one") || !strings.Contains(said, "1 of 2 roles") {
		t.Fatalf("half-way: %s, %s, %v", out, said, err)
	}
	var proof adminapi.SignedProof
	text, err := os.ReadFile(file) // #nosec G304 -- ours
	if err := errors.Join(err, json.Unmarshal(text, &proof)); err != nil || proof.Complete {
		t.Errorf("the proof: %s, %v", text, err)
	}
	page := s.Console().Get(s.URL + "/console/revocations/" + proof.ID)
	if !strings.Contains(page, "not this one") {
		t.Errorf("the page: %s", page)
	}
	cli.Fails("NoSuchEntity", "iam", "get-role-policy", "--role-name", "Writer", "--policy-name",
		"GatehouseRevokedSessions")
	words.Store("PutRolePolicy nobody")
	o.want("refused by IAM", "proof", "show", "ada@example.com", "--wait", "1m", "--proof", file)
	o.want("The signature is good", "proof", "verify", file)
	var there struct{ PolicyDocument json.RawMessage }
	for _, name := range []string{"Reader", "Writer"} {
		cli.Run(&there, "iam", "get-role-policy", "--role-name", name, "--policy-name", "GatehouseRevokedSessions")
		if !strings.Contains(string(there.PolicyDocument), "ada@example.com") {
			t.Errorf("%s has %s", name, there.PolicyDocument)
		}
	}
}
