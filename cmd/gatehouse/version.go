package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/gatehouse-id/gatehouse/terminal"
	"github.com/spf13/cobra"
)

// What scripts/release stamps with -ldflags "-X main.version=…". Where one is empty, the build
// information that Go writes into a program says it.
var version, commit, date string

// versionOutput is what `version --json` prints. Fields are added, never changed.
type versionOutput struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Date     string `json:"date"`     // of the commit, RFC 3339
	Modified bool   `json:"modified"` // there were changes that no commit has
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// stamp is this program's version.
func stamp() versionOutput {
	info, _ := debug.ReadBuildInfo()
	return describe(versionOutput{Version: version, Commit: commit, Date: date}, info)
}

// describe joins what a release stamps with the build information, of which there may be none.
func describe(stamped versionOutput, info *debug.BuildInfo) versionOutput {
	v := stamped
	v.Go = runtime.Version()
	v.Platform = runtime.GOOS + "/" + runtime.GOARCH
	if info == nil {
		info = &debug.BuildInfo{}
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if v.Version == "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version // of `go install …@v1.2.3`, or made from the repository's tags
	}
	if v.Version == "" {
		v.Version = "development"
	}
	if v.Commit == "" {
		v.Commit = settings["vcs.revision"]
		v.Modified = settings["vcs.modified"] == "true"
	}
	if v.Date == "" {
		v.Date = settings["vcs.time"]
	}
	return v
}

// text is for people, and for pasting into a report.
func (v versionOutput) text() string {
	orUnknown := func(s string) string {
		if s == "" {
			return "unknown"
		}
		return s
	}
	commit := orUnknown(v.Commit)
	if v.Modified {
		commit += ", with changes"
	}
	return fmt.Sprintf("gatehouse %s\ncommit    %s\ndate      %s\ngo        %s\nplatform  %s\n",
		v.Version, commit, orUnknown(v.Date), v.Go, v.Platform)
}

func (w *world) versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  terminal.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := stamp()
			if asJSON {
				return json.NewEncoder(w.out).Encode(v)
			}
			_, err := fmt.Fprint(w.out, v.text())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
