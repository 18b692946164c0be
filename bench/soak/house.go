package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/graph"
)

// half is a running program with a data folder.
type half struct {
	name, address, data, log string
	cmd                      *exec.Cmd
	out                      *lockedBuffer
	ended                    <-chan struct{}
}

func (h *half) url() string { return "http://" + h.address }

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// house is both halves, connected, a center with its own people, and everybody who lives there.
type house struct {
	center, tenant, directory *half
	halves                    []*half
	people                    []*person

	adminPassword, password string
	tenantID                string
	accessKey               string
	scim                    adminapi.Tenant
	sp                      adminapi.ServiceProvider
	idpEntity               string
	mails                   net.Listener
}

const (
	domain    = "northwind.example"
	groupName = "Everybody"
)

func open(ctx context.Context, s settings, dir string) (_ *house, err error) {
	h := &house{adminPassword: "Gate-" + random(12) + "7!", password: "House-" + random(12) + "!"}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	if h.mails, err = (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	go swallowMails(h.mails)
	if h.center, err = h.start(s, dir, "center", "serve"); err != nil {
		return nil, err
	}
	if h.tenant, err = h.start(s, dir, "tenant", "tenant", "--domain", domain); err != nil {
		return nil, err
	}
	if h.directory, err = h.start(
		s, dir, "directory", "serve", "--smtp-server", "smtp://"+h.mails.Addr().String(),
	); err != nil {
		return nil, err
	}
	if err := h.connect(ctx, s); err != nil {
		return nil, fmt.Errorf("connect the halves: %w", err)
	}
	if err := h.fillDirectory(ctx, s); err != nil {
		return nil, fmt.Errorf("make the people of the built-in directory: %w", err)
	}
	return h, nil
}

func (h *house) close() {
	for _, x := range h.halves {
		_ = x.cmd.Process.Signal(os.Interrupt)
	}
	for _, x := range h.halves {
		<-x.ended
	}
	if h.mails != nil {
		_ = h.mails.Close()
	}
}

// start runs the program on a new data folder and waits until it answers.
func (h *house) start(s settings, dir, name, subcommand string, args ...string) (*half, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	x := &half{
		name:    name,
		address: l.Addr().String(),
		data:    filepath.Join(dir, name),
		log:     filepath.Join(dir, name+".log"),
		out:     &lockedBuffer{},
	}
	if err := l.Close(); err != nil {
		return nil, err
	}
	log, err := os.Create(x.log)
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // the program has it
	args = append([]string{subcommand, "--listen", x.address, "--data", x.data}, args...)
	x.cmd = exec.CommandContext(
		context.Background(),
		s.program,
		args...) // #nosec G204 -- what the person who soaks named
	x.cmd.Stdout, x.cmd.Stderr = x.out, log
	x.cmd.Env = append(os.Environ(), "GATEHOUSE_ADMIN_PASSWORD="+h.adminPassword)
	if err := x.cmd.Start(); err != nil {
		return nil, err
	}
	h.halves = append(h.halves, x)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = x.cmd.Wait() }()
	x.ended = ended
	for began := time.Now(); ; {
		res, err := http.Get(x.url() + "/static/icon.svg") //nolint:noctx // a poll
		if err == nil {
			return x, res.Body.Close()
		}
		select {
		case <-ended:
			text, _ := os.ReadFile(x.log)
			return nil, fmt.Errorf("the %s did not start: %s", name, text)
		case <-time.After(20 * time.Millisecond): // a poll: the program has no other way to say that it is ready
		}
		if time.Since(began) > time.Minute {
			return nil, fmt.Errorf("the %s does not answer: %w; see %s", name, err, x.log)
		}
	}
}

// first reads what a first start has told: on its output, or in a small file of the data folder.
func (x *half) first(pattern string) (string, error) {
	text := x.out.String()
	files, _ := os.ReadDir(x.data)
	for _, f := range files {
		if info, err := f.Info(); err == nil && info.Mode().IsRegular() && info.Size() < 16<<10 {
			data, _ := os.ReadFile(filepath.Join(x.data, f.Name()))
			text += "\n" + string(data)
		}
	}
	m := regexp.MustCompile(`(?i)` + pattern).FindStringSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("the first start of the %s told no %q", x.name, pattern)
	}
	return m[1], nil
}

// connect makes the people at the tenant, and has the center trust it.
func (h *house) connect(ctx context.Context, s settings) error {
	var errs []error
	read := func(x *half, pattern string) string {
		v, err := x.first(pattern)
		errs = append(errs, err)
		return v
	}
	admin := &adminapi.Client{
		URL:    h.center.url(),
		Region: "us-east-1",
		HTTP:   http.DefaultClient,
		AccessKeyID: read(
			h.center,
			`AWS_ACCESS_KEY_ID=(\S+)`,
		),
		SecretAccessKey: read(h.center, `AWS_SECRET_ACCESS_KEY=(\S+)`),
	}
	graphURL, tokenURL := read(h.tenant, `graph +(http\S+)`), read(h.tenant, `token URL +(http\S+)`)
	clientID, secret := read(h.tenant, `client id +(\S+)`), read(h.tenant, `client secret +(\S+)`)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	h.accessKey = admin.AccessKeyID
	h.tenantID = strings.Split(strings.TrimPrefix(tokenURL, h.tenant.url()+"/"), "/")[0]
	g := graph.NewClient(ctx, graphURL, tokenURL, clientID, secret, http.DefaultClient)
	if err := h.makePeople(ctx, s, g); err != nil {
		return err
	}
	plan, err := connect.Observe(
		ctx,
		connect.Config{
			Graph:    g,
			Center:   admin,
			HTTP:     http.DefaultClient,
			LoginURL: h.tenant.url() + "/" + h.tenantID,
			AppName:  "AWS IAM Identity Center",
			Groups:   []string{groupName},
			Cert:     "AWS IAM Identity Center",
			PollEach: 100 * time.Millisecond,
		},
	)
	if err != nil {
		return err
	}
	if err := plan.Apply(ctx, connect.Confirmation, func(int, bool) {}); err != nil {
		return err
	}
	if _, err := plan.Verify(ctx, func(int, int) {}); err != nil {
		return err
	}
	h.scim = plan.State.SCIM
	h.sp = plan.State.SP
	h.idpEntity = plan.State.IdP.EntityID
	return nil
}

func (h *house) makePeople(ctx context.Context, s settings, g *graph.Client) error {
	bind := []string{}
	for i := range s.people {
		p := newPerson(
			h,
			fmt.Sprintf("person%02d@%s", i+1, domain),
			fmt.Sprintf("Person Number%02d", i+1),
			fmt.Sprintf("127.0.1.%d", i+1),
		)
		var made struct{ ID string }
		in := map[string]any{
			"accountEnabled":    true,
			"displayName":       p.display,
			"givenName":         "Person",
			"surname":           fmt.Sprintf("Number%02d", i+1),
			"mailNickname":      fmt.Sprintf("person%02d", i+1),
			"userPrincipalName": p.name,
			"mail":              p.name,
			"passwordProfile":   map[string]any{"password": h.password, "forceChangePasswordNextSignIn": false},
		}
		if err := g.Do(ctx, http.MethodPost, "/users", in, &made); err != nil {
			return err
		}
		bind = append(bind, made.ID)
		h.people = append(h.people, p)
	}
	var group struct{ ID string }
	in := map[string]any{
		"displayName":     groupName,
		"mailEnabled":     false,
		"mailNickname":    "everybody",
		"securityEnabled": true,
	}
	if err := g.Do(ctx, http.MethodPost, "/groups", in, &group); err != nil {
		return err
	}
	for _, id := range bind {
		in := map[string]any{"@odata.id": g.BaseURL + "/directoryObjects/" + id}
		if err := g.Do(ctx, http.MethodPost, "/groups/"+group.ID+"/members/$ref", in, nil); err != nil {
			return err
		}
	}
	return nil
}

// swallowMails is a mail server that takes everything and keeps nothing.
func swallowMails(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close() //nolint:errcheck // nothing is buffered
			_, _ = io.WriteString(conn, "220 soak ESMTP\r\n")
			data, line := false, make([]byte, 0, 1024)
			one := make([]byte, 1)
			for {
				if _, err := conn.Read(one); err != nil {
					return
				}
				if line = append(line, one[0]); one[0] != '\n' {
					continue
				}
				text := strings.TrimRight(string(line), "\r\n")
				line = line[:0]
				answer := "250 OK\r\n"
				switch {
				case data && text != ".":
					continue
				case data:
					data = false
				case strings.EqualFold(text, "DATA"):
					data, answer = true, "354 Go on\r\n"
				case strings.EqualFold(text, "QUIT"):
					answer = "221 Bye\r\n"
				}
				_, _ = io.WriteString(conn, answer)
			}
		}()
	}
}

// figures are what the programs use now.
type figures struct {
	disk, logs int64   // of the data folders, and of what the programs print
	ahead      int64   // of SQLite's write-ahead logs, whose room is used again
	memory     []int64 // of each program
}

func (h *house) measure() figures {
	var f figures
	for _, x := range h.halves {
		ahead := sizeOf(x.data, "-wal") + sizeOf(x.data, "-shm")
		f.disk += sizeOf(x.data, "") - ahead
		f.ahead += ahead
		if info, err := os.Stat(x.log); err == nil {
			f.logs += info.Size()
		}
		f.memory = append(f.memory, resident(x.cmd.Process.Pid))
	}
	return f
}

// settled measures the folders when everything that was under way is written.
func (h *house) settled(ctx context.Context) figures {
	last := h.measure()
	for range 20 {
		select {
		case <-ctx.Done():
			return last
		case <-time.After(time.Second): // between two looks at what is still being written
		}
		now := h.measure()
		if now.disk == last.disk {
			return now
		}
		last = now
	}
	return last
}

func (f figures) higher(o figures) figures {
	out := figures{max(f.disk, o.disk), max(f.logs, o.logs), max(f.ahead, o.ahead), nil}
	for i, m := range f.memory {
		out.memory = append(out.memory, max(m, o.memory[i]))
	}
	return out
}

// median is what each of the programs usually used.
func median(samples []figures) (out figures) {
	for i := range samples[0].memory {
		var of []int64
		for _, f := range samples {
			of = append(of, f.memory[i])
		}
		slices.Sort(of)
		out.memory = append(out.memory, of[len(of)/2])
	}
	return out
}

// mostAbove is by how much the memory of a program has grown, of the one that has grown the most.
func (f figures) mostAbove(before figures) (most int64) {
	for i, m := range f.memory {
		most = max(most, m-before.memory[i])
	}
	return most
}

func (f figures) String() string {
	text := "disk " + mib(f.disk) + ", memory"
	for _, m := range f.memory {
		text += " " + mib(m)
	}
	return text
}

func (f figures) since(before figures) string {
	text := "disk +" + mib(f.disk-before.disk) + ", logs +" + mib(f.logs-before.logs) + ", memory"
	for i, m := range f.memory {
		text += fmt.Sprintf(" %+.1f", float64(m-before.memory[i])/(1<<20))
	}
	return text + " MiB"
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// sizeOf is the size of the files in a folder whose names end so.
func sizeOf(dir, suffix string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(d.Name(), suffix) {
			return nil //nolint:nilerr // a file that has gone has no size
		}
		if info, err := d.Info(); err == nil {
			n += info.Size()
		}
		return nil
	})
	return n
}

func resident(pid int) int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		var kb int64
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kb); n == 1 {
			return kb << 10
		}
	}
	return 0
}
