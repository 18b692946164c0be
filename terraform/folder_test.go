package terraform_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/terraform"
)

func small() *terraform.Organization {
	return &terraform.Organization{
		InstanceARN: "arn:aws:sso:::instance/ssoins-1", IdentityStoreID: "d-1", Region: "eu-west-1",
		PermissionSets: []terraform.PermissionSet{{ARN: "a/ps-1", Name: "Read"}, {ARN: "a/ps-2", Name: "read"}},
	}
}

func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	entries, err := os.ReadDir(dir)
	for _, e := range must(t, entries, err) {
		data, err := os.ReadFile(filepath.Join(dir, e.Name())) // #nosec G304 -- the test's own
		out[e.Name()] = string(must(t, data, err))
		if info, err := e.Info(); strings.HasSuffix(e.Name(), ".tf") && (err != nil || info.Mode().Perm() != 0o600) {
			t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
	}
	return out
}

func TestAnotherExportOfTheSameChangesNothing(t *testing.T) {
	t.Parallel()
	o := newOrganization(t)
	o.fill()
	dir := filepath.Join(t.TempDir(), "new", "folder")
	first := o.export(dir, true)
	before := files(t, dir)
	again := o.export(dir, true)
	if len(first.Changed) != len(first.Files) || len(again.Changed)+len(again.Removed) > 0 {
		t.Errorf(
			"the first export changed %v, the second %v and removed %v", first.Changed, again.Changed, again.Removed,
		)
	}
	for name, text := range files(t, dir) {
		if before[name] != text {
			t.Errorf("%s became %s", name, text)
		}
	}
	without := o.export(dir, false)
	if !slices.Contains(without.Removed, "users_s.tf") || slices.Contains(without.Removed, "main.tf") {
		t.Errorf("an export without people removed %v", without.Removed)
	}
	for name, text := range files(t, dir) {
		if strings.Contains(name, "users_s") || strings.Contains(text, o.key.SecretAccessKey.Reveal()) {
			t.Errorf("%s should not be there, or has a secret", name)
		}
	}
}

func TestWhatIsInAFolderAlreadyIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(want string) {
		t.Helper()
		before := files(t, dir)
		if _, err := terraform.Write(
			dir, small(), terraform.Options{},
		); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("it is written with %v, want %q", err, want)
		}
		for name, text := range files(t, dir) {
			if before[name] != text {
				t.Errorf("%s changed", name)
			}
		}
	}
	write("main.tf", "# somebody's own\n")
	refused("is not empty")
	s, err := terraform.Write(dir, small(), terraform.Options{Force: true})
	must(t, s, err)
	write("terraform.tfstate", "{}") // what Terraform itself puts there
	write("mine.tf", "# my own\n")
	if s, err = terraform.Write(dir, small(), terraform.Options{}); err != nil || len(s.Changed) > 0 {
		t.Errorf("another export: %v, %v", s.Changed, err)
	}
	write("permission_set_Read_"+"x.tf", "# my own\n")
	edited := slices.IndexFunc(s.Files, func(n string) bool { return strings.HasPrefix(n, "permission_set_Read") })
	write(s.Files[edited], "# edited\n")
	refused("changed since the export")
	o := small()
	o.PermissionSets = o.PermissionSets[1:]
	s, err = terraform.Write(dir, o, terraform.Options{Force: true})
	must(t, s, err)
	left := files(t, dir)
	if left["mine.tf"] != "# my own\n" || left["permission_set_Read_x.tf"] == "" || left[s.Removed[0]] != "" {
		t.Errorf("it removed %v; left is %v", s.Removed, left)
	}
	write(".gatehouse-export.json", `{"files":{"../x":"1"}}`)
	refused("names")
}

// TestAPrincipalThatIsGoneIsAnID: AWS keeps the assignments of who was deleted.
func TestAPrincipalThatIsGoneIsAnID(t *testing.T) {
	t.Parallel()
	o := small()
	o.Groups = []terraform.Group{{ID: "g-1", DisplayName: "gone", Provisioned: true}}
	o.Users = []terraform.User{{ID: "u-1", UserName: "nameless", DisplayName: "N"}}
	for _, p := range []terraform.Principal{{"GROUP", "gone"}, {"GROUP", "g-1"}, {"USER", "u-1"}} {
		o.Assignments = append(o.Assignments, terraform.Assignment{"111122223333", "a/ps-9", p})
	}
	dir := t.TempDir()
	s, err := terraform.Write(dir, o, terraform.Options{})
	got := files(t, dir)
	for name, wants := range map[string][]string{
		"account_111122223333.tf": {
			`"a/ps-9/GROUP/gone"       = { permission_set = "a/ps-9", type = "GROUP", principal = "gone" }`,
			`"a/ps-9/GROUP/gone (g-1)" = { permission_set = "a/ps-9", type = "GROUP", principal = local.groups["gone"] }`,
			`"a/ps-9/USER/nameless"    = { permission_set = "a/ps-9", type = "USER", principal = local.users["nameless"] }`,
		},
		"principals.tf": {`"gone" = "g-1"`, `"nameless" = "u-1"`},
		"main.tf":       {"user nameless (u-1): has no given name and no family name"},
	} {
		for _, want := range wants {
			if strings.Contains(strings.ReplaceAll(got[name], "\n#   ", " "), want) {
				continue
			}
			t.Errorf("%s has no %s: %s", name, want, got[name])
		}
	}
	if must(t, s, err); len(s.LeftOut) != 1 {
		t.Errorf("left out: %v", s.LeftOut)
	}
}

// TestAnInterruptedExportIsGoneOnWith: it left some files of the old export and some of the new.
func TestAnInterruptedExportIsGoneOnWith(t *testing.T) {
	t.Parallel()
	dir, next := t.TempDir(), t.TempDir()
	first, err := terraform.Write(dir, small(), terraform.Options{})
	must(t, first, err)
	o := small()
	o.PermissionSets[0].Description, o.PermissionSets[1].Name = "other", "Write"
	second, err := terraform.Write(next, o, terraform.Options{})
	must(t, second, err)
	digests := func(dir string) (m struct{ Files map[string]string }) {
		if err := json.Unmarshal([]byte(files(t, dir)[".gatehouse-export.json"]), &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	mark, err := json.Marshal(map[string]any{"files": digests(dir).Files, "next": digests(next).Files})
	must(t, mark, err)
	for name, text := range map[string]string{
		".gatehouse-export.json": string(mark), "permission_set_Write.tf": files(t, next)["permission_set_Write.tf"],
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again, err := terraform.Write(dir, o, terraform.Options{})
	must(t, again, err)
	if got, want := files(t, dir), files(t, next); !maps.Equal(got, want) {
		t.Errorf("it has %v, want %v", terraform.SortedKeys(got), terraform.SortedKeys(want))
	}
}

func TestAFolderIsCheckedBeforeAnythingIsRead(t *testing.T) {
	t.Parallel()
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, fails := range map[string]bool{
		full: true, filepath.Join(full, "x"): true, "/proc/none/x": true, filepath.Join(full, "a", "b"): false,
	} {
		if err := terraform.Check(path, terraform.Options{}); (err != nil) != fails {
			t.Errorf("%s: %v", path, err)
		}
	}
	if left := files(t, full); len(left) != 1 {
		t.Errorf("the check leaves %v", left)
	}
}

func TestADryRunSaysWhatWouldChange(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "x")
	s, err := terraform.Write(dir, small(), terraform.Options{DryRun: true})
	if len(must(t, s, err).Changed) != len(s.Files) {
		t.Errorf("it would change %v of %v", s.Changed, s.Files)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the folder is there")
	}
	s, err = terraform.Write(dir, small(), terraform.Options{})
	must(t, s, err)
	o := small()
	o.PermissionSets[0].Description = "other"
	s, err = terraform.Write(dir, o, terraform.Options{DryRun: true})
	if len(must(t, s, err).Changed) != 1 || !strings.HasPrefix(s.Changed[0], "permission_set_Read_") {
		t.Errorf("it would change %v", s.Changed)
	}
}

// TestAHugeOrganizationIsWrittenInBoundedMemory writes 50,000 assignments in 500 accounts.
func TestAHugeOrganizationIsWrittenInBoundedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	o := small()
	o.PermissionSets = nil
	for s := range 100 {
		p := terraform.PermissionSet{
			ARN: fmt.Sprintf("arn:aws:sso:::permissionSet/ssoins-1/ps-%016d", s), Name: fmt.Sprintf("Set%d", s),
		}
		o.PermissionSets = append(o.PermissionSets, p)
	}
	for g := range 1000 {
		o.Groups = append(
			o.Groups,
			terraform.Group{ID: fmt.Sprintf("g-%d", g), DisplayName: fmt.Sprintf("Group %d", g), Provisioned: true},
		)
	}
	for n := range 50_000 {
		o.Assignments = append(o.Assignments, terraform.Assignment{
			Account: fmt.Sprintf("%012d", n%500), PermissionSet: o.PermissionSets[n%100].ARN,
			Principal: terraform.Principal{Type: "GROUP", ID: fmt.Sprintf("g-%d", (n/500)*10+n%7)},
		})
	}
	var before, peak runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	done, most := make(chan struct{}), make(chan uint64)
	go func() {
		highest := uint64(0)
		for {
			select {
			case <-done:
				most <- highest
				return
			case <-time.After(20 * time.Millisecond):
				runtime.ReadMemStats(&peak)
				highest = max(highest, peak.HeapAlloc)
			}
		}
	}()
	began := time.Now()
	dir := t.TempDir()
	s, err := terraform.Write(filepath.Join(dir, "x"), o, terraform.Options{})
	close(done)
	must(t, s, err)
	grown := (int64(<-most) - int64(before.HeapAlloc)) >> 20
	t.Logf("%d assignments in %d files: %s, %d MiB", s.Resources["aws_ssoadmin_account_assignment"], len(s.Files),
		time.Since(began).Round(time.Millisecond), grown)
	if s.Resources["aws_ssoadmin_account_assignment"] != 50_000 || len(s.Files) < 1000 {
		t.Errorf("%v in %d files", s.Resources, len(s.Files))
	}
	if grown > 100 {
		t.Errorf("it took %d MiB", grown)
	}
	var all bytes.Buffer
	for _, name := range []string{"account_000000000000.tf", "principals.tf"} {
		data, err := os.ReadFile(filepath.Join(dir, "x", name)) // #nosec G304 -- the test's own
		all.Write(must(t, data, err))
	}
	if !strings.Contains(all.String(), `"Set0/GROUP/Group `) {
		t.Errorf("an account is %s", all.String()[:1000])
	}
}
