package console

import (
	"bytes"
	"context"
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

// oauthData is what the page of an OAuth application shows beside the rest.
type oauthData struct {
	Base                     string // address of the application's page
	Authorize, Token, Issuer string // addresses for the application
	Policy                   string // as it is, or one that may be saved
	HasPolicy                bool
	RedirectURIs             string // one a line
	Refreshes, Exchanges     bool
	Issuers                  []issuerLine
	Scopes                   []center.AccessScope
	Background               bool
}

// issuerLine is a trusted token issuer, and which audiences of its tokens the application takes.
type issuerLine struct {
	center.TokenIssuer
	ID, Audiences string
}

func (p page) oauthData(a center.Application) (*oauthData, error) {
	c := p.h.Center
	issuers, err := c.TokenIssuers(p.Context())
	if err != nil {
		return nil, err
	}
	d := &oauthData{
		Base:       applicationURL(a.ARN),
		Authorize:  c.URL + "/authorize",
		Token:      c.URL + "/token?aws_iam=t",
		Issuer:     c.IssuerURL(),
		Policy:     readable(a.ActorPolicy),
		HasPolicy:  a.ActorPolicy != "",
		Scopes:     a.AccessScopes,
		Background: a.BackgroundSessions,
	}
	if !d.HasPolicy {
		d.Policy = readable(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` +
			c.Instance.OwnerAccountID + `"},"Action":"sso-oauth:CreateTokenWithIAM","Resource":"*"}]}`)
	}
	var taken []center.AuthorizedIssuer
	for _, g := range a.Grants {
		switch g.Type {
		case center.GrantAuthorizationCode:
			d.RedirectURIs = strings.Join(g.RedirectURIs, "\n")
		case center.GrantRefreshToken:
			d.Refreshes = true
		case center.GrantTokenExchange:
			d.Exchanges = true
		case center.GrantJWTBearer:
			taken = g.Issuers
		}
	}
	for _, i := range issuers {
		line := issuerLine{TokenIssuer: i, ID: path.Base(i.ARN)}
		for _, t := range taken {
			if t.ARN == i.ARN {
				line.Audiences = strings.Join(t.Audiences, "\n")
			}
		}
		d.Issuers = append(d.Issuers, line)
	}
	return d, nil
}

// readable is a policy as people read it.
func readable(policy string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(policy), "", "  ") != nil {
		return policy
	}
	return b.String()
}

// lines are the lines of a text that have anything in them.
func lines(text string) (list []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	return list
}

// changeOAuth changes an application and shows it again.
func (p page) changeOAuth(action center.Action, notice string, edit func(*center.Application) error) error {
	if err := p.h.Center.UpdateApplication(p.Context(), p.by, action, p.applicationARN(), edit); err != nil {
		return err
	}
	return p.Done(applicationURL(p.applicationARN()), notice)
}

// changeOAuthIfSure asks before that.
func (p page) changeOAuthIfSure(
	q web.Question, action center.Action, notice string, edit func(*center.Application) error,
) error {
	if done, err := p.SureOf(q, func(ctx context.Context) error {
		return p.h.Center.UpdateApplication(ctx, p.by, action, p.applicationARN(), edit)
	}); !done {
		return err
	}
	return p.Done(applicationURL(p.applicationARN()), notice)
}

// saveActorPolicy says who may ask for tokens of the application, or that nobody may.
func saveActorPolicy(p page) error {
	if p.PostFormValue("do") != "remove" {
		policy := strings.TrimSpace(strings.ReplaceAll(p.PostFormValue("policy"), "\r\n", "\n"))
		if policy == "" {
			return &refusal.Error{Code: center.MissingValue, Field: "Actor policy"}
		}
		return p.changeOAuth(
			center.ActionPutApplicationAuthenticationMethod, "The actor policy is saved.",
			func(a *center.Application) error { a.ActorPolicy = policy; return nil },
		)
	}
	question := web.Question{
		Title:  "Remove the actor policy?",
		Lines:  []string{"Nobody can ask for tokens of the application any more, and none can be renewed."},
		Button: "Remove the actor policy",
	}
	return p.changeOAuthIfSure(
		question, center.ActionDeleteApplicationAuthenticationMethod, "The actor policy is removed.",
		func(a *center.Application) error { a.ActorPolicy = ""; return nil },
	)
}

// withoutGrant says what ends with a grant.
var withoutGrant = map[center.GrantType]string{
	center.GrantAuthorizationCode: "Authorization code: nobody can sign in to the application any more.",
	center.GrantRefreshToken:      "Refresh token: its tokens are not renewed. People sign in again after an hour.",
	center.GrantJWTBearer: "JWT bearer: it gets no tokens for those of trusted token issuers, and what it has of " +
		"them is not renewed.",
	center.GrantTokenExchange: "Token exchange: it gets no tokens for those of other applications.",
}

// grants are those that the form asks for.
func (p page) grants() (list []center.Grant, err error) {
	if uris := lines(p.PostFormValue("redirects")); len(uris) > 0 {
		list = append(list, center.Grant{Type: center.GrantAuthorizationCode, RedirectURIs: uris})
	}
	issuers, err := p.h.Center.TokenIssuers(p.Context())
	bearer := center.Grant{Type: center.GrantJWTBearer}
	for _, i := range issuers {
		if audiences := lines(p.PostFormValue("audiences-" + path.Base(i.ARN))); len(audiences) > 0 {
			bearer.Issuers = append(bearer.Issuers, center.AuthorizedIssuer{ARN: i.ARN, Audiences: audiences})
		}
	}
	if len(bearer.Issuers) > 0 {
		list = append(list, bearer)
	}
	for field, of := range map[string]center.GrantType{
		"refresh": center.GrantRefreshToken, "exchange": center.GrantTokenExchange,
	} {
		if p.PostFormValue(field) != "" {
			list = append(list, center.Grant{Type: of})
		}
	}
	return list, err
}

// lost says what an application may no longer do with other grants.
func lost(old, next []center.Grant) (list []string) {
	for _, had := range old {
		at := slices.IndexFunc(next, func(g center.Grant) bool { return g.Type == had.Type })
		if at < 0 {
			list = append(list, withoutGrant[had.Type])
			continue
		}
		for _, uri := range had.RedirectURIs {
			if !slices.Contains(next[at].RedirectURIs, uri) {
				list = append(list, "Nobody is sent back to "+uri+" any more.")
			}
		}
		for _, i := range had.Issuers {
			for _, audience := range i.Audiences {
				if !slices.ContainsFunc(next[at].Issuers, func(n center.AuthorizedIssuer) bool {
					return n.ARN == i.ARN && slices.Contains(n.Audiences, audience)
				}) {
					list = append(list, "Tokens of "+path.Base(i.ARN)+" for "+audience+" are no longer taken.")
				}
			}
		}
	}
	return list
}

// saveGrants replaces the grants of an application. What is lost is asked about first.
func saveGrants(p page) error {
	a, err := p.h.Center.Application(p.Context(), p.applicationARN())
	if err != nil {
		return err
	}
	next, err := p.grants()
	if err != nil {
		return err
	}
	action := center.ActionPutApplicationGrant
	if len(next) < len(a.Grants) {
		action = center.ActionDeleteApplicationGrant
	}
	const saved = "The grants are saved."
	put := func(a *center.Application) error {
		a.Grants = nil
		for _, g := range next {
			a.SetGrant(g)
		}
		return nil
	}
	gone := lost(a.Grants, next)
	if len(gone) == 0 {
		return p.changeOAuth(action, saved, put)
	}
	question := web.Question{Title: "Change the grants of " + a.Name + "?", Lines: gone, Button: "Save the grants"}
	return p.changeOAuthIfSure(question, action, saved, put)
}

// saveScope adds a scope, or replaces the targets of one.
func saveScope(p page) error {
	s := center.AccessScope{
		Scope: strings.TrimSpace(p.PostFormValue("scope")), Targets: lines(p.PostFormValue("targets")),
	}
	for _, arn := range s.Targets {
		if arn == p.h.Center.Instance.ARN {
			continue
		}
		if _, err := p.h.Center.Application(p.Context(), arn); err != nil {
			return err
		}
	}
	return p.changeOAuth(
		center.ActionPutApplicationAccessScope, "The scope is saved.",
		func(a *center.Application) error { a.SetScope(s); return nil },
	)
}

func deleteScope(p page) error {
	name := p.PostFormValue("scope")
	question := web.Question{
		Title:  "Remove the scope " + name + "?",
		Lines:  []string{"Tokens that have it lose it at once, and other applications no longer take them by it."},
		Button: "Remove the scope",
	}
	return p.changeOAuthIfSure(
		question, center.ActionDeleteApplicationAccessScope, "The scope is removed.",
		func(a *center.Application) error { return a.RemoveScope(name) },
	)
}

func saveBackgroundSessions(p page) error {
	return p.changeOAuth(
		center.ActionPutApplicationSessionConfiguration, "The sessions are saved.",
		func(a *center.Application) error {
			a.BackgroundSessions = p.PostFormValue("background") != ""
			return nil
		},
	)
}
