// Package awsstandin stands for AWS in tests of what connects AWS with Entra ID: a center of ours
// behind AWS's limits. It has AWS's host names and AWS's forms of the issuer and of the assertion
// consumer service, in two Regions; its APIs have public operations only, each under its service's
// own name; and what has no API has a console with the words and the clicks of AWS's. On the other
// side is a tenant of ours. A request that AWS's models or Microsoft Graph's metadata have not
// fails the test.
//
// It may import adminapi, audit, authn, awsapi, center, center/identitystore, center/orgserver,
// center/server, center/ssoadmin, center/store, center/sts, connect, demo, internal/graphmodel,
// internal/keypool, outbound, tenant, tenant/server, tenant/store, tenant/syncjobs and web/webtest.
package awsstandin

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	centerserver "github.com/gatehouse-id/gatehouse/center/server"
	centerstore "github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/demo"
	"github.com/gatehouse-id/gatehouse/internal/graphmodel"
	"github.com/gatehouse-id/gatehouse/internal/keypool"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/tenant"
	tenantserver "github.com/gatehouse-id/gatehouse/tenant/server"
	tenantstore "github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// Region is the primary one, Additional the other. Empty has no instance, and Unpublished is one
// whose sign-in addresses nobody has published.
const (
	Region      = "us-east-1"
	Additional  = "eu-west-1"
	Empty       = "eu-central-1"
	Unpublished = "us-gov-west-1"
)

const (
	signInHost  = Region + ".signin.aws.amazon.com"
	consoleHost = Region + ".console.aws.amazon.com"
	scimHost    = "scim." + Region + ".amazonaws.com"
)

// service is an API in a Region, with the name that requests to it are signed for.
type service struct{ name, region string }

// services are the APIs that there are, by host.
var services = func() map[string]service {
	all := map[string]service{}
	for _, region := range []string{Region, Additional, Empty, Unpublished} {
		for _, name := range []string{"sso", "identitystore", "sts", "organizations", "cloudtrail"} {
			all[name+"."+region+".amazonaws.com"] = service{name, region}
		}
	}
	return all
}()

// AWS is what stands for it, and a tenant.
type AWS struct {
	demo.Output

	// Early says that the metadata file can be had before the identity source is changed. Sources
	// disagree about it.
	Early bool
	// Rules have Chromium find the hosts.
	Rules string
	// Env has a program find them, and trust them.
	Env []string

	t      testing.TB
	front  *httptest.Server
	center *center.Center
	tenant *tenant.Tenant
	admin  *adminapi.Client

	direct string // the center's address, behind AWS's

	mu      sync.Mutex
	asked   []string
	trouble Trouble
}

// Asked are the operations of AWS's APIs that were asked, in order.
func (a *AWS) Asked() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string{}, a.asked...)
}

// Start starts both sides. They end with the test.
func Start(t testing.TB) *AWS {
	t.Helper()
	return StartWith(t, 25, 6)
}

// StartWith is Start with a number of people and of groups at the tenant. AWS has none of them.
func StartWith(t testing.TB, people, groups int) *AWS {
	t.Helper()
	a := &AWS{t: t}
	dir := t.TempDir()
	a.serveFront(dir)
	own := outbound.Policy{Loopback: true}
	atTenant := httptest.NewUnstartedServer(nil)
	a.open(dir, "http://"+atTenant.Listener.Addr().String())
	ctx := t.Context()
	keys, err := demo.Seed(ctx, a.center, a.tenant, people, groups)
	a.must(err)
	a.must(a.center.AddRegion(ctx, audit.SystemActor, Additional))
	direct := httptest.NewServer(centerserver.Handler(a.center, centerserver.Config{Targets: own}))
	t.Cleanup(direct.Close)
	a.admin = &adminapi.Client{
		URL: direct.URL, Region: Region, AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey,
	}
	a.direct = direct.URL
	a.front.Config.Handler = a.route(direct.Config.Handler)
	jobs := syncjobs.New(a.tenant, slog.New(slog.DiscardHandler), a.client())
	ofTenant := tenantserver.Handler(a.tenant, tenantserver.Config{Jobs: jobs})
	atTenant.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := graphmodel.CheckRequest(r); err != nil {
			a.t.Error(err)
		}
		if status, body := a.troubled().Entra(r); status != 0 {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return
		}
		ofTenant.ServeHTTP(w, r)
	})
	atTenant.Start()
	t.Cleanup(atTenant.Close)
	a.run()
	a.Output, err = keys.Describe(ctx, a.center, a.tenant, connect.State{}, filepath.Join(dir, "aws-config"))
	a.must(err)
	return a
}

func (a *AWS) must(err error) {
	if err != nil {
		a.t.Helper()
		a.t.Fatal(err)
	}
}

const together = 500 // users in a transaction

// Populate gives AWS as many users of its own, in groups that have a permission set in an account
// each, without a tenant.
func (a *AWS) Populate(people, groups int) {
	a.t.Helper()
	ctx := a.t.Context()
	now := time.Now().UTC()
	members := make([]center.Members, groups)
	put := func(r center.Replica) { a.t.Helper(); a.must(a.center.Replicate(ctx, audit.SystemActor, r)) }
	var list []center.Group
	for i := range groups {
		id := fmt.Sprintf("90000000-0000-4000-8000-%012d", i)
		members[i].Group = center.GroupID(id)
		list = append(list, center.Group{
			ID: members[i].Group, DisplayName: fmt.Sprint("Crew ", i), CreatedAt: now, UpdatedAt: now, Version: 1,
		})
	}
	put(center.Replica{Groups: list})
	var users []center.User
	for i := range people {
		name := fmt.Sprintf("worker.%d@harbor.example", i)
		u := center.User{
			ID: center.UserID(fmt.Sprintf("80000000-0000-4000-8000-%012d", i)), UserName: name, Active: i%50 != 0,
			DisplayName: fmt.Sprint("Worker ", i), CreatedAt: now, UpdatedAt: now, Version: 1,
			Name:       center.PersonName{GivenName: "Worker", FamilyName: fmt.Sprint(i)},
			Emails:     []center.Value{{Value: name, Type: "work", Primary: true}},
			Enterprise: center.Enterprise{Department: fmt.Sprint("Dock ", i%40)},
		}
		users = append(users, u)
		members[i%groups].Users = append(members[i%groups].Users, u.ID)
		if len(users) == together || i == people-1 {
			put(center.Replica{Users: users})
			users = nil
		}
	}
	put(center.Replica{Members: members})
	accounts, err := a.center.Accounts(ctx)
	a.must(err)
	sets, err := a.center.PermissionSets(ctx, center.PermissionSetQuery{})
	a.must(err)
	for i, m := range members {
		_, err := a.center.CreateAssignment(ctx, audit.SystemActor, center.Assignment{
			AccountID: accounts[i%len(accounts)].ID, PermissionSetARN: sets[i%len(sets)].ARN,
			PrincipalType: center.PrincipalGroup, PrincipalID: string(m.Group),
		})
		a.must(err)
	}
}

// serveFront listens where all of AWS's names lead.
func (a *AWS) serveFront(dir string) {
	names := []string{
		signInHost, consoleHost, scimHost, Region + ".signin.aws", Additional + ".signin.aws", "*.awsapps.com",
	}
	for host := range services {
		names = append(names, host)
	}
	certFile, keyFile, _ := webtest.Certificate(a.t, dir, names...)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	a.must(err)
	a.front = httptest.NewUnstartedServer(http.NotFoundHandler())
	a.front.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	a.front.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	a.front.StartTLS()
	a.t.Cleanup(a.front.Close)
	at := a.front.Listener.Addr().String()
	for _, end := range []string{"amazon.com", "amazonaws.com", "awsapps.com", "signin.aws"} {
		a.Rules += "MAP *." + end + " " + at + ","
	}
	a.Rules = strings.TrimSuffix(a.Rules, ",")
	proxy := httptest.NewServer(http.HandlerFunc(a.tunnel))
	a.t.Cleanup(proxy.Close)
	a.Env = []string{"HTTPS_PROXY=" + proxy.URL, "SSL_CERT_FILE=" + certFile}
}

// tunnel is the proxy that leads a program to AWS's names, and nowhere else.
func (a *AWS) tunnel(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "only CONNECT", http.StatusMethodNotAllowed)
		return
	}
	there, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", a.front.Listener.Addr().String())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	here, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = there.Close()
		return
	}
	_, _ = io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() { _, _ = io.Copy(there, buffered); _ = there.Close() }()
	go func() { _, _ = io.Copy(here, there); _ = here.Close() }()
}

// client finds AWS's names as the tenant's provisioning does.
func (a *AWS) client() *http.Client {
	transport := a.front.Client().Transport.(*http.Transport).Clone() //nolint:forcetypeassert // httptest's is one
	transport.TLSClientConfig.InsecureSkipVerify = true               // #nosec G402 -- names of AWS's on this machine
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if !strings.HasPrefix(address, "127.0.0.1:") {
			address = a.front.Listener.Addr().String()
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	return &http.Client{Transport: transport}
}

// open opens both halves on stores in a folder.
func (a *AWS) open(dir, tenantURL string) {
	ctx := a.t.Context()
	key := make([]byte, authn.MasterKeySize)
	_, _ = rand.Read(key) // it never fails
	sealer, err := authn.NewSealer(key)
	a.must(err)
	cs, err := centerstore.Open(ctx, filepath.Join(dir, "center.db"))
	a.must(err)
	a.t.Cleanup(func() { _ = cs.Close() })
	ts, err := tenantstore.Open(ctx, filepath.Join(dir, "tenant.db"))
	a.must(err)
	a.t.Cleanup(func() { _ = ts.Close() })
	a.center, err = center.Open(ctx, center.Config{
		Store: cs, Sealer: sealer, URL: "https://" + signInHost, Region: Region,
	})
	a.must(err)
	a.tenant, err = tenant.Open(ctx, tenant.Config{
		Store: ts, Sealer: sealer, URL: tenantURL, NewRSAKey: keypool.Shared.Lend(a.t.Cleanup),
	})
	a.must(err)
}

// run has both halves do their background work.
func (a *AWS) run() {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { a.center.Run(ctx) })
	running.Go(func() { a.tenant.Run(ctx) })
	a.t.Cleanup(func() { cancel(); running.Wait() })
}

// route leads each of AWS's names to what answers there.
func (a *AWS) route(center http.Handler) http.Handler {
	console := a.console()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		service, isAPI := services[r.Host]
		switch {
		case isAPI:
			a.api(w, r, service, center)
		case r.Host == consoleHost:
			console.ServeHTTP(w, r)
		case strings.HasSuffix(r.Host, ".awsapps.com"):
			http.Redirect(w, r, "https://"+signInHost+r.URL.RequestURI(), http.StatusFound) // #nosec G710 -- to our own
		case strings.HasPrefix(r.Header.Get("X-Amz-Target"), "SWBUPService"):
			unknown(w)
		case r.Host == scimHost && strings.HasPrefix(r.URL.Path, otherStore):
			w.Header().Set("Content-Type", "application/scim+json")
			_, _ = io.WriteString(w, `{"totalResults":0,"Resources":[]}`)
		case r.Host == scimHost:
			r.Host = signInHost
			center.ServeHTTP(w, r)
		case strings.HasSuffix(r.Host, ".signin.aws"), r.Host == signInHost:
			r.Host = signInHost
			center.ServeHTTP(w, r)
		default:
			http.NotFound(w, r)
		}
	})
}

// api answers public operations, signed for their service and Region.
func (a *AWS) api(w http.ResponseWriter, r *http.Request, at service, center http.Handler) {
	operation := r.Header.Get("X-Amz-Target")
	short := operation[strings.LastIndex(operation, ".")+1:]
	a.mu.Lock()
	a.asked = append(a.asked, at.name+" "+short)
	a.mu.Unlock()
	if err := Strict(r); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) { // a program that ends
		a.t.Error(err)
	}
	scope := "/" + at.region + "/" + at.name + "/aws4_request"
	if status, body := a.troubled().AWS(at.name, at.region, short); status != 0 {
		kind := "application/x-amz-json-1.1"
		if operation == "" {
			kind = "text/xml"
		}
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return
	}
	switch {
	case strings.HasPrefix(operation, "SWBUPService"):
		unknown(w)
	case !strings.Contains(r.Header.Get("Authorization"), scope):
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"__type":"InvalidSignatureException","message":"scoped to another service"}`)
	case at.region != Region:
		a.elsewhere(w, r, at)
	case at.name == "cloudtrail":
		a.lookUp(w, r)
	default:
		center.ServeHTTP(w, r)
	}
}

// lookUp answers as CloudTrail does when it is asked for sign-ins by an identity provider.
func (a *AWS) lookUp(w http.ResponseWriter, r *http.Request) {
	const name = "ExternalIdPDirectoryLogin"
	var in struct {
		LookupAttributes []struct{ AttributeKey, AttributeValue string }
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	type event struct{ CloudTrailEvent string }
	out := struct{ Events []event }{[]event{}}
	keep := func(e adminapi.Event) bool {
		outcome := map[bool]string{true: "Success", false: "Failure"}[e.Result == "Granted"]
		out.Events = append(out.Events, event{`{"eventName":"` + name + `","eventTime":"` +
			e.EventTime.UTC().Format(time.RFC3339) + `","responseElements":{"` + name + `":"` + outcome + `"}}`})
		return true
	}
	if len(in.LookupAttributes) == 1 && in.LookupAttributes[0].AttributeValue == name {
		search := adminapi.SearchEvents{EventName: name, MaxResults: 50}
		if err := a.admin.LookupEvents(r.Context(), search, keep); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(out) // the client has gone away
}

func unknown(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = io.WriteString(w, `{"__type":"UnknownOperationException"}`)
}

// Folder is one that a program takes for the person's home, with a folder for downloads.
func Folder(t testing.TB) (home, downloads string) {
	t.Helper()
	home = t.TempDir()
	downloads = filepath.Join(home, "Downloads")
	if err := os.Mkdir(downloads, 0o700); err != nil {
		t.Fatal(err)
	}
	return home, downloads
}
