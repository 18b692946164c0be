package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/gatehouse-id/gatehouse/terminal"
)

// bindSettings fills the flags that were not given from the environment and the configuration file.
// All mistakes are reported at once.
func (w *world) bindSettings(cmd *cobra.Command) error {
	path, _ := cmd.Flags().GetString("config") // the flag exists on every command
	if path == "" {
		path, _ = w.env("GATEHOUSE_CONFIG")
	}
	file, err := readConfig(path)
	if err != nil {
		return terminal.UsageError{Err: err}
	}
	var mistakes []error
	for _, name := range sortedNames(file) {
		if !knownFlag(cmd.Root(), name) {
			mistakes = append(mistakes, fmt.Errorf("%s: unknown setting %q", path, name))
		}
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" || f.Name == "config" {
			return
		}
		value := ""
		source := ""
		ok := false
		if v, set := w.env(envName(f.Name)); set {
			value = v
			source = envName(f.Name)
			ok = true
		} else if v, set := file[f.Name]; set {
			value = v
			source = path
			ok = true
		}
		if ok {
			if err := cmd.Flags().Set(f.Name, value); err != nil {
				mistakes = append(mistakes, fmt.Errorf("%s: %s: %w", source, f.Name, err))
			}
		}
	})
	if len(mistakes) > 0 {
		return terminal.UsageError{Err: errors.Join(mistakes...)}
	}
	return nil
}

// envName is the environment variable of a flag.
func envName(flag string) string {
	return "GATEHOUSE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func knownFlag(root *cobra.Command, name string) bool {
	if root.PersistentFlags().Lookup(name) != nil {
		return true
	}
	for _, c := range root.Commands() {
		if c.Flags().Lookup(name) != nil || knownFlag(c, name) {
			return true
		}
	}
	return false
}

func sortedNames(m map[string]string) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

func readConfig(path string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path) // #nosec G304 -- named by the person who runs the command
	if err != nil {
		return nil, fmt.Errorf("read the configuration file: %w", err)
	}
	var raw map[string]any
	if err := yaml.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("the configuration file %s is not YAML: %w", path, err)
	}
	out := map[string]string{}
	for name, value := range raw {
		if list, ok := value.([]any); ok {
			texts := make([]string, len(list))
			for i, v := range list {
				texts[i] = fmt.Sprint(v)
			}
			out[name] = strings.Join(texts, ",")
			continue
		}
		out[name] = fmt.Sprint(value)
	}
	return out, nil
}

// logger makes the program's log: structured, on standard error; text on a terminal and JSON
// otherwise.
func (w *world) logger(cmd *cobra.Command, defaultLevel slog.Level) (*slog.Logger, error) {
	level := defaultLevel
	if text, _ := cmd.Flags().GetString("log-level"); text != "" {
		if err := level.UnmarshalText([]byte(text)); err != nil {
			return nil, terminal.UsageError{Err: fmt.Errorf("--log-level %q: use debug, info, warn or error", text)}
		}
	}
	options := &slog.HandlerOptions{Level: level}
	format, _ := cmd.Flags().GetString("log-format")
	switch {
	case format == "text", format == "" && terminal.Is(w.err):
		return slog.New(slog.NewTextHandler(w.err, options)), nil
	case format == "json", format == "":
		return slog.New(slog.NewJSONHandler(w.err, options)), nil
	}
	return nil, terminal.UsageError{Err: fmt.Errorf("--log-format %q: use text or json", format)}
}
