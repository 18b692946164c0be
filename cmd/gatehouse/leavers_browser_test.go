package main

import (
	"encoding/json"
	"net/http"
	"os"
	"testing"

	"github.com/gatehouse-id/gatehouse/center/proof"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// TestAPersonIsOffBoardedWithProof: from the list of users, three clicks end all that a person has
// open and save the proof, which the center has signed.
func TestAPersonIsOffBoardedWithProof(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e := of(t, d)
	e.SignIn(pairtest.Amara)
	id := e.Find("/Users", "userName", pairtest.Amara).String("id")
	b := browser{t, newBrowser(t, "")}
	b.login(d.Center.ConsoleURL+"users", map[string]string{"username": d.Admin.UserName, "password": d.Admin.Password})

	job := &clicks{browser: b}
	job.press(`a[href="/console/users/` + id + `"]`)
	job.press(`form[action$="/active"] button`)
	b.sees("Everything has ended")
	b.sees("the user is disabled")
	job.n++ // the download, which stays on the page
	file := b.download("#signed", "proof.json")
	job.most(3, "off-board with proof")

	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := proof.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	keys := webGet(t, signed.Issuer+"/.well-known/jwks.json")
	p, err := proof.Verify(text, keys)
	if err != nil || !p.Complete || p.UserName != pairtest.Amara || p.Action != "DisableUser" || len(p.Sessions) == 0 {
		t.Errorf("the proof is %+v, %v", p, err)
	}
	b.accessible("the proof")
	b.screenshot("proof")
	b.phone("proof-phone")
	b.open(d.Center.ConsoleURL + "revocations")
	b.sees(pairtest.Amara)
	b.accessible("whose access was ended")
	b.screenshot("revocations")
}

// webGet fetches what anybody may fetch.
func webGet(t *testing.T, url string) []byte {
	t.Helper()
	res, err := http.Get(url) // #nosec G107 -- the demo's
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var keys json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&keys); err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestWhoAdministersAnAccountIsTwoClicksAway: from the dashboard to the people, ways and last uses
// of an account, with a picture of them.
func TestWhoAdministersAnAccountIsTwoClicksAway(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	b := browser{t, newBrowser(t, "")}
	b.login(d.Center.ConsoleURL, map[string]string{"username": d.Admin.UserName, "password": d.Admin.Password})
	job := &clicks{browser: b}
	job.press(`.side a[href="/console/access"]`)
	b.accessible("the accounts")
	job.press(`main tbody a`)
	job.most(2, "who administers an account")
	b.sees("Who can administer")
	b.sees("AdministratorAccess")
	b.accessible("who administers an account")
	b.screenshot("whohas")
	b.phone("whohas-phone")
	b.leave(`main .button.quiet`)
	b.sees("Who has access to")
	b.leave(`main td a[href^="/console/users/"]`)
	b.sees("Sign-ins and changes")
	b.accessible("a user with access by groups")
	b.screenshot("user-page")
	b.leave(`#access .row .button`)
	b.sees("Access of")
	b.accessible("access of a user")
	b.screenshot("access-of")
	b.open(d.Center.ConsoleURL + "leavers")
	b.sees("Nothing is assigned to anybody who is deleted")
	b.accessible("the leavers, of whom there are none")
	b.screenshot("leavers")
}
