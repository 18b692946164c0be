// Package gatehouse starts a center and a tenant in a container for tests: an IAM Identity Center
// and the Entra-like tenant beside it, connected, with a small company. Go tests that need no
// container use gatehousetest, which runs the pair in the test's own process.
//
// It imports nothing of ours.
package gatehouse

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

// Image is the newest release.
const Image = "ghcr.io/gatehouse-id/gatehouse:latest"

// startTimeout is how long the pair may take until it is connected.
const startTimeout = 2 * time.Minute //bound:none of tests only

// Container is a pair that runs in a container.
type Container struct {
	testcontainers.Container
	Demo Demo
}

// Run starts a pair and waits until its halves are connected. Arguments of `gatehouse demo` can be
// added by testcontainers.WithCmdArgs.
//
// The addresses are part of what the halves tell browsers and each other. So the container listens
// on two ports that are free on this machine, and they are published on its loopback as the same
// ports: Docker must run on this machine. Like testcontainers.Run, it returns a container that has
// started together with an error, so that testcontainers.CleanupContainer can end it.
func Run(ctx context.Context, image string, opts ...testcontainers.ContainerCustomizer) (*Container, error) {
	ports, err := freePorts()
	if err != nil {
		return nil, err
	}
	c := &Container{}
	all := append([]testcontainers.ContainerCustomizer{
		testcontainers.WithCmd(arguments(ports)...),
		testcontainers.WithExposedPorts(fmt.Sprintf("%d/tcp", ports[0]), fmt.Sprintf("%d/tcp", ports[1])),
		testcontainers.WithHostConfigModifier(func(host *container.HostConfig) { publish(host, ports) }),
		testcontainers.WithWaitStrategyAndDeadline(startTimeout, &ready{&c.Demo}),
	}, opts...)
	started, err := testcontainers.Run(ctx, image, all...)
	if started == nil {
		return nil, fmt.Errorf("run gatehouse: %w", err)
	}
	c.Container = started
	if err != nil {
		return c, fmt.Errorf("run gatehouse: %w", err)
	}
	return c, nil
}

// arguments are those of the program in the container.
func arguments(ports [2]uint16) []string {
	return []string{
		"demo", "--json", "--published",
		fmt.Sprintf("--center=127.0.0.1:%d", ports[0]), fmt.Sprintf("--tenant=127.0.0.1:%d", ports[1]),
	}
}

// freePorts are two ports of this machine that nobody listens on.
func freePorts() (ports [2]uint16, err error) {
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return ports, err
		}
		defer l.Close()                                 //nolint:errcheck // nobody has connected
		ports[i] = uint16(l.Addr().(*net.TCPAddr).Port) // #nosec G115 -- a port
	}
	return ports, nil
}

// publish publishes ports on this machine's loopback only: anybody who reaches them can sign in.
func publish(host *container.HostConfig, ports [2]uint16) {
	host.PortBindings = network.PortMap{}
	for _, p := range ports {
		port, _ := network.PortFrom(p, network.TCP)
		host.PortBindings[port] = []network.PortBinding{{
			HostIP: netip.AddrFrom4([4]byte{127, 0, 0, 1}), HostPort: fmt.Sprint(p),
		}}
	}
}

// ready waits for the line that the demo prints when everything is connected.
type ready struct{ demo *Demo }

// WaitUntilReady implements wait.Strategy.
func (r *ready) WaitUntilReady(ctx context.Context, target wait.StrategyTarget) error {
	for {
		logs, err := target.Logs(ctx)
		if err != nil {
			return fmt.Errorf("read what gatehouse prints: %w", err)
		}
		demo, text, err := read(logs)
		_ = logs.Close()
		if err == nil {
			*r.demo = demo
			return nil
		}
		if state, wrong := target.State(ctx); wrong == nil && !state.Running {
			return fmt.Errorf("gatehouse has ended with code %d: %s", state.ExitCode, text)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("gatehouse is not ready: %w: %s", ctx.Err(), text)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

var errNotReady = errors.New("the line of demo --json is not there yet")

// read finds the line of demo --json in what the program prints; text is the rest of it.
func read(logs io.Reader) (demo Demo, text string, err error) {
	r := bufio.NewReader(logs)
	for {
		line, err := r.ReadString('\n')
		if whole := err == nil; whole && strings.HasPrefix(line, `{"center":`) {
			err := json.Unmarshal([]byte(line), &demo)
			return demo, text, err
		}
		text += line
		if errors.Is(err, io.EOF) {
			return demo, text, errNotReady
		}
		if err != nil {
			return demo, text, err
		}
	}
}

// Env is what the AWS CLI and the AWS SDKs read from the environment.
func (d *Demo) Env() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + d.AWS.EndpointURL,
		"AWS_REGION=" + d.AWS.Region,
		"AWS_DEFAULT_REGION=" + d.AWS.Region,
		"AWS_ACCESS_KEY_ID=" + d.AWS.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + d.AWS.SecretAccessKey,
	}
}
