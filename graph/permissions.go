package graph

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"golang.org/x/oauth2"
)

// Delegated are the permissions in the token of a person who signed in. The second result is false
// for a program's token, and where a token does not tell: Microsoft promises no form of it. Source:
// "Access token claims reference" on scp.
func (c *Client) Delegated() ([]string, bool) {
	transport, tokens := c.HTTP.Transport.(*oauth2.Transport)
	if !tokens {
		return nil, false
	}
	token, err := transport.Source.Token()
	if err != nil { // the next request says so
		return nil, false
	}
	_, after, _ := strings.Cut(token.AccessToken, ".")
	body, _, _ := strings.Cut(after, ".")
	text, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return nil, false
	}
	var claims struct {
		Scopes *string `json:"scp"`
	}
	if json.Unmarshal(text, &claims) != nil || claims.Scopes == nil {
		return nil, false
	}
	return strings.Fields(*claims.Scopes), true
}
