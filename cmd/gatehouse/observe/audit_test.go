package observe_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/gatehouse-id/gatehouse/audit/chain"
	"github.com/gatehouse-id/gatehouse/audit/outlet"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/observe"
)

func TestWhereTheAuditLogGoesIsSaidOrRefused(t *testing.T) {
	for args, want := range map[string]string{
		"":                   "",
		"--audit-to=file:/x": "file:/x",
		"--audit-to=file:/x --audit-to=https://h/p?k=1": "file:/x https://h/p",
		"--audit-to=nowhere":                            "use file:/path",
		"--audit-format=xml":                            "use cloudtrail or json",
		"--audit-to=http://h/":                          "without TLS",
		"--audit-to=https://h/ --audit-ca=/nowhere":     "/nowhere",
	} {
		var out observe.AuditOut
		f := pflag.NewFlagSet("", pflag.ContinueOnError)
		out.Flags(f, "json", observe.CloudTrail)
		if err := f.Parse(strings.Fields(args)); err != nil {
			t.Fatal(err)
		}
		var names []string
		_, err := out.Open(
			map[string]outlet.Format{"json": outlet.JSON, observe.CloudTrail: outlet.JSON}, http.DefaultClient,
			func(name string, _ chain.Outlet) *chain.Courier {
				names = append(names, name)
				return nil
			},
		)
		got := strings.Join(names, " ")
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) || (want == "" && got != "") {
			t.Errorf("%q: %q, want %q", args, got, want)
		}
	}
}

func TestAnAnchorIsReadAsCheckPrintsIt(t *testing.T) {
	text := observe.ChainedText(chain.Result{Position: 12, Hash: []byte{0xab, 0xcd}})
	_, anchor, _ := strings.Cut(text, "the chain ends at ")
	if known, err := observe.ParseAnchor(anchor); err != nil || known.Position != 12 || known.Hash != "abcd" {
		t.Errorf("%q: %+v, %v", anchor, known, err)
	}
	for _, bad := range []string{"12", "12:", "x:abcd", "12:xyz", "0:abcd", "-1:ab"} {
		if _, err := observe.ParseAnchor(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
