package centertest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Store is the contract of center.Store. open returns an empty store.
func Store(t *testing.T, open func(t *testing.T) center.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, center.Store)
	}{
		{"users are found by every key, ignoring letter case where names do", usersByKey},
		{"an e-mail address is one user's, also where it is a user name", emails},
		{"users and groups page by key in one order", paging},
		{"memberships are found from both ends and go with their group or user", memberships},
		{"groups are found by every key, and count their changes", groups},
		{"every list and every deletion of small nouns", lists},
		{"what no text can hold is not found, and no failure", strange},
		{"an update that fails leaves nothing behind", failedUpdate},
		{"an update that is only tried leaves nothing behind, and says what refuses it", triedUpdate},
		{"a panic in an update leaves nothing behind and the store usable", panicking},
		{"updates that arrive together are all kept", concurrentWriters},
		{"of conflicting writers exactly one wins", conflictingWriters},
		{"a view is one consistent snapshot", snapshot},
		{"settings, tokens, keys and sessions round trip", nouns},
		{"accounts, permission sets and open sessions are counted, and keys are kept apart", counted},
		{"tickets, devices and sessions belong to somebody and end", signIns},
		{"administrators are found by name, and their sessions by principal", administrators},
		{"grants are found by both codes and kept by shares", grants},
		{"assignments and their requests are selected by every field", assignments},
		{"assignments are in the order of names", orderedAssignments},
		{"access comes by users and groups, in pages, with its roles", access},
		{"sessions of roles are kept until they end, and revocations until they are taken back", roleSessions},
		{"what somebody has open is read together", opened},
		{"requests for access are found by who asked and who decides, and are due", accessRequests},
		{"reviews of access are due, and their lines are found by owner and state", accessReviews},
		{"the history is none at first, and then what was kept last", history},
		{"when roles were used is found by account, set, user and time", roleUses},
		{"what leavers had is kept, and who held what when deleted, and when roles were used", leavers},
		{"who is entitled to roles is found by everything, and a user's roles once each", entitlements},
		{"a place has one label", accountLabels},
		{"disabled users who have something are found, and what is assigned to nobody", reported},
		{"work on roles is queued, taken one at a time in an account, and waited for", roleJobs},
		{"rules want assignments, and somebody by hand", assignmentRules},
		{"applications, token issuers and settings round trip", applications},
		{"what has expired is removed and nothing else", expiry},
		{"events come newest first and by request", events},
		{"events are kept for as long as they are to be", retention},
		{"of an event only so much is kept", bounded},
		{"events are found by filters, page by page", findEvents},
		{"lists are searched, filtered and in order", searchedLists},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, open(t))
		})
	}
}

var background = context.Background()

func update(t *testing.T, s center.Store, fn func(center.Tx) error) {
	t.Helper()
	if err := s.Update(background, fn); err != nil {
		t.Fatal(err)
	}
}

func view(t *testing.T, s center.Store, fn func(center.Reader) error) {
	t.Helper()
	if err := s.View(background, fn); err != nil {
		t.Fatal(err)
	}
}

// addUser adds a user whose keys nobody has.
func addUser(tx center.Tx, u center.User) error {
	added, err := tx.AddUser(u)
	if err == nil && !added {
		err = fmt.Errorf("user %s was not added", u.ID)
	}
	return err
}

// wantNoRow reports when err is not ErrNoRow.
func wantNoRow(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, refusal.ErrNoRow) {
		t.Errorf("%s: error %v, want ErrNoRow", what, err)
	}
}

func lists(t *testing.T, s center.Store) {
	update(t, s, func(tx center.Tx) error {
		return errors.Join(
			tx.PutAccessKey(center.AccessKey{ID: "AKIA1"}),
			tx.PutAccessKey(center.AccessKey{ID: "AKIA2", Role: center.RoleReadOnly}),
			tx.PutAccount(center.Account{ID: "111122223333"}),
			tx.PutPermissionSet(center.PermissionSet{ARN: "ps1", Name: "A"}),
			tx.PutBearerToken(center.BearerToken{ID: "t1", Digest: "d1"}),
			tx.PutBearerToken(center.BearerToken{ID: "t2", Digest: "d2", Profile: center.ProfileStandard}),
			tx.PutProvisioningTenant(center.ProvisioningTenant{ID: "ten"}),
			tx.PutSession(center.Session{Digest: "s1", ExpiresAt: time.Now()}),
			tx.PutAssignmentRequest(center.AssignmentRequest{ID: "q1", Kind: center.Creation}),
			addUser(tx, center.User{ID: "u1", UserName: "ada", DisplayName: "Ada"}),
		)
	})
	view(t, s, func(r center.Reader) error {
		keys, e1 := r.AccessKeys()
		accounts, e2 := r.Accounts()
		sets, e3 := r.PermissionSets(center.PermissionSetQuery{})
		tokens, e4 := r.BearerTokens()
		if len(keys) != 2 || keys[1].Role != center.RoleReadOnly || len(accounts) != 1 || len(sets) != 1 ||
			len(tokens) != 2 || !tokens[1].Standard() {
			t.Errorf("lists %v %v %v %v", keys, accounts, sets, tokens)
		}
		key, e5 := r.AccessKey("AKIA2")
		account, e6 := r.Account("111122223333")
		set, e7 := r.PermissionSet("ps1")
		token, e8 := r.BearerToken("t2")
		request, e9 := r.AssignmentRequest("q1")
		tenant, e10 := r.ProvisioningTenant()
		if key.ID != "AKIA2" || account.ID != "111122223333" || set.Name != "A" || token.ID != "t2" ||
			request.ID != "q1" || tenant.ID != "ten" {
			t.Errorf("read back %v %v %v %v %v %v", key, account, set, token, request, tenant)
		}
		return errors.Join(e1, e2, e3, e4, e5, e6, e7, e8, e9, e10)
	})
	update(t, s, func(tx center.Tx) error {
		return errors.Join(
			tx.DeleteAccessKey("AKIA1"), tx.DeleteSession("s1"),
			tx.PutUserKeepingKeys(center.User{ID: "u1", UserName: "ada", DisplayName: "Ada", Title: "Countess"}),
		)
	})
	view(t, s, func(r center.Reader) error {
		_, e1 := r.AccessKey("AKIA1")
		_, e2 := r.Session("s1")
		for what, err := range map[string]error{"key": e1, "session": e2} {
			wantNoRow(t, what, err)
		}
		if u, err := r.UserByName("ada"); err != nil || u.Title != "Countess" {
			t.Errorf("after the change %+v, %v", u, err)
		}
		return nil
	})
}

// strange asks for what clients should not send and do.
func strange(t *testing.T, s center.Store) {
	view(t, s, func(r center.Reader) error {
		for _, text := range []string{
			"\x00", "a\x00b", "\xff\xfe", "", "'; DROP TABLE users; --", strings.Repeat("x", 1<<20),
		} {
			_, e1 := r.UserByName(text)
			_, e2 := r.Group(center.GroupID(text))
			_, e3 := r.Membership(center.MembershipID(text))
			for _, err := range []error{e1, e2, e3} {
				wantNoRow(t, fmt.Sprintf("%.20q", text), err)
			}
			if _, err := r.Users(center.UserQuery{Search: text, Limit: 1}); err != nil {
				t.Errorf("search for %.20q: %v", text, err)
			}
		}
		return nil
	})
}

func failedUpdate(t *testing.T, s center.Store) {
	boom := errors.New("boom")
	err := s.Update(background, func(tx center.Tx) error {
		if err := addUser(tx, center.User{ID: "u1", UserName: "a"}); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Errorf("got %v, want the rule's own error", err)
	}
	view(t, s, func(r center.Reader) error {
		_, err := r.User("u1")
		wantNoRow(t, "user of the failed update", err)
		return nil
	})
}

func triedUpdate(t *testing.T, s center.Store) {
	boom := errors.New("boom")
	for _, refuses := range []error{nil, boom} {
		if err := refusal.Try(background, func(ctx context.Context) error {
			return s.Update(ctx, func(tx center.Tx) error {
				return cmp.Or(refuses, addUser(tx, center.User{ID: "u1", UserName: "a"}))
			})
		}); !errors.Is(err, refuses) {
			t.Errorf("a trial says %v, want %v", err, refuses)
		}
		view(t, s, func(r center.Reader) error {
			_, err := r.User("u1")
			wantNoRow(t, "user of the trial", err)
			return nil
		})
	}
	if err := refusal.Try(background, func(ctx context.Context) error {
		return s.Update(refusal.Really(ctx), func(tx center.Tx) error {
			return addUser(tx, center.User{ID: "u1", UserName: "a"})
		})
	}); err != nil {
		t.Error(err)
	}
	view(t, s, func(r center.Reader) error {
		_, err := r.User("u1")
		return err
	})
}

func panicking(t *testing.T, s center.Store) {
	func() {
		// PostgreSQL's store lets the panic through, SQLite's writer turns it into an error
		defer func() { _ = recover() }()
		if err := s.Update(background, func(tx center.Tx) error {
			if err := addUser(tx, center.User{ID: "u1", UserName: "a"}); err != nil {
				return err
			}
			panic("boom")
		}); err == nil {
			t.Error("no error")
		}
	}()
	update(t, s, func(tx center.Tx) error { return addUser(tx, center.User{ID: "u2", UserName: "b"}) })
	view(t, s, func(r center.Reader) error {
		_, err := r.User("u1")
		wantNoRow(t, "user of the update that panicked", err)
		return nil
	})
}

func concurrentWriters(t *testing.T, s center.Store) {
	var all sync.WaitGroup
	failures := make(chan error, 64)
	for i := range 64 {
		all.Go(func() {
			failures <- s.Update(background, func(tx center.Tx) error {
				id := fmt.Sprint("u", i)
				return addUser(tx, center.User{ID: center.UserID(id), UserName: id})
			})
		})
	}
	all.Wait()
	for range 64 {
		if err := <-failures; err != nil {
			t.Error(err)
		}
	}
	view(t, s, func(r center.Reader) error {
		n, err := r.CountUsers(center.UserQuery{})
		if n != 64 {
			t.Errorf("%d users, want 64", n)
		}
		return err
	})
}

// conflictingWriters all want the same name, each after having looked whether it is free.
func conflictingWriters(t *testing.T, s center.Store) {
	taken := errors.New("taken")
	var all sync.WaitGroup
	results := make(chan error, 16)
	for i := range 16 {
		all.Go(func() {
			results <- s.Update(background, func(tx center.Tx) error {
				if _, err := tx.UserByName("ada"); !errors.Is(err, refusal.ErrNoRow) {
					return errors.Join(taken, err)
				}
				return addUser(tx, center.User{ID: center.UserID(fmt.Sprint("u", i)), UserName: "Ada"})
			})
		})
	}
	all.Wait()
	won := 0
	for range 16 {
		switch err := <-results; {
		case err == nil:
			won++
		case !errors.Is(err, taken):
			t.Errorf("lost with %v, want the rule's refusal", err)
		}
	}
	if won != 1 {
		t.Errorf("%d writers won", won)
	}
}

func snapshot(t *testing.T, s center.Store) {
	view(t, s, func(r center.Reader) error {
		before, err := r.CountUsers(center.UserQuery{})
		if err != nil {
			return err
		}
		if err := s.Update(background, func(tx center.Tx) error {
			return addUser(tx, center.User{ID: "late", UserName: "late"})
		}); err != nil {
			return err
		}
		after, err := r.CountUsers(center.UserQuery{})
		if before != after {
			t.Errorf("a view saw %d users, then %d", before, after)
		}
		return err
	})
}

func nouns(t *testing.T, s center.Store) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	instance := center.Instance{ARN: "arn", IdentityStoreID: "d-1", CreatedAt: now}
	source := center.IdentitySource{
		Type: center.ExternalIdP,
		IdP:  &center.IdPConfiguration{ID: "c", Certificates: [][]byte{{1, 2}}},
	}
	token := center.BearerToken{ID: "t1", TenantID: "ten", Digest: "dig", ExpiresAt: now}
	update(t, s, func(tx center.Tx) error {
		_, err := tx.IdentitySource()
		wantNoRow(t, "identity source", err)
		return errors.Join(
			tx.PutInstance(instance),
			tx.PutIdentitySource(source),
			tx.PutProvisioningTenant(center.ProvisioningTenant{ID: "ten"}),
			tx.PutBearerToken(token),
			tx.PutAccount(center.Account{ID: "111122223333", Name: "A"}),
			tx.PutPermissionSet(center.PermissionSet{ARN: "ps", Name: "Admin", ManagedPolicies: []string{"p"}}),
			tx.PutAccessKey(center.AccessKey{ID: "AKIA"}),
			tx.PutAdministrator(center.Administrator{Name: "Admin"}),
			tx.PutPassword(center.Password{Principal: "u1", Hash: "h"}),
			tx.PutSession(center.Session{Digest: "s", UserID: "u1", ExpiresAt: now}),
		)
	})
	view(t, s, func(r center.Reader) error {
		gotInstance, e1 := r.Instance()
		gotSource, e2 := r.IdentitySource()
		byDigest, e3 := r.BearerTokenByDigest("dig")
		admin, e4 := r.Administrator("aDMIN")
		set, e5 := r.PermissionSetByName("Admin")
		session, e6 := r.Session("s")
		if gotInstance != instance || gotSource.IdP.ID != "c" || byDigest.ID != "t1" || admin.Name != "Admin" ||
			set.ARN != "ps" || session.UserID != "u1" {
			t.Errorf("read back %+v %+v %+v %+v %+v %+v", gotInstance, gotSource, byDigest, admin, set, session)
		}
		return errors.Join(e1, e2, e3, e4, e5, e6)
	})
	update(t, s, func(tx center.Tx) error {
		return errors.Join(
			tx.DeleteBearerToken("t1"), tx.DeleteProvisioningTenant(), tx.DeletePassword("u1"),
			tx.DeleteSessionsOf("u1"), tx.DeletePermissionSet("ps"),
		)
	})
	view(t, s, func(r center.Reader) error {
		_, e1 := r.BearerToken("t1")
		_, e2 := r.ProvisioningTenant()
		_, e3 := r.Password("u1")
		_, e4 := r.Session("s")
		_, e5 := r.PermissionSet("ps")
		for what, err := range map[string]error{
			"token":          e1,
			"tenant":         e2,
			"password":       e3,
			"session":        e4,
			"permission set": e5,
		} {
			wantNoRow(t, what, err)
		}
		return nil
	})
}

func assignments(t *testing.T, s center.Store) {
	a := center.Assignment{
		AccountID:        "111122223333",
		PermissionSetARN: "ps1",
		PrincipalType:    center.PrincipalGroup,
		PrincipalID:      "g1",
	}
	b := center.Assignment{
		AccountID:        "222233334444",
		PermissionSetARN: "ps1",
		PrincipalType:    center.PrincipalUser,
		PrincipalID:      "u1",
	}
	update(t, s, func(tx center.Tx) error {
		return errors.Join(
			tx.PutAssignment(a),
			tx.PutAssignment(a),
			tx.PutAssignment(b),
			tx.PutAssignmentRequest(center.AssignmentRequest{
				ID:        "r1",
				Kind:      center.Creation,
				Status:    center.Succeeded,
				CreatedAt: time.UnixMilli(1),
			}),
			tx.PutAssignmentRequest(center.AssignmentRequest{
				ID:        "r2",
				Kind:      center.Creation,
				Status:    center.Failed,
				CreatedAt: time.UnixMilli(2),
			}),
		)
	})
	view(t, s, func(r center.Reader) error {
		for _, c := range []struct {
			q    center.AssignmentQuery
			want int
		}{
			{center.AssignmentQuery{}, 2},
			{center.AssignmentQuery{AccountID: a.AccountID}, 1},
			{center.AssignmentQuery{PermissionSetARN: "ps1"}, 2},
			{center.AssignmentQuery{PrincipalID: "u1"}, 1},
			{center.AssignmentQuery{PrincipalType: center.PrincipalGroup, PrincipalID: "u1"}, 0},
			{center.AssignmentQuery{Limit: 1}, 1},
			{center.AssignmentQuery{Limit: 5, Offset: 1}, 1},
			{center.AssignmentQuery{Words: []center.AssignmentWord{{}}}, 0},
			{center.AssignmentQuery{Words: []center.AssignmentWord{{Principals: []string{"u1", "nobody"}}}}, 1},
			{center.AssignmentQuery{Words: []center.AssignmentWord{
				{Accounts: []string{"elsewhere"}, PermissionSets: []string{"ps1"}}, {Principals: []string{"u1"}},
			}}, 1},
		} {
			got, err := r.Assignments(c.q)
			if err != nil || len(got) != c.want {
				t.Errorf("%+v: %d, %v; want %d", c.q, len(got), err, c.want)
			}
			all := c.want
			if c.q.Limit > 0 {
				all = 2
			}
			if n, err := r.CountAssignments(c.q); err != nil || n != all {
				t.Errorf("%+v: counted %d, %v", c.q, n, err)
			}
		}
		list, err := r.AssignmentRequests(center.AssignmentRequestQuery{Kind: center.Creation})
		if err != nil || len(list) != 2 || list[0].ID != "r2" {
			t.Errorf("requests %v, %v; want the newest first", list, err)
		}
		failed, err := r.AssignmentRequests(center.AssignmentRequestQuery{Kind: center.Creation, Status: center.Failed})
		if err != nil || len(failed) != 1 {
			t.Errorf("failed requests %v, %v", failed, err)
		}
		return nil
	})
	update(t, s, func(tx center.Tx) error { return tx.DeleteAssignment(a) })
	view(t, s, func(r center.Reader) error {
		got, err := r.Assignments(center.AssignmentQuery{})
		if len(got) != 1 || got[0] != b {
			t.Errorf("left %v", got)
		}
		return err
	})
}

func expiry(t *testing.T, s center.Store) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	update(t, s, func(tx center.Tx) error {
		err := errors.Join(
			tx.PutSession(center.Session{Digest: "old", ExpiresAt: now}),
			tx.PutSession(center.Session{Digest: "new", ExpiresAt: now.Add(time.Second)}),
			tx.PutUsedAssertion(center.UsedAssertion{ID: "old", ExpiresAt: now}),
			tx.PutUsedAssertion(center.UsedAssertion{ID: "new", ExpiresAt: now.Add(time.Second)}),
		)
		n, e2 := tx.DeleteExpired(now, now)
		if n != 2 {
			t.Errorf("%d rows were swept, want 2", n)
		}
		return errors.Join(err, e2)
	})
	view(t, s, func(r center.Reader) error {
		_, e1 := r.Session("old")
		_, e2 := r.UsedAssertion("old")
		for _, err := range []error{e1, e2} {
			wantNoRow(t, "expired", err)
		}
		_, e1 = r.Session("new")
		_, e2 = r.UsedAssertion("new")
		return errors.Join(e1, e2)
	})
	err := s.Update(
		background,
		func(tx center.Tx) error { return tx.PutUsedAssertion(center.UsedAssertion{ID: "new", ExpiresAt: now}) },
	)
	if err == nil {
		t.Error("an assertion could be used twice")
	}
}

func events(t *testing.T, s center.Store) {
	update(t, s, func(tx center.Tx) error {
		for i := range 5 {
			if err := tx.AppendEvent(audit.Event{
				ID:    fmt.Sprint("e", i),
				Time:  time.UnixMilli(int64(i)),
				Actor: audit.Actor{RequestID: fmt.Sprint("r", i%2)},
			}); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(r center.Reader) error {
		all, err := r.Events(center.EventQuery{Limit: 3})
		if err != nil || len(all) != 3 || all[0].ID != "e4" {
			t.Errorf("newest three: %v, %v", all, err)
		}
		one, err := r.Events(center.EventQuery{RequestID: "r1"})
		if err != nil || len(one) != 2 {
			t.Errorf("of one request: %v, %v", one, err)
		}
		before, err := r.Events(center.EventQuery{Before: time.UnixMilli(2)})
		if err != nil || len(before) != 2 {
			t.Errorf("before the third: %v, %v", before, err)
		}
		return nil
	})
}
