package federate_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/federate"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/graph/signin"
)

// TestMistakesAreToldAtOnce, before anybody is asked anything.
func TestMistakesAreToldAtOnce(t *testing.T) {
	t.Parallel()
	asked := errors.New("the tenant was asked")
	for _, c := range []struct {
		args string
		want []string
	}{
		{"--center aws@Ireland --scope some", []string{"no AWS Region", `--scope "some"`}},
		{"--center gcp --json", []string{"use aws, aws:INSTANCE", "--json cannot ask"}},
		{"--apply /nowhere/plan.json", []string{"--apply", "plan.json"}},
		{"--center aws@eu-west-1 --login-url https://login.example/t", []string{asked.Error()}},
	} {
		var out bytes.Buffer
		cmd := federate.Commands(federate.Program{
			In: strings.NewReader(""), Out: &out, Err: &out,
			Env: func(string) (string, bool) { return "", false },
			Tenant: func() federate.Tenant {
				s := &signin.Settings{Token: "t"}
				return federate.Tenant{
					Settings: s, Check: func() []error { return nil },
					Flags: func(cmd *cobra.Command) { cmd.Flags().StringVar(&s.LoginURL, "login-url", "", "") },
					Client: func(context.Context, *http.Client, func(string)) (*graph.Client, error) {
						return nil, asked
					},
				}
			},
		})[0]
		cmd.SetArgs(strings.Fields(c.args))
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		err := cmd.ExecuteContext(t.Context())
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", c.args, err, want)
			}
		}
	}
}
