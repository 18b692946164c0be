package identitystore_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center/identitystore"
)

// BenchmarkDoor runs the operations on users without a network, signatures included: profile it
// with -cpuprofile.
func BenchmarkDoor(b *testing.B) {
	a := newAPI(b)
	handler := &awsapi.Handler{
		Verify: &awsapi.Verifier{
			Region: "us-east-1",
			Now:    a.center.Now,
			Lookup: func(context.Context, string, string) (awsapi.Credential, error) {
				return awsapi.Credential{Secret: a.secret, Caller: awsapi.Caller{
					AccessKeyID: a.key.ID,
					Role:        string(a.key.Role),
				}}, nil
			},
		},
		Services:  []awsapi.Service{(&identitystore.Handler{Center: a.center}).Service()},
		Log:       slog.New(slog.DiscardHandler),
		RequestID: func(*http.Request) string { return "11111111-2222-3333-4444-555555555555" },
		Address:   func(*http.Request) string { return "127.0.0.1" },
		Used:      func(context.Context, awsapi.Caller, string) {},
	}
	signer, ctx := v4.NewSigner(), context.Background()
	send := func(operation, body string) {
		body = strings.ReplaceAll(body, "STORE", a.center.Instance.IdentityStoreID)
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, a.url+"/", strings.NewReader(body))
		r.Header.Set("X-Amz-Target", "AWSIdentityStore."+operation)
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		sum := sha256.Sum256([]byte(body))
		credentials := aws.Credentials{AccessKeyID: a.key.ID, SecretAccessKey: a.secret}
		err := signer.SignHTTP(ctx, credentials, r, hex.EncodeToString(sum[:]), "identitystore", "us-east-1",
			a.center.Now())
		if err != nil {
			b.Fatal(err)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatalf("%s: %d %s", operation, w.Code, w.Body)
		}
	}
	id := a.must("CreateUser", full)["UserId"].(string)
	n := 0
	create := func() {
		n++
		send("CreateUser", strings.ReplaceAll(full, "ada@example.com", fmt.Sprintf("ada%d@example.com", n)))
	}
	for range 99 {
		create()
	}
	for _, o := range []struct {
		name string
		do   func()
	}{
		{"CreateUser", create},
		{"DescribeUser", func() { send("DescribeUser", `{"IdentityStoreId":"STORE","UserId":"`+id+`"}`) }},
		{"ListUsers", func() { send("ListUsers", `{"IdentityStoreId":"STORE","MaxResults":100}`) }},
	} {
		b.Run(o.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				o.do()
			}
		})
	}
}
