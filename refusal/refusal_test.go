package refusal_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// TestADeclarationIsWhole: a code without a text, a remedy or a kind cannot be declared, nor one
// that is declared already.
func TestADeclarationIsWhole(t *testing.T) {
	var c refusal.Catalogue
	c.New("taken", refusal.Conflict, "it is taken", "choose another one")
	for what, declare := range map[string]func(){
		"no name":       func() { c.New("", refusal.Invalid, "it is wrong", "correct it") },
		"no text":       func() { c.New("a", refusal.Invalid, "", "correct it") },
		"no remedy":     func() { c.New("b", refusal.Invalid, "it is wrong", " ") },
		"a sentence":    func() { c.New("e", refusal.Invalid, "It is wrong.", "correct it") },
		"no kind":       func() { c.New("c", refusal.Internal, "it is wrong", "correct it") },
		"no known kind": func() { c.New("d", refusal.Unavailable+1, "it is wrong", "correct it") },
		"declared":      func() { c.New("taken", refusal.Invalid, "it is wrong", "correct it") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: declared", what)
				}
			}()
			declare()
		}()
	}
	if all := c.All(); len(all) != 1 || all[0].String() != "taken" {
		t.Errorf("the catalogue has %v, want what is whole", all)
	}
}

func TestAnErrorCarriesItsCode(t *testing.T) {
	var c refusal.Catalogue
	taken := c.New("taken", refusal.Conflict, "it is taken", "choose another one")
	refused := &refusal.Error{Code: taken, Field: "userName", Subject: "ada", Detail: "by bob"}
	wrapped := errors.Join(fmt.Errorf("add: %w", refused), errors.New("disk"))
	if refusal.CodeOf(wrapped) != taken || refusal.KindOf(wrapped) != refusal.Conflict ||
		refusal.Detail(wrapped) != "it is taken: userName (ada): by bob" {
		t.Errorf("%v, %v, %q", refusal.CodeOf(wrapped), refusal.KindOf(wrapped), refusal.Detail(wrapped))
	}
	if c.Named("taken") != taken || c.Named("gone") != refusal.None {
		t.Error("the catalogue does not find its codes by name")
	}
	for _, err := range []error{nil, errors.New("disk"), &refusal.Error{}} {
		if refusal.CodeOf(err) != refusal.None || refusal.KindOf(err) != refusal.Internal {
			t.Errorf("%v is refused with %v", err, refusal.CodeOf(err))
		}
	}
	if s := refusal.None.String() + refusal.None.What() + refusal.None.Remedy(); s != "" {
		t.Errorf("None says %q", s)
	}
}

func TestNoRowBecomesARefusal(t *testing.T) {
	var c refusal.Catalogue
	missing := c.New("missing", refusal.NotFound, "there is none", "look again")
	if err := refusal.IfNoRow(
		fmt.Errorf("read: %w", refusal.ErrNoRow), missing, "ada",
	); refusal.CodeOf(err) != missing {
		t.Errorf("no row: %v", err)
	}
	other := errors.New("disk")
	if err := refusal.IfNoRow(other, missing, "ada"); err != other { //nolint:errorlint // the very same
		t.Errorf("another error: %v", err)
	}
	if err := refusal.IfNoRow(nil, missing, "ada"); err != nil {
		t.Errorf("no error: %v", err)
	}
}
