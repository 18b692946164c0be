package gather

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

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

const maxConfigFile = 4 << 20 //bound:body the AWS configuration file that doctor reads

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
	list, err := parseProfiles(io.LimitReader(file, maxConfigFile))
	if err != nil {
		g.without(doctor.Profiles, reason(err))
		return
	}
	g.facts.Profiles = list
}

// parseProfiles reads the profiles that sign in by Identity Center, with what their sso-session
// says. Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files".
func parseProfiles(r io.Reader) (list []doctor.Profile, err error) {
	sections, order := map[string]map[string]string{}, []string{}
	name := ""
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") {
			name = strings.Join(strings.Fields(line[1:len(line)-1]), " ")
			sections[name] = map[string]string{}
			order = append(order, name)
			continue
		}
		if key, value, ok := strings.Cut(line, "="); ok && name != "" && !strings.HasPrefix(line, "#") {
			sections[name][strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the AWS configuration file: %w", err)
	}
	for _, name := range order {
		s := sections[name]
		profile, isProfile := strings.CutPrefix(name, "profile ")
		if !isProfile && name != "default" {
			continue
		}
		session := sections["sso-session "+s["sso_session"]]
		p := doctor.Profile{
			Name: profile, StartURL: s["sso_start_url"], Region: s["sso_region"], AccountID: s["sso_account_id"],
			RoleName: s["sso_role_name"],
		}
		if session != nil {
			p.StartURL, p.Region = session["sso_start_url"], session["sso_region"]
		}
		if p.StartURL != "" {
			list = append(list, p)
		}
	}
	return list, nil
}
