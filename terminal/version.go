package terminal

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Version is what `version --json` prints. Fields are added, never changed.
type Version struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Date     string `json:"date"`     // of the commit, RFC 3339
	Modified bool   `json:"modified"` // there were changes that no commit has
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Stamped is this program's version: what a release stamps, and where that is empty, the build
// information that Go writes into a program. The date is the commit's, as RFC 3339 has it.
func Stamped(version, commit, date string) Version {
	info, _ := debug.ReadBuildInfo()
	return describe(Version{Version: version, Commit: commit, Date: date}, info)
}

// describe joins what a release stamps with the build information, of which there may be none.
func describe(stamped Version, info *debug.BuildInfo) Version {
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
func (v Version) text() string {
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

// Command is the command that prints the version.
func (v Version) Command(out io.Writer) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Example: `  gatehouse version
  gatehouse version --json`,
		Args: NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return json.NewEncoder(out).Encode(v)
			}
			_, err := fmt.Fprint(out, v.text())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
