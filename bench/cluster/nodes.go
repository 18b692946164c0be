package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/saml"
)

// cluster is three nodes of a center on one database, behind a balancer.
type cluster struct {
	program, dir     string
	primary, standby *server
	url              string // of the balancer
	nodes            []*node
	balancer         *exec.Cmd
	token            string // of SCIM
	scim             string // the endpoint
	key              string // the master key
	password         string
	health           string // the path that says whether a node is to get requests
}

// node is a running program.
type node struct {
	name, address string
	cmd           *exec.Cmd
	ended         chan struct{}
}

const nodesOfACluster = 3

func open(ctx context.Context, program, dir string) (c *cluster, err error) {
	c = &cluster{program: program, dir: dir, password: "Gate-7!" + rand.Text(), health: "/readyz"}
	if !c.drains(ctx) {
		c.health = "/start" // a page that needs no session, for all nodes alike
	}
	c.key = base64.StdEncoding.EncodeToString([]byte((rand.Text() + rand.Text())[:32]))
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if c.primary, c.standby, err = postgres(ctx); err != nil {
		return c, err
	}
	front, err := freeAddress(ctx)
	if err != nil {
		return c, err
	}
	c.url = "http://" + front
	for i := range nodesOfACluster {
		n := &node{name: string(rune('a' + i))}
		if n.address, err = freeAddress(ctx); err != nil {
			return c, err
		}
		c.nodes = append(c.nodes, n)
		if err := c.start(n); err != nil {
			return c, err
		}
		if err := n.ready(c.health); err != nil {
			return c, err
		}
	}
	if err := c.balance(front); err != nil {
		return c, err
	}
	return c, c.provision(ctx)
}

func (c *cluster) close() {
	for _, n := range c.nodes {
		if n.cmd != nil {
			_ = n.cmd.Process.Signal(syscall.SIGCONT)
			_ = n.cmd.Process.Kill()
			<-n.ended
		}
	}
	if c.balancer != nil {
		_ = c.balancer.Process.Kill()
		_ = c.balancer.Wait()
	}
	for _, s := range []*server{c.primary, c.standby} {
		if s != nil {
			s.remove()
		}
	}
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// drains says whether the program ends as one does behind a balancer, which has a page for that.
// Release 0.1.0 does not.
func (c *cluster) drains(ctx context.Context) bool {
	help, _ := exec.CommandContext(ctx, c.program, "serve", "--help").CombinedOutput() // #nosec G204 -- named by hand
	return bytes.Contains(help, []byte("--drain"))
}

// start starts a node, which knows both servers.
func (c *cluster) start(n *node) error {
	log, err := os.OpenFile(filepath.Join(c.dir, n.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()            //nolint:errcheck // the program has it
	n.cmd = exec.CommandContext( // #nosec G204 -- what the person named
		context.Background(), c.program, "serve", "--listen", n.address, "--url", c.url,
		"--data", filepath.Join(c.dir, n.name),
		"--database", "postgres:///postgres?user=postgres&host="+c.primary.dir+","+c.standby.dir,
	)
	if c.drains(context.Background()) {
		n.cmd.Args = append(n.cmd.Args, "--drain", "2s")
	}
	n.cmd.Stdout, n.cmd.Stderr = log, log
	n.cmd.Env = append(os.Environ(), "GATEHOUSE_MASTER_KEY="+c.key, "GATEHOUSE_ADMIN_PASSWORD="+c.password)
	if err := n.cmd.Start(); err != nil {
		return err
	}
	n.ended = make(chan struct{})
	go func() { defer close(n.ended); _ = n.cmd.Wait() }()
	return nil
}

// ready waits until a node answers a path with success, or sends elsewhere from it.
func (n *node) ready(health string) error {
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for began := time.Now(); ; {
		res, err := client.Get("http://" + n.address + health) //nolint:noctx // a poll
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode < http.StatusBadRequest {
				return nil
			}
		}
		select {
		case <-n.ended:
			return fmt.Errorf("node %s has ended", n.name)
		case <-time.After(20 * time.Millisecond): // between two looks
		}
		if time.Since(began) > time.Minute {
			return fmt.Errorf("node %s is not ready: %w", n.name, err)
		}
	}
}

// balance starts HAProxy with the configuration of docs/running.md, looking more often.
func (c *cluster) balance(front string) error {
	program := "/usr/sbin/haproxy" // Debian's
	if _, err := os.Stat(program); err != nil {
		if program, err = exec.LookPath("haproxy"); err != nil {
			return errors.New("HAProxy is not installed (scripts/deps installs it)")
		}
	}
	config := `defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 35s
    timeout check 1s
frontend center
    bind ` + front + `
    use_backend anybody if { nbsrv(ready) eq 0 }
    default_backend ready
backend ready
    option httpchk GET ` + c.health + `
    default-server inter 500ms fall 2 rise 1
    option redispatch 1
    retry-on conn-failure empty-response
    http-request disable-l7-retry unless METH_GET
backend anybody
    option redispatch 1
`
	for _, n := range c.nodes {
		config = strings.Replace(
			config, "backend anybody\n", "    server "+n.name+" "+n.address+" check\nbackend anybody\n", 1,
		)
		config += "    server " + n.name + " " + n.address + "\n"
	}
	file := filepath.Join(c.dir, "haproxy.cfg")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(c.dir, "haproxy.log")) // #nosec G304 -- ours
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the program has it
	// #nosec G204 -- above
	c.balancer = exec.CommandContext(context.Background(), program, "-db", "-f", file)
	c.balancer.Stdout, c.balancer.Stderr = log, log
	if err := c.balancer.Start(); err != nil {
		return err
	}
	for began := time.Now(); ; {
		res, err := http.Get(c.url + "/healthz") //nolint:noctx // a poll
		if err == nil {
			return res.Body.Close()
		}
		if time.Since(began) > 20*time.Second {
			return fmt.Errorf("HAProxy does not answer: %w", err)
		}
		time.Sleep(20 * time.Millisecond) // between two looks
	}
}

// provision gets a token for SCIM.
func (c *cluster) provision(ctx context.Context) error {
	first, err := os.ReadFile(filepath.Join(c.dir, "a", "first-start.txt"))
	if err != nil {
		return err
	}
	id := regexp.MustCompile(`AWS_ACCESS_KEY_ID=(\S+)`).FindSubmatch(first)
	secret := regexp.MustCompile(`AWS_SECRET_ACCESS_KEY=(\S+)`).FindSubmatch(first)
	if id == nil || secret == nil {
		return errors.New("the first start told no access key")
	}
	admin := &adminapi.Client{
		URL: c.url, Region: "us-east-1", HTTP: http.DefaultClient,
		AccessKeyID: string(id[1]), SecretAccessKey: string(secret[1]),
	}
	signing, err := saml.NewSigningKey(time.Now(), time.Now().Add(24*time.Hour))
	if err != nil {
		return err
	}
	idp := "https://idp.example.com/sso"
	metadata, err := saml.IdentityProviderMetadata(
		saml.IdentityProvider{EntityID: idp, SignInURL: idp, SignInPOST: idp}, signing,
	)
	if err != nil {
		return err
	}
	config, err := admin.CreateConfiguration(ctx, string(metadata))
	if err != nil {
		return err
	}
	if err := admin.EnableConfiguration(
		ctx, adminapi.ChangeInput{ConfigurationID: config.ConfigurationID, Confirmation: connect.Confirmation},
	); err != nil {
		return err
	}
	at, err := admin.CreateTenant(ctx)
	if err != nil {
		return err
	}
	token, err := admin.CreateBearerToken(ctx, at.TenantID, "")
	c.token, c.scim = token.Value, strings.TrimSuffix(at.ScimEndpoint, "/")
	return err
}
