package center_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// TestKeysThatTheMasterKeyDoesNotOpenAreNamed damages one of two keys.
func TestKeysThatTheMasterKeyDoesNotOpenAreNamed(t *testing.T) {
	t.Parallel()
	c := centertest.New(t, "https://center.example")
	right := authn.MasterKey{Loaded: c.Sealer}
	if problems, err := center.CheckSealed(t.Context(), c.Store, right); err != nil || len(problems) != 0 {
		t.Errorf("without keys: %v, %v", problems, err)
	}
	other, err := authn.NewSealer([]byte(strings.Repeat("o", authn.MasterKeySize)))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := c.CreateAccessKey(t.Context(), centertest.Actor, "test", center.RoleAdministrator); err != nil {
			t.Fatal(err)
		}
	}
	if problems, err := center.CheckSealed(t.Context(), c.Store, right); err != nil || len(problems) != 0 {
		t.Errorf("its own keys: %v, %v", problems, err)
	}
	wrong := authn.MasterKey{Loaded: other}
	problems, err := center.CheckSealed(t.Context(), c.Store, wrong)
	if err != nil || len(problems) != 1 || !strings.HasPrefix(problems[0], "master key: ") {
		t.Errorf("another master key: %v, %v", problems, err)
	}
	keys, err := c.AccessKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	damaged := keys[len(keys)-1]
	damaged.SealedSecret = keys[0].SealedSecret // which is bound to its place
	if err := c.Store.Update(t.Context(), func(tx center.Tx) error { return tx.PutAccessKey(damaged) }); err != nil {
		t.Fatal(err)
	}
	problems, err = center.CheckSealed(t.Context(), c.Store, right)
	if err != nil || len(problems) != 1 || !strings.Contains(problems[0], damaged.ID) {
		t.Errorf("a key that cannot be opened: %v, %v", problems, err)
	}
}
