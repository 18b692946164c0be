package killtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
)

const domain = "northwind.example"

// value is something of the tenant that a worker changes. What was not answered may be there or
// not, whenever it comes to be looked at.
type value struct {
	known  string
	maybes []string // sent without an answer since the last acknowledged change
}

// change notes a change to a value, by whether it was acknowledged.
func (v *value) change(to string, err error) {
	if err == nil {
		v.known, v.maybes = to, nil
		return
	}
	v.maybes = append(v.maybes, to)
}

// settle compares with what is there, which is known from then on. It returns whether an
// acknowledged change is lost.
func (v *value) settle(is string) (lost bool) {
	lost = is != v.known
	for _, m := range v.maybes {
		lost = lost && is != m
	}
	v.known, v.maybes = is, nil
	return lost
}

// person is somebody at the tenant, with what the worker knows of them.
type person struct {
	key, id string
	exists  value // "yes" or ""
	name    value // user principal name
	title   value
	enabled value // "true" or "false"
	manager value // an id
	member  map[*group]*value
}

func newPerson(key string) *person {
	p := &person{key: key, member: map[*group]*value{}}
	p.name.known = key + "@" + domain
	p.title.known = "none"
	p.enabled.known = "true"
	return p
}

// create makes the person at the tenant. Only the first people are made without a doubt.
func (p *person) create(ctx context.Context, d directory) error {
	var made graph.User
	err := d.graph.Do(ctx, http.MethodPost, "/users", map[string]any{
		"accountEnabled":    true,
		"displayName":       "Person " + p.key,
		"givenName":         "Person",
		"surname":           p.key,
		"mailNickname":      p.key,
		"jobTitle":          p.title.known,
		"userPrincipalName": p.name.known,
		"mail":              p.name.known,
		"passwordProfile":   map[string]any{"password": "Correct horse 1!"},
	}, &made)
	p.id = made.ID
	p.exists.change("yes", err)
	return err
}

func (p *person) patch(ctx context.Context, d directory, in map[string]any) error {
	return d.graph.Do(ctx, http.MethodPatch, "/users/"+p.id, in, nil)
}

// join makes the person a member of a group, or none any more.
func (p *person) join(ctx context.Context, d directory, g *group, in bool) error {
	v := p.member[g]
	if v == nil {
		v = &value{}
		p.member[g] = v
	}
	var err error
	to := ""
	if in {
		to = "yes"
		ref := graph.Reference{ID: d.graph.BaseURL + "/directoryObjects/" + p.id}
		err = d.graph.Do(ctx, http.MethodPost, "/groups/"+g.id+"/members/$ref", ref, nil)
		if already(err) {
			err = nil
		}
	} else {
		err = d.graph.Do(ctx, http.MethodDelete, "/groups/"+g.id+"/members/"+p.id+"/$ref", nil, nil)
		if graph.NotFound(err) {
			err = nil
		}
	}
	v.change(to, err)
	return err
}

// already says that a member is one already: an earlier request without an answer was carried out.
func already(err error) bool {
	var e *graph.Error
	return errors.As(err, &e) && e.Status == http.StatusBadRequest
}

// group is a group at the tenant.
type group struct {
	name, id string
	title    value
}

func (g *group) create(ctx context.Context, d directory) error {
	var made graph.Group
	err := d.graph.Do(ctx, http.MethodPost, "/groups", map[string]any{
		"displayName": g.name, "mailEnabled": false, "mailNickname": "g", "securityEnabled": true,
	}, &made)
	g.id, g.title.known = made.ID, g.name
	return err
}

// worker changes its own people and its own group, one change after the other. When something has
// been killed, it takes its last changes back: those whose answers are lost are among them.
type worker struct {
	number       int
	groups       []*group
	own          *group
	people       []*person
	bosses       []string // ids of people who are never deleted: a manager who is leaves no trace at the tenant
	made         int      // people
	numbered     int      // titles and names
	chance       *rand.Rand
	acknowledged int
	undo         []change // the last changes, taken back
	undoing      []change
	kills        int64 // as far as the worker knows
}

// change is one request, which notes what came of it.
type change func(ctx context.Context) error

// remembered is how many changes a worker takes back.
const remembered = 4

func (x *worker) create(ctx context.Context, d directory) error {
	x.made++
	p := newPerson(fmt.Sprintf("w%dp%d", x.number, x.made))
	x.people = append(x.people, p)
	if err := p.create(ctx, d); err != nil {
		return err
	}
	x.undo = append(x.undo, func(ctx context.Context) error { return x.remove(ctx, d, p) })
	return p.join(ctx, d, x.own, true)
}

// work changes people until ctx is done.
func (x *worker) work(ctx context.Context, d directory, kills *atomic.Int64) {
	for ctx.Err() == nil {
		if k := kills.Load(); k != x.kills {
			x.kills, x.undoing = k, x.undo
			x.undo = nil
		}
		asking, end := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		if x.next(asking, d) == nil {
			x.acknowledged++
		}
		end()
		x.undo = x.undo[max(0, len(x.undo)-remembered):]
		pause(ctx, between(x.chance, 2*time.Millisecond, 60*time.Millisecond))
	}
}

// next takes a change back, as soon as the tenant takes that, or makes one.
func (x *worker) next(ctx context.Context, d directory) error {
	last := len(x.undoing) - 1
	if last < 0 {
		return x.change(ctx, d)
	}
	err := x.undoing[last](ctx)
	if e := new(graph.Error); err == nil || (errors.As(err, &e) && e.Status < http.StatusInternalServerError) {
		x.undoing = x.undoing[:last]
	}
	return err
}

// change makes one change.
func (x *worker) change(ctx context.Context, d directory) error {
	p := x.people[x.chance.IntN(len(x.people))]
	if p.exists.known == "" || len(p.exists.maybes) > 0 || p.id == "" {
		return x.replace(ctx, d, p)
	}
	x.numbered++
	switch n := x.chance.IntN(100); {
	case n < 20:
		return x.do(ctx, &p.title, fmt.Sprintf("title %d", x.numbered), func(ctx context.Context, to string) error {
			return p.patch(ctx, d, map[string]any{"jobTitle": to})
		})
	case n < 50:
		to := strconv.FormatBool(p.enabled.known != "true")
		return x.do(ctx, &p.enabled, to, func(ctx context.Context, to string) error {
			return p.patch(ctx, d, map[string]any{"accountEnabled": to == "true"})
		})
	case n < 80:
		g := x.groups[x.chance.IntN(len(x.groups))]
		v := p.member[g]
		in := v == nil || v.known == ""
		x.undo = append(x.undo, func(ctx context.Context) error { return p.join(ctx, d, g, !in) })
		return p.join(ctx, d, g, in)
	case n < 85:
		to := fmt.Sprintf("%s.n%d@%s", p.key, x.numbered, domain)
		return x.do(ctx, &p.name, to, func(ctx context.Context, to string) error {
			return p.patch(ctx, d, map[string]any{"userPrincipalName": to, "mail": to})
		})
	case n < 90:
		return x.setManager(ctx, d, p)
	case n < 93:
		to := fmt.Sprintf("%s n%d", x.own.name, x.numbered)
		return x.do(ctx, &x.own.title, to, func(ctx context.Context, to string) error {
			in := map[string]any{"displayName": to}
			return d.graph.Do(ctx, http.MethodPatch, "/groups/"+x.own.id, in, nil)
		})
	}
	return x.replace(ctx, d, p)
}

// do changes a value, and can take that back.
func (x *worker) do(ctx context.Context, v *value, to string, send func(context.Context, string) error) error {
	set := func(ctx context.Context, to string) error {
		err := send(ctx, to)
		v.change(to, err)
		return err
	}
	before := v.known
	x.undo = append(x.undo, func(ctx context.Context) error { return set(ctx, before) })
	return set(ctx, to)
}

func (x *worker) setManager(ctx context.Context, d directory, p *person) error {
	boss := x.bosses[x.chance.IntN(len(x.bosses))]
	before := p.manager.known
	set := func(ctx context.Context, to string) (err error) {
		if at := "/users/" + p.id + "/manager/$ref"; to == "" {
			err = d.graph.Do(ctx, http.MethodDelete, at, nil, nil)
		} else {
			err = d.graph.Do(ctx, http.MethodPut, at, graph.Reference{ID: d.graph.BaseURL + "/users/" + to}, nil)
		}
		p.manager.change(to, err)
		return err
	}
	x.undo = append(x.undo, func(ctx context.Context) error { return set(ctx, before) })
	return set(ctx, boss)
}

// replace deletes a person and makes another one.
func (x *worker) replace(ctx context.Context, d directory, p *person) error {
	if err := x.remove(ctx, d, p); err != nil {
		return err
	}
	return x.create(ctx, d)
}

// remove deletes a person. Where another one was made in the meantime, nothing is left to do.
func (x *worker) remove(ctx context.Context, d directory, p *person) error {
	if p.id != "" {
		err := d.graph.Do(ctx, http.MethodDelete, "/users/"+p.id, nil, nil)
		if graph.NotFound(err) {
			err = nil
		}
		if p.exists.change("", err); err != nil {
			return err
		}
	}
	if x.people = slices.DeleteFunc(x.people, func(o *person) bool { return o == p }); len(x.people) == 0 {
		return x.create(ctx, d)
	}
	return nil
}
