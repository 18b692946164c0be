package console_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
)

// meanwhile is a store in which something changes after a list was read for the first time.
type meanwhile struct {
	center.Store
	once   sync.Once
	change func(center.Tx) error
}

func (m *meanwhile) View(ctx context.Context, fn func(center.Reader) error) error {
	var listed bool
	err := m.Store.View(ctx, func(r center.Reader) error { return fn(&listReader{r, &listed}) })
	if err == nil && listed {
		m.once.Do(func() { err = m.Update(ctx, m.change) })
	}
	return err
}

type listReader struct {
	center.Reader
	listed *bool
}

func (r *listReader) Entitlements(q center.EntitlementQuery) ([]center.Entitlement, error) {
	*r.listed = true
	return r.Reader.Entitlements(q)
}

func (r *listReader) OrphansOfAssignments(after center.Principal, limit int) ([]center.Departed, error) {
	*r.listed = true
	return r.Reader.OrphansOfAssignments(after, limit)
}

// TestAnEntitlementThatGoesTakesNoOtherOutOfTheFile: with an order, and where there are too many
// for one.
func TestAnEntitlementThatGoesTakesNoOtherOutOfTheFile(t *testing.T) {
	t.Parallel()
	for what, n := range map[string]int{"in order": 1_500, "too many": center.MaxOrderedAssignments + 500} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			ctx, a := context.Background(), newAssigning(t)
			ada := a.NewPerson("zoe")
			a.Entitled(ada, "arn:aws:iam::111122223333:role/Zero")
			id := func(i int) string { return fmt.Sprintf("e-%05d", i) }
			if err := a.Store.Update(ctx, func(tx center.Tx) (err error) {
				for i := range n {
					err = errors.Join(err, tx.PutEntitlement(center.Entitlement{
						ID: id(i), RoleARN: fmt.Sprintf("arn:aws:iam::111122223333:role/R%05d", i),
						PrincipalType: center.PrincipalUser, PrincipalID: string(ada.ID),
					}))
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			a.Store = &meanwhile{Store: a.Store, change: func(tx center.Tx) error {
				return tx.DeleteEntitlement(id(0))
			}}
			file := a.v.Get(a.URL + "/console/account-access?sort=set&format=csv")
			times := map[string]int{}
			for line := range strings.Lines(file) {
				first, _, _ := strings.Cut(line, ",")
				times[first]++
			}
			for i := 1; i < n; i++ {
				if times[id(i)] != 1 {
					t.Fatalf("%s is %d times in the file", id(i), times[id(i)])
				}
			}
		})
	}
}

// TestAFileOfTheDeletedThatLosesItsOrderBreaksOff: it would begin anew, and have the same twice.
func TestAFileOfTheDeletedThatLosesItsOrderBreaksOff(t *testing.T) {
	t.Parallel()
	ctx, a := context.Background(), newAssigning(t)
	give := func(tx center.Tx, from, to int) (err error) {
		for i := from; i < to; i++ {
			err = errors.Join(err, tx.PutAssignment(center.Assignment{
				AccountID: "111122223333", PermissionSetARN: a.set.ARN, PrincipalType: center.PrincipalUser,
				PrincipalID: fmt.Sprintf("gone-%05d", i),
			}))
		}
		return err
	}
	if err := a.Store.Update(ctx, func(tx center.Tx) error { return give(tx, 0, 150) }); err != nil {
		t.Fatal(err)
	}
	whole := a.Store
	a.Store = &meanwhile{Store: whole, change: func(tx center.Tx) error {
		return give(tx, 150, center.OrphansSought+1)
	}}
	// a connection of its own: a broken one that was used before is tried again
	client := &http.Client{Jar: a.v.Client.Jar, Transport: &http.Transport{DisableKeepAlives: true}}
	file := a.URL + "/console/leavers?of=deleted&format=csv"
	if text, err := get(t, client, file); err == nil {
		t.Errorf("the file is whole: %d lines", strings.Count(text, "\n"))
	}
	text, err := get(t, client, file)
	if n := strings.Count(text, "\n"); err != nil || n != center.OrphansSought+2 {
		t.Errorf("the next file has %d lines, %v", n, err)
	}
}

func get(t *testing.T, client *http.Client, address string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(res.Body)
	return string(text), err
}
