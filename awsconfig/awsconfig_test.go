package awsconfig

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

var corp = Session{Name: "corp", StartURL: "https://d-1234567890.awsapps.com/start", Region: "eu-west-1"}

func roles() []Role {
	return []Role{
		{AccountID: "111122223333", AccountName: "Production (EU)", RoleName: "AdministratorAccess"},
		{AccountID: "111122223333", AccountName: "Production (EU)", RoleName: "ReadOnly"},
		{AccountID: "222233334444", AccountName: "Größe", RoleName: "ReadOnly"},
		{AccountID: "333344445555", AccountName: "Staging", RoleName: "ReadOnly"},
		{AccountID: "444455556666", AccountName: "Staging", RoleName: "ReadOnly"},
		{AccountID: "555566667777", AccountName: "Odd", RoleName: "a=b"},
		{AccountID: "555566667777", AccountName: "Odd", RoleName: "a,b"},
	}
}

func TestProfilesAreNamedByATemplate(t *testing.T) {
	for template, want := range map[string][]string{
		DefaultTemplate: {
			"Production-EU-AdministratorAccess", "Production-EU-ReadOnly", "Gr-e-ReadOnly",
			"Staging-ReadOnly-333344445555", "Staging-ReadOnly-444455556666",
			"Odd-a-b-555566667777", "Odd-a-b-555566667777-2",
		},
		"x/{account_id}.{role}": {
			"x/111122223333.AdministratorAccess", "x/111122223333.ReadOnly", "x/222233334444.ReadOnly",
			"x/333344445555.ReadOnly", "x/444455556666.ReadOnly",
			"x/555566667777.a-b-555566667777", "x/555566667777.a-b-555566667777-2",
		},
	} {
		var names []string
		for _, p := range Named(template, roles()) {
			names = append(names, p.Name)
			if err := p.check(); err != nil {
				t.Error(err)
			}
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s: %q, want %q", template, names, want)
		}
		if err := CheckTemplate(template); err != nil {
			t.Error(err)
		}
	}
	for _, template := range []string{"", "{role}", "{account}", "{account}-{role}-{x}"} {
		if CheckTemplate(template) == nil {
			t.Errorf("the template %q is taken", template)
		}
	}
}

// The file of somebody who has other profiles keeps every byte of them, however often profiles are
// written.
func TestMergeReplacesOnlyWhatItWrote(t *testing.T) {
	const own = "# mine\n[default]\nregion = eu-central-1\n\n[profile x]\ncredential_process = /bin/x\n"
	const tail = "[profile last]\nregion = us-east-1\n"
	first, err := Merge(own, corp, Named(DefaultTemplate, roles()[:2]))
	if err != nil || !strings.HasPrefix(first, own) {
		t.Fatalf("%s, %v", first, err)
	}
	again, err := Merge(first, corp, Named(DefaultTemplate, roles()[:2]))
	if err != nil || again != first {
		t.Errorf("written again, it is %s, %v", again, err)
	}
	less, err := Merge(first+tail, corp, Named(DefaultTemplate, roles()[:1]))
	if err != nil || !strings.HasPrefix(less, own) || !strings.HasSuffix(less, tail) ||
		strings.Contains(less, "ReadOnly") {
		t.Errorf("with one less, it is %s, %v", less, err)
	}
	other := corp
	other.Name, other.Endpoint = "corp2", "https://sso.example.com"
	both, err := Merge(less, other, Named("b-{account}-{role}", roles()[:1]))
	if err != nil || !strings.HasPrefix(both, less) {
		t.Errorf("with a second session, it is %s, %v", both, err)
	}
	written, err := Written(both, "corp")
	if err != nil || len(written) != 1 || written[0].RoleName != roles()[0].RoleName {
		t.Errorf("written are %+v, %v", written, err)
	}
	f, err := Parse(strings.NewReader(both))
	if err != nil {
		t.Fatal(err)
	}
	p, ok := f.Profile("b-Production-EU-AdministratorAccess")
	if s := p.Session; !ok || s.Endpoint != other.Endpoint || s.StartURL != other.StartURL || s.Name != "corp2" {
		t.Errorf("the profile is %+v, %v", p, ok)
	}
	if n := len(f.Sessions()); n != 2 {
		t.Errorf("%d sessions", n)
	}
}

// Somebody who has a session already keeps it: two sections of one name would be one too many.
func TestMergeUsesTheSessionThatIsThere(t *testing.T) {
	own := "[sso-session corp]\nsso_start_url = " + corp.StartURL + "\nsso_region = eu-west-1\n"
	text, err := Merge(own, corp, Named(DefaultTemplate, roles()[:1]))
	if err != nil || strings.Count(text, "[sso-session corp]") != 1 {
		t.Errorf("%s, %v", text, err)
	}
}

func TestMergeRefusesWhatWouldHarm(t *testing.T) {
	profiles := Named(DefaultTemplate, roles()[:1])
	written, err := Merge("", corp, profiles)
	if err != nil {
		t.Fatal(err)
	}
	var taken *TakenError
	if _, err := Merge("[profile "+profiles[0].Name+"]\n", corp, profiles); !errors.As(err, &taken) {
		t.Errorf("over another's profile: %v", err)
	}
	var mark *MarkError
	for name, file := range map[string]string{
		"without an end":   strings.ReplaceAll(written, end, "# "),
		"without a begin":  strings.ReplaceAll(written, begin, "# "),
		"twice":            written + written,
		"begun twice":      begin + "corp\n" + written,
		"the wrong way up": end + "corp\n" + begin + "corp\n",
	} {
		if _, err := Merge(file, corp, profiles); !errors.As(err, &mark) {
			t.Errorf("%s: %v", name, err)
		}
	}
	bad := func(change func(*Session, *Profile)) error {
		s, p := corp, profiles[0]
		change(&s, &p)
		_, err := Merge("", s, []Profile{p})
		return err
	}
	const line = "\ncredential_process = /bin/evil"
	for name, change := range map[string]func(*Session, *Profile){
		"role":      func(_ *Session, p *Profile) { p.RoleName += line },
		"account":   func(_ *Session, p *Profile) { p.AccountID += line },
		"name":      func(_ *Session, p *Profile) { p.Name += "]" + line },
		"region":    func(_ *Session, p *Profile) { p.Region = "eu-west-1" + line },
		"start URL": func(s *Session, _ *Profile) { s.StartURL += line },
		"spaces":    func(s *Session, _ *Profile) { s.StartURL += " x" },
		"endpoint":  func(s *Session, _ *Profile) { s.Endpoint = "https://x.example/" + line },
		"session":   func(s *Session, _ *Profile) { s.Name += "]" + line },
		"Region":    func(s *Session, _ *Profile) { s.Region += line },
		"service":   func(s *Session, _ *Profile) { s.Services = []string{"s3" + line} },
	} {
		if bad(change) == nil {
			t.Errorf("a %s with a line more is written", name)
		}
	}
}

// The examples of AWS's guide, and what people's files look like.
func TestParseReadsWhatTheCLIReads(t *testing.T) {
	data, err := os.ReadFile("testdata/config")
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range f.Profiles() {
		names = append(names, p.Name+" "+p.AccountID+" "+p.RoleName+" "+p.Session.StartURL+" "+p.Session.Endpoint)
	}
	want := []string{
		"default 111122223333 Reader https://my-sso-portal.awsapps.com/start ",
		"dev 111122223333 SampleRole https://my-sso-portal.awsapps.com/start ",
		"old one 444455556666 readOnly https://old.awsapps.com/start ",
		"own 111122223333 Admin https://d-1.awsapps.com/start https://sso.example.com",
	}
	if !slices.Equal(names, want) {
		t.Errorf("read %q, want %q", names, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("[profile x]\nsso_session = s\n[sso-session s]\nsso_start_url = https://x\n")
	f.Add("[default\n = =\n x = y\n[services]\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		file.Profiles()
		if merged, err := Merge(text, corp, Named(DefaultTemplate, roles())); err == nil {
			again, err := Merge(merged, corp, Named(DefaultTemplate, roles()))
			if err != nil || again != merged {
				t.Errorf("written again, %q becomes %q, %v", merged, again, err)
			}
		}
	})
}

// TestAnAccountsLabelIsAComment, of one line, which the CLI passes over.
func TestAnAccountsLabelIsAComment(t *testing.T) {
	profiles := Named(DefaultTemplate, []Role{
		{AccountID: "111122223333", AccountName: "A", RoleName: "R", Environment: "Live & kicking", Color: "darkBlue"},
		{AccountID: "222233334444", AccountName: "B", RoleName: "R", Environment: "Größe"},
		{AccountID: "333344445555", AccountName: "C", RoleName: "R"},
	})
	text, err := Merge("", corp, profiles)
	for _, want := range []string{
		"[profile A-R]\n# environment: Live & kicking (darkBlue)\nsso", "[profile B-R]\n# environment: Größe\nsso",
		"[profile C-R]\nsso",
	} {
		if err != nil || !strings.Contains(text, want) {
			t.Errorf("no %q in %s, %v", want, text, err)
		}
	}
	file, err := Parse(strings.NewReader(text))
	if p, ok := file.Profile("A-R"); err != nil || !ok || p.AccountID != "111122223333" {
		t.Errorf("it reads as %+v, %v", p, err)
	}
	for _, bad := range []string{"x\ncredential_process = y", "x\ry", "\u2028", "\u202e", strings.Repeat("x", 65)} {
		profiles[0].Environment = bad
		if text, err := Merge("", corp, profiles); err == nil {
			t.Errorf("%q becomes %s", bad, text)
		}
	}
	profiles[0].Environment, profiles[0].Color = "x", "red)\n["
	if text, err := Merge("", corp, profiles); err == nil {
		t.Errorf("a color becomes %s", text)
	}
}
