package ssooidc_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
)

// TestSigningInAgainKeepsPrograms: the browser's earlier session ends, but the person has not
// signed out.
func TestSigningInAgainKeepsPrograms(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ctx := context.Background()
	d.signIn()
	device := d.device("")
	d.page(
		http.MethodPost,
		"/start/device",
		url.Values{"user_code": {device["userCode"].(string)}, "decision": {"allow"}},
	)
	tokens := d.poll("", device["deviceCode"])
	d.signIn()
	portals := 0
	sessions, err := d.Sessions(ctx, d.user.ID)
	for _, s := range sessions {
		if s.Kind == center.PortalSession {
			portals++
		}
	}
	if err != nil || portals != 1 {
		t.Errorf("%d portal sessions are open, %v", portals, err)
	}
	if _, err := d.TokenUser(ctx, tokens["accessToken"].(string)); err != nil {
		t.Errorf("the program's token: %v", err)
	}
	if got := d.token(
		"", map[string]any{"grantType": "refresh_token", "refreshToken": tokens["refreshToken"]},
	); got["accessToken"] == nil {
		t.Errorf("the program's refresh token: %v", got)
	}
}
