package main

import (
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

func TestWhatTheVersionSays(t *testing.T) {
	t.Parallel()
	repository := []debug.BuildSetting{
		{Key: "vcs.revision", Value: "4f31950"},
		{Key: "vcs.time", Value: "2026-11-28T10:00:00Z"},
		{Key: "vcs.modified", Value: "true"},
	}
	for name, c := range map[string]struct {
		stamped versionOutput
		info    *debug.BuildInfo
		want    versionOutput
	}{
		"a release, stamped": {
			versionOutput{Version: "v0.1.0", Commit: "aaaa", Date: "2026-12-01T00:00:00Z"},
			&debug.BuildInfo{Main: debug.Module{Version: "v0.0.9"}, Settings: repository},
			versionOutput{Version: "v0.1.0", Commit: "aaaa", Date: "2026-12-01T00:00:00Z"},
		},
		"built in the repository": {
			versionOutput{}, &debug.BuildInfo{Main: debug.Module{Version: "v0.0.9+dirty"}, Settings: repository},
			versionOutput{
				Version: "v0.0.9+dirty", Commit: "4f31950", Date: "2026-11-28T10:00:00Z", Modified: true,
			},
		},
		"go install": {
			versionOutput{}, &debug.BuildInfo{Main: debug.Module{Version: "v0.1.0"}},
			versionOutput{Version: "v0.1.0"},
		},
		"go run": {
			versionOutput{}, &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}},
			versionOutput{Version: "development"},
		},
		"no build information": {versionOutput{}, nil, versionOutput{Version: "development"}},
	} {
		c.want.Go = runtime.Version()
		c.want.Platform = runtime.GOOS + "/" + runtime.GOARCH
		if got := describe(c.stamped, c.info); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	text := versionOutput{Version: "v1", Commit: "abc", Modified: true}.text()
	if !strings.HasPrefix(text, "gatehouse v1\ncommit    abc, with changes\ndate      unknown\n") {
		t.Errorf("text:\n%s", text)
	}
}

// TestTheReleaseStampsVariablesThatExist: the linker says nothing of one that does not.
func TestTheReleaseStampsVariablesThatExist(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("../../scripts/release")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("version.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^var ((?:\w+, )*\w+) string$`).FindSubmatch(source)
	if declared == nil {
		t.Fatal("version.go declares no variables to stamp")
	}
	var stamped []string
	for _, m := range regexp.MustCompile(`-X main\.(\w+)=`).FindAllSubmatch(script, -1) {
		stamped = append(stamped, string(m[1]))
	}
	if want := strings.Split(string(declared[1]), ", "); !slices.Equal(stamped, want) {
		t.Errorf("scripts/release stamps %q, version.go has %q", stamped, want)
	}
}
