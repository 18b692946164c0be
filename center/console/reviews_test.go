package console_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestAReviewInTheConsole: an administrator sets an owner, starts a review, removes and gives back,
// takes the file, and closes it.
func TestAReviewInTheConsole(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := centertest.Serve(t)
	w := centertest.Requests(t, s.Center)
	if _, err := w.CreateAssignment(ctx, centertest.Actor, center.Assignment{
		AccountID: w.Account.ID, PermissionSetARN: w.Set.ARN, PrincipalType: center.PrincipalGroup,
		PrincipalID: string(w.Approvers.ID),
	}); err != nil {
		t.Fatal(err)
	}
	v := s.Console()
	at := func(path string) string { return s.URL + "/console/access-reviews" + path }
	owner := url.Values{"set": {w.Set.ARN}, "owner": {"grace"}, "type": {"USER"}}
	v.Does(at("/owners"), owner, "grace reviews it")
	for field, wrong := range map[string]string{"set": "", "owner": "nobody", "type": "x"} {
		bad := url.Values{"set": {w.Set.ARN}, "owner": {"grace"}, "type": {"USER"}}
		bad.Set(field, wrong)
		if status, page := v.Send(http.MethodPost, at("/owners"), bad); status < 400 || status >= 500 {
			t.Errorf("%s=%q: %d %s", field, wrong, status, page)
		}
	}
	for _, until := range []string{"", "2020-01-01", "tomorrow"} {
		form := url.Values{"name": {"Q"}, "until": {until}}
		if status, page := v.Send(http.MethodPost, at(""), form); status != http.StatusBadRequest {
			t.Errorf("until %q: %d %s", until, status, page)
		}
	}
	until := s.Now().AddDate(0, 0, 9).UTC().Format("2006-01-02")
	page := v.Does(at(""), url.Values{"name": {"Fourth <quarter>"}, "until": {until}, "end": {"on"}}, "has begun")
	for _, text := range []string{"Fourth &lt;quarter&gt;", "group of 3", "Admin", "never", "grace", "all members"} {
		if !strings.Contains(page, text) {
			t.Errorf("no %q on %s", text, page)
		}
	}
	list := v.Get(at(""))
	id := webtest.Match(t, list, regexp.MustCompile(`access-reviews/([0-9a-f-]{36})"`))
	if page := v.Get(s.URL + "/console/"); !strings.Contains(page, "<strong>1</strong>Reviews due") {
		t.Errorf("the dashboard: %s", page)
	}
	line := url.Values{"line": {"0001"}, "verdict": {"REMOVE"}, "comment": {"=moved"}}
	v.Does(at("/"+id+"/decide"), line, "REMOVED")
	if file := v.Get(at("/" + id + "?format=csv")); !strings.Contains(file, "REMOVED") ||
		!strings.Contains(file, ",'=moved,") {
		t.Errorf("the file: %s", file)
	}
	line.Set("verdict", "RESTORE")
	v.Does(at("/"+id+"/decide"), line, "OPEN")
	line.Set("line", "9")
	if status, page := v.Send(http.MethodPost, at("/"+id+"/decide"), line); status != http.StatusNotFound {
		t.Errorf("a line that is not there: %d %s", status, page)
	}
	v.Does(at("/"+id+"/close"), url.Values{"keep": {"on"}}, "The review closes")
}
