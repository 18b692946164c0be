package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/gatehouse-id/gatehouse/saml"
)

// centerStrangers are those at the doors of the centers.
func (g *gang) centerStrangers() []kind {
	return slices.Concat(g.atAPIs(), g.atSignIn(), []kind{g.forgers(), g.devices()}, g.atOAuth())
}

// atAPIs are those who call the center's APIs without the right credentials.
func (g *gang) atAPIs() []kind {
	center := g.h.center.url()
	scimPath := strings.TrimSuffix(strings.TrimPrefix(g.h.scim.ScimEndpoint, center), "/")
	return []kind{
		{"SCIM, wrong token", func(ctx context.Context, s *stranger, n int) {
			s.send(
				ctx, http.MethodGet, center+scimPath+"/Users?count=100", "", "", "Authorization",
				"Bearer "+random(40),
			)
		}},
		{"SCIM, wrong token, large body", func(ctx context.Context, s *stranger, n int) {
			s.send(
				ctx, http.MethodPost, center+scimPath+"/Users", "application/scim+json", g.big, "Authorization",
				"Bearer "+random(40),
			)
		}},
		{"SCIM, long tenant", func(ctx context.Context, s *stranger, n int) {
			s.send(
				ctx, http.MethodGet, center+"/"+g.big[:[]int{7 << 10, 1 << 20}[n/2%2]]+"/scim/v2/Users", "", "",
				"Authorization", "Bearer x",
			)
		}},
		{"AWS, unsigned", func(ctx context.Context, s *stranger, n int) {
			s.send(ctx, http.MethodPost, center+"/", "application/x-amz-json-1.1", "{}", "X-Amz-Target", target(n))
		}},
		{"AWS, unsigned, large body", func(ctx context.Context, s *stranger, n int) {
			s.send(
				ctx, http.MethodPost, center+"/", "application/x-amz-json-1.1", g.big[:1<<20-1], "X-Amz-Target",
				target(n),
			)
		}},
		{"AWS, wrong signature", func(ctx context.Context, s *stranger, n int) {
			key := []string{g.h.accessKey, "AKIA" + strings.ToUpper(random(16))}[n/2%2]
			s.signed(ctx, center, target(n), `{"IdentityStoreId":"d-1234567890"}`, key)
		}},
		{"AWS, wrong signature, large body", func(ctx context.Context, s *stranger, n int) {
			s.signed(ctx, center, target(n), `{"x":"`+g.big[:1<<20-10]+`"}`, g.h.accessKey)
		}},
		{"AWS, query", func(ctx context.Context, s *stranger, n int) {
			s.form(ctx, center+"/", url.Values{"Action": {[]string{"GetCallerIdentity", g.big[:50<<10], g.big}[n/2%3]}})
		}},
		{"AWS access portal, wrong token", func(ctx context.Context, s *stranger, n int) {
			s.send(
				ctx, http.MethodGet, center+"/assignment/accounts", "", "", "X-Amz-Sso_bearer_token",
				[]string{random(40), g.big[:50<<10]}[n/2%2],
			)
		}},
	}
}

// atSignIn are those who guess passwords and the steps after them.
func (g *gang) atSignIn() []kind {
	center, directory := g.h.center.url(), g.h.directory.url()
	return []kind{
		{"console, wrong password", func(ctx context.Context, s *stranger, n int) {
			s.form(
				ctx, []string{center, directory}[n/4%2]+"/console/login",
				url.Values{"username": {g.someName(n, "admin")}, "password": {random(10)}},
			)
		}},
		{"built-in directory, wrong password", func(ctx context.Context, s *stranger, n int) {
			s.form(
				ctx,
				directory+"/platform/login",
				url.Values{
					"username": {g.someName(n, fmt.Sprintf("resident%02d", 1+n%max(1, g.s.directly)))},
					"password": {random(10)},
				},
			)
		}},
		{"built-in directory, forgot", func(ctx context.Context, s *stranger, n int) {
			s.form(
				ctx, directory+"/platform/forgot",
				url.Values{"username": {g.someName(n, fmt.Sprintf("resident%02d", 1+n%max(1, g.s.directly)))}},
			)
		}},
		{"built-in directory, later steps", func(ctx context.Context, s *stranger, n int) {
			step := []string{"code", "password", "key", "device"}[n/2%4]
			s.send(
				ctx, http.MethodPost, directory+"/platform/login/"+step, formType,
				"code=123456&password=x&again=x&response={}", "Cookie", "gatehouse_ticket="+random(40),
			)
			s.send(ctx, http.MethodGet, directory+"/platform/password?ticket="+random(40), "", "")
		}},
	}
}

// atOAuth are those who register programs without end, and open pages that need a session.
func (g *gang) atOAuth() []kind {
	center := g.h.center.url()
	return []kind{
		{"OAuth, registrations", func(ctx context.Context, s *stranger, n int) {
			name := []string{"x", g.big[:1000], g.big}[n/2%3]
			s.json(
				ctx, center+"/client/register",
				map[string]any{"clientName": name, "clientType": "public", "scopes": []string{name}},
			)
		}},
		{"OAuth, pages", func(ctx context.Context, s *stranger, n int) {
			s.send(
				ctx, http.MethodGet,
				center+"/start/device?user_code="+g.someName(n, "AAAA-BBBB")[:min(9, len(g.someName(n, "AAAA-BBBB")))],
				"", "",
			)
			s.send(
				ctx, http.MethodGet,
				center+"/authorize?client_id="+random(40)+"&redirect_uri=http://127.0.0.1/&state="+g.big[:20<<10], "",
				"",
			)
		}},
		{"portal, invented session", func(ctx context.Context, s *stranger, n int) {
			s.send(
				ctx, http.MethodGet, center+"/start", "", "", "Cookie", "gatehouse_portal="+random(43),
				"X-Forwarded-For", g.big[:40<<10],
			)
		}},
	}
}

// someName is a name that is known, one that nobody has, or one that is far too long.
func (g *gang) someName(n int, known string) string {
	switch n / 2 % 4 {
	case 0:
		return "stranger-" + random(12)
	case 1:
		return "stranger-" + random(12) + g.big
	case 2:
		return "\x1b]52;c;" + g.big[:60<<10]
	}
	return known
}

func target(n int) string {
	return []string{
		"AWSIdentityStore.ListUsers", "SWBExternalService.ListInstances",
		"AWSIdentityStore." + strings.Repeat("x", 30<<10), "Nothing.AtAll",
	}[n/2%4]
}

func (s *stranger) json(ctx context.Context, address string, in any) string {
	body, err := json.Marshal(in)
	if err != nil {
		panic(err)
	}
	return s.send(ctx, http.MethodPost, address, jsonType, string(body))
}

// signed sends a request that is signed as AWS's clients do, with a secret that is wrong.
func (s *stranger) signed(ctx context.Context, center, target, body, key string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, center+"/", strings.NewReader(body))
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", target)
	sum := sha256.Sum256([]byte(body))
	service := "identitystore"
	if strings.HasPrefix(target, "SWB") {
		service = "sso"
	}
	credentials := aws.Credentials{AccessKeyID: key, SecretAccessKey: random(40)}
	if err := v4.NewSigner().SignHTTP(
		ctx, credentials, req, hex.EncodeToString(sum[:]), service, "us-east-1", time.Now(),
	); err != nil {
		return
	}
	s.answered(s.client.Do(req))
}

// forgers post responses that the identity provider has not made.
func (g *gang) forgers() kind {
	key, err := saml.NewSigningKey(time.Now(), time.Now().AddDate(1, 0, 0))
	if err != nil {
		panic(err)
	}
	forged := func(unsigned bool, name string, padding int) string {
		now := time.Now()
		text, err := saml.Response(
			saml.Statement{
				Issuer:       g.h.idpEntity,
				Audience:     g.h.sp.EntityID,
				ACSURL:       g.h.sp.AcsURLs[0],
				NameID:       name,
				AuthnInstant: now,
				Now:          now,
				Unsigned:     unsigned,
				Attributes:   []saml.Attribute{{Name: "padding", Values: []string{g.big[:padding]}}},
			},
			key,
		)
		if err != nil {
			panic(err)
		}
		return string(text)
	}
	return kind{"SAML, forged responses", func(ctx context.Context, s *stranger, n int) {
		name := g.h.people[n%len(g.h.people)].name
		var text string
		switch n / 2 % 6 {
		case 0:
			text = forged(false, name, 1)
		case 1:
			text = forged(true, name, 1)
		case 2:
			text = forged(false, name, 180<<10)
		case 3:
			text = strings.Repeat("<a>", 30_000)
		case 4:
			text = g.big
		case 5:
			text = forged(true, name+g.big[:60<<10], 1)
		}
		fields := url.Values{
			"SAMLResponse": {base64.StdEncoding.EncodeToString([]byte(text))},
			"RelayState":   {[]string{"", "rehearsal", g.big[:1000]}[n%3]},
		}
		s.form(ctx, g.h.sp.AcsURLs[0], fields)
	}}
}

// devices register a client, ask for device codes without end, and guess.
func (g *gang) devices() kind {
	center := g.h.center.url()
	const grant = "urn:ietf:params:oauth:grant-type:device_code"
	return kind{"OAuth, device codes", func(ctx context.Context, s *stranger, n int) {
		var client struct{ ClientID, ClientSecret string }
		text := s.json(
			ctx,
			center+"/client/register",
			map[string]any{
				"clientName": "aws-cli",
				"clientType": "public",
				"scopes":     []string{"sso:account:access"},
				"grantTypes": []string{grant, "refresh_token"},
			},
		)
		if json.Unmarshal([]byte(text), &client) != nil || client.ClientID == "" {
			return
		}
		for range 20 {
			s.json(
				ctx,
				center+"/device_authorization",
				map[string]any{
					"clientId":     client.ClientID,
					"clientSecret": client.ClientSecret,
					"startUrl":     center + "/start",
				},
			)
			s.json(
				ctx,
				center+"/token",
				map[string]any{
					"clientId":     client.ClientID,
					"clientSecret": client.ClientSecret,
					"grantType":    grant,
					"deviceCode":   random(30),
				},
			)
			s.json(
				ctx,
				center+"/token",
				map[string]any{
					"clientId":     random(20),
					"clientSecret": random(20),
					"grantType":    grant,
					"deviceCode":   random(30) + g.big[:60<<10],
				},
			)
			s.json(
				ctx,
				center+"/token",
				map[string]any{
					"clientId":     client.ClientID,
					"clientSecret": random(20),
					"grantType":    "authorization_code",
					"code":         random(30),
					"redirectUri":  "http://127.0.0.1/",
				},
			)
			s.json(
				ctx, center+"/token",
				map[string]any{"clientId": g.big, "grantType": "refresh_token", "refreshToken": random(30)},
			)
		}
	}}
}

// publicClient is the program that every tenant knows.
const publicClient = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"

// tenantStrangers are those at the doors of the tenant.
func (g *gang) tenantStrangers() []kind {
	tenant := g.h.tenant.url()
	known := func(n int) string { return g.h.people[n%g.s.people].name }
	return append([]kind{
		{"tenant, wrong password", func(ctx context.Context, s *stranger, n int) {
			s.form(ctx, tenant+"/login", url.Values{"loginfmt": {g.someName(n, known(n))}, "passwd": {random(10)}})
		}},
		{"tenant, wrong password of an administrator", func(ctx context.Context, s *stranger, n int) {
			s.form(
				ctx,
				tenant+[]string{"/login", "/admin/login"}[n/8%2],
				url.Values{
					"loginfmt": {"admin"},
					"passwd":   {random(10)},
					"username": {g.someName(n, "admin")},
					"password": {random(10)},
				},
			)
		}},
		{"Graph, wrong token", func(ctx context.Context, s *stranger, n int) {
			token := []string{
				"", "Bearer " + random(40), "Bearer eyJhbGciOiJub25lIn0.e30.", "Bearer " + g.big[:40<<10],
			}[n/2%4]
			path := []string{"/users", "/servicePrincipals/" + g.big[:20<<10], "/users/" + g.big}[n/8%3]
			s.send(ctx, http.MethodGet, tenant+"/v1.0"+path, "", "", "Authorization", token)
			s.send(ctx, http.MethodPost, tenant+"/v1.0/users", jsonType, g.big, "Authorization", token)
		}},
		{"SAML, requests", func(ctx context.Context, s *stranger, n int) {
			address, err := saml.AuthnRequest{
				ID:           saml.NewID(),
				IssueInstant: time.Now(),
				Issuer:       []string{g.h.sp.EntityID, "https://evil.example/" + g.big[:8<<10]}[n/2%2],
				Destination:  tenant + "/" + g.h.tenantID + "/saml2",
				ACSURL:       "https://evil.example/acs",
			}.RedirectURL(g.big[:1000], nil)
			if err == nil {
				s.send(ctx, http.MethodGet, address, "", "")
			}
			s.form(
				ctx, tenant+"/"+g.h.tenantID+"/saml2",
				url.Values{"SAMLRequest": {base64.StdEncoding.EncodeToString([]byte(g.big[:300<<10]))}},
			)
			s.send(ctx, http.MethodGet, tenant+"/signin/"+random(30), "", "")
		}},
	}, g.atTokens()...)
}

// atTokens are those who ask the tenant for tokens.
func (g *gang) atTokens() []kind {
	tenant := g.h.tenant.url()
	tokens := tenant + "/" + g.h.tenantID + "/oauth2/v2.0"
	return []kind{
		{"tenant, device codes", func(ctx context.Context, s *stranger, n int) {
			client := []string{publicClient, publicClient, random(36), g.big[:60<<10], g.big}[n/2%5]
			s.form(
				ctx, tokens+"/devicecode",
				url.Values{"client_id": {client}, "scope": {"https://graph.microsoft.com/.default offline_access"}},
			)
		}},
		{"tenant, tokens", func(ctx context.Context, s *stranger, n int) {
			fields := url.Values{
				"client_id":     {[]string{publicClient, random(36), g.big[:60<<10], g.big}[n/2%4]},
				"client_secret": {random(30)},
				"scope":         {"https://graph.microsoft.com/.default"},
			}
			grant := []string{
				"client_credentials", "authorization_code", "refresh_token",
				"urn:ietf:params:oauth:grant-type:device_code",
			}[n/8%4]
			fields.Set("grant_type", grant)
			proof := map[string]string{
				"client_credentials": "client_assertion",
				"authorization_code": "code",
				"refresh_token":      "refresh_token",
			}
			fields.Set(proof[grant], random(30))
			fields.Set("device_code", random(30))
			s.form(ctx, tokens+"/token", fields)
		}},
		{"tenant, authorize", func(ctx context.Context, s *stranger, n int) {
			redirect := []string{
				"http://localhost:x@evil.example/", "https://evil.example/", "http://localhost/",
			}[n/2%3]
			s.send(
				ctx,
				http.MethodGet,
				tokens+"/authorize?"+url.Values{
					"client_id":     {publicClient},
					"redirect_uri":  {redirect},
					"response_type": {"code"},
					"scope":         {"openid"},
					"state":         {g.big[:20<<10]},
				}.Encode(),
				"",
				"",
			)
			s.form(ctx, tenant+"/devicelogin", url.Values{"user_code": {g.someName(n, "ABCDEFGH")}})
		}},
	}
}
