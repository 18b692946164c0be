package connect

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/adminapi"
)

// TestASavedPlanIsAppliedToTheSameWorldOnly has a line for each way in which the world moves.
func TestASavedPlanIsAppliedToTheSameWorldOnly(t *testing.T) {
	t.Parallel()
	plan := func() *Plan {
		return &Plan{
			Steps: []Step{{Title: "application", Detail: "create it"}, {Title: "job", Detail: "exists", Done: true}},
			People: &People{
				Counts: map[Outcome]int{Stops: 1},
				Fates: []Fate{
					{Outcome: Stops, UserName: "ada", UserID: "1"}, {Outcome: Created, UserName: "eve", PersonID: "2"},
				},
				Adopted: 1,
			},
			State: State{Directory: adminapi.Directory{InstanceArn: "arn:x"}},
			cfg:   Config{LoginURL: "https://login.example/t", AppName: "AWS", Groups: []string{"g"}},
		}
	}
	file := filepath.Join(t.TempDir(), "plan.json")
	if err := WriteFile(file, plan().Save()); err != nil {
		t.Fatal(err)
	}
	var saved Saved
	if err := ReadFile(file, &saved); err != nil {
		t.Fatal(err)
	}
	if err := plan().Matches(saved); err != nil {
		t.Errorf("the same world: %v", err)
	}
	for name, c := range map[string]struct {
		move func(*Plan)
		want string
	}{
		"another instance":    {func(p *Plan) { p.State.Directory.InstanceArn = "arn:y" }, "arn:y"},
		"another tenant":      {func(p *Plan) { p.cfg.LoginURL = "https://login.example/u" }, "/u"},
		"a step is done":      {func(p *Plan) { p.Steps[0].Done = true }, "application"},
		"a step is another":   {func(p *Plan) { p.Steps[0].Detail = "change it" }, "change it"},
		"a step more":         {func(p *Plan) { p.Steps = append(p.Steps, Step{}) }, "3"},
		"the source changes":  {func(p *Plan) { p.Changes = true }, "identity source"},
		"somebody is renamed": {func(p *Plan) { p.People.Fates[0].UserName = "lovelace" }, "lovelace"},
		"somebody new": {
			func(p *Plan) { p.People.Fates = append(p.People.Fates, Fate{UserName: "kay"}) }, "kay",
		},
		"somebody gone":          {func(p *Plan) { p.People.Fates = p.People.Fates[:1] }, "eve"},
		"a group more":           {func(p *Plan) { p.People.New++ }, "groups"},
		"nothing said of people": {func(p *Plan) { p.People = nil }, "people"},
	} {
		p := plan()
		c.move(p)
		if err := p.Matches(saved); !errors.Is(err, ErrMoved) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	copied := func() *Plan { // the plan of a copy
		p := plan()
		p.cfg.LoginURL, p.State.SP.EntityID = "http://127.0.0.1:8091/T", "http://127.0.0.1:8090/saml"
		p.Steps[0].Detail = "set http://127.0.0.1:8090/saml, change it from the built-in directory"
		p.Steps[1].Done, p.Changes = false, true
		p.State.Directory.IdentitySource = adminapi.SourceDirectory
		return p
	}
	file = filepath.Join(t.TempDir(), "copy.json")
	if err := WriteFile(file, copied().Save()); err != nil {
		t.Fatal(err)
	}
	if err := ReadFile(file, &saved); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		move func(*Plan)
		want string // "": it is the same plan
	}{
		"as it was":  {func(*Plan) {}, ""},
		"less to do": {func(p *Plan) { p.Changes = false; p.Steps[0].Done = true }, ""},
		"more to do": {func(p *Plan) { p.Steps = append(p.Steps, Step{}) }, "3"},
		"another source": {func(p *Plan) {
			p.Steps[0].Detail = "set https://aws/saml, change it from another identity provider"
			p.State.Directory.IdentitySource = adminapi.SourceExternal
		}, "another identity provider"},
		"another tenant":   {func(p *Plan) { p.cfg.LoginURL = "https://login.example/u" }, "/u"},
		"another instance": {func(p *Plan) { p.State.Directory.InstanceArn = "arn:y" }, "arn:y"},
		"somebody gone":    {func(p *Plan) { p.People.Fates = p.People.Fates[:1] }, "eve"},
	} {
		p := plan()
		p.State.SP.EntityID, p.Changes = "https://aws/saml", true
		p.Steps[0].Detail = "set https://aws/saml, change it from " + unknownSource
		c.move(p)
		err := p.Matches(saved)
		if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("the copy's plan, %s: %v, want %q", name, err, c.want)
		}
	}
	saved.Version++
	if err := plan().Matches(saved); err == nil {
		t.Error("the plan of another version is taken")
	}
}

// TestAFileIsWrittenWholeOrNotAtAll: what was there stays, and nothing is left beside it.
func TestAFileIsWrittenWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "snapshot.json")
	if err := WriteFile(file, "before"); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(file, func() {}); err == nil {
		t.Error("what is no JSON is written")
	}
	if err := os.Mkdir(filepath.Join(folder, "taken"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "taken", "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(filepath.Join(folder, "taken"), "after"); err == nil {
		t.Error("a folder is replaced")
	}
	var text string
	if err := ReadFile(file, &text); err != nil || text != "before" {
		t.Errorf("%q, %v", text, err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 2 {
		t.Errorf("there are %v, %v", entries, err)
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ReadFile(file, &text); err == nil || !strings.Contains(err.Error(), "not what this command has written") {
		t.Errorf("half a file: %v", err)
	}
}
