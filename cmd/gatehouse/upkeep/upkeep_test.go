package upkeep_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/upkeep"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/connect/aws"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/terminal"
)

var errDiffers = errors.New("there is a difference")

// keeper types commands about a pair.
type keeper struct {
	pairtest.Ends
	t      *testing.T
	folder string // where runs remember; empty: they do not
}

func (k keeper) config() connect.Config {
	return connect.Config{
		Graph: k.Client, Center: k.Admin, LoginURL: k.AuthorityURL(), HTTP: http.DefaultClient,
		AppName: "AWS IAM Identity Center", Cert: "AWS IAM Identity Center", PollEach: time.Millisecond,
		Folder: k.folder,
	}
}

func (k keeper) call(typed string, line ...string) (out string, err error) {
	k.t.Helper()
	return k.answers(strings.NewReader(typed), line...)
}

// answers has somebody answer who may do something else first.
func (k keeper) answers(typed io.Reader, line ...string) (out string, err error) {
	k.t.Helper()
	var shown bytes.Buffer
	world := upkeep.World{
		In: typed, Out: &shown, Err: &shown, Differs: errDiffers,
		Connect: func() upkeep.Connection {
			return upkeep.Connection{
				Flags:  func(cmd *cobra.Command) { cmd.Flags().String("center-url", "", "") },
				Config: func(context.Context) (connect.Config, error) { return k.config(), nil },
				Tenant: func(context.Context) (*graph.Client, error) { return k.Client, nil },
				Name:   func() string { return "AWS IAM Identity Center" },
			}
		},
	}
	root := &cobra.Command{Use: "gatehouse", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(append(upkeep.Commands(world), upkeep.Rotate(world))...)
	root.SetArgs(line)
	err = root.ExecuteContext(k.t.Context())
	return shown.String(), err
}

// want runs a line that ends with an error, or with none, and prints these words.
func (k keeper) want(end error, words string, line ...string) string {
	k.t.Helper()
	out, err := k.call("", line...)
	if !errors.Is(err, end) || !strings.Contains(out, words) {
		k.t.Errorf("%v: %v; want %v and %q in\n%s", line, err, end, words, out)
	}
	return out
}

func TestAConnectionIsLookedAfter(t *testing.T) {
	t.Parallel()
	k := keeper{pairtest.Start(t), t, ""}
	// one person of the demo's company cannot be provisioned, and that is all
	asItWas := func() {
		t.Helper()
		out := k.want(errDiffers, "1 object cannot be provisioned", "status", "--center-url", "x")
		if !strings.Contains(out, "is drifted") || strings.Count(out, " ! ") != 1 {
			t.Errorf("there is more:\n%s", out)
		}
	}
	asItWas()
	k.want(nil, "Nothing to repair", "repair", "--accept")

	// somebody changes the reply URL, and revokes the token
	apps, err := graph.All[graph.Application](t.Context(), k.Client, "/applications"+
		graph.Filter("applicationTemplateId", graph.AWSTemplateID))
	if err != nil || len(apps) != 1 {
		t.Fatal(apps, err)
	}
	k.Change(http.MethodPatch, "/applications/"+apps[0].ID, map[string]any{
		"web": map[string]any{"redirectUris": []string{"https://elsewhere.example/acs"}},
	}, nil)
	tenants, err := k.Admin.Tenants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Admin.RevokeTokens(t.Context(), tenants[0].TenantID); err != nil {
		t.Fatal(err)
	}
	out := k.want(errDiffers, "The connection is broken", "status", "--center-url", "x")
	for _, words := range []string{
		`the reply URL is ["https://elsewhere.example/acs"]`, "do not pass Test Connection",
	} {
		if !strings.Contains(out, words) {
			t.Errorf("the status does not say %q:\n%s", words, out)
		}
	}
	var h connect.Health
	text := k.want(errDiffers, "", "status", "--center-url", "x", "--json")
	if err := json.Unmarshal([]byte(text), &h); err != nil || h.Condition != connect.Broken || len(h.Findings) < 2 {
		t.Errorf("%v: %s", err, text)
	}
	k.want(errDiffers, "steps to do", "repair", "--dry-run")
	if _, err := k.call("yes\n", "repair"); err == nil || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("another word than ACCEPT: %v", err)
	}
	if out, err := k.call("ACCEPT\n", "repair"); err != nil || !strings.Contains(out, "Connected") {
		t.Fatalf("repair: %v\n%s", err, out)
	}
	asItWas()

	job := k.JobPath()
	k.Change(http.MethodPost, job+"/pause", nil, nil)
	k.want(errDiffers, "provisioning is off", "status", "--center-url", "x")
	k.want(nil, "Connected", "repair", "--accept")
}

func TestWhatEndsIsReplacedByCommand(t *testing.T) {
	t.Parallel()
	k := keeper{pairtest.Start(t), t, ""}
	for _, what := range []string{"scim-token", "certificate"} {
		k.want(nil, "Nothing to do now", "rotate", what, "--when", "30d", "--accept")
		k.want(errDiffers, "ends on ", "rotate", what, "--when", "2000d", "--dry-run")
		if _, err := k.call("\n", "rotate", what); err == nil || !strings.Contains(err.Error(), "nothing was changed") {
			t.Errorf("%s without ACCEPT: %v", what, err)
		}
		k.want(nil, "✓ Proof", "rotate", what, "--accept")
		var usage terminal.UsageError
		if _, err := k.call("", "rotate", what, "--when", "soon"); !errors.As(err, &usage) {
			t.Errorf("%s --when soon: %v", what, err)
		}
	}
	var out connect.RotationOutput
	text := k.want(errDiffers, "", "rotate", "scim-token", "--json", "--dry-run")
	if err := json.Unmarshal([]byte(text), &out); err != nil || len(out.Steps) != 3 || out.Ends.At.IsZero() {
		t.Errorf("%v: %s", err, text)
	}
}

// TestARotationThatIsNotDueNeedsNobodyToEnd: a prompt that somebody has left open, which keeps
// others out, is in the way of what is due only.
func TestARotationThatIsNotDueNeedsNobodyToEnd(t *testing.T) {
	t.Parallel()
	k := keeper{pairtest.Start(t), t, t.TempDir()}
	prompt := k.config()
	release, err := prompt.Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"scim-token", "certificate"} {
		k.want(nil, "Nothing to do now", "rotate", what, "--when", "30d", "--accept")
		k.want(connect.ErrHeld, "", "rotate", what, "--accept")
	}
	release()
	k.want(nil, "✓ Proof", "rotate", "scim-token", "--accept")
}

func TestAConnectionIsTakenBackByCommand(t *testing.T) {
	t.Parallel()
	k := keeper{pairtest.Start(t), t, ""}
	at, err := aws.OfCenter(t.Context(), k.Admin)
	if err != nil {
		t.Fatal(err)
	}
	now, err := at.Discover(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	// what a change has taken away, and what is new
	lost := now.Assignments[0]
	k.CLI().Run(nil, "sso-admin", "delete-account-assignment", "--instance-arn", now.InstanceARN,
		"--target-id", lost.AccountID, "--target-type", "AWS_ACCOUNT", "--permission-set-arn", lost.PermissionSetARN,
		"--principal-type", lost.PrincipalType, "--principal-id", lost.PrincipalID)
	file := filepath.Join(t.TempDir(), "snapshot.json")
	if err := connect.WriteFile(file, now); err != nil {
		t.Fatal(err)
	}
	var usage terminal.UsageError
	if _, err := k.call("", "undo", "--delete-provisioned"); !errors.As(err, &usage) {
		t.Errorf("people are deleted without a snapshot: %v", err)
	}
	if _, err := k.call("", "undo", "--json"); !errors.As(err, &usage) {
		t.Errorf("--json asks: %v", err)
	}
	k.want(errDiffers, "give back 1 that were there before", "undo", "--dry-run", "--snapshot", file)
	out, err := k.call("ACCEPT\n", "undo", "--snapshot", file, "--delete-application")
	if err != nil || !strings.Contains(out, "The connection is taken back") {
		t.Fatalf("undo: %v\n%s", err, out)
	}
	after, err := at.Discover(t.Context(), nil)
	if err != nil || len(after.Assignments) != len(now.Assignments) {
		t.Errorf("%d assignments after, %d before: %v", len(after.Assignments), len(now.Assignments), err)
	}
	k.want(nil, "Nothing to take back", "undo", "--accept", "--snapshot", file)
	k.want(errDiffers, "it is not connected", "status", "--center-url", "x")
	if _, err := k.call("", "repair", "--accept"); err == nil || !strings.Contains(err.Error(), "gatehouse connect") {
		t.Errorf("repair of what is not there: %v", err)
	}
}

// TestWhatWasTakenBackIsNotRepaired: after undo the application stays, as it may be wanted again.
func TestWhatWasTakenBackIsNotRepaired(t *testing.T) {
	t.Parallel()
	k := keeper{pairtest.Start(t), t, ""}
	k.want(nil, "The connection is taken back", "undo", "--accept")
	out := k.want(errDiffers, "it is not connected", "status", "--center-url", "x")
	for _, words := range []string{
		" took it back on " + time.Now().UTC().Format("2006-01-02"), "the identity source is the built-in directory",
		"gatehouse connect connects it again",
	} {
		if !strings.Contains(out, words) {
			t.Errorf("the status does not say %q:\n%s", words, out)
		}
	}
	if strings.Contains(out, "repair") || strings.Count(out, " ! ") != 1 {
		t.Errorf("what was meant is to be repaired:\n%s", out)
	}
	if _, err := k.call("", "repair", "--accept"); err == nil || !strings.Contains(err.Error(), "took it back on") {
		t.Errorf("repair of what was taken back: %v", err)
	}
	var h connect.Health
	text := k.want(errDiffers, "", "status", "--center-url", "x", "--json")
	if err := json.Unmarshal([]byte(text), &h); err != nil || len(h.Findings) != 1 {
		t.Errorf("%v: %s", err, text)
	}
}

// TestASourceThatWasChangedBackMayBeMeant: the status says who changed it, and not only how to
// change it again.
func TestASourceThatWasChangedBackMayBeMeant(t *testing.T) {
	t.Parallel()
	k := keeper{pairtest.Start(t), t, ""}
	tenants, err := k.Admin.Tenants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		k.Admin.RevokeTokens(t.Context(), tenants[0].TenantID), k.Admin.DeleteTenant(t.Context(), tenants[0].TenantID),
		k.Admin.DisableConfiguration(t.Context(), adminapi.ConfirmInput{Confirmation: connect.Confirmation}),
	); err != nil {
		t.Fatal(err)
	}
	out := k.want(errDiffers, "took it back on", "status", "--center-url", "x")
	if !strings.Contains(out, "next: nothing, if that was meant; gatehouse connect repair will change it") {
		t.Errorf("the status says:\n%s", out)
	}
}

func TestAnotherCentersApplicationStays(t *testing.T) {
	t.Parallel()
	k := keeper{pairtest.Start(t), t, ""}
	apps, err := graph.All[graph.Application](t.Context(), k.Client, "/applications"+
		graph.Filter("applicationTemplateId", graph.AWSTemplateID))
	if err != nil || len(apps) != 1 {
		t.Fatal(apps, err)
	}
	k.Change(http.MethodPatch, "/applications/"+apps[0].ID, map[string]any{"identifierUris": []string{}}, nil)
	way := pairtest.NewWay(t, k.SCIM.BaseURL)
	k.PutSecrets(way.URL)
	out := k.want(nil, "is not this center's", "undo", "--accept", "--delete-application")
	jobs, err := graph.All[graph.SynchronizationJob](
		t.Context(), k.Client, "/servicePrincipals/"+k.Tenant.ServicePrincipalID+"/synchronization/jobs",
	)
	if err != nil || len(jobs) != 1 {
		t.Errorf("its jobs are %+v, %v\n%s", jobs, err, out)
	}
}

func TestAHalfDoneConnectIsTakenBack(t *testing.T) {
	t.Parallel()
	k := keeper{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
	for step := 1; step <= 10; step++ {
		plan, err := connect.Observe(t.Context(), k.config())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := 0
		_ = plan.Apply(ctx, connect.Confirmation, func(_ int, ended bool) { // it ends with the next request
			if ended {
				if done++; done == step {
					cancel()
				}
			}
		})
		cancel()
		k.want(nil, "taken back", "undo", "--accept", "--delete-application")
		d, e1 := k.Admin.DescribeDirectory(t.Context())
		tenants, e2 := k.Admin.Tenants(t.Context())
		apps, e3 := graph.All[graph.ServicePrincipal](t.Context(), k.Client, "/servicePrincipals")
		if err := errors.Join(e1, e2, e3); err != nil || d.IdentitySource != "DIRECTORY" || len(tenants)+len(apps) > 0 {
			t.Errorf("after %d steps and undo: %s, %d endpoints, %d applications, %v", step, d.IdentitySource,
				len(tenants), len(apps), err)
		}
	}
}
