package aws_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/connect/aws"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// both is what both sides list: of AWS's side everything that there is, and how the center stands.
type both struct {
	connect.Snapshot
	adminapi.Directory

	Configurations []adminapi.Configuration
	Tenants        []adminapi.Tenant
	Applications   []string
}

func (u *undoing) listing(withPeople bool) string {
	u.t.Helper()
	var b both
	var err error
	if b.Snapshot, err = u.at.Discover(u.ctx, nil); err != nil {
		u.t.Fatal(err)
	}
	b.Taken = time.Time{}
	d, e1 := u.Admin.DescribeDirectory(u.ctx)
	configurations, e2 := u.Admin.Configurations(u.ctx)
	tenants, e3 := u.Admin.Tenants(u.ctx)
	apps, e4 := graph.All[graph.ServicePrincipal](u.ctx, u.Client, "/servicePrincipals")
	if err := errors.Join(e1, e2, e3, e4); err != nil {
		u.t.Fatal(err)
	}
	d.UndoUntil, d.UndoTo = nil, ""
	d.UndoToEntityID = ""
	if !withPeople { // the cycle made some, and deleting them is another choice
		d.UserCount, d.GroupCount = 0, 0
		b.Users, b.Groups = nil, nil
	}
	b.Directory, b.Tenants = d, tenants
	for _, c := range configurations { // one that is pending changes nothing
		if c.Status == adminapi.StatusEnabled {
			b.Configurations = append(b.Configurations, c)
		}
	}
	for _, a := range apps {
		b.Applications = append(b.Applications, a.DisplayName)
	}
	slices.Sort(b.Applications)
	return asJSON(u.t, b)
}

// undoing is a pair that is not connected, and what connects it and takes that back.
type undoing struct {
	pairtest.Ends
	t   *testing.T
	ctx context.Context
	at  *aws.Center
}

func newUndoing(t *testing.T) *undoing {
	t.Helper()
	e := pairtest.Start(t, gatehousetest.Unconnected())
	at, err := aws.Open(t.Context(), atAWS(e.Pair, &limits{}))
	if err != nil {
		t.Fatal(err)
	}
	return &undoing{e, t, t.Context(), at}
}

func (u *undoing) config(client *http.Client) connect.Config {
	admin := *u.Admin
	admin.HTTP = client
	return connect.Config{
		Graph: graph.NewClient(
			u.ctx, u.Tenant.GraphURL, u.Tenant.TokenURL, u.Tenant.ClientID, u.Tenant.ClientSecret, client,
		),
		Center:   &admin,
		LoginURL: u.AuthorityURL(),
		HTTP:     client,
		AppName:  "AWS IAM Identity Center",
		Groups:   []string{"Engineering"},
		Cert:     "AWS IAM Identity Center",
		PollEach: time.Millisecond,
	}
}

// connect connects, and waits for the first cycle unless told not to.
func (u *undoing) connect(verify bool) {
	u.t.Helper()
	plan, err := connect.Observe(u.ctx, u.config(http.DefaultClient))
	if err == nil {
		err = plan.Apply(u.ctx, connect.Confirmation, func(int, bool) {})
	}
	if err == nil && verify {
		_, err = plan.Verify(u.ctx, func(int, int) {})
	}
	if err != nil {
		u.t.Fatal(err)
	}
}

// undo takes it back, and returns how many steps that were.
func (u *undoing) undo(client *http.Client, o connect.UndoOptions) (int, error) {
	undo, err := connect.ObserveUndo(u.ctx, u.config(client), o)
	if err != nil {
		return 0, err
	}
	n := undo.Pending()
	return n, undo.Apply(u.ctx, connect.Confirmation, func(int, bool) {})
}

func TestWhatWasConnectedIsTakenBack(t *testing.T) {
	t.Parallel()
	u := newUndoing(t)
	before, err := u.at.Discover(u.ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	was := u.listing(true)
	u.connect(true)
	if u.listing(true) == was {
		t.Fatal("connect has changed nothing")
	}
	all := connect.UndoOptions{DeleteApplication: true, Before: &before, DeleteProvisioned: true, Restore: u.at}
	undo, err := connect.ObserveUndo(u.ctx, u.config(http.DefaultClient), all)
	if err != nil {
		t.Fatal(err)
	}
	if err := undo.Apply(u.ctx, "yes", nil); err == nil {
		t.Error("another word is taken for ACCEPT")
	}
	if err := undo.Apply(u.ctx, connect.Confirmation, func(int, bool) {}); err != nil {
		t.Fatal(err)
	}
	if now := u.listing(true); now != was {
		t.Errorf("after undo both sides list\n%s\nbefore connect\n%s", now, was)
	}
	if n, err := u.undo(http.DefaultClient, all); n != 0 || err != nil {
		t.Errorf("undone twice: %d steps, %v", n, err)
	}
	u.connect(true)
	if n, err := u.undo(http.DefaultClient, connect.UndoOptions{}); n < 4 || err != nil {
		t.Errorf("connected and undone again: %d steps, %v", n, err)
	}
	if n, err := u.undo(http.DefaultClient, connect.UndoOptions{}); n != 0 || err != nil {
		t.Errorf("the application stays, and is undone twice: %d steps, %v", n, err)
	}
	u.connect(true)
}

// TestAnInterruptedUndoIsCompletedByTheNext kills undo at every single request, one after the
// other. The same is done to a connect that went only as far, and to one whose cycle runs.
func TestAnInterruptedUndoIsCompletedByTheNext(t *testing.T) {
	t.Parallel()
	u := newUndoing(t)
	was := u.listing(false)
	u.connect(false) // its cycle runs
	before, err := connect.ObserveUndo(u.ctx, u.config(http.DefaultClient), connect.UndoOptions{})
	if err != nil || before.Pending() == 0 {
		t.Fatal(before, err)
	}
	runs := 0
	for requests := 1; ; requests++ {
		_, err := u.undo(&http.Client{Transport: &killer{requests}}, connect.UndoOptions{DeleteApplication: true})
		if err == nil {
			break
		}
		if runs++; !errors.Is(err, errKilled) || runs > 200 {
			t.Fatalf("after %d requests: %v", requests, err)
		}
	}
	if now := u.listing(false); now != was {
		t.Errorf("after undo both sides list\n%s\nbefore connect\n%s", now, was)
	}
	t.Logf("completed after %d interruptions", runs)
}

type killer struct{ left int }

var errKilled = errors.New("killed here")

func (k *killer) RoundTrip(r *http.Request) (*http.Response, error) {
	if k.left--; k.left < 0 {
		return nil, errKilled
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestWhatAWSRefusesOfAnUndoIsCompletedByTheNext: a deletion that AWS itself refuses is named with
// its cause and what to do; what was done before stays.
func TestWhatAWSRefusesOfAnUndoIsCompletedByTheNext(t *testing.T) {
	t.Parallel()
	u := newUndoing(t)
	l := &limits{}
	at, err := aws.Open(u.ctx, atAWS(u.Pair, l))
	if err != nil {
		t.Fatal(err)
	}
	before, err := at.Discover(u.ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	u.connect(true)
	options := connect.UndoOptions{Before: &before, DeleteProvisioned: true, Restore: at}
	const deny = `{"__type":"AccessDeniedException","Message":"User: x is not authorized to perform: ` +
		`identitystore:DeleteUser with an explicit deny in a service control policy"}`
	refused := map[string]string{"DeleteGroup": `{"__type":"ConflictException","Message":"in use"}`, "DeleteUser": deny}
	l.answer = func(operation string) (int, string) {
		if refused[operation] == "" {
			return 0, ""
		}
		return http.StatusBadRequest, refused[operation]
	}
	_, err = u.undo(http.DefaultClient, options)
	for _, want := range []string{
		"run this again", "service control policy (SCP) of the organization denies identitystore:DeleteUser",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	l.answer = nil
	if _, err := u.undo(http.DefaultClient, options); err != nil {
		t.Error(err)
	}
	if n, err := u.undo(http.DefaultClient, options); n != 0 || err != nil {
		t.Errorf("undone twice: %d steps, %v", n, err)
	}
	if d, err := u.Admin.DescribeDirectory(u.ctx); err != nil || d.UserCount != 0 || d.GroupCount != 0 {
		t.Errorf("there are %d users and %d groups, %v", d.UserCount, d.GroupCount, err)
	}
}
