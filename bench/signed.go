package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Requests of the identitystore API are signed before the clock starts: the cost of signing is the
// client's.

func (t *target) signed(operation string, body []byte) []byte {
	if t.center == nil {
		return nil
	}
	return t.signedFor("AWSIdentityStore."+operation, "identitystore", body)
}

// signedFor signs a request for one of the services, by its target and the name that it is signed
// with.
func (t *target) signedFor(operation, service string, body []byte) []byte {
	req, err := http.NewRequestWithContext(
		context.Background(), http.MethodPost, "http://bench/", bytes.NewReader(body),
	)
	if err != nil {
		panic(err) // a constant URL
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", operation)
	sum := sha256.Sum256(body)
	credentials := aws.Credentials{
		AccessKeyID:     t.center.admin.AccessKeyID,
		SecretAccessKey: t.center.admin.SecretAccessKey,
	}
	if err := v4.NewSigner().SignHTTP(
		context.Background(), credentials, req, hex.EncodeToString(sum[:]), service, t.center.admin.Region,
		time.Now().UTC(),
	); err != nil {
		panic(err) // the credentials are there
	}
	headers := ""
	for name, values := range req.Header {
		headers += name + ": " + values[0] + "\r\n"
	}
	return message(nil, "POST", "/", headers, body)
}

func (t *target) object(fields string) []byte {
	return []byte(`{"IdentityStoreId":"` + t.center.storeID + `",` + fields + `}`)
}

func getUserID(t *target) (string, []byte) {
	return "GetUserId", t.object(
		`"AlternateIdentifier":{"UniqueAttribute":{"AttributePath":"userName","AttributeValue":"` + knownName(
			rand.IntN(len(t.users)),
		) + `"}}`,
	)
}

func describeUser(t *target) (string, []byte) {
	return "DescribeUser", t.object(`"UserId":"` + t.anyUser() + `"`)
}

// signedReads repeats a stock of signed requests.
func signedReads(make1 func(*target) (string, []byte)) func(*target) (request, int) {
	return func(t *target) (request, int) {
		stock := make([][]byte, 4096)
		for i := range stock {
			stock[i] = t.signed(make1(t))
		}
		return func(buf []byte, c, i int) []byte { return append(buf, stock[(c*257+i)%len(stock)]...) }, 0
	}
}

// signedOnce is how many requests are signed for each connection of a workload that can send each
// only once.
const signedOnce = 1500

func signedUsers(t *target) (request, int) {
	t.made++
	stock := make([][]byte, connections*signedOnce)
	for i := range stock {
		name := fmt.Sprintf("api%d.%d@example.com", t.made, i)
		stock[i] = t.signed(
			"CreateUser",
			t.object(
				`"UserName":"`+name+
					`","DisplayName":"Given Family","Title":"Engineer",`+
					`"Name":{"GivenName":"Given","FamilyName":"Family"},`+
					`"Emails":[{"Value":"`+name+`","Type":"work","Primary":true}]`,
			),
		)
	}
	return func(buf []byte, c, i int) []byte { return append(buf, stock[c*signedOnce+i]...) }, signedOnce
}

func signedMemberships(t *target) (request, int) {
	stock := make([][]byte, groupWriters*signedOnce)
	for i := range stock {
		stock[i] = t.signed(
			"CreateGroupMembership",
			t.object(`"GroupId":"`+t.groups[i/signedOnce]+`","MemberId":{"UserId":"`+t.users[i%signedOnce]+`"}`),
		)
	}
	return func(buf []byte, c, i int) []byte { return append(buf, stock[c*signedOnce+i]...) }, signedOnce
}

// created sends one request and returns the id in the answer.
func created(address string, message []byte) (string, error) {
	var body struct {
		ID string `json:"id"`
	}
	err := (&target{address: address}).do(message, &body)
	if err == nil && body.ID == "" {
		err = errors.New("a creation was answered without an id")
	}
	return body.ID, err
}

// do sends one request and reads the answer, which must be a success.
func (t *target) do(message []byte, into any) error {
	conn, err := net.Dial("tcp", t.address)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is buffered
	if _, err := conn.Write(message); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // read
	if res.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("a request was answered with %s", res.Status)
	}
	return json.NewDecoder(res.Body).Decode(into)
}
