package main

import (
	"bytes"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gatehouse-id/gatehouse/datafolder"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestACopyOfTheDatabasesTellsNoSecret reads a backup and the files of both databases as whoever
// has taken them would, without the master key, and looks for every secret that there is.
func TestACopyOfTheDatabasesTellsNoSecret(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	d, stop := startDemo(t, "--data", folder)
	defer stop()
	admin := webtest.New(t, nil)
	admin.Send(http.MethodPost, d.Center.URL+"/console/login",
		url.Values{"username": {d.Admin.UserName}, "password": {d.Admin.Password}})
	secrets := map[string]string{
		"the administrator's password": d.Admin.Password, "the access key": d.AWS.SecretAccessKey,
		"the client's secret": d.Tenant.ClientSecret, "the SCIM token": d.Center.SCIMToken,
		"a person's password": d.People[0].Password,
	}
	base, err := url.Parse(d.Center.ConsoleURL)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range admin.Client.Jar.Cookies(base) {
		secrets["the session's cookie "+c.Name] = c.Value
	}
	if len(secrets) < 6 {
		t.Fatal("nobody is signed in to the console")
	}

	var copied [][]byte
	err = filepath.WalkDir(folder, func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !bytes.Contains([]byte(e.Name()), []byte(".db")) {
			return err
		}
		data, err := os.ReadFile(file) // #nosec G304 G122 -- the test's own
		if e.Name() == datafolder.Center {
			backup := filepath.Join(t.TempDir(), "backup.db")
			if code, _, errOut := call(t, "", nil, "backup", backup, "--data", filepath.Dir(file)); code != exitDone {
				t.Fatal(errOut)
			}
			if data, err = os.ReadFile(backup); err != nil { // #nosec G304 -- the test's own
				return err
			}
		}
		copied = append(copied, data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	found := func(text string) bool {
		return slices.ContainsFunc(copied, func(data []byte) bool { return bytes.Contains(data, []byte(text)) })
	}
	if !found(d.People[0].UserName) || !found(d.AWS.AccessKeyID) {
		t.Fatal("the files are not those of the databases: they do not even tell names")
	}
	for what, secret := range secrets {
		if secret == "" || found(secret) {
			t.Errorf("%s stands in the databases, or there is none", what)
		}
	}
}
