package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
)

// Who is there, beside people who work and have nothing of their own: one of so many is disabled,
// and of these one of so many has something left.
const (
	disabledOf     = 10
	leftOf         = 10
	departedPeople = 500
	leaverRounds   = 20 // requests of a figure
	commandRounds  = 3  // of a whole command
)

// leaversWorld is a center of many people of whom a tenth has left.
type leaversWorld struct {
	accessWorld
	*bench
	on       string
	everyone string   // the group of all
	present  []string // people who are enabled
}

// leaverReports measures who left with something, who has access and the end of somebody's access
// among many people: a request each, and the commands whole.
func leaverReports(s settings, self string) ([]figure, error) {
	b, err := newBench(s, self)
	if err != nil {
		return nil, err
	}
	defer b.stop()
	w := &leaversWorld{bench: b, on: "SQLite"}
	if s.database != "" {
		w.on = "PostgreSQL"
	}
	if w.target, err = b.startCenter("center on "+w.on, s.database); err != nil {
		return nil, err
	}
	if err := w.fillLeavers(); err != nil {
		return nil, err
	}
	return w.measureLeavers()
}

// fillLeavers makes people, a group of all of them that administers an account, and leavers.
func (w *leaversWorld) fillLeavers() error {
	w.say("making %s users, of whom one in %d is disabled", thousands(w.users()), disabledOf)
	if err := w.fill(w.users() + departedPeople); err != nil {
		return err
	}
	if err := w.center.admin.PutAccounts(context.Background(), []adminapi.Account{
		{ID: accountID(0), Name: "Production"}, {ID: accountID(1), Name: "Test"},
	}); err != nil {
		return err
	}
	var out struct {
		PermissionSet struct{ PermissionSetArn string }
	}
	if err := w.ssoAdmin(
		"CreatePermissionSet", fmt.Sprintf(`{"InstanceArn":"%s","Name":"Admins"}`, w.instance()), &out,
	); err != nil {
		return err
	}
	w.sets = []string{out.PermissionSet.PermissionSetArn}
	if err := w.ssoAdmin("AttachManagedPolicyToPermissionSet", fmt.Sprintf(
		`{"InstanceArn":"%s","PermissionSetArn":"%s","ManagedPolicyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}`,
		w.instance(), w.sets[0],
	), &struct{}{}); err != nil {
		return err
	}
	if err := w.makeEveryone(); err != nil {
		return err
	}
	return w.leave()
}

func (w *leaversWorld) users() int { return w.bench.users }

// makeEveryone makes the group of all, which the directory keeps, and gives it an account.
func (w *leaversWorld) makeEveryone() (err error) {
	if w.everyone, err = created(w.address, message(nil, "POST", w.prefix+"Groups", w.headers, []byte(
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Everyone","externalId":"everyone"}`,
	))); err != nil {
		return err
	}
	w.groups = []string{w.everyone}
	next, _ := addMembers(100, 0)(w.target)
	if _, err := closedLoop(w.address, 1, time.Hour, w.users()/100, next); err != nil {
		return err
	}
	return w.assign(accountID(0), adminapi.PrincipalGroup, w.everyone)
}

func (w *leaversWorld) assign(account, kind, id string) error {
	return w.ssoAdmin("CreateAccountAssignment", fmt.Sprintf(
		`{"InstanceArn":"%s","TargetId":"%s","TargetType":"AWS_ACCOUNT","PermissionSetArn":"%s","PrincipalType":"%s",`+
			`"PrincipalId":"%s"}`, w.instance(), account, w.sets[0], kind, id,
	), &struct{}{})
}

// leave disables people, some of whom have something left, and deletes others.
func (w *leaversWorld) leave() error {
	people, departed := w.target.users[:w.users()], w.target.users[w.users():]
	var disabled []string
	for i, id := range people {
		if i%disabledOf == 1 {
			disabled = append(disabled, id)
		} else {
			w.present = append(w.present, id)
		}
	}
	for i, id := range disabled {
		if i%leftOf == 0 {
			if err := w.assign(accountID(1), adminapi.PrincipalUser, id); err != nil {
				return err
			}
		}
	}
	for _, id := range departed {
		if err := w.assign(accountID(1), adminapi.PrincipalUser, id); err != nil {
			return err
		}
	}
	each := (len(disabled) + connections - 1) / connections
	if _, err := closedLoop(w.address, connections, time.Hour, each, func(buf []byte, c, i int) []byte {
		id := disabled[min(c*each+i, len(disabled)-1)]
		return message(buf, "PATCH", w.prefix+"Users/"+id, w.headers,
			[]byte(patchURN+`{"op":"replace","path":"active","value":false}]}`))
	}); err != nil {
		return err
	}
	_, err := closedLoop(w.address, 1, time.Hour, len(departed), func(buf []byte, _, i int) []byte {
		return message(buf, "DELETE", w.prefix+"Users/"+departed[i], w.headers, nil)
	})
	return err
}

// measureLeavers measures a request each, and the commands.
func (w *leaversWorld) measureLeavers() (figures []figure, err error) {
	ctx, admin := context.Background(), w.center.admin
	left := w.users() / disabledOf / leftOf
	next := 0
	for _, m := range []struct {
		name string
		ask  func() error
	}{
		{"leavers, first page of 100", func() error {
			page, err := admin.ListLeavers(ctx, "")
			return expect(err, len(page.Leavers), min(100, left))
		}},
		{"deleted users with assignments, first page of 100", func() error {
			page, err := admin.ListOrphans(ctx, "")
			return expect(err, len(page.Orphans), 100)
		}},
		{"who has access to an account that all administer, first 1,000", func() error {
			ways, _, err := admin.ListHeldAccess(ctx, adminapi.HeldAccessInput{
				AccountID: accountID(0), Administrative: true,
			}, 1000)
			return expect(err, len(ways), 1000)
		}},
		{"… the last 1,000", func() error {
			ways, _, err := admin.ListHeldAccess(ctx, adminapi.HeldAccessInput{
				AccountID: accountID(0), Administrative: true, NextToken: fmt.Sprint(w.users() - 1000),
			}, 1000)
			return expect(err, len(ways), 1000)
		}},
		{"access of a user", func() error {
			ways, _, err := admin.ListHeldAccess(ctx, adminapi.HeldAccessInput{UserID: w.present[0]}, 500)
			return expect(err, len(ways), 1)
		}},
		{"RevokeUser", func() error {
			next++
			_, err := admin.RevokeUser(ctx, w.present[next])
			return err
		}},
	} {
		f, err := w.asked(m.name, leaverRounds, m.ask)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		figures = append(figures, f)
	}
	for _, args := range [][]string{
		{"leavers", "--json"}, {"revoke", knownName(0)}, {"access", "who", "Production"},
		{"access", "who", "Production", "--limit", fmt.Sprint(w.users())},
	} {
		f, err := w.commanded(args)
		if err != nil {
			return nil, fmt.Errorf("gatehouse %s: %w", strings.Join(args, " "), err)
		}
		figures = append(figures, f)
	}
	return figures, nil
}

func expect(err error, got, want int) error {
	if err == nil && got != want {
		err = fmt.Errorf("%d instead of %d", got, want)
	}
	return err
}

// asked measures requests one after the other, and what the center takes for one.
func (w *leaversWorld) asked(name string, rounds int, ask func() error) (figure, error) {
	w.say("%s", name)
	var took []time.Duration
	cpu := w.target.process.cpu()
	for range rounds {
		began := time.Now()
		if err := ask(); err != nil {
			return figure{}, err
		}
		took = append(took, time.Since(began))
	}
	cpu = (w.target.process.cpu() - cpu) / time.Duration(rounds)
	slices.Sort(took)
	return figure{
		Name: fmt.Sprintf("%s, %s users, %s", name, thousands(w.users()), w.on), Value: ms(took[len(took)/2]),
		Unit: "ms", Aim: "≤ 1000",
		More: fmt.Sprintf("worst %.0f ms, server CPU %s, server %.0f MiB", ms(took[len(took)-1]),
			cpu.Round(100*time.Microsecond), w.target.process.resident()),
	}, nil
}

// commanded measures a command whole, and its memory.
func (w *leaversWorld) commanded(args []string) (figure, error) {
	largest := 0.0
	f, err := w.asked("gatehouse "+strings.Join(args, " "), commandRounds, func() error {
		var said strings.Builder
		// #nosec G204 -- what the person who runs the benchmark named
		cmd := exec.CommandContext(context.Background(), w.program, args...)
		cmd.Stdout, cmd.Stderr = io.Discard, &said
		cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL=http://"+w.address,
			"AWS_ACCESS_KEY_ID="+w.center.admin.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+w.center.admin.SecretAccessKey)
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%w: %s", err, said.String())
		}
		used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		if !ok {
			return errors.New("the system does not say what memory the command took")
		}
		largest = max(largest, float64(used.Maxrss)/1024)
		return nil
	})
	f.More += fmt.Sprintf(", command %.0f MiB", largest)
	return f, err
}
