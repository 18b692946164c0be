package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/saml"
)

// signIn measures signing in: one response, whole sign-ins, and what a flood of passwords does to
// others.
func signIn(s settings, self string) ([]figure, error) {
	s.say("verifying responses, ours and the libraries'")
	figures, err := verifications(s, self)
	if err != nil {
		return nil, err
	}
	b, err := newBench(s, self)
	if err != nil {
		return nil, err
	}
	defer b.stop()
	t, err := b.startCenter("center", "")
	if err != nil {
		return nil, err
	}
	users := s.users
	if len(s.large) > 0 {
		users = s.large[0]
	}
	s.say("making %s users", thousands(users))
	if err := t.fill(users); err != nil {
		return nil, err
	}
	s.say("whole sign-ins")
	whole, err := t.wholeSignIns(s.length * 2)
	if err != nil {
		return nil, err
	}
	s.say("a flood of passwords")
	flood, err := b.flood(t)
	return append(figures, whole, flood), err
}

// wholeSignIns signs people in: the request, the response that an identity provider signs for it,
// and the session. The client signs too, so the rate is both sides' on the same cores; the server's
// own share is its processor time.
func (t *target) wholeSignIns(length time.Duration) (figure, error) {
	const people = 8
	var all sync.WaitGroup
	counts, failures := make([]int, people), make([]error, people)
	before, began := t.process.cpu(), time.Now()
	for i := range people {
		all.Go(func() {
			for time.Since(began) < length && failures[i] == nil {
				failures[i] = t.oneSignIn()
				counts[i]++
			}
		})
	}
	all.Wait()
	n := 0
	for _, c := range counts {
		n += c
	}
	took := time.Since(began)
	return figure{
		Name:  fmt.Sprintf("whole sign-ins, %d users", len(t.users)),
		Value: float64(n) / took.Seconds(),
		Unit:  "/s",
		More: fmt.Sprintf(
			"%.2f ms CPU of the server each, the client signs on the same cores",
			(t.process.cpu()-before).Seconds()*1000/float64(n),
		),
	}, errors.Join(failures...)
}

// oneSignIn goes from the portal's request to a session of anybody.
func (t *target) oneSignIn() error {
	_, err := t.signInAs(knownName(rand.IntN(len(t.users))))
	return err
}

// signInAs opens a portal session and returns its cookie.
func (t *target) signInAs(name string) (*http.Cookie, error) {
	browser := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	base := "http://" + t.address
	answer, err := browser.Get(base + "/platform/login?return=/start") //nolint:noctx // a benchmark
	if err != nil {
		return nil, err
	}
	_ = answer.Body.Close()
	to, err := url.Parse(answer.Header.Get("Location"))
	if err != nil {
		return nil, err
	}
	request, err := saml.ParseRedirect(to.Query().Get("SAMLRequest"))
	if err != nil {
		return nil, err
	}
	response, err := saml.Response(
		saml.Statement{
			Issuer:       samlIssuer,
			Audience:     request.Issuer,
			ACSURL:       request.ACSURL,
			InResponseTo: request.ID,
			NameID:       name,
			AuthnInstant: time.Now(),
			Now:          time.Now(),
		},
		t.center.idp,
	)
	if err != nil {
		return nil, err
	}
	form := url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString(response)}}
	post, err := http.NewRequestWithContext(
		context.Background(), http.MethodPost, request.ACSURL, strings.NewReader(form.Encode()),
	)
	if err != nil {
		return nil, err
	}
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range answer.Cookies() {
		post.AddCookie(c)
	}
	answer, err = browser.Do(post)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close() //nolint:errcheck // it was only read
	i := slices.IndexFunc(
		answer.Cookies(), func(c *http.Cookie) bool { return c.Name == "gatehouse_portal" && c.Value != "" },
	)
	if i < 0 {
		body, _ := io.ReadAll(answer.Body)
		return nil, fmt.Errorf("no session: %d %.500s", answer.StatusCode, body)
	}
	return answer.Cookies()[i], nil
}

// flood compares SCIM's latency with and without 32 browsers that try one password after the other.
func (b *bench) flood(t *target) (figure, error) {
	read := workload{build: get(getUser), connections: 4}
	quiet, err := b.window(read, t)
	if err != nil {
		return figure{}, err
	}
	ctx, stop := context.WithCancel(context.Background())
	var attempts sync.WaitGroup
	tried := make([]int, 32)
	for i := range tried {
		attempts.Go(func() {
			form := url.Values{"username": {knownName(i)}, "password": {"a guess"}}.Encode()
			for ctx.Err() == nil {
				post, err := http.NewRequestWithContext(
					ctx, http.MethodPost, "http://"+t.address+"/platform/login", strings.NewReader(form),
				)
				if err != nil {
					return
				}
				post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				if answer, err := http.DefaultClient.Do(post); err == nil {
					_ = answer.Body.Close()
					tried[i]++
				}
			}
		})
	}
	flooded, err := b.window(read, t)
	stop()
	attempts.Wait()
	n := 0
	for _, c := range tried {
		n += c
	}
	return figure{
		Name:    "SCIM, GET user, p99 in a flood of passwords",
		Value:   flooded.P99.Seconds() * 1000,
		Unit:    "ms",
		Against: "without",
		Floor:   quiet.P99.Seconds() * 1000,
		Ratio:   flooded.P99.Seconds() / quiet.P99.Seconds(),
		More: fmt.Sprintf(
			"%.0f attempts/s, %.0f SCIM requests/s of %.0f", float64(n)/b.length.Seconds(), flooded.Rate, quiet.Rate,
		),
	}, err
}
