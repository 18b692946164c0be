package prepare

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// unattended runs the command where nobody can be asked.
func unattended(t *testing.T, env map[string]string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := Command(World{
		In: strings.NewReader(""), Out: &out, Err: &out,
		Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	})
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestWhatIsWrittenHasNoSecrets(t *testing.T) {
	folder := t.TempDir()
	env := map[string]string{
		"GATEHOUSE_DATABASE":       "postgres://gatehouse:hunter2@db/center", // #nosec G101 -- a test's
		"GATEHOUSE_ADMIN_PASSWORD": "Correct horse 1!",
	}
	text, err := unattended(t, env, "center", "--yes", "--folder", folder, "--url", "https://id.example.com", "--tls",
		"proxy", "--trusted-proxies", "10.0.0.0/8", "--data", filepath.Join(folder, "data"), "--json")
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		Half, URL, Next string
		Files           []string
	}
	if err := json.Unmarshal([]byte(text), &said); err != nil || said.URL != "https://id.example.com" ||
		len(said.Files) != 4 || !strings.HasSuffix(said.Next, "gatehouse serve --config "+folder+"/center.yaml") ||
		!strings.HasPrefix(said.Next, "GATEHOUSE_DATABASE_FILE="+folder+"/center-database ") {
		t.Errorf("%v: %s", err, text)
	}
	for _, path := range said.Files {
		content, err := os.ReadFile(path) // #nosec G304 -- what was written
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		secret := strings.Contains(string(content), "hunter2") || strings.Contains(string(content), "horse")
		named := strings.HasSuffix(path, "-database") || strings.HasSuffix(path, "-admin-password")
		if secret != named || (info.Mode().Perm()&0o077 != 0) != strings.HasSuffix(path, ".yaml") {
			t.Errorf("%s, mode %v: %s", path, info.Mode(), content)
		}
	}
	var settings map[string]any
	content, err := os.ReadFile(filepath.Join(folder, "center.yaml")) // #nosec G304 -- what was written
	if err == nil {
		err = yaml.Unmarshal(content, &settings)
	}
	if err != nil || settings["url"] != "https://id.example.com" || settings["behind-proxy"] != true ||
		settings["trusted-proxies"] != "10.0.0.0/8" || settings["listen"] != ":8080" || len(settings) != 7 {
		t.Errorf("%v: %v", err, settings)
	}
	if strings.Contains(text, "hunter2") || strings.Contains(text, "horse") {
		t.Errorf("it prints a secret: %s", text)
	}
}

// TestTheProposedURLHasThePortOfListen: else it would lead where nobody listens.
func TestTheProposedURLHasThePortOfListen(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:9000": "http://127.0.0.1:9000", "localhost:9000": "http://localhost:9000",
		"[::1]:9000": "http://[::1]:9000",
	} {
		text, err := unattended(t, nil, "center", "--yes", "--folder", t.TempDir(), "--listen", listen, "--json")
		var said struct{ URL string }
		if json.Unmarshal([]byte(text), &said) != nil || err != nil || said.URL != want {
			t.Errorf("--listen %s: %v %s", listen, err, text)
		}
	}
}

// TestNothingIsReplacedUnasked: files that are there stay, unless somebody says so.
func TestNothingIsReplacedUnasked(t *testing.T) {
	folder := t.TempDir()
	kept := filepath.Join(folder, "tenant.env")
	if err := os.WriteFile(kept, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"tenant", "--yes", "--folder", folder}
	if _, err := unattended(t, nil, args...); err == nil || !strings.Contains(err.Error(), kept) {
		t.Errorf("it went on: %v", err)
	}
	entries, err := os.ReadDir(folder)
	if content, e2 := os.ReadFile(kept); err != nil || e2 != nil || string(content) != "mine" || len(entries) != 1 {
		t.Errorf("%v %v: %s, %v", err, e2, content, entries)
	}
	if _, err := unattended(t, nil, append(args, "--force")...); err != nil {
		t.Error(err)
	}
	if content, err := os.ReadFile(kept); err != nil || string(content) == "mine" { // #nosec G304 -- a test's
		t.Errorf("%v: %s", err, content)
	}
}

func TestAnswersThatDoNotGoTogetherAreRefused(t *testing.T) {
	for args, want := range map[string]string{
		"--yes center extra": "gatehouse init center or",
		"somebody --yes":     "gatehouse init center or",
		"center":             "nobody can be asked",
		"center --yes --url http://id.example.com":              "without TLS",
		"center --yes --url id.example.com":                     "https://host",
		"center --yes --url https://id.example.com/path":        "https://host",
		"center --yes --url https://user@id.example.com":        "https://host",
		"center --yes --url https://id.example.com --tls none":  "an https URL needs",
		"center --yes --url https://id.example.com --tls files": "--tls-cert and --tls-key",
		"center --yes --url https://id.example.com --tls other": "use acme",
		"center --yes --tls-cert c.pem":                         "belong to --tls files",
		"center --yes --acme-email ops@example.com":             "belongs to --tls acme",
		"center --yes --trusted-proxies 2":                      "belongs to --tls proxy",
		"center --yes --tls acme":                               "https address",
		"center --yes --listen :9000":                           "address of this machine",
		"center --yes --name Example":                           "a tenant's",
		"center --yes --admin-password-file x --pw":             "both give",
		"tenant --yes --weak":                                   "password",
		"center --yes --mysql":                                  "postgres://",
		"center --yes --database-file x --db":                   "both name a database",
		"center --yes --line":                                   "line break",
	} {
		env := map[string]string{}
		list := strings.Fields(args)
		switch last := list[len(list)-1]; last {
		case "--pw":
			env["GATEHOUSE_ADMIN_PASSWORD"] = "Correct horse 1!"
		case "--weak":
			env["GATEHOUSE_ADMIN_PASSWORD"] = "x"
		case "--line":
			list = append(list[:len(list)-1], "--data", "a\nGATEHOUSE_DATABASE=x", "")
		case "--db":
			env["GATEHOUSE_DATABASE"] = "postgres://db/center"
		case "--mysql":
			env["GATEHOUSE_DATABASE"] = "mysql://db"
		default:
			list = append(list, "")
		}
		folder := t.TempDir()
		_, err := unattended(t, env, append(list[:len(list)-1], "--folder", folder)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
		if entries, _ := os.ReadDir(folder); len(entries) > 0 {
			t.Errorf("%s wrote %v", args, entries)
		}
	}
}
