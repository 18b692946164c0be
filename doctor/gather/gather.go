// Package gather asks both sides what doctor judges: Microsoft Graph, the APIs of AWS or of a
// Gatehouse center, a SCIM service. It only reads: its transport sends nothing else.
//
// What does not answer is no failure: the facts say what could not be looked at, and which
// permission is missing.
//
// It may import adminapi, awsapi/inventory, awsapi/trail, awsconfig, doctor, graph and saml.
package gather

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/doctor"
	"github.com/gatehouse-id/gatehouse/graph"
)

// Config says whom to ask. A side that is nil is not asked.
type Config struct {
	Graph    *graph.Client
	ClientID string           // of the program that asks Graph, where it asks for itself
	LoginURL string           // the tenant's sign-in URL, where federation metadata is
	AWS      *aws.Config      // for the public APIs, of AWS or of a Gatehouse center
	Admin    *adminapi.Client // a Gatehouse center's, for what AWS shows only in its console
	SCIM     SCIM
	HTTP     *http.Client // for what is neither Graph's nor AWS's
	// Reference is one that a person saw at a Gatehouse center.
	Reference string
	// Words are what somebody asks about. Whoever they name is looked up in what the jobs remember.
	Words []string
	// Remedy says what to do about an error of AWS's; "" where it does not know.
	Remedy func(error) string
	// ConfigFile is the AWS configuration file of this machine; empty: not read.
	ConfigFile string
	// Told is called with what is being read, by several goroutines.
	Told func(string)
	// Early is called once, with everything but the memberships of AWS's side, which take longest
	// there. Where they are read as soon as the rest, it is not called.
	Early func(doctor.Facts)
}

// SCIM is a SCIM service and its token.
type SCIM struct{ URL, Token string }

// gathering collects facts of both sides at once.
type gathering struct {
	Config

	early sync.WaitGroup // all but AWS's memberships

	mu    sync.Mutex
	facts doctor.Facts
	texts map[string]string // see once
}

// Gather asks both sides at once. The error is ctx's.
func Gather(ctx context.Context, cfg Config) (doctor.Facts, error) {
	if cfg.HTTP == nil {
		cfg.HTTP = http.DefaultClient
	}
	if cfg.Told == nil {
		cfg.Told = func(string) {}
	}
	if cfg.Remedy == nil {
		cfg.Remedy = func(error) string { return "" }
	}
	if cfg.Graph != nil {
		cfg.Graph = &graph.Client{BaseURL: cfg.Graph.BaseURL, HTTP: ReadOnly(cfg.Graph.HTTP)}
	}
	if cfg.Admin != nil {
		admin := *cfg.Admin
		admin.HTTP = ReadOnly(admin.HTTP)
		cfg.Admin = &admin
	}
	g := &gathering{Config: cfg}
	g.facts = doctor.Facts{Now: time.Now().UTC(), Unread: map[doctor.Source]doctor.Unread{}}
	center := make(chan string, 1) // the entity ID, for the search of applications
	var sides sync.WaitGroup
	if cfg.AWS != nil || cfg.SCIM.URL != "" {
		g.facts.AWS = &doctor.AWS{Memberships: &doctor.Roster{}}
	}
	known := make(chan struct{}) // what else there is to ask AWS's side
	sides.Go(func() {
		defer close(center)
		if cfg.AWS != nil {
			g.aws(ctx, center, known)
		} else {
			close(known)
		}
	})
	g.early.Go(func() {
		if cfg.SCIM.URL != "" {
			g.probe(ctx)
		}
	})
	if cfg.Graph != nil {
		g.facts.Entra = &doctor.Entra{Members: &doctor.Roster{}}
		g.early.Go(func() {
			g.entra(ctx, center)
			g.signedIn()
		})
	}
	<-known
	all := make(chan struct{})
	go func() {
		sides.Wait()
		close(all)
	}()
	g.early.Wait()
	g.endpoints(ctx)
	g.profiles()
	select {
	case <-all:
	default:
		g.tellEarly()
	}
	<-all
	return g.facts, ctx.Err()
}

// tellEarly tells what there is before AWS's memberships are read.
func (g *gathering) tellEarly() {
	if g.Early == nil || g.facts.AWS == nil {
		return
	}
	var sofar doctor.Facts
	g.keep(func(f *doctor.Facts) {
		sofar = *f
		aws := *f.AWS
		aws.Memberships = nil
		sofar.AWS, sofar.Unread = &aws, maps.Clone(f.Unread)
		sofar.Unread[doctor.AWSMembers] = doctor.Unread{Missing: "time", Reason: "still being read"}
	})
	g.Early(sofar)
}

// keep changes the facts.
func (g *gathering) keep(change func(*doctor.Facts)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(&g.facts)
}

// once is the one copy of a text that many have, such as who created them. What an answer is
// decoded to may be a part of the whole answer, which would stay in memory with it.
// Callers keep: it needs the lock.
func (g *gathering) once(text string) string {
	one, known := g.texts[text]
	if !known {
		if g.texts == nil {
			g.texts = map[string]string{}
		}
		one = strings.Clone(text)
		g.texts[one] = one
	}
	return one
}

// failed notes that a source did not answer, and says whether it did not.
func (g *gathering) failed(s doctor.Source, err error) bool {
	if err == nil {
		return false
	}
	u := g.unread(s, err)
	g.keep(func(f *doctor.Facts) {
		if _, noted := f.Unread[s]; !noted {
			f.Unread[s] = u
		}
		if u.Behind == doctor.TenantSignIn {
			u.Behind = ""
			f.Unread[doctor.TenantSignIn] = u
		}
	})
	return true
}

// without notes that nobody can ask for a source here.
func (g *gathering) without(s doctor.Source, why string) {
	g.keep(func(f *doctor.Facts) { f.Unread[s] = doctor.Unread{Reason: why} })
}

const maxReason = 300 //bound:text why a source could not be read, in a finding of doctor

func reason(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if len(text) > maxReason {
		text = text[:maxReason] + "…"
	}
	return text
}

// errNotRead is what the transport answers to a request that would change something.
var errNotRead = errors.New("doctor only reads")

// reader is a transport that sends only what reads: GET and HEAD, and AWS's operations whose names
// say that they read.
type reader struct{ next http.RoundTripper }

// reads are the beginnings of the names of AWS's operations that read.
var reads = []string{"List", "Describe", "Get", "Lookup", "Explain"}

// RoundTrip implements http.RoundTripper.
func (r reader) RoundTrip(req *http.Request) (*http.Response, error) {
	req, operation, err := awsOperation(req)
	if err != nil {
		return nil, err
	}
	if operation != "" {
		for _, prefix := range reads {
			if strings.HasPrefix(operation, prefix) {
				return r.next.RoundTrip(req)
			}
		}
		return nil, fmt.Errorf("%s: %w", operation, errNotRead)
	}
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		return nil, fmt.Errorf("%s %s: %w", req.Method, req.URL.Path, errNotRead)
	}
	return r.next.RoundTrip(req)
}

// awsOperation is the operation that a request names, "" where it names none, and the request to
// send on: STS speaks the query protocol, whose body begins with the operation.
func awsOperation(req *http.Request) (*http.Request, string, error) {
	if target := req.Header.Get("X-Amz-Target"); target != "" {
		return req, target[strings.LastIndexByte(target, '.')+1:], nil
	}
	if req.Method != http.MethodPost || req.Body == nil ||
		!strings.HasPrefix(req.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return req, "", nil
	}
	head := make([]byte, 64)
	n, err := io.ReadFull(req.Body, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return req, "", err
	}
	again := req.Clone(req.Context())
	again.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head[:n]), req.Body), req.Body}
	named, found := strings.CutPrefix(string(head[:n]), "Action=")
	if !found {
		return again, "", nil
	}
	name, _, _ := strings.Cut(named, "&")
	return again, name, nil
}

// ReadOnly is a client that refuses to send what would change something. Give it to the clients
// that doctor asks with.
func ReadOnly(base *http.Client) *http.Client {
	client := http.Client{}
	if base != nil {
		client = *base
	}
	next := client.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	client.Transport = reader{next}
	return &client
}
