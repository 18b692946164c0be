package oversee_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/oversee"
)

// office is where somebody calls the commands, with a key of a center that serves.
type office struct {
	*testing.T
	env map[string]string
}

func at(t *testing.T, admin *adminapi.Client) *office {
	t.Helper()
	return &office{t, map[string]string{
		"AWS_REGION":            admin.Region,
		"AWS_ACCESS_KEY_ID":     admin.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": admin.SecretAccessKey,
		"AWS_ENDPOINT_URL":      admin.URL,
	}}
}

func newOffice(t *testing.T) (*office, *centertest.Server) {
	t.Helper()
	s := centertest.Serve(t)
	return at(t, s.Admin()), s
}

// call runs a command line; typed is what the person types.
func (o *office) call(typed string, line ...string) (out, said string, err error) {
	o.Helper()
	var shown, told bytes.Buffer
	root := &cobra.Command{Use: "gatehouse", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(&cobra.Command{Use: "accounts"})
	oversee.Add(root, administer.World{In: strings.NewReader(typed), Out: &shown, Err: &told,
		Env: func(name string) (string, bool) { v, ok := o.env[name]; return v, ok }})
	root.SetOut(&shown)
	root.SetErr(&told)
	root.SetArgs(line)
	err = root.ExecuteContext(o.Context())
	if err == nil && shown.Len()+told.Len() == 0 {
		o.Errorf("%v says nothing", line)
	}
	return shown.String(), told.String(), err
}

// want runs a command line that must work, and looks for words in what it printed.
func (o *office) want(words string, line ...string) string {
	o.Helper()
	out, said, err := o.call("", line...)
	if err != nil || !strings.Contains(out+said, words) {
		o.Errorf("%v: %v; want %q in %q and %q", line, err, words, out, said)
	}
	return out
}

// refused runs a line that has to fail with these words.
func (o *office) refused(words, typed string, line ...string) {
	o.Helper()
	_, said, err := o.call(typed, line...)
	if err == nil || !strings.Contains(err.Error()+said, words) {
		o.Errorf("%v: %v, %q; want a refusal with %q", line, err, said, words)
	}
}

// read runs a line with --json and reads what it prints.
func read[T any](o *office, line ...string) (out T) {
	o.Helper()
	text := o.want("", append(line, "--json")...)
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		o.Fatalf("%v printed %q: %v", line, text, err)
	}
	return out
}
