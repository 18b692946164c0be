package killtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/scim"
)

// How many there are of everything.
const (
	workers   = 4
	perWorker = 6 // people whom one worker changes
	leavers   = 6
)

// directory is both ends as clients see them.
type directory struct {
	graph     *graph.Client
	scim      *scim.Client // with the standard profile, which lists members
	principal string       // the service principal that groups are assigned to
}

// begin starts both halves, makes people and groups, and connects.
func (w *world) begin(ctx context.Context) (err error) {
	if err := os.MkdirAll(w.Folder, 0o700); err != nil {
		return err
	}
	if w.center, err = newHalf(w.Config, "center", "serve"); err != nil {
		return err
	}
	var args []string
	if w.Database != "" {
		args = []string{"--database", w.Database}
	}
	if w.tenant, err = newHalf(w.Config, "tenant", "tenant", args...); err != nil {
		return err
	}
	if err := errors.Join(w.center.start(ctx), w.tenant.start(ctx)); err != nil {
		return err
	}
	client := &http.Client{Timeout: 10 * time.Second}
	var errs []error
	read := func(h *half, pattern string) string {
		text, err := h.first(pattern)
		errs = append(errs, err)
		return text
	}
	admin := &adminapi.Client{
		URL:             w.center.url(),
		Region:          "us-east-1",
		HTTP:            client,
		AccessKeyID:     read(w.center, `AWS_ACCESS_KEY_ID=(\S+)`),
		SecretAccessKey: read(w.center, `AWS_SECRET_ACCESS_KEY=(\S+)`),
	}
	tokenURL := read(w.tenant, `token URL +(http\S+)`)
	w.directory.graph = graph.NewClient(
		ctx, read(w.tenant, `graph +(http\S+)`), tokenURL, read(w.tenant, `client id +(\S+)`),
		read(w.tenant, `client secret +(\S+)`), client,
	)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	groups, err := w.fill(ctx)
	if err != nil {
		return fmt.Errorf("make people: %w", err)
	}
	login, _, _ := strings.Cut(tokenURL, "/oauth2/")
	return w.connect(ctx, admin, login, groups)
}

// fill makes the groups, the people of each worker, and those who leave.
func (w *world) fill(ctx context.Context) (names []string, err error) {
	var groups []*group
	for i := range workers + 1 {
		g := &group{name: fmt.Sprintf("Group %d", i)}
		if err := g.create(ctx, w.directory); err != nil {
			return nil, err
		}
		groups, names = append(groups, g), append(names, g.name)
	}
	for i := range workers {
		x := &worker{
			number: i,
			groups: groups[:workers],
			own:    groups[i],
			chance: rand.New(rand.NewPCG(w.Seed, uint64(i)+1)), // #nosec G115,G404 -- to be repeated
		}
		w.workers = append(w.workers, x)
		for range perWorker {
			if err := x.create(ctx, w.directory); err != nil {
				return nil, err
			}
		}
	}
	all := groups[workers]
	for i := range leavers {
		p := newPerson(fmt.Sprintf("leaver%d", i))
		if err := errors.Join(p.create(ctx, w.directory), p.join(ctx, w.directory, all, true)); err != nil {
			return nil, err
		}
		w.leavers = append(w.leavers, p.id)
	}
	for _, x := range w.workers {
		x.bosses = w.leavers
	}
	return names, nil
}

func (w *world) connect(ctx context.Context, admin *adminapi.Client, login string, groups []string) error {
	plan, err := connect.Observe(ctx, connect.Config{
		Graph:    w.directory.graph,
		Center:   admin,
		LoginURL: login,
		AppName:  "AWS IAM Identity Center",
		Groups:   groups,
		Cert:     "AWS IAM Identity Center",
		PollEach: 100 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	if err := plan.Apply(ctx, connect.Confirmation, func(int, bool) {}); err != nil {
		return err
	}
	if _, err := plan.Verify(ctx, func(int, int) {}); err != nil {
		return err
	}
	w.directory.principal = plan.State.Principal.ID
	token, err := admin.CreateBearerToken(ctx, plan.State.SCIM.TenantID, "standard")
	if err != nil {
		return err
	}
	w.directory.scim = &scim.Client{
		BaseURL: plan.State.SCIM.ScimEndpoint,
		Token:   token.Value,
		HTTP:    &http.Client{Timeout: 10 * time.Second},
	}
	return nil
}

func (w *world) end() {
	w.center.end()
	w.tenant.end()
}
