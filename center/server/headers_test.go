package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// connection opens one that ends with the test.
func connection(t *testing.T, to string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(t.Context(), "tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// asks sends a request on a connection and returns the status of the answer.
func asks(t *testing.T, conn net.Conn, request string) int {
	t.Helper()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// TestAWSRequestsAreJudgedByTheirHeadersFirst announces a body and does not send it: who is refused
// anyhow is told at once.
func TestAWSRequestsAreJudgedByTheirHeadersFirst(t *testing.T) {
	t.Parallel()
	at := centertest.Serve(t).HTTP.Listener.Addr().String()
	for name, header := range map[string]string{"unsigned": "",
		"unknown key": "Authorization: AWS4-HMAC-SHA256 Credential=AKIDUNKNOWN/" +
			time.Now().UTC().Format("20060102") + "/us-east-1/identitystore/aws4_request, " +
			"SignedHeaders=host;x-amz-date;x-amz-target, Signature=" +
			strings.Repeat("0", 64) + "\r\nX-Amz-Date: " + time.Now().UTC().Format("20060102T150405Z") + "\r\n"} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			status := asks(
				t,
				connection(t, at),
				fmt.Sprintf("POST / HTTP/1.1\r\nHost: %s\r\nX-Amz-Target: AWSIdentityStore.ListUsers\r\n"+
					"Content-Type: application/x-amz-json-1.1\r\n%sContent-Length: 1000000\r\nConnection: "+
					"close\r\n\r\n{", at, header),
			)
			if status != http.StatusForbidden && status != http.StatusBadRequest {
				t.Errorf("answered with %d after %s", status, time.Since(began))
			}
		})
	}
}
