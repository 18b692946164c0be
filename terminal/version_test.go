package terminal

import (
	"runtime"
	"runtime/debug"
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
		stamped Version
		info    *debug.BuildInfo
		want    Version
	}{
		"a release, stamped": {
			Version{Version: "v0.1.0", Commit: "aaaa", Date: "2026-12-01T00:00:00Z"},
			&debug.BuildInfo{Main: debug.Module{Version: "v0.0.9"}, Settings: repository},
			Version{Version: "v0.1.0", Commit: "aaaa", Date: "2026-12-01T00:00:00Z"},
		},
		"built in the repository": {
			Version{}, &debug.BuildInfo{Main: debug.Module{Version: "v0.0.9+dirty"}, Settings: repository},
			Version{
				Version: "v0.0.9+dirty", Commit: "4f31950", Date: "2026-11-28T10:00:00Z", Modified: true,
			},
		},
		"go install": {
			Version{}, &debug.BuildInfo{Main: debug.Module{Version: "v0.1.0"}},
			Version{Version: "v0.1.0"},
		},
		"go run": {
			Version{}, &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}},
			Version{Version: "development"},
		},
		"no build information": {Version{}, nil, Version{Version: "development"}},
	} {
		c.want.Go = runtime.Version()
		c.want.Platform = runtime.GOOS + "/" + runtime.GOARCH
		if got := describe(c.stamped, c.info); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	text := Version{Version: "v1", Commit: "abc", Modified: true}.text()
	if !strings.HasPrefix(text, "gatehouse v1\ncommit    abc, with changes\ndate      unknown\n") {
		t.Errorf("text:\n%s", text)
	}
}
