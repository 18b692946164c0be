package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

func TestTheConsoleAdministersKeysAndTokens(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	console := e.Center.URL + "/console"
	v := e.Administrator()
	page := v.Does(
		console+"/access-keys", url.Values{"name": {"<terraform>"}, "role": {"user-administrator"}},
		"It is not shown again",
	)
	if !strings.Contains(page, "&lt;terraform&gt;") {
		t.Errorf("the name is not on the page: %s", page)
	}
	id := regexp.MustCompile(`id="new-key"[\s\S]*?(AKIA[0-9A-F]{16})`).FindStringSubmatch(page)[1]
	if _, page := v.Send(http.MethodGet, console+"/access-keys", nil); strings.Contains(page, "new-key") ||
		!strings.Contains(page, id) {
		t.Error("a secret is shown again, or its key is missing")
	}
	v.Does(console+"/access-keys/"+id+"/status", url.Values{"enabled": {"false"}}, "The access key is disabled")
	v.Does(console+"/access-keys/"+id+"/status", url.Values{"enabled": {"true"}}, "The access key is enabled")
	v.IsSure(console+"/access-keys/"+id+"/delete", nil, "The access key is deleted")
	v.Does(console+"/access-keys/"+e.AWS.AccessKeyID+"/delete", nil,
		"the last enabled access key of an administrator")
	v.Does(
		console+"/access-keys", url.Values{"name": {"x"}, "role": {"emperor"}},
		"use administrator, user-administrator or read-only",
	)
	if _, page := v.Send(http.MethodGet, console+"/settings", nil); strings.Contains(page, "access token expires in") {
		t.Error("a token of a year is called soon to expire")
	}
	page = v.Does(console+"/settings/tokens", url.Values{"profile": {"standard"}}, "It is not shown again")
	if !strings.Contains(page, "standard profile") || !strings.Contains(page, "AWS profile") ||
		!strings.Contains(page, "from 127.0.0.1") {
		t.Errorf("tokens are shown without their profiles and last use: %s", page)
	}
}
