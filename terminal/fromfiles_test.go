package terminal_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/terminal"
)

// TestASecretIsReadFromTheFileThatIsNamed, and one that cannot be read stops the program.
func TestASecretIsReadFromTheFileThatIsNamed(t *testing.T) {
	folder := t.TempDir()
	secret, large := filepath.Join(folder, "secret"), filepath.Join(folder, "large")
	for file, text := range map[string]string{secret: "hush\r\n", large: strings.Repeat("x", 70_000)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, x := range map[string]struct {
		env        map[string]string
		want, fail string
	}{
		"a file": {map[string]string{"GATEHOUSE_TOKEN_FILE": secret}, "hush", ""},
		"both": {
			map[string]string{"GATEHOUSE_TOKEN_FILE": secret, "GATEHOUSE_TOKEN": "loud"}, "loud", "",
		},
		"nothing":            {map[string]string{}, "", ""},
		"an empty name":      {map[string]string{"GATEHOUSE_TOKEN_FILE": ""}, "", ""},
		"a file that is not": {map[string]string{"GATEHOUSE_TOKEN_FILE": secret + "x"}, "", "GATEHOUSE_TOKEN_FILE"},
		"too large a file":   {map[string]string{"GATEHOUSE_TOKEN_FILE": large}, "", "more than 65536 bytes"},
		"a master key that is not": {
			map[string]string{"GATEHOUSE_MASTER_KEY_FILE": secret + "x"}, "", "GATEHOUSE_MASTER_KEY_FILE",
		},
		"a flag that is a file": {map[string]string{"GATEHOUSE_OTHER_FILE": secret + "x"}, "", ""},
	} {
		token, key := "", ""
		env := terminal.FromFiles(func(k string) (string, bool) { v, ok := x.env[k]; return v, ok })
		cmd := &cobra.Command{SilenceErrors: true, SilenceUsage: true, RunE: func(*cobra.Command, []string) error {
			key, _ = env("GATEHOUSE_MASTER_KEY")
			return nil
		}}
		cmd.Flags().StringVar(&token, "token", "", "")
		cmd.Flags().String("other", "", "")
		cmd.Flags().String("other-file", "", "")
		cmd.SetArgs(nil)
		terminal.Settings(cmd, env)
		err := cmd.Execute()
		if token != x.want || key != "" || (err == nil) != (x.fail == "") ||
			err != nil && !strings.Contains(err.Error(), x.fail) {
			t.Errorf("%s: %q, %v", name, token, err)
		}
	}
}
