package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Graph's limit for a tenant of middle size: 5,000 resource units in ten seconds, of which a read
// costs one to three. Source: Microsoft Graph service-specific throttling limits, identity and
// access.
const (
	graphUnits  = 5000
	graphWindow = 10 * time.Second
	perSecond   = 20 // of each operation of identitystore, and of sso-admin
)

// bothSides is an Entra and an AWS as large as one likes, in step, behind the limits that their
// makers publish.
type bothSides struct {
	users, groups, each int // groups of so many members
	assigned            int // in each account with each permission set; 0: only a group
	at                  string

	mu        sync.Mutex
	tokens    map[string]float64
	last      map[string]time.Time
	units     int
	window    time.Time
	throttled int
	requests  map[string]int
}

func newBothSides(users, groups int) *bothSides {
	return &bothSides{
		users: users, groups: groups, each: 100, tokens: map[string]float64{}, last: map[string]time.Time{},
		requests: map[string]int{},
	}
}

// take takes a request of an operation of AWS's, of which a second's worth may come at once.
func (b *bothSides) take(operation string, rate float64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests[operation]++
	now := time.Now()
	have, known := b.tokens[operation]
	if !known {
		have, b.last[operation] = rate, now
	}
	have = min(rate, have+rate*now.Sub(b.last[operation]).Seconds())
	b.last[operation] = now
	if have < 1 {
		b.tokens[operation] = have
		b.throttled++
		return false
	}
	b.tokens[operation] = have - 1
	return true
}

// spend spends resource units of Graph's.
func (b *bothSides) spend(units int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests["graph"]++
	if now := time.Now(); now.Sub(b.window) > graphWindow {
		b.window, b.units = now, 0
	}
	if b.units+units > graphUnits {
		b.throttled++
		return false
	}
	b.units += units
	return true
}

// seconds is what the limits set: the members of each group take a request, more than all else.
func (b *bothSides) seconds() float64 { return float64(b.groups) / perSecond }

func (b *bothSides) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var out any
	switch target := r.Header.Get("X-Amz-Target"); {
	case target != "":
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		var ok bool
		if out, ok = b.aws(target, r); !ok {
			w.WriteHeader(http.StatusBadRequest)
		}
	case strings.HasSuffix(r.URL.Path, "/token"):
		w.Header().Set("Content-Type", "application/json")
		out = map[string]any{"access_token": "t", "token_type": "Bearer", "expires_in": 3600}
	case strings.HasPrefix(r.URL.Path, "/v1.0/"):
		w.Header().Set("Content-Type", "application/json")
		units := 1
		if strings.HasSuffix(r.URL.Path, "/members") {
			units = 3
		}
		if !b.spend(units) {
			w.Header().Set("Retry-After", "2")
			w.WriteHeader(http.StatusTooManyRequests)
			out = map[string]any{"error": map[string]string{"code": "TooManyRequests"}}
			break
		}
		if out = b.graph(r); out == nil {
			w.WriteHeader(http.StatusNotFound)
			out = map[string]any{"error": map[string]string{"code": "Request_ResourceNotFound"}}
		}
	default:
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_ = json.NewEncoder(w).Encode(out)
}

const (
	benchInstance = "arn:aws:sso:::instance/ssoins-0000000000000000"
	benchEntity   = "https://eu-west-1.signin.aws.amazon.com/platform/saml/d-0000000000"
	permissionSet = "arn:aws:sso:::permissionSet/ssoins-0000000000000000/ps-000000000000000"
	pageOfAWS     = 100
)

func person(i int) (upn, name string) {
	return fmt.Sprintf("person.%d@example.com", i), fmt.Sprintf("Person %d", i)
}

// member is the number of the k-th member of a group.
func (b *bothSides) member(group, k int) int { return (group*(b.users/b.groups) + k) % b.users }

func (b *bothSides) aws(target string, r *http.Request) (any, bool) {
	operation := target[strings.LastIndexByte(target, '.')+1:]
	lane, rate := operation, float64(perSecond)
	if strings.HasPrefix(target, "SWBExternalService") {
		lane = "sso-admin"
	} else if operation == "LookupEvents" {
		rate = 2
	}
	if !b.take(lane, rate) {
		return map[string]string{"__type": "ThrottlingException", "message": "Rate exceeded"}, false
	}
	var in struct{ NextToken, GroupID, PermissionSetArn, AccountID string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	from, _ := strconv.Atoi(in.NextToken)
	page := func(key string, n int, item func(int) any) map[string]any {
		items := make([]any, 0, pageOfAWS)
		for i := from; i < min(from+pageOfAWS, n); i++ {
			items = append(items, item(i))
		}
		out := map[string]any{key: items}
		if from+pageOfAWS < n {
			out["NextToken"] = strconv.Itoa(from + pageOfAWS)
		}
		return out
	}
	external := func(id string) []any {
		return []any{map[string]string{"Issuer": "https://scim.aws.com/t", "Id": id}}
	}
	switch operation {
	case "ListInstances":
		return map[string]any{"Instances": []any{map[string]string{
			"InstanceArn": benchInstance, "IdentityStoreId": "d-0000000000", "OwnerAccountId": "100000000001",
			"Status": "ACTIVE",
		}}}, true
	case "DescribeOrganization":
		return map[string]any{"Organization": map[string]string{"MasterAccountId": "100000000001"}}, true
	case "ListUsers":
		return page("Users", b.users, func(i int) any {
			upn, name := person(i)
			return map[string]any{
				"UserId": fmt.Sprintf("a-%d", i), "IdentityStoreId": "d-0000000000", "UserName": upn,
				"DisplayName": name, "Name": map[string]string{"GivenName": "Person", "FamilyName": name},
				"Emails":     []any{map[string]any{"Value": upn, "Primary": true, "Type": "work"}},
				"UserStatus": "ENABLED", "ExternalIds": external(fmt.Sprintf("u-%d", i)),
			}
		}), true
	case "ListGroups":
		return page("Groups", b.groups, func(i int) any {
			return map[string]any{
				"GroupId": fmt.Sprintf("b-%d", i), "IdentityStoreId": "d-0000000000",
				"DisplayName": fmt.Sprintf("Group %d", i), "ExternalIds": external(fmt.Sprintf("g-%d", i)),
			}
		}), true
	case "ListGroupMemberships":
		group, _ := strconv.Atoi(strings.TrimPrefix(in.GroupID, "b-"))
		return page("GroupMemberships", b.each, func(k int) any {
			return map[string]any{
				"IdentityStoreId": "d-0000000000", "MembershipId": fmt.Sprintf("m-%d-%d", group, k),
				"GroupId": in.GroupID, "MemberId": map[string]string{"UserId": fmt.Sprintf("a-%d", b.member(group, k))},
			}
		}), true
	case "ListPermissionSets":
		return page("PermissionSets", 10, func(i int) any { return permissionSet + strconv.Itoa(i) }), true
	case "DescribePermissionSet":
		return map[string]any{"PermissionSet": map[string]string{
			"PermissionSetArn": in.PermissionSetArn,
			"Name":             "Set" + strings.TrimPrefix(in.PermissionSetArn, permissionSet),
		}}, true
	case "ListAccountsForProvisionedPermissionSet":
		if b.assigned > 0 {
			return page("AccountIds", stubAccounts, func(i int) any { return fmt.Sprintf("%012d", i+1) }), true
		}
	case "ListAccountAssignments":
		return page("AccountAssignments", max(1, b.assigned), func(i int) any {
			return b.assignment(i, in.AccountID, in.PermissionSetArn)
		}), true
	}
	return map[string]any{}, true
}

// assignment is the i-th in an account with a permission set.
func (b *bothSides) assignment(i int, account, set string) any {
	kind, principal := "USER", fmt.Sprintf("a-%d", i%b.users)
	if b.assigned == 0 {
		kind, principal = "GROUP", "b-1"
	}
	return map[string]string{
		"AccountId": account, "PermissionSetArn": set, "PrincipalType": kind, "PrincipalId": principal,
	}
}

// benchPrincipal is the enterprise application.
var benchPrincipal = map[string]any{
	"id": "sp", "appId": "app", "displayName": "AWS IAM Identity Center", "accountEnabled": true,
	"applicationTemplateId": "21ed01d2-ec13-4e9e-86c1-cd546719ebc4", "preferredSingleSignOnMode": "saml",
	"appRoleAssignmentRequired": true, "servicePrincipalNames": []string{"app", benchEntity},
	"replyUrls": []string{"https://eu-west-1.signin.aws.amazon.com/platform/saml/acs/1"},
}

func (b *bothSides) graph(r *http.Request) any {
	path := strings.TrimPrefix(r.URL.Path, "/v1.0")
	from, _ := strconv.Atoi(r.URL.Query().Get("$skiptoken"))
	most, _ := strconv.Atoi(r.URL.Query().Get("$top"))
	most = max(most, 100)
	page := func(n int, item func(int) any) map[string]any {
		items := make([]any, 0, most)
		for i := from; i < min(from+most, n); i++ {
			items = append(items, item(i))
		}
		out := map[string]any{"value": items}
		if from+most < n {
			q := url.Values{"$top": {strconv.Itoa(most)}, "$skiptoken": {strconv.Itoa(from + most)}}
			out["@odata.nextLink"] = b.at + r.URL.Path + "?" + q.Encode()
		}
		return out
	}
	list := func(items ...any) any { return map[string]any{"value": items} }
	switch {
	case path == "/users":
		return page(b.users, func(i int) any {
			upn, name := person(i)
			return map[string]any{
				"id": fmt.Sprintf("u-%d", i), "accountEnabled": true, "displayName": name, "givenName": "Person",
				"surname": name, "userPrincipalName": upn, "mail": upn, "mailNickname": fmt.Sprintf("p%d", i),
				"userType": "Member",
			}
		})
	case path == "/groups" && r.URL.Query().Get("$filter") != "":
		return list()
	case path == "/groups":
		return page(b.groups, func(i int) any {
			return map[string]any{
				"id": fmt.Sprintf("g-%d", i), "displayName": fmt.Sprintf("Group %d", i), "securityEnabled": true,
			}
		})
	case strings.HasSuffix(path, "/members"):
		group, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(path, "/groups/g-"), "/members"))
		return page(b.each, func(k int) any {
			return map[string]any{
				"@odata.type": "#microsoft.graph.user", "id": fmt.Sprintf("u-%d", b.member(group, k)),
			}
		})
	case path == "/servicePrincipals":
		if strings.Contains(r.URL.Query().Get("$filter"), "21ed01d2") {
			return list(benchPrincipal)
		}
		return list()
	case path == "/servicePrincipals/sp":
		return benchPrincipal
	case path == "/applications":
		return list(map[string]any{"id": "obj", "appId": "app", "identifierUris": []string{benchEntity}})
	case path == "/servicePrincipals/sp/appRoleAssignedTo":
		return page(b.groups, func(i int) any {
			return map[string]any{
				"id": fmt.Sprintf("as-%d", i), "principalId": fmt.Sprintf("g-%d", i), "principalType": "Group",
				"principalDisplayName": fmt.Sprintf("Group %d", i), "resourceId": "sp",
				"appRoleId": "8774f594-1d59-4279-b9d9-59ef09a23530",
			}
		})
	case path == "/servicePrincipals/sp/synchronization/jobs":
		ended := time.Now().Add(-10 * time.Minute).UTC().Format(time.RFC3339)
		return list(map[string]any{
			"id": "job", "templateId": "aWSSingleSignon",
			"schedule": map[string]string{"interval": "PT40M", "state": "Active"},
			"status":   map[string]any{"code": "Active", "lastExecution": map[string]string{"timeEnded": ended}},
		})
	case path == "/organization":
		return list(map[string]any{"id": "t"})
	case path == "/subscribedSkus":
		return list(map[string]string{"skuPartNumber": "AAD_PREMIUM", "capabilityStatus": "Enabled"})
	case strings.HasPrefix(path, "/auditLogs/"), strings.HasPrefix(path, "/directory/deletedItems"),
		strings.HasSuffix(path, "/claimsMappingPolicies"):
		return list()
	}
	return nil
}

// look is a run of doctor: how long it took, until what needs no memberships was shown, its memory.
type look struct {
	seconds, early, cpu, memory float64
	out                         string
}

func (s settings) doctor(env []string, args ...string) (l look, err error) {
	cmd := exec.Command(s.program, append([]string{"doctor"}, args...)...) // #nosec G204 -- as in start
	cmd.Env = append(os.Environ(), append(env, "AWS_CONFIG_FILE=/nonexistent", "AWS_EC2_METADATA_DISABLED=true")...)
	var out bytes.Buffer
	cmd.Stdout = &out
	told, err := cmd.StderrPipe()
	if err != nil {
		return l, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return l, err
	}
	for lines := bufio.NewScanner(told); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "Before the memberships") {
			l.early = time.Since(began).Seconds()
		}
	}
	err = cmd.Wait()
	l.seconds, l.out = time.Since(began).Seconds(), out.String()
	l.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.ExitCode() != 2 { // what it found is no failure of the run
		err = nil
	}
	if used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok && runtime.GOOS == "linux" {
		l.memory = float64(used.Maxrss) / 1024
	}
	if err == nil && !strings.Contains(l.out, "checks found nothing") {
		err = fmt.Errorf("doctor did not look: %s", l.out)
	}
	return l, err
}

// doctors measures gatehouse doctor: against both sides behind their limits, and our halves.
func doctors(s settings, _ string) (figures []figure, err error) {
	sizes := []int{s.users}
	if s.users == 10_000 {
		sizes = append(sizes, 40_000)
	}
	for _, n := range sizes {
		b := newBothSides(n, max(1, n/10))
		server := httptest.NewServer(b)
		b.at = server.URL
		s.say("doctor, %s users and %s groups behind AWS's and Graph's limits", thousands(n), thousands(n/10))
		l, err := s.doctor(
			[]string{"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_ENDPOINT_URL=" + server.URL},
			"--center", "aws@eu-west-1", "--graph-url", server.URL+"/v1.0", "--login-url", server.URL+"/tenant",
			"--client-id", "c", "--client-secret", "s",
		)
		server.Close()
		if err != nil {
			return nil, err
		}
		if strings.Contains(l.out, "membership:") {
			return nil, fmt.Errorf("doctor finds what is not there: %s", l.out)
		}
		title := fmt.Sprintf("doctor, %s users and %s groups, behind both limits", thousands(n), thousands(n/10))
		figures = append(figures,
			figure{
				Name: title, Value: l.seconds, Unit: "s", Against: "limits", Floor: b.seconds(),
				Ratio: l.seconds / b.seconds(), Aim: "≤ 1.1 × limits",
				More: fmt.Sprintf("%d throttled, %.1f s of processor", b.throttled, l.cpu),
			},
			figure{Name: "what needs no memberships, after", Value: l.early, Unit: "s", Aim: "long before"},
			figure{Name: "its memory", Value: l.memory, Unit: "MiB"},
		)
	}
	d, err := startDemo(
		s.program, "--no-connect", "--people", fmt.Sprint(tenantPeople), "--groups", fmt.Sprint(tenantGroups),
	)
	if err != nil {
		return nil, err
	}
	defer d.stop()
	s.say("doctor, our halves with %s users and %s groups", thousands(tenantPeople), thousands(tenantGroups))
	if _, err := connectAll(d.demo); err != nil {
		return nil, err
	}
	l, err := s.doctor(
		[]string{"AWS_ACCESS_KEY_ID=" + d.AWS.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + d.AWS.SecretAccessKey},
		"--center-url", d.Center.URL, "--graph-url", d.Tenant.GraphURL,
		"--login-url", d.Tenant.URL+"/"+d.Tenant.TenantID,
		"--client-id", d.Tenant.ClientID, "--client-secret", d.Tenant.ClientSecret,
	)
	if err != nil {
		return nil, err
	}
	return append(figures,
		figure{
			Name: fmt.Sprintf("doctor, our halves, %s users and %s groups", thousands(tenantPeople),
				thousands(tenantGroups)),
			Value: l.seconds, Unit: "s", Aim: "≤ 2 s",
			More: fmt.Sprintf("%.1f s of processor, in %.0f MiB", l.cpu, l.memory),
		}), nil
}
