package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
)

var oneTime = regexp.MustCompile(`not shown again, and[\s\S]*?<pre[^>]*>([^<]+)`)

// fillDirectory makes people in the built-in directory of the second center, on the pages of its
// console.
func (h *house) fillDirectory(ctx context.Context, s settings) error {
	base := h.directory.url()
	admin := &person{browser: newBrowser("127.0.0.1")}
	does := func(address string, fields url.Values) (string, error) {
		got, err := admin.send(ctx, http.MethodPost, base+address, fields)
		if err == nil && got.status != http.StatusOK {
			err = fmt.Errorf("%s was answered with %d: %s", address, got.status, gist(got.page))
		}
		return got.page, err
	}
	if _, err := does("/console/login", url.Values{"username": {"admin"}, "password": {h.adminPassword}}); err != nil {
		return err
	}
	if _, err := does(
		"/console/settings/sign-in",
		url.Values{"mfa": {"DISABLED"}, "without": {"ALLOW"}, "keys": {"on"}, "apps": {"on"}},
	); err != nil {
		return err
	}
	for i := range s.directly {
		p := newPerson(
			h,
			fmt.Sprintf("resident%02d", i+1),
			fmt.Sprintf("Resident Number%02d", i+1),
			fmt.Sprintf("127.0.1.%d", 200+i),
		)
		p.start = base + "/start"
		p.field = [2]string{
			"username",
			"password",
		}
		p.signOuts = []string{
			base + "/platform/logout",
		}
		page, err := does(
			"/console/users",
			url.Values{
				"username": {p.name},
				"email":    {p.name + "@" + domain},
				"given":    {"Resident"},
				"family":   {fmt.Sprintf("Number%02d", i+1)},
				"display":  {p.display},
				"password": {"once"},
			},
		)
		if err != nil {
			return err
		}
		m := oneTime.FindStringSubmatch(page)
		if m == nil {
			return errors.New("no one-time password: " + gist(page))
		}
		if err := p.firstSignIn(ctx, base, html.UnescapeString(m[1])); err != nil {
			return err
		}
		h.people = append(h.people, p)
	}
	return nil
}

// firstSignIn replaces the one-time password.
func (p *person) firstSignIn(ctx context.Context, base, once string) error {
	if _, err := p.send(
		ctx, http.MethodPost, base+"/platform/login", url.Values{"username": {p.name}, "password": {once}},
	); err != nil {
		return err
	}
	got, err := p.send(
		ctx,
		http.MethodPost,
		base+"/platform/login/password",
		url.Values{"password": {p.password}, "again": {p.password}},
	)
	if err == nil && got.status != http.StatusOK {
		err = fmt.Errorf("the new password was answered with %d: %s", got.status, gist(got.page))
	}
	return errors.Join(err, p.signOut(ctx))
}
