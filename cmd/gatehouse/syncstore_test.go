package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/dirsync"
)

// TestSyncToAnIdentityStore writes to a center as if it were AWS's, by the environment that every
// AWS tool knows.
func TestSyncToAnIdentityStore(t *testing.T) { // not parallel: the AWS SDK reads the process's environment
	d, _ := startDemo(t, "--no-connect")
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_IDENTITYSTORE": d.AWS.EndpointURL, "AWS_ACCESS_KEY_ID": d.AWS.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": d.AWS.SecretAccessKey, "AWS_CONFIG_FILE": os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	state := t.TempDir()
	sync := func(store string, more ...string) (int, string, string) {
		t.Helper()
		x := scimTarget{endpoint: store}
		env, args := syncArgs(d, x, append([]string{
			"--group", "Engineering", "--nested", "--state", state, "--rate", "0",
		}, more...)...)
		delete(env, "GATEHOUSE_SCIM_TOKEN")
		return call(t, "", env, args...)
	}
	store := "identitystore:" + d.Center.IdentityStoreID + "@" + d.AWS.Region
	code, out, errOut := sync(store, "--dry-run")
	if code != exitChanges || !strings.Contains(out, "11 created") && !strings.Contains(out, "12 created") {
		t.Errorf("a dry run: %d\n%s%s", code, out, errOut)
	}
	foreseen := out
	if code, out, errOut = sync(store, "--accept", "--json"); code != exitDone {
		t.Fatalf("%d\n%s%s", code, out, errOut)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var last struct{ Summary dirsync.Summary }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil ||
		last.Summary.Created != strings.Count(foreseen, "+ create") || !last.Summary.InStep {
		t.Errorf("%+v, %v, foreseen\n%s", last.Summary, err, foreseen)
	}
	if code, out, errOut = sync(store, "--repair"); code != exitDone || !strings.Contains(out, "Nothing to change") {
		t.Errorf("a repair: %d\n%s%s", code, out, errOut)
	}
	for name, c := range map[string]struct {
		store string
		more  []string
		want  string
	}{
		"another state": {strings.Replace(store, "d-", "d-0", 1), nil, "is not an identity store"},
		"no store":      {"identitystore:d-0000000000@" + d.AWS.Region, nil, "check the id and the Region"},
		"strangers":     {store, []string{"--strangers", "hug"}, "--strangers is keep or remove"},
		"no state":      {store, []string{"--state", ""}, "--state is missing"},
		"a time":        {store, []string{"--leaver-grace", "-1h"}, "must not be negative"},
	} {
		if code, out, errOut := sync(c.store, c.more...); code != exitFailed || !strings.Contains(errOut, c.want) {
			t.Errorf("%s: %d %s%s", name, code, out, errOut)
		}
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	if code, out, errOut := sync(store); code != exitFailed || !strings.Contains(errOut, "secret of the access key") {
		t.Errorf("a wrong secret: %d %s%s", code, out, errOut)
	}
}
