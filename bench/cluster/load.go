package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// answer is one request, as its client saw it.
type answer struct {
	began, ended time.Time
	read         bool
	status       int // 0: none
}

func (a answer) failed() bool { return a.status == 0 || a.status >= http.StatusBadRequest }

// load is what clients do to the cluster all the time.
type load struct {
	c       *cluster
	http    *http.Client
	mu      sync.Mutex
	answers []answer
	lost    []string // what was acknowledged and is not there

	changers []*changer
	made     map[string]string // names by id, of people who were acknowledged
	group    string
}

// changer changes the title of one person, counting, and puts the person into the group and out.
type changer struct {
	id                 string
	sent, acknowledged int // the title
	member             int // 1: in the group, -1: not, 0: the last change of it has no answer
}

const (
	changersOfALoad = 6
	readersOfALoad  = 6
	answerWithin    = 45 * time.Second
	pause           = 4 * time.Millisecond
)

func newLoad(ctx context.Context, c *cluster) (*load, error) {
	l := &load{c: c, made: map[string]string{}, http: &http.Client{
		Timeout: answerWithin, Transport: &http.Transport{MaxIdleConnsPerHost: changersOfALoad + readersOfALoad + 1},
	}}
	group, err := l.make(ctx, "/Groups", map[string]any{"displayName": "Everybody"})
	if err != nil {
		return nil, err
	}
	l.group = group
	for i := range changersOfALoad {
		id, err := l.make(ctx, "/Users", person(fmt.Sprintf("changer%d@example.com", i)))
		if err != nil {
			return nil, err
		}
		l.changers = append(l.changers, &changer{id: id, member: -1})
	}
	return l, nil
}

func person(name string) map[string]any {
	return map[string]any{
		"userName": name, "displayName": name, "active": true,
		"name":   map[string]any{"givenName": "P", "familyName": "Q"},
		"emails": []any{map[string]any{"value": name, "type": "work", "primary": true}},
	}
}

func (l *load) make(ctx context.Context, path string, in map[string]any) (string, error) {
	var out struct{ ID string }
	status, err := l.do(ctx, http.MethodPost, path, in, &out)
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("POST %s: %d", path, status)
	}
	return out.ID, err
}

// do sends one request, and decodes the answer when it is good.
func (l *load) do(ctx context.Context, method, path string, in, out any) (int, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return 0, err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, l.c.scim+path, body)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+l.c.token)
	req.Header.Set("Content-Type", "application/scim+json")
	res, err := l.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close() //nolint:errcheck // read below
	data, err := io.ReadAll(res.Body)
	if err == nil && out != nil && res.StatusCode < http.StatusMultipleChoices {
		err = json.Unmarshal(data, out)
	}
	return res.StatusCode, err
}

// send is do, noted. It says whether the request was carried out.
func (l *load) send(ctx context.Context, method, path string, in, out any) bool {
	a := answer{began: time.Now(), read: method == http.MethodGet}
	status, err := l.do(ctx, method, path, in, out)
	if a.status = status; err != nil {
		a.status = 0
	}
	a.ended = time.Now()
	l.mu.Lock()
	l.answers = append(l.answers, a)
	l.mu.Unlock()
	return !a.failed()
}

// run works until ctx ends; what is under way then is finished.
func (l *load) run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	repeat := func(do func(n int)) {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				do(n)
				time.Sleep(pause) // clients have other things to do
			}
		})
	}
	whole := context.WithoutCancel(ctx)
	for _, c := range l.changers {
		repeat(func(n int) {
			if n%4 == 3 {
				l.join(whole, c)
				return
			}
			c.sent++
			if l.send(whole, http.MethodPatch, "/Users/"+c.id, patch("replace", "title", strconv.Itoa(c.sent)), nil) {
				c.acknowledged = c.sent
			}
		})
	}
	repeat(func(n int) {
		name := fmt.Sprintf("made%d@example.com", n)
		var out struct{ ID string }
		if l.send(whole, http.MethodPost, "/Users", person(name), &out) {
			l.mu.Lock()
			l.made[out.ID] = name
			l.mu.Unlock()
		}
	})
	for i := range readersOfALoad {
		repeat(func(int) { l.send(whole, http.MethodGet, "/Users/"+l.changers[i%len(l.changers)].id, nil, nil) })
	}
}

// join puts a person into the group, or out of it.
func (l *load) join(ctx context.Context, c *changer) {
	wanted, op := 1, "add"
	if c.member == 1 {
		wanted, op = -1, "remove"
	}
	c.member = 0
	if l.send(
		ctx, http.MethodPatch, "/Groups/"+l.group, patch(op, "members", []any{map[string]any{"value": c.id}}), nil,
	) {
		c.member = wanted
	}
}

func patch(op, path string, value any) map[string]any {
	return map[string]any{
		"schemas":    []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
		"Operations": []any{map[string]any{"op": op, "path": path, "value": value}},
	}
}

// verify looks for everything that was acknowledged. It returns what is not there.
func (l *load) verify(ctx context.Context) (lost []string, err error) {
	var errs []error
	for _, c := range l.changers {
		var out struct{ Title string }
		status, err := l.do(ctx, http.MethodGet, "/Users/"+c.id, nil, &out)
		title, _ := strconv.Atoi(out.Title)
		if errs = append(errs, err); status != http.StatusOK || title < c.acknowledged || title > c.sent {
			lost = append(lost, fmt.Sprintf("title %s of %d to %d (%d)", out.Title, c.acknowledged, c.sent, status))
		}
		if c.member == 0 {
			continue
		}
		var found struct{ TotalResults int }
		_, err = l.do(ctx, http.MethodGet, fmt.Sprintf(
			"/Groups?filter=id%%20eq%%20%%22%s%%22%%20and%%20members%%20eq%%20%%22%s%%22", l.group, c.id,
		), nil, &found)
		if errs = append(errs, err); (found.TotalResults == 1) != (c.member == 1) {
			lost = append(lost, fmt.Sprintf("membership %d of %s", c.member, c.id))
		}
	}
	for id, name := range l.made {
		var out struct{ UserName string }
		status, err := l.do(ctx, http.MethodGet, "/Users/"+id, nil, &out)
		if errs = append(errs, err); status != http.StatusOK || out.UserName != name {
			lost = append(lost, fmt.Sprintf("%s (%d)", name, status))
		}
	}
	return lost, errors.Join(errs...)
}
