package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/saml"
)

// identityCenter is a running `gatehouse serve` with automatic provisioning enabled.
type identityCenter struct {
	*process
	address     string // host:port
	scimPath    string // the path of the SCIM endpoint, with its trailing slash
	token       string
	storeID     string
	instanceARN string
	admin       *adminapi.Client
	args        []string
	idp         saml.SigningKey // of the identity provider, which nobody runs
}

// startCenter starts a center on a fresh data folder, on PostgreSQL where database is its URL, and
// connects it to an identity provider that nobody asks anything.
func startCenter(program, dir, database string) (*identityCenter, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	c := &identityCenter{address: address}
	c.args = []string{"serve", "--listen", c.address, "--data", filepath.Join(dir, "center"), "--log-level", "warn"}
	if database != "" {
		c.args = append(c.args, "--database", database)
	}
	if err := c.run(program, io.Discard); err != nil {
		return nil, err
	}
	// #nosec G304 -- the benchmark's own folder
	secrets, err := os.ReadFile(filepath.Join(dir, "center", "first-start.txt"))
	if err != nil {
		return nil, err
	}
	c.admin = &adminapi.Client{URL: "http://" + c.address, Region: "us-east-1"}
	for line := range strings.Lines(string(secrets)) {
		line = strings.TrimSpace(line)
		if v, ok := strings.CutPrefix(line, "export AWS_ACCESS_KEY_ID="); ok {
			c.admin.AccessKeyID = v
		}
		if v, ok := strings.CutPrefix(line, "export AWS_SECRET_ACCESS_KEY="); ok {
			c.admin.SecretAccessKey = v
		}
	}
	return c, c.provision()
}

// freeAddress is an address on loopback that nobody listens at.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// run starts the program and waits for its first answer.
func (c *identityCenter) run(program string, out io.Writer) error {
	// #nosec G204 -- what the person who runs the benchmark named
	cmd := exec.CommandContext(context.Background(), program, c.args...)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	c.process = &process{cmd: cmd}
	for {
		conn, err := net.Dial("tcp", c.address)
		if err == nil {
			_, err = io.WriteString(conn, "GET /nothing/scim/v2/Users HTTP/1.1\r\nHost: bench\r\n\r\n")
			if err == nil {
				_, err = conn.Read(make([]byte, 16))
			}
			_ = conn.Close()
		}
		if err == nil {
			c.ready = time.Since(began)
			return nil
		}
		if time.Since(began) > time.Minute {
			return errors.Join(fmt.Errorf("no answer in a minute: %w", err), cmd.Process.Kill())
		}
		time.Sleep(time.Millisecond) // a poll: the program has no other way to say that it is ready
	}
}

// provision changes the identity source to an external identity provider and makes a SCIM token.
func (c *identityCenter) provision() error {
	ctx := context.Background()
	key, err := saml.NewSigningKey(time.Now(), time.Now().Add(24*time.Hour))
	if err != nil {
		return err
	}
	c.idp = key
	metadata, err := saml.FederationMetadata(
		saml.IdentityProvider{
			EntityID:   samlIssuer,
			SignInURL:  "https://idp.example.com/sso",
			SignInPOST: "https://idp.example.com/sso",
		},
		"https://idp.example.com/wsfed",
		key,
	)
	if err != nil {
		return err
	}
	config, err := c.admin.CreateConfiguration(ctx, string(metadata))
	if err != nil {
		return err
	}
	if err := c.admin.EnableConfiguration(
		ctx, adminapi.ChangeInput{ConfigurationID: config.ConfigurationID, Confirmation: connect.Confirmation},
	); err != nil {
		return err
	}
	tenant, err := c.admin.CreateTenant(ctx)
	if err != nil {
		return err
	}
	token, err := c.admin.CreateBearerToken(ctx, tenant.TenantID, "")
	if err != nil {
		return err
	}
	directory, err := c.admin.DescribeDirectory(ctx)
	if err != nil {
		return err
	}
	endpoint, err := url.Parse(tenant.ScimEndpoint)
	if err != nil {
		return err
	}
	c.scimPath = endpoint.Path
	c.token = token.Value
	c.storeID = directory.IdentityStoreID
	c.instanceARN = directory.InstanceArn
	return nil
}

// ids reads the ids of up to n users or groups, in pages.
func ids(address, path, token string, n int) ([]string, error) {
	var all []string
	for start := 1; len(all) < n; {
		req, err := http.NewRequestWithContext(
			context.Background(), http.MethodGet,
			fmt.Sprintf("http://%s%s?startIndex=%d&count=100", address, path, start), nil,
		)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		var page struct {
			Resources []struct {
				ID       string `json:"id"`
				UserName string `json:"userName"`
			}
		}
		err = errors.Join(json.NewDecoder(res.Body).Decode(&page), res.Body.Close())
		if err != nil {
			return nil, err
		}
		if len(page.Resources) == 0 {
			break
		}
		for _, r := range page.Resources {
			all = append(all, r.ID)
		}
		start += len(page.Resources)
	}
	if len(all) < n {
		return nil, fmt.Errorf("%s has %d of the %d resources that were made", path, len(all), n)
	}
	return all[:n], nil
}
