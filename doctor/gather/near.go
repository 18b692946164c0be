package gather

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/awsconfig"
	"github.com/gatehouse-id/gatehouse/doctor"
	"github.com/gatehouse-id/gatehouse/graph"
)

// probe asks a SCIM service what a token is good for.
func (g *gathering) probe(ctx context.Context) {
	out := &doctor.Probe{URL: g.SCIM.URL}
	for _, path := range []string{"/ServiceProviderConfig", "/Users?" +
		url.Values{"filter": {`userName eq "nobody"`}}.Encode()} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(g.SCIM.URL, "/")+path, nil)
		if err != nil {
			g.failed(doctor.SCIM, err)
			return
		}
		req.Header.Set("Authorization", "Bearer "+g.SCIM.Token)
		client := ReadOnly(g.HTTP)
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		res, err := client.Do(req)
		if err != nil {
			g.keep(func(f *doctor.Facts) {
				f.Endpoints = append(f.Endpoints, doctor.Endpoint{URL: g.SCIM.URL, Error: reason(err)})
			})
			return
		}
		data, _ := io.ReadAll(io.LimitReader(res.Body, maxReason)) // only for people
		_ = res.Body.Close()
		out.Status = res.StatusCode
		if res.StatusCode != http.StatusOK {
			out.Detail = strings.Join(strings.Fields(string(data)), " ")
			break
		}
	}
	g.keep(func(f *doctor.Facts) { f.AWS.Probe = out })
}

// endpoints asks each address that the sides name for its certificate and its time.
func (g *gathering) endpoints(ctx context.Context) {
	addresses := map[string]bool{}
	add := func(address string) {
		if u, err := url.Parse(address); err == nil && u.Host != "" {
			addresses[u.Scheme+"://"+u.Host+"/"] = true
		}
	}
	add(g.LoginURL)
	if e := g.facts.Entra; e != nil {
		for _, secrets := range e.Secrets {
			for _, kv := range secrets {
				if kv.Key == graph.KeyBaseAddress {
					add(kv.Value)
				}
			}
		}
	}
	if a := g.facts.AWS; a != nil && a.SP != nil {
		add(a.SP.SignInURL)
	}
	for address := range addresses {
		g.facts.Endpoints = append(g.facts.Endpoints, g.endpoint(ctx, address))
	}
}

const endpointTimeout = 10 * time.Second //bound:wait an endpoint that doctor asks for its time

func (g *gathering) endpoint(ctx context.Context, address string) doctor.Endpoint {
	ctx, cancel := context.WithTimeout(ctx, endpointTimeout)
	defer cancel()
	out := doctor.Endpoint{URL: address, Asked: time.Now().UTC()}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
	if err != nil {
		out.Error = reason(err)
		return out
	}
	client := http.Client{Transport: g.HTTP.Transport}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(req)
	if err != nil {
		out.Error = reason(err)
		return out
	}
	_ = res.Body.Close() // a HEAD has none
	if at, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		out.Date = at
	}
	if res.TLS != nil && len(res.TLS.PeerCertificates) > 0 {
		out.NotAfter = res.TLS.PeerCertificates[0].NotAfter
	}
	return out
}

// profiles reads the AWS configuration file of this machine.
func (g *gathering) profiles() {
	if g.ConfigFile == "" {
		return
	}
	file, err := os.Open(g.ConfigFile)
	if err != nil {
		return // nobody signs in by the CLI here
	}
	defer file.Close() //nolint:errcheck // a read file has nothing to lose
	read, err := awsconfig.Parse(file)
	if err != nil {
		g.without(doctor.Profiles, reason(err))
		return
	}
	for _, p := range read.Profiles() {
		g.facts.Profiles = append(g.facts.Profiles, doctor.Profile{
			Name:      p.Name,
			StartURL:  p.Session.StartURL,
			Region:    p.Session.Region,
			AccountID: p.AccountID,
			RoleName:  p.RoleName,
		})
	}
}
