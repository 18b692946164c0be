package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"html"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// person signs in over and over, with one browser, from one address.
type person struct {
	name, display, password string
	start                   string // the portal
	signOuts                []string
	field                   [2]string // of the name and the password
	browser                 *http.Client
}

func newPerson(h *house, name, display, address string) *person {
	return &person{
		name:     name,
		display:  display,
		password: h.password,
		start:    h.center.url() + "/start",
		field:    [2]string{"loginfmt", "passwd"},
		signOuts: []string{h.center.url() + "/platform/logout", h.tenant.url() + "/logout"},
		browser:  newBrowser(address),
	}
}

func newBrowser(address string) *http.Client {
	jar, _ := cookiejar.New(nil) // never fails without options
	return &http.Client{Jar: jar, Timeout: 30 * time.Second, Transport: transportFrom(address, true)}
}

func transportFrom(address string, keepAlive bool) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	return &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: !keepAlive, MaxIdleConnsPerHost: 4}
}

var (
	formAction  = regexp.MustCompile(`<form[^>]* action="([^"]+)"`)
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)
)

// form reads the form of a page: where it goes, and its hidden fields.
func form(at *url.URL, page string) (string, url.Values) {
	fields := url.Values{}
	for _, m := range hiddenField.FindAllStringSubmatch(page, -1) {
		fields.Set(m[1], html.UnescapeString(m[2]))
	}
	m := formAction.FindStringSubmatch(page)
	if m == nil {
		return "", fields
	}
	target, err := at.Parse(html.UnescapeString(m[1]))
	if err != nil {
		return "", fields
	}
	return target.String(), fields
}

// answer is the page that a browser ends at.
type answer struct {
	status int
	at     *url.URL
	page   string
}

// send follows redirects, as a browser does.
func (p *person) send(ctx context.Context, method, address string, fields url.Values) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(fields.Encode()))
	if err != nil {
		return answer{}, err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("User-Agent", "Soak of Gatehouse")
	res, err := p.browser.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	page, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Request.URL, string(page)}, err
}

// signIn goes from the portal's address to the portal's page.
func (p *person) signIn(ctx context.Context) error {
	got, err := p.send(ctx, http.MethodGet, p.start, nil)
	if err != nil {
		return fmt.Errorf("the portal: %w", err)
	}
	if !strings.Contains(got.page, `name="`+p.field[1]+`"`) {
		return fmt.Errorf("no sign-in page: %d %s", got.status, gist(got.page))
	}
	action, fields := form(got.at, got.page)
	fields.Set(p.field[0], p.name)
	fields.Set(p.field[1], p.password)
	if got, err = p.send(ctx, http.MethodPost, action, fields); err != nil {
		return fmt.Errorf("the password: %w", err)
	}
	if strings.Contains(got.page, `name="SAMLResponse"`) {
		action, fields = form(got.at, got.page)
		if got, err = p.send(ctx, http.MethodPost, action, fields); err != nil {
			return fmt.Errorf("the response: %w", err)
		}
	}
	if got.status != http.StatusOK || !strings.Contains(got.page, p.display) ||
		!strings.Contains(got.page, "/platform/logout") {
		return fmt.Errorf("not signed in: %d %s", got.status, gist(got.page))
	}
	return nil
}

func (p *person) signOut(ctx context.Context) error {
	var errs []error
	for _, address := range p.signOuts {
		_, err := p.send(ctx, http.MethodPost, address, nil)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

var tags = regexp.MustCompile(`(?s)<(style|script|head).*?</(style|script|head)>|<[^>]*>|\s+`)

// gist is what a page says, on one line.
func gist(page string) string {
	text := strings.Join(strings.Fields(tags.ReplaceAllString(page, " ")), " ")
	return text[:min(len(text), 300)]
}

// everybody signs in over and over until ctx ends. A sign-in that has begun is finished.
func everybody(ctx context.Context, s settings, h *house, t *tally) {
	var all sync.WaitGroup
	for i, p := range h.people {
		all.Go(func() {
			wait := time.Duration(mathrand.Int64N(int64(s.pause) + 1))
			for {
				select {
				case <-ctx.Done():
					return
				case <-time.After(wait): // a person's pause
				}
				began := time.Now()
				whole, end := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
				err := p.signIn(whole)
				t.add(i, time.Since(began), err)
				_ = p.signOut(whole) // who is still signed in is found by the next sign-in
				end()
				wait = s.pause/2 + time.Duration(mathrand.Int64N(int64(s.pause)+1))
			}
		})
	}
	all.Wait()
}

// tally counts sign-ins.
type tally struct {
	mu       sync.Mutex
	of       []int // right ones of each person
	tried    int
	took     []time.Duration
	failures map[string]int
}

func newTally(people int) *tally { return &tally{of: make([]int, people), failures: map[string]int{}} }

func (t *tally) add(person int, took time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tried++
	t.took = append(t.took, took)
	if err != nil {
		t.failures[err.Error()]++
		return
	}
	t.of[person]++
}

func (t *tally) count() (right, tried int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range t.of {
		right += n
	}
	return right, t.tried
}

func (t *tally) wrong() int {
	right, tried := t.count()
	return tried - right
}

// people are those who have signed in.
func (t *tally) people() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, right := range t.of {
		n += min(right, 1)
	}
	return n
}

func (t *tally) all() bool { return t.people() == len(t.of) }

func (t *tally) quantile(q float64) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t.took))
	return sorted[min(int(float64(len(sorted))*q), len(sorted)-1)]
}

func (t *tally) p99() time.Duration { return t.quantile(0.99) }

func (t *tally) String() string {
	right, tried := t.count()
	return fmt.Sprintf("%d of %d, p50 %.2f s, p99 %.2f s", right, tried, t.quantile(0.5).Seconds(), t.p99().Seconds())
}

func (t *tally) report() {
	for failure, n := range t.failures {
		fmt.Printf("%5d sign-ins failed: %s\n", n, failure)
	}
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)[:n]
}
