package administer_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/pquerna/otp/totp"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/idpmetadata"
	"github.com/gatehouse-id/gatehouse/saml"
)

// refused runs a line that has to fail with these words.
func (o *office) refused(words, typed string, line ...string) {
	o.Helper()
	_, said, err := o.call(typed, line...)
	if err == nil || !strings.Contains(err.Error()+said, words) {
		o.Errorf("%v: %v, %q; want a refusal with %q", line, err, said, words)
	}
}

// read runs a line with --json and reads what it prints.
func read[T any](o *office, line ...string) (out T) {
	o.Helper()
	text := o.want("", append(line, "--json")...)
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		o.Fatalf("%v printed %q: %v", line, text, err)
	}
	return out
}

func TestPeopleAreLookedAfterByCommand(t *testing.T) {
	o, s := newOffice(t)
	s.NoMFA()
	ada := s.NewPerson("ada@example.com")
	browser := s.SignIn("ada@example.com")

	o.want("ada@example.com", "users", "list", "--search", "ADA")
	if out := o.want("", "users", "list", "--search", "nobody"); strings.Contains(out, "ada@") {
		t.Errorf("a search for nobody found %q", out)
	}
	sessions := read[[]adminapi.UserSession](o, "sessions", "list", "ada@example.com")
	if len(sessions) != 1 {
		t.Fatalf("the sessions are %+v", sessions)
	}
	o.want("ended", "sessions", "end", string(ada.ID), sessions[0].SessionID)
	if page := browser.Get(s.PortalURL()); strings.Contains(page, "Sign out") {
		t.Error("a session that was ended by command is open")
	}
	s.SignIn("ada@example.com")
	o.want("disabled", "users", "disable", "ada@example.com")
	if left := read[[]adminapi.UserSession](o, "sessions", "list", "ada@example.com"); len(left) != 0 {
		t.Errorf("a disabled user has the sessions %+v", left)
	}
	o.refused("disabled", "", "users", "one-time-password", "ada@example.com")
	o.want("sign in again", "users", "enable", "ada@example.com")
	if p := strings.TrimSpace(o.want("only once", "users", "one-time-password", "ada@example.com")); len(p) < 12 {
		t.Errorf("the one-time password is %q", p)
	}
	o.refused("mail", "", "users", "invite", "ada@example.com")
	o.want("ended", "sessions", "end", "ada@example.com", "--all")
	o.refused("no such user", "", "users", "show", "bob@example.com")
	o.refused("session", "", "sessions", "end", "ada@example.com", "nothing")
}

func TestASecondFactorIsRegisteredAndDeletedByCommand(t *testing.T) {
	o, s := newOffice(t)
	u := s.NewPerson("ada@example.com")
	admin := s.Admin()
	started, err := admin.StartDevice(t.Context(), string(u.ID))
	if err != nil {
		t.Fatal(err)
	}
	code, err := totp.GenerateCode(started.Secret, s.Now())
	if err != nil {
		t.Fatal(err)
	}
	o.refused("code", "123456\n", "users", "register-device", "ada@example.com") // replaces the one that was begun
	in := adminapi.CompleteDeviceInput{
		UserID: string(u.ID), Registration: started.Registration, DeviceName: "phone", Code: code,
	}
	if err := admin.CompleteDevice(t.Context(), in); err == nil {
		t.Error("a registration that was replaced is completed")
	}
	if started, err = admin.StartDevice(t.Context(), string(u.ID)); err != nil {
		t.Fatal(err)
	}
	in.Registration = started.Registration
	if in.Code, err = totp.GenerateCode(started.Secret, s.Now()); err != nil {
		t.Fatal(err)
	}
	if err := admin.CompleteDevice(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	o.want("phone", "users", "show", "ada@example.com")
	shown := read[struct{ Devices []adminapi.MFADevice }](o, "users", "show", "ada@example.com")
	if len(shown.Devices) != 1 {
		t.Fatalf("the devices are %+v", shown.Devices)
	}
	o.want("deleted", "users", "delete-device", "ada@example.com", "Phone")
	o.refused("device", "", "users", "delete-device", "ada@example.com", shown.Devices[0].DeviceID)
}

func TestSettingsAreChangedOneByOne(t *testing.T) {
	o, s := newOffice(t)
	before, err := s.SignInSettings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o.want("changed", "settings", "update", "--mfa", "always", "--session", "12h")
	after, err := s.SignInSettings(t.Context())
	before.MFA, before.PortalSession = "ALWAYS_ON", 12*time.Hour
	if err != nil || after != before {
		t.Errorf("the settings are %+v, %v; want %+v", after, err, before)
	}
	if out := o.want("always", "settings", "show"); !strings.Contains(out, " 12h\n") {
		t.Errorf("the settings show %s", out)
	}
	o.refused("15 minutes to 90 days", "", "settings", "update", "--session", "91d")
	o.refused("never", "", "settings", "update", "--mfa", "sometimes")
	o.refused("name a setting", "", "settings", "update")

	o.want("attribute", "settings", "set-attribute", "CostCenter", "${path:enterprise.costCenter}")
	o.want("attribute", "settings", "set-attribute", "Unit", "${path:enterprise.department}")
	o.want("attribute", "settings", "set-attribute", "Unit", "${path:enterprise.division}")
	if out := o.want("enterprise.costCenter", "settings", "show"); strings.Contains(out, "department") {
		t.Errorf("an attribute that was replaced is shown: %s", out)
	}
	o.want("deleted", "settings", "delete-attribute", "Unit")
	o.refused("no attribute", "", "settings", "delete-attribute", "Unit")
	o.refused("Source", "", "settings", "set-attribute", "Unit", "department")
	o.refused("ACCEPT", "yes\n", "settings", "remove-network-controls")
	o.want("removed", "settings", "remove-network-controls", "--confirm", "ACCEPT")
}

func TestProvisioningIsEnabledAndDisabledByCommand(t *testing.T) {
	o, s := newOffice(t)
	centertest.Federate(t, s.Center, "https://idp.example/")
	o.want("disabled", "provisioning", "status")
	token := strings.TrimSpace(o.want("SCIM endpoint", "provisioning", "enable"))
	status := read[struct {
		Enabled      bool
		ScimEndpoint string
		BearerTokens []adminapi.BearerToken
	}](o, "provisioning", "status")
	if !status.Enabled || len(status.BearerTokens) != 1 {
		t.Fatalf("the status is %+v", status)
	}
	ask := func() int {
		req, err := http.NewRequest(http.MethodGet, status.ScimEndpoint+"Users", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := s.HTTP.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return errOr(res.StatusCode, res.Body.Close())
	}
	if code := ask(); code != http.StatusOK {
		t.Errorf("the token that was printed: %d", code)
	}
	o.refused("already enabled", "", "provisioning", "enable")
	o.refused("DISABLE", "ACCEPT\n", "provisioning", "disable")
	o.refused("access token", "DISABLE\n", "provisioning", "disable")
	if code := ask(); code != http.StatusOK {
		t.Errorf("after refusals: %d", code)
	}
	o.want("disabled", "provisioning", "disable", "--revoke-tokens", "--confirm", "DISABLE")
	if code := ask(); code == http.StatusOK {
		t.Error("the token is good after provisioning is disabled")
	}
	o.refused("disabled already", "", "provisioning", "disable", "--confirm", "DISABLE")
	o.want("SCIM endpoint", "provisioning", "enable", "--no-token")
}

func errOr(n int, err error) int {
	if err != nil {
		return -1
	}
	return n
}

func TestTheIdentitySourceIsChangedByCommand(t *testing.T) {
	o, s := newOffice(t)
	for _, name := range []string{"ada@example.com", "bob@example.com"} {
		if _, err := s.CreateUser(t.Context(), audit.SystemActor, centertest.Person(name)); err != nil {
			t.Fatal(err)
		}
	}
	o.refused("set-metadata", "", "identity-source", "set", "external", "--confirm", "ACCEPT")
	key, published := metadataOf(t, "https://idp.example/")
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	metadata := file("metadata.xml", published)
	o.want("pending: https://idp.example/", "identity-source", "set-metadata", metadata)
	o.want("pending: https://idp.example/", "identity-source", "set-metadata", file("shell.xml", asUTF16(published)))
	o.want("pending: https://idp.example/", "identity-source", "set-metadata", "--issuer", "https://idp.example/",
		"--sign-in-url", "https://idp.example/sso", "--certificate", file("idp.der", string(key.Certificate.Raw)))
	certificate := file("idp.pem", string(pem.EncodeToMemory(
		&pem.Block{Type: "CERTIFICATE", Bytes: key.Certificate.Raw},
	)))
	o.want("pending: https://idp.example/", "identity-source", "set-metadata", "--issuer", "https://idp.example/",
		"--sign-in-url", "https://idp.example/sso", "--certificate", certificate)
	known := file("names.txt", "ADA@example.com\r\n")
	o.want("MatchesNobody", "identity-source", "report", "external", "--known", known)
	o.want("bob@example.com", "identity-source", "report", "external", "--known", known, "--csv")
	o.refused("not confirmed", "yes\n", "identity-source", "set", "external")
	o.want("https://idp.example/", "identity-source", "set", "external", "--confirm", "ACCEPT")
	o.want("md:EntityDescriptor", "identity-source", "sp-metadata")
	second, _ := metadataOf(t, "https://idp.example/")
	o.want("added", "identity-source", "add-certificate", file("second.der", string(second.Certificate.Raw)))
	o.want("added", "identity-source", "add-certificate", file("shell.pem", asUTF16("-----BEGIN CERTIFICATE-----\r\n"+
		base64.StdEncoding.EncodeToString(second.Certificate.Raw)+"\r\n-----END CERTIFICATE-----\r\n")))

	o.want("Saved", "identity-source", "requests", "--sign", "on")
	o.want("Requests are signed and sent by HTTP-Redirect", "identity-source", "show")
	o.refused("HTTP-POST", "", "identity-source", "requests", "--binding", "post")
	o.refused("use --sign", "", "identity-source", "requests")

	o.want("directory", "identity-source", "set", "directory", "--confirm", "ACCEPT", "--json")
	o.want("the built-in directory", "identity-source", "show")
}

// deciding is a person at the question: something happens before they type.
type deciding struct {
	before func()
	word   io.Reader
}

func (d *deciding) Read(p []byte) (int, error) {
	if d.before != nil {
		d.before()
		d.before = nil
	}
	return d.word.Read(p)
}

// TestAnIdentitySourceThatMovesAtTheQuestionStays: a colleague has done the same meanwhile, or
// something else. Above all, an undo does not undo theirs.
func TestAnIdentitySourceThatMovesAtTheQuestionStays(t *testing.T) {
	for name, line := range map[string][]string{
		"undo": {"identity-source", "undo"}, "back to the directory": {"identity-source", "set", "directory"},
		"to another one": {"identity-source", "set", "external"},
	} {
		t.Run(name, func(t *testing.T) {
			o, s := newOffice(t)
			centertest.Federate(t, s.Center, "https://one.example")
			if _, err := s.CreateIdPConfiguration(t.Context(), centertest.Actor, center.IdPConfiguration{
				EntityID: "https://two.example", SignInURL: "https://two.example/sso", Certificates: [][]byte{{1}},
			}); err != nil {
				t.Fatal(err)
			}
			colleague := &deciding{func() {
				if err := s.UndoSourceChange(t.Context(), centertest.Actor, center.Accepted); err != nil {
					t.Error(err)
				}
			}, strings.NewReader("ACCEPT\n")}
			var shown, told bytes.Buffer
			err := o.reads(t.Context(), colleague, &shown, &told, line...)
			if err == nil || !strings.Contains(err.Error(), "another one than the request names") {
				t.Errorf("it is %v, and said %s%s", err, shown.String(), told.String())
			}
			if now, err := s.Source(t.Context()); err != nil || now.Type != center.Directory {
				t.Errorf("the identity source is %+v, %v", now, err)
			}
		})
	}
}

// asUTF16 is how PowerShell's Out-File writes a text.
func asUTF16(text string) string {
	out := []byte("\xff\xfe")
	for _, unit := range utf16.Encode([]rune(text)) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return string(out)
}

// metadataOf makes an identity provider's key and metadata.
func metadataOf(t *testing.T, entityID string) (saml.SigningKey, string) {
	t.Helper()
	key, err := saml.NewSigningKey(time.Now(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	idp := saml.IdentityProvider{EntityID: entityID, SignInURL: entityID + "sso"}
	metadata, err := saml.IdentityProviderMetadata(idp, key)
	if err != nil {
		t.Fatal(err)
	}
	return key, string(metadata)
}

func TestPublishedMetadataIsWatchedAndAcceptedByCommand(t *testing.T) {
	o, s := newOffice(t)
	_, first := metadataOf(t, "https://idp.example/")
	_, second := metadataOf(t, "https://idp.example/")
	now := first
	idp := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(now))
	}))
	defer idp.Close()
	path := filepath.Join(t.TempDir(), "metadata.xml")
	if err := os.WriteFile(path, []byte(first), 0o600); err != nil {
		t.Fatal(err)
	}
	o.want("pending", "identity-source", "set-metadata", path)
	o.want("https://idp.example/", "identity-source", "set", "external", "--confirm", "ACCEPT")
	o.refused("no change", "", "identity-source", "accept", "--confirm", "ACCEPT")
	o.refused("https", "", "identity-source", "watch", "http://idp.example/metadata")
	// nobody trusts the certificate there, which is shown
	o.want("problem: it cannot be fetched", "identity-source", "watch", idp.URL)

	source, err := s.Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	offered := *source.IdP
	offered.Certificates = certificatesOf(t, second)
	if err := s.Fetched(context.Background(), idp.URL, offered, nil); err != nil {
		t.Fatal(err)
	}
	o.want("new certificate", "identity-source", "show")
	o.refused("ACCEPT", "\n", "identity-source", "accept")
	o.want("accepted", "identity-source", "accept", "--confirm", "ACCEPT", "--json")
	if source, err = s.Source(t.Context()); err != nil || string(source.IdP.Certificates[0]) !=
		string(offered.Certificates[0]) {
		t.Errorf("what was accepted is not trusted: %v", err)
	}
	o.want("not watched", "identity-source", "watch", "off")
}

func TestTheAuditLogIsSearchedByCommand(t *testing.T) {
	o, s := newOffice(t)
	var early center.Group
	for i := range 1200 {
		g, err := s.CreateGroup(t.Context(), centertest.Actor, center.Group{DisplayName: fmt.Sprint("group ", i)})
		if err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			early = g
		}
	}
	_, _ = s.CreateGroup(t.Context(), centertest.Actor, center.Group{DisplayName: "group 3"}) // is refused
	last := s.LastEvent()
	o.want(last.Code, "audit", "search", "--action", "creategroup", "--result", "refused", "--limit", "3")
	found := o.want(string(early.ID), "audit", "search", "--subject", strings.ToUpper(string(early.ID)), "--json")
	if n := strings.Count(found, "\n"); n != 1 {
		t.Errorf("a search for one event found %d: %s", n, found)
	}
	all := o.want("", "audit", "search", "--action", "CreateGroup", "--limit", "5000", "--json")
	if n := strings.Count(all, "\n"); n != 1201 {
		t.Errorf("all pages have %d events", n)
	}
	o.want("There are more", "audit", "search", "--limit", "2")
	o.want(last.Action, "audit", "search", "--reference", last.Actor.RequestID, "--since", "1h")
	if out := o.want("", "audit", "search", "--until", "2020-01-01"); strings.Contains(out, "CreateGroup") {
		t.Errorf("before it began: %s", out)
	}
	o.refused("--since", "", "audit", "search", "--since", "yesterday")
	o.refused("granted or refused", "", "audit", "search", "--result", "maybe")
}

func certificatesOf(t *testing.T, metadata string) [][]byte {
	t.Helper()
	idp, err := idpmetadata.Parse([]byte(metadata), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return idp.Certificates
}
