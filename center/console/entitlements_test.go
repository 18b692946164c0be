package console_test

import (
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestExistingRolesInTheConsole: an administrator makes the application, entitles a group and a
// user, finds the entitlements by each filter and on the pages of those that they are of, and takes
// them back after a question.
func TestExistingRolesInTheConsole(t *testing.T) {
	t.Parallel()
	s := centertest.Serve(t)
	w := centertest.Requests(t, s.Center)
	v := s.Console()
	page := s.URL + "/console/account-access"
	const role = "arn:aws:iam::111122223333:role/ops/Reader"
	give := func(of, who, role string) url.Values {
		return url.Values{"type": {of}, "who": {who}, "role": {role}}
	}
	if status, text := v.Send(http.MethodPost, page, give("GROUP", "Engineers", role)); status != http.StatusNotFound {
		t.Errorf("before there is an application: %d %s", status, text)
	}
	v.Does(page+"/enable", nil, "People can be entitled")
	v.Does(page+"/enable", nil, "People can be entitled") // twice
	v.Does(page, give("GROUP", "Engineers", role), "Engineers may open Reader in 111122223333")
	v.Does(page, give("USER", "grace", " "+role+" "), "grace may open Reader")
	v.Does(page, give("USER", "grace", role), "grace may open Reader") // again
	for name, form := range map[string]url.Values{
		"nobody":                       give("GROUP", "Nobody", role),
		"neither a user nor a group":   give("ROLE", "grace", role),
		"an account that is not there": give("USER", "grace", "arn:aws:iam::999999999999:role/Reader"),
		"a user's ARN":                 give("USER", "grace", "arn:aws:iam::111122223333:user/Reader"),
		"a session":                    give("USER", "grace", "arn:aws:sts::111122223333:assumed-role/Reader/x"),
		"a wildcard":                   give("USER", "grace", "arn:aws:iam::111122223333:role/*"),
		"a path that goes up":          give("USER", "grace", "arn:aws:iam::111122223333:role/../Reader/"),
		"an empty part of a path":      give("USER", "grace", "arn:aws:iam::111122223333:role//Reader"),
		"other letters":                give("USER", "grace", "arn:aws:iam::111122223333:role/Re\u0430der"),
		"a line more":                  give("USER", "grace", role+"\nx"),
		"a Region":                     give("USER", "grace", "arn:aws:iam:us-east-1:111122223333:role/Reader"),
		"a role of a permission set": give(
			"USER", "grace", "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/"+
				"AWSReservedSSO_Admin_0123456789abcdef",
		),
		"nothing": give("USER", "grace", ""),
	} {
		if status, text := v.Send(http.MethodPost, page, form); status < 400 || status >= 500 {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	for query, want := range map[string]int{
		"": 2, "?who=engineers": 1, "?who=grace": 1, "?who=nobody": 0, "?account=production": 2,
		"?account=111122223333&who=grace": 1, "?account=x": 0, "?role=" + url.QueryEscape(role): 2, "?role=x": 0,
	} {
		if got := strings.Count(v.Get(page+query), `name="id"`); got != want {
			t.Errorf("%q finds %d, want %d", query, got, want)
		}
	}
	for query, want := range map[string]string{
		"": "Engineers grace", "&who=grace": "grace", "&account=production&who=engineers": "Engineers",
		"&who=nobody": "",
	} {
		var rows []struct{ Account, Principal string }
		var who []string
		err := json.Unmarshal([]byte(v.Get(page+"?format=json"+query)), &rows)
		for _, row := range rows {
			who = append(who, row.Principal)
			if row.Account != "Production" {
				t.Errorf("in the file, the account is %q", row.Account)
			}
		}
		slices.Sort(who)
		if err != nil || strings.Join(who, " ") != want {
			t.Errorf("the file of %q names %q, want %s: %v", query, who, want, err)
		}
	}
	for _, of := range []string{
		"/console/groups/" + string(w.Engineers.ID), "/console/accounts/111122223333",
		"/console/users/" + string(w.Ada.ID), "/console/access?account=111122223333",
	} {
		text := v.Get(s.URL + of)
		if !strings.Contains(text, ">Reader<") && !strings.Contains(text, "role/ops/Reader<") {
			t.Errorf("%s does not show the role: %s", of, text)
		}
	}
	id := webtest.Match(t, v.Get(page+"?who=engineers"), regexp.MustCompile(`name="id" value="([^"]+)"`))
	question := v.Does(page+"/delete", url.Values{"id": {id}}, "The group Engineers (1 member) loses the role Reader")
	if !strings.Contains(question, "Delete the entitlement") {
		t.Errorf("the question is %s", question)
	}
	yes := url.Values{"sure": {"yes"}}
	if status, text := v.Send(http.MethodPost, page+"/disable", yes); status != http.StatusConflict {
		t.Errorf("with entitlements left: %d %s", status, text)
	}
	v.Does(page+"/delete", url.Values{"id": {id}, "sure": {"yes"}}, "The entitlement is deleted")
	if status, text := v.Send(http.MethodPost, page+"/delete", url.Values{"id": {id}, "sure": {"yes"}}); status !=
		http.StatusNotFound {
		t.Errorf("once more: %d %s", status, text)
	}
	// Who is deleted is named as such, and the leavers' question lists the role.
	if err := s.DeleteUser(t.Context(), centertest.Actor, w.Grace.ID); err != nil {
		t.Fatal(err)
	}
	if text := v.Get(page); !strings.Contains(text, "deleted user") {
		t.Errorf("of somebody who is deleted: %s", text)
	}
	gone := url.Values{"type": {"USER"}, "id": {string(w.Grace.ID)}, "name": {"grace"}}
	v.Does(s.URL+"/console/leavers/remove", gone, "the role "+role)
	gone.Set("sure", "yes")
	v.Does(s.URL+"/console/leavers/remove", gone, "1 assignment")
	v.Does(page+"/disable", url.Values{"sure": {"yes"}}, "The application is deleted")
}

// TestAccountsAreLabeledInTheConsole: from the list and on an account's own page, and the list is
// found and put in order by it.
func TestAccountsAreLabeledInTheConsole(t *testing.T) {
	t.Parallel()
	s := centertest.Serve(t)
	tag, odd := center.Tag{Key: "stage", Value: "dev"}, center.Tag{Key: "team=a", Value: "b=c"}
	e1 := s.PutAccounts(t.Context(), centertest.Actor, []center.Account{
		{ID: "111122223333", Name: "Production"},
		{
			ID: "222233334444", Name: "Staging", Tags: []center.Tag{tag, odd},
			Units: []center.Unit{{ID: "ou-1", Name: "Work"}},
		},
	})
	if err := errors.Join(e1); err != nil {
		t.Fatal(err)
	}
	v := s.Console()
	label := func(where, environment, color string) url.Values {
		return url.Values{"account": {where}, "environment": {environment}, "color": {color}}
	}
	put := s.URL + "/console/account-labels"
	v.Does(put, label("111122223333", "<Live>", "red"), "The label is saved")
	v.Does(put, label("tag:stage=dev", "Development", "green"), "The label is saved")
	page := v.Does(put, label("unit:ou-1", "Work", ""), "The label is saved")
	for _, text := range []string{
		`class="badge environment red" title="Environment">&lt;Live&gt;<`, `green" title="Environment">Development<`,
		"tag stage = dev", "unit Work ou-1", "Production 111122223333",
	} {
		if !strings.Contains(page, text) {
			t.Errorf("no %q on %s", text, page)
		}
	}
	for name, bad := range map[string]url.Values{
		"no account": label("999999999999", "x", ""), "no environment": label("111122223333", "", "red"),
		"no color": label("111122223333", "x", "puce"), "no place": label("", "x", ""),
	} {
		if status, text := v.Send(http.MethodPost, put, bad); status < 400 || status >= 500 {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	list := s.URL + "/console/accounts"
	if text := v.Get(list + "?q=development"); strings.Contains(text, ">Production</a>") ||
		!strings.Contains(text, ">Staging</a>") {
		t.Errorf("found by the environment: %s", text)
	}
	if file := v.Get(list + "?format=csv"); !strings.Contains(file, ",Development,green") {
		t.Errorf("the file is %s", file)
	}
	if text := v.Get(list + "/222233334444"); !strings.Contains(text, ">Development<") ||
		!strings.Contains(text, "Label this account") {
		t.Errorf("an account by its tag: %s", text)
	}
	oddForm := `tag:"team=a"=b=c`
	if text := v.Get(list); !strings.Contains(text, `value="`+html.EscapeString(oddForm)+`"`) {
		t.Errorf("no %s to choose: %s", oddForm, text)
	}
	v.Does(put, label(oddForm, "Odd", ""), "tag team=a = b=c")
	labels, err := s.AccountLabels(t.Context())
	if !slices.ContainsFunc(labels.List(), func(l center.AccountLabel) bool { return l.Tag != nil && *l.Tag == odd }) {
		t.Errorf("the labels are %v, %v", labels, err)
	}
	v.Does(put+"/delete", url.Values{"account": {oddForm}, "sure": {"yes"}}, "The label is deleted")
	own := label("222233334444", "Own", "darkBlue")
	own.Set("back", "/console/accounts/222233334444")
	if text := v.Does(put, own, "The label is saved"); !strings.Contains(text, "Change the label") {
		t.Errorf("its own: %s", text)
	}
	v.Does(put+"/delete", url.Values{"account": {"222233334444"}}, "Delete the label?")
	v.Does(put+"/delete", url.Values{"account": {"222233334444"}, "sure": {"yes"}}, "The label is deleted")
	v.Does(put+"/delete", url.Values{"account": {"unit:ou-1"}, "sure": {"yes"}}, "The label is deleted")
	if status, text := v.Send(http.MethodPost, put+"/delete", url.Values{
		"account": {"unit:ou-1"}, "sure": {"yes"},
	}); status != http.StatusNotFound {
		t.Errorf("once more: %d %s", status, text)
	}
}
