package oversee_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// opens gets credentials of a role, and returns who asks STS with them who they are.
func opens(t *testing.T, e pairtest.Ends, c pairtest.CommandLine, token *string) func() error {
	t.Helper()
	ctx := context.Background()
	account, role := c.AnyRole(token)
	got, err := c.SSO.GetRoleCredentials(ctx, &sso.GetRoleCredentialsInput{
		AccessToken: token, AccountId: &account, RoleName: &role,
	})
	if err != nil {
		t.Fatal(err)
	}
	k := got.RoleCredentials
	client := sts.New(sts.Options{
		Region:           e.AWS.Region,
		BaseEndpoint:     &e.Center.URL,
		RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(
			aws.ToString(k.AccessKeyId), aws.ToString(k.SecretAccessKey), aws.ToString(k.SessionToken),
		),
	})
	who := func() error {
		_, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		return err
	}
	if err := who(); err != nil {
		t.Fatal(err)
	}
	return who
}

// TestALeaverIsOutAtOnce: live credentials of a role end by command, by the page's button, and when
// the directory disables the person; the proof says what was open.
func TestALeaverIsOutAtOnce(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	o := &office{t, map[string]string{
		"AWS_REGION": e.Center.Region, "AWS_ACCESS_KEY_ID": e.AWS.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": e.AWS.SecretAccessKey, "AWS_ENDPOINT_URL": e.Center.URL,
	}}
	signIn := func() (pairtest.CommandLine, *string) {
		c := pairtest.NewCommandLine(e)
		in, _ := c.Device(c.Register("sso:account:access"), "allow")
		return c, c.Tokens(in).AccessToken
	}

	c, token := signIn()
	who := opens(t, e, c, token)
	proof := filepath.Join(t.TempDir(), "proof.json")
	o.want("and 1 of 1 role.", "revoke", pairtest.Amara, "--proof", proof)
	if err := who(); err == nil || !strings.Contains(err.Error(), "InvalidClientTokenId") {
		t.Errorf("after the command: %v", err)
	}
	if _, refused := c.Accounts(token); refused != "UnauthorizedException" {
		t.Errorf("the token after the command: %q", refused)
	}
	var p struct {
		Complete bool
		Sessions []any
		Left     []any                                   `json:"sessions_left"`
		Before   struct{ Open []struct{ Until string } } `json:"roles_before"`
	}
	text, err := os.ReadFile(proof)
	if err != nil || json.Unmarshal(text, &p) != nil || !p.Complete || len(p.Sessions) < 2 || len(p.Left) != 0 ||
		len(p.Before.Open) != 1 {
		t.Errorf("the proof is %s, %v", text, err)
	}
	o.want("The signature is good", "proof", "verify", proof)
	o.want("0 of 0 sessions", "revoke", pairtest.Amara)

	c, token = signIn()
	who = opens(t, e, c, token)
	id := e.Find("/Users", "userName", pairtest.Amara).String("id")
	admin, page := e.Administrator(), e.Center.URL+"/console/users/"+id
	if text := admin.Get(page); !strings.Contains(text, "AWSReservedSSO_") || !strings.Contains(text, ">Open<") {
		t.Errorf("the page does not show the open role: %s", text)
	}
	admin.Does(page+"/revoke", nil, "All that the user had open has ended.")
	if err := who(); err == nil {
		t.Error("after the button the credentials are good")
	}

	c, token = signIn()
	who = opens(t, e, c, token)
	e.Change(http.MethodPatch, "/users/"+pairtest.Amara, map[string]any{"accountEnabled": false}, nil)
	e.Soon("credentials end after the directory disabled the person", func() bool { return who() != nil })
}

// TestAProofIsWhatTheCenterHasSigned: a proof is verified with the published keys and with those in
// a file, and refused where a single word was changed, where it is another center's, and where
// something else was signed.
func TestAProofIsWhatTheCenterHasSigned(t *testing.T) {
	t.Parallel()
	o, s := newOffice(t)
	s.NoMFA()
	s.NewPerson("ada@example.com")
	s.SignIn("ada@example.com")
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := filepath.Join(dir, "proof.json")
	o.want("1 of 1 session of ada@example.com has ended", "revoke", "ada@example.com", "--proof", file)
	keys := write("keys.json", o.want(`"kid"`, "proof", "keys"))
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	o.want("The signature is good", "proof", "verify", file)
	signed := read[adminapi.Proof](o, "proof", "verify", file, "--keys", keys)
	if signed.UserName != "ada@example.com" || !signed.Complete || len(signed.Sessions) != 1 {
		t.Errorf("what was signed: %+v", signed)
	}

	changed := func(old, as string) string {
		t.Helper()
		if !strings.Contains(string(text), old) {
			t.Fatalf("the proof has no %q: %s", old, text)
		}
		return write("changed.json", strings.Replace(string(text), old, as, 1))
	}
	o.refused("user_name is not what the center has signed", "", "proof", "verify",
		changed("ada@example.com", "bob@example.com"), "--keys", keys)
	o.refused("note is not", "", "proof", "verify", changed("{", `{"note":"all well",`), "--keys", keys)
	o.refused("display_name, display_name2 is not", "", "proof", "verify",
		changed("\"display_name\": \"Ada", "\"display_name2\": \"Ada"), "--keys", keys)
	o.refused("two members", "", "proof", "verify", changed("{", `{"User_Name":"bob@example.com",`), "--keys", keys)
	o.refused("is not that of the center", "", "proof", "verify",
		changed(`"signature": "`+signatureOf(text), `"signature": "`+forged(text)), "--keys", keys)
	o.refused("none of the keys", "", "proof", "verify", file, "--keys", write("other.json",
		strings.Replace(o.want("", "proof", "keys"), `"kid":"`, `"kid":"0`, 1)))
	o.refused("no JSON Web Key Set", "", "proof", "verify", file, "--keys", write("none.json", "{}"))
	o.refused("no signed proof", "", "proof", "verify", keys)
	o.refused("not of the center", "", "proof", "verify", changed(s.URL+"/ssoins", "https://evil.example/ssoins"))
	o.refused("not of the center", "", "proof", "verify", changed(s.URL+"/ssoins", s.URL+"/../ssoins"))

	// It stays when the user goes, and says so.
	u, err := s.UserByName(t.Context(), "ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteUser(t.Context(), centertest.Actor, u.ID); err != nil {
		t.Fatal(err)
	}
	o.want("Sign-in is refused: the user is deleted", "proof", "show", string(u.ID))
	o.want("DeleteUser", "proof", "show", "ada@example.com", "--json")
	if list := read[[]adminapi.RevocationRecord](o, "proof", "list"); len(list) != 2 || list[1].Sessions != 1 {
		t.Errorf("the records are %+v", list)
	}
	o.refused("no record", "", "proof", "show", "bob@example.com")
}

// signatureOf is the last part of a proof's signature.
func signatureOf(text []byte) string {
	var p adminapi.SignedProof
	_ = json.Unmarshal(text, &p)
	return p.Signature
}

// forged is a signature whose payload says something else.
func forged(text []byte) string {
	parts := strings.Split(signatureOf(text), ".")
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	parts[1] = base64.RawURLEncoding.EncodeToString(bytes.Replace(payload, []byte("ada@"), []byte("eve@"), 1))
	return strings.Join(parts, ".")
}

// TestWhatTheCenterCannotDenyIsPrinted: where the center keeps no roles, the policy is printed as
// it is and as templates with the roles of each account, and the command says that they are open.
func TestWhatTheCenterCannotDenyIsPrinted(t *testing.T) {
	t.Parallel()
	o, s := newOffice(t)
	s.OwnSTS = false
	ada := s.NewPerson("ada@example.com")
	o.want("nothing to deploy", "revoke", "ada@example.com", "--print", "json")
	if err := s.Store.Update(t.Context(), func(tx center.Tx) error {
		return tx.ExtendRoleSession(center.RoleSession{
			UserID: ada.ID, Name: "ada@example.com", AccountID: "111122223333", RoleName: "Reader",
			Until: s.Now().Add(time.Hour),
		})
	}); err != nil {
		t.Fatal(err)
	}
	o.refused("use one of json, cloudformation, terraform", "", "revoke", "ada@example.com", "--print", "yaml")
	o.refused("not everything has ended", "", "revoke", "ada@example.com")
	for format, words := range map[string]string{
		"json": `"sts:SourceIdentity":["ada@example.com"]`, "cloudformation": `"In111122223333"`,
		"terraform": `"aws_iam_role_policy"`,
	} {
		text := o.want(words, "proof", "show", "ada@example.com", "--print", format)
		if !json.Valid([]byte(text)) || (format != "json") != strings.Contains(text, "Reader") {
			t.Errorf("%s: %s", format, text)
		}
	}
}
