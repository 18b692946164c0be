package store_test

import (
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/store"
)

// TestAReleaseBeforeSAMLLosesNothing: during a rolling upgrade, a release that knows nothing of
// SAML writes an application anew. What it has dropped is there again.
func TestAReleaseBeforeSAMLLosesNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, err := store.Open(ctx, filepath.Join(t.TempDir(), "center.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	wiki := center.Application{
		ARN: "arn:1", ProviderARN: "arn:aws:sso::aws:applicationProvider/custom-saml", Name: "Wiki",
		SAML: &center.SAMLApplication{
			ACSURL: "https://wiki.example/acs", Audience: "wiki", SessionDuration: time.Hour,
			Subject: center.DefaultSubject,
		},
		SAMLKey:      &center.RequestKey{Certificate: []byte("c1"), SealedKey: "k1"},
		SAMLSpareKey: &center.RequestKey{Certificate: []byte("c2"), SealedKey: "k2"},
	}
	update := func(change func(center.Tx) error) {
		t.Helper()
		if err := s.Update(ctx, change); err != nil {
			t.Fatal(err)
		}
	}
	read := func() (one center.Application, all []center.Application) {
		t.Helper()
		err := s.View(ctx, func(r center.Reader) (err error) {
			if one, err = r.Application(wiki.ARN); err == nil {
				all, err = r.Applications("", 0)
			}
			return err
		})
		if err != nil || len(all) != 1 {
			t.Fatalf("%+v, %v", all, err)
		}
		return one, all
	}
	update(func(tx center.Tx) error { return tx.PutApplication(wiki) })
	if err := s.Damage(ctx, `UPDATE documents SET doc = '{"ARN":"arn:1","ProviderARN":"`+wiki.ProviderARN+
		`","Name":"Renamed"}' WHERE kind = 'application'`); err != nil {
		t.Fatal(err)
	}
	one, all := read()
	wiki.Name = "Renamed"
	if !reflect.DeepEqual(one.SAML, wiki.SAML) || !reflect.DeepEqual(one.SAMLKey, wiki.SAMLKey) ||
		!reflect.DeepEqual(one.SAMLSpareKey, wiki.SAMLSpareKey) || one.Name != "Renamed" || all[0].SAML == nil {
		t.Errorf("after the other release: %+v", one)
	}
	update(func(tx center.Tx) error { return tx.DeleteApplication(wiki.ARN) })
	update(func(tx center.Tx) error {
		wiki.SAML, wiki.SAMLKey = nil, nil
		return tx.PutApplication(wiki)
	})
	if one, _ := read(); one.SAML != nil || one.SAMLKey != nil {
		t.Errorf("a deleted application left %+v", one)
	}
}
