package terminal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// Settings adds the flags of the settings that all commands share, and fills every command's flags
// that were not given from the environment and the configuration file.
//
// A setting may also be in a file that the variable with _FILE behind its name names, as containers
// are given secrets; see FromFiles.
func Settings(root *cobra.Command, env func(string) (string, bool)) {
	f := root.PersistentFlags()
	f.String("config", "", "YAML `file` with settings: one flag name and value per line")
	f.String("log-level", "", "debug, info, warn or error (default: info; error for demo)")
	f.String("log-format", "", "text or json (default: text on a terminal, else json)")
	root.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		if err := Bind(cmd, env); err != nil {
			return err
		}
		return files(cmd, args)
	}
}

// Bind fills the flags of a command that were not given, from the environment and the file that
// --config names. All mistakes are reported at once.
func Bind(cmd *cobra.Command, env func(string) (string, bool)) error {
	path, _ := cmd.Flags().GetString("config") // the flag exists on every command
	if path == "" {
		path, _ = env("GATEHOUSE_CONFIG")
	}
	file, err := readConfig(path)
	if err != nil {
		return UsageError{err}
	}
	mistakes := unreadable(cmd, env)
	var settings []string // of all commands; most people have no file
	if len(file) > 0 {
		settings = flagNames(cmd.Root())
	}
	for _, name := range slices.Sorted(maps.Keys(file)) {
		if !slices.Contains(settings, name) {
			mistakes = append(mistakes, fmt.Errorf("%s: unknown setting %q%s", path, name, meant(name, settings, "")))
		}
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" || f.Name == "config" {
			return
		}
		source := envName(f.Name)
		values := file[f.Name]
		if value, set := env(source); set {
			values = inEnvironment(f, value)
		} else {
			source = path
		}
		for _, value := range values {
			if err := cmd.Flags().Set(f.Name, value); err != nil {
				mistakes = append(mistakes, fmt.Errorf("%s: %s: %w", source, f.Name, badValue(err)))
			}
		}
	})
	if len(mistakes) > 0 {
		return UsageError{errors.Join(mistakes...)}
	}
	return nil
}

// fileSuffix is behind the name of a variable that names the file with a setting.
const fileSuffix = "_FILE"

// maxSecret bounds a file with a setting.
const maxSecret = 64 << 10 //bound:text a file that a variable ending in _FILE names, in bytes

// FromFiles is an environment in which a variable that is not set has what is in the file that the
// variable with _FILE behind its name names, without the line break at its end.
func FromFiles(env func(string) (string, bool)) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, set := env(name)
		if set || !strings.HasPrefix(name, "GATEHOUSE_") || strings.HasSuffix(name, fileSuffix) ||
			slices.Contains(ofFlags, name) {
			return value, set
		}
		path, named := env(name + fileSuffix)
		if !named || path == "" {
			return "", false
		}
		text, err := readSecret(path)
		return text, err == nil // unreadable has told of it
	}
}

func readSecret(path string) (string, error) {
	if err := CheckFile(path); err != nil {
		return "", err
	}
	f, err := os.Open(path) // #nosec G304 -- named by the person who runs the command
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err == nil && len(text) > maxSecret {
		err = fmt.Errorf("%s has more than %d bytes", path, maxSecret)
	}
	return strings.TrimRight(string(text), "\r\n"), err
}

// secrets are variables that are no flags. GATEHOUSE_ADMIN_PASSWORD_FILE is not of them: it is the
// flag --admin-password-file, whose file may be gone once there is an administrator.
var secrets = []string{"GATEHOUSE_MASTER_KEY"}

// ofFlags are variables that end in _FILE and are a flag's.
var ofFlags = []string{"GATEHOUSE_ADMIN_PASSWORD"}

// unreadable are the files with settings that cannot be read: a secret that is missing must not be
// taken for one that was never given.
func unreadable(cmd *cobra.Command, env func(string) (string, bool)) (mistakes []error) {
	look := func(name string) {
		path, named := env(name + fileSuffix)
		if !named || path == "" {
			return
		}
		if _, err := readSecret(path); err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s: %w", name+fileSuffix, err))
		}
	}
	for _, name := range secrets {
		look(name)
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if cmd.Flags().Lookup(f.Name+"-file") == nil { // else the variable is that flag's
			look(envName(f.Name))
		}
	})
	return mistakes
}

// inEnvironment are the values of a flag in an environment variable. That of a flag that can be
// repeated has one a line, since names have commas in them; or a JSON list.
func inEnvironment(f *pflag.Flag, value string) []string {
	if _, many := f.Value.(pflag.SliceValue); !many {
		return []string{value}
	}
	var list []string
	if json.Unmarshal([]byte(value), &list) == nil {
		return list
	}
	for line := range strings.Lines(value) {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	return list
}

// envName is the environment variable of a flag.
func envName(flag string) string {
	return "GATEHOUSE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// flagNames are the flags of a command and of all below it.
func flagNames(cmd *cobra.Command) (all []string) {
	add := func(f *pflag.Flag) { all = append(all, f.Name) }
	cmd.PersistentFlags().VisitAll(add)
	cmd.Flags().VisitAll(add)
	for _, c := range cmd.Commands() {
		all = append(all, flagNames(c)...)
	}
	return all
}

func readConfig(path string) (map[string][]string, error) {
	if path == "" {
		return nil, nil
	}
	if err := CheckFile(path); err != nil {
		return nil, fmt.Errorf("read the configuration file: %w", err)
	}
	data, err := os.ReadFile(path) // #nosec G304 -- named by the person who runs the command
	if err != nil {
		return nil, fmt.Errorf("read the configuration file: %w", err)
	}
	var raw map[string]any
	if err := yaml.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("the configuration file %s is not YAML: %w", path, err)
	}
	out := map[string][]string{}
	for name, value := range raw {
		if list, ok := value.([]any); ok {
			for _, v := range list {
				out[name] = append(out[name], fmt.Sprint(v))
			}
			continue
		}
		out[name] = []string{fmt.Sprint(value)}
	}
	return out, nil
}

// Logger makes a program's log: structured, text on a terminal and JSON otherwise.
func Logger(cmd *cobra.Command, out io.Writer, defaultLevel slog.Level) (*slog.Logger, error) {
	level := defaultLevel
	if text, _ := cmd.Flags().GetString("log-level"); text != "" {
		if err := level.UnmarshalText([]byte(text)); err != nil {
			return nil, UsageError{fmt.Errorf("--log-level %q: use debug, info, warn or error", text)}
		}
	}
	options := &slog.HandlerOptions{Level: level}
	format, _ := cmd.Flags().GetString("log-format")
	switch {
	case format == "text", format == "" && Is(out):
		return slog.New(slog.NewTextHandler(out, options)), nil
	case format == "json", format == "":
		return slog.New(slog.NewJSONHandler(out, options)), nil
	}
	return nil, UsageError{fmt.Errorf("--log-format %q: use text or json", format)}
}
