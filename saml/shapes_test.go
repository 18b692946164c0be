package saml

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// xmlsec1 is a signer, and decrypts, and nobody here wrote it.
const xmlsec1 = "/usr/bin/xmlsec1"

// keyFiles writes key.pem and cert.pem to a new directory, for xmlsec1.
func keyFiles(t *testing.T, key SigningKey) (dir string) {
	t.Helper()
	if _, err := os.Stat(xmlsec1); err != nil {
		if os.Getenv("GATEHOUSE_REQUIRE_ALL") != "" {
			t.Fatal("xmlsec1 is not installed (scripts/deps installs it)")
		}
		t.Skip("xmlsec1 is not installed (scripts/deps installs it)")
	}
	dir = t.TempDir()
	private, err := x509.MarshalPKCS8PrivateKey(key.Key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"key.pem":  {Type: "PRIVATE KEY", Bytes: private},
		"cert.pem": {Type: "CERTIFICATE", Bytes: key.Certificate.Raw},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestAnEncryptedAssertionIsTheOneThatWasSigned has xmlsec1 decrypt it, and verifies what comes
// out.
func TestAnEncryptedAssertionIsTheOneThatWasSigned(t *testing.T) {
	t.Parallel()
	key, theirs := newKey(t), newKey(t)
	dir := keyFiles(t, theirs)
	s := statement
	s.EncryptFor = theirs.Certificate
	response, err := Response(s, key)
	if err != nil || strings.Contains(string(response), statement.NameID) {
		t.Fatalf("%s, %v", response, err)
	}
	file := filepath.Join(dir, "response.xml")
	if err := os.WriteFile(file, response, 0o600); err != nil {
		t.Fatal(err)
	}
	// #nosec G204 -- test data
	plain, err := exec.Command(xmlsec1, "--decrypt", "--privkey-pem", filepath.Join(dir, "key.pem"), file).Output()
	if err != nil {
		t.Fatalf("decrypt %s: %v", response, err)
	}
	root, err := parse(plain, MaxMessage)
	if err != nil {
		t.Fatal(err)
	}
	wrapping := child(root, nsAssertion, "EncryptedAssertion")
	root.RemoveChild(wrapping)
	root.AddChild(child(wrapping, nsAssertion, "Assertion"))
	data, err := write(root)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := Verify(data, expect(key)); err != nil || a.NameID != statement.NameID {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestShapesOfIdentityProviders takes responses in the shape that identity providers give them,
// signed by xmlsec1: prefixes, places of signatures, inclusive namespaces, key infos. The shapes
// are of public samples; the values are ours.
func TestShapesOfIdentityProviders(t *testing.T) {
	key := newKey(t)
	dir := keyFiles(t, key)
	shapes, err := filepath.Glob("testdata/shapes/*.xml")
	if err != nil || len(shapes) < 3 {
		t.Fatalf("%v, %v", shapes, err)
	}
	for _, shape := range shapes {
		t.Run(strings.TrimSuffix(filepath.Base(shape), ".xml"), func(t *testing.T) {
			data, err := os.ReadFile(shape) // #nosec G304 -- test data
			if err != nil {
				t.Fatal(err)
			}
			message := strings.NewReplacer(
				"ACS", statement.ACSURL, "ISSUER", statement.Issuer, "AUDIENCE", statement.Audience,
			).Replace(string(data))
			file := filepath.Join(dir, filepath.Base(shape))
			for _, element := range []string{"Assertion", "Response"} { // the inner one first
				if err := os.WriteFile(file, []byte(message), 0o600); err != nil {
					t.Fatal(err)
				}
				where := "//*[local-name()='" + element + "']/*[local-name()='Signature']"
				if strings.Count(message, "Signature ") == 1 && element == "Assertion" {
					continue // only the response is signed
				}
				// #nosec G204 -- test data
				out, err := exec.Command(
					xmlsec1, "--sign", "--privkey-pem",
					filepath.Join(dir, "key.pem")+","+filepath.Join(dir, "cert.pem"), "--node-xpath", where,
					"--id-attr:ID", nsAssertion+":Assertion", "--id-attr:ID", nsProtocol+":Response", file,
				).Output()
				if err != nil {
					t.Fatalf("sign the %s: %v", element, err)
				}
				message = string(out)
			}
			a, err := Verify([]byte(message), expect(key))
			if err != nil {
				t.Fatalf("%v\n%s", err, message)
			}
			if a.NameID != "ada@example.com" || a.InResponseTo != "_request" || a.AuthnInstant.IsZero() ||
				len(a.Attributes) != 1 || a.Attributes[0].Values[0] != "Blue" || a.Attributes[0].Structured {
				t.Errorf("read %+v", a)
			}
			if _, err := Verify([]byte(strings.Replace(message, "ada@", "eve@", 1)), expect(key)); err == nil {
				t.Error("an altered one is accepted")
			}
		})
	}
}
