package identitystore_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/identitystore"
	"github.com/gatehouse-id/gatehouse/refusal"
)

var update = flag.Bool("update", false, "write the golden files")

// api is the identitystore API of a real center, and a client that signs with an access key of a
// role.
type api struct {
	t      testing.TB
	center *center.Center
	url    string
	key    center.AccessKey
	secret string
}

func newAPI(t testing.TB) *api {
	t.Helper()
	c := centertest.New(t, "http://127.0.0.1")
	c.Now = func() time.Time { return time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) }
	handler := &awsapi.Handler{
		Verify: &awsapi.Verifier{
			Region: "us-east-1",
			Now:    func() time.Time { return c.Now() },
			Lookup: func(ctx context.Context, id, _ string) (awsapi.Credential, error) {
				key, err := c.AccessKeySecret(ctx, id)
				return awsapi.Credential{Secret: key.SecretAccessKey.Reveal(), Caller: awsapi.Caller{
					AccessKeyID: id,
					Principal:   key.Principal,
					Role:        string(key.Role),
				}}, err
			},
		},
		Services: []awsapi.Service{(&identitystore.Handler{Center: c}).Service()}, Log: slog.New(slog.DiscardHandler),
		RequestID: func(*http.Request) string { return "11111111-2222-3333-4444-555555555555" },
		Address:   func(*http.Request) string { return "127.0.0.1" },
		Used:      func(context.Context, awsapi.Caller, string) {},
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	a := &api{t: t, center: c, url: server.URL}
	return a.as(center.RoleAdministrator)
}

// as is the same API for the holder of a new key.
func (a *api) as(role center.KeyRole) *api {
	a.t.Helper()
	key, err := a.center.CreateAccessKey(context.Background(), centertest.Actor, string(role), role)
	if err != nil {
		a.t.Fatal(err)
	}
	other := *a
	other.key, other.secret = key.AccessKey, key.SecretAccessKey.Reveal()
	return &other
}

// call sends a body; STORE in it is the identity store's id.
func (a *api) call(operation, body string) (int, map[string]any) {
	a.t.Helper()
	status, data := a.raw(operation, body)
	var out map[string]any
	if err := json.Unmarshal(data, &out); err != nil {
		a.t.Fatalf("%s: %v: %s", operation, err, data)
	}
	return status, out
}

// raw is call with the answer as it came.
func (a *api) raw(operation, body string) (int, []byte) {
	a.t.Helper()
	body = strings.ReplaceAll(body, "STORE", a.center.Instance.IdentityStoreID)
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, a.url+"/", strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "AWSIdentityStore."+operation)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	sum := sha256.Sum256([]byte(body))
	credentials := aws.Credentials{AccessKeyID: a.key.ID, SecretAccessKey: a.secret}
	if err := v4.NewSigner().SignHTTP(
		context.Background(), credentials, req, hex.EncodeToString(sum[:]), "identitystore", "us-east-1",
		a.center.Now(),
	); err != nil {
		a.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	data, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return res.StatusCode, data
}

// must sends a body that must be accepted.
func (a *api) must(operation, body string) map[string]any {
	a.t.Helper()
	status, out := a.call(operation, body)
	if status != 200 {
		a.t.Fatalf("%s %s: %d %v", operation, body, status, out)
	}
	return out
}

// full has every field of the service model.
const full = `{"IdentityStoreId":"STORE","UserName":"ada@example.com","DisplayName":"Ada Lovelace","NickName":"Ada",
	"ProfileUrl":"https://example.com/ada","UserType":"Employee","Title":"Countess",
 "PreferredLanguage":"en-GB","Locale":"en","Timezone":"Europe/London","Website":"https://ada.example",
 "Birthdate":"1815-12-10",
 "Name":{"Formatted":"Augusta Ada King","FamilyName":"King","GivenName":"Ada","MiddleName":"Augusta",
 "HonorificPrefix":"Lady","HonorificSuffix":"FRS"},
 "Emails":[{"Value":"ada@example.com","Type":"work","Primary":true}],"PhoneNumbers":[{"Value":"+44 20","Type":"work",
 "Primary":false}],"Roles":[{"Value":"Analyst","Type":"job","Primary":true}],
 "Addresses":[{"StreetAddress":"12 St James's Square","Locality":"London","Region":"London","PostalCode":"SW1Y",
 "Country":"GB","Formatted":"12 St James's Square\nLondon","Type":"home","Primary":true}],
 "Photos":[{"Value":"https://example.com/1.png","Type":"photo","Display":"Portrait","Primary":true},
 {"Value":"https://example.com/2.png"}],
 "Extensions":{"aws:identitystore:enterprise":{"employeeNumber":"7","costCenter":"42","organization":"Engines",
 "division":"Analytical","department":"Numbers","manager":{"value":"babbage"}}}}`

var uuids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// TestEveryFieldOfAUser writes all that the model has and compares what comes back, whole, with a
// golden file.
func TestEveryFieldOfAUser(t *testing.T) {
	a := newAPI(t)
	id := a.must("CreateUser", full)["UserId"].(string)
	got := a.must(
		"DescribeUser", `{"IdentityStoreId":"STORE","UserId":"`+id+`","Extensions":["aws:identitystore:enterprise"]}`,
	)
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(got); err != nil {
		t.Fatal(err)
	}
	text := uuids.ReplaceAllString(strings.ReplaceAll(b.String(), a.center.Instance.IdentityStoreID, "STORE"), "UUID")
	if *update {
		if err := os.WriteFile("testdata/user.json", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/user.json")
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("the user is\n%s\nwant\n%s", text, want)
	}
	if plain := a.must("DescribeUser", `{"IdentityStoreId":"STORE","UserId":"`+id+`"}`); plain["Extensions"] != nil {
		t.Errorf("extensions are shown though nobody asked: %v", plain["Extensions"])
	}
	for _, op := range []string{
		`{"AttributePath":"title","AttributeValue":null}`,
		`{"AttributePath":"name","AttributeValue":{"familyName":"Lovelace","givenName":"Augusta"}}`,
		`{"AttributePath":"emails","AttributeValue":[{"value":"augusta@example.com","type":"work","primary":true}]}`,
		`{"AttributePath":"addresses"}`,
		`{"AttributePath":"aws:identitystore:enterprise.department","AttributeValue":"Poetry"}`,
		`{"AttributePath":"aws:identitystore:enterprise.manager","AttributeValue":{"value":"byron"}}`,
	} {
		a.must("UpdateUser", `{"IdentityStoreId":"STORE","UserId":"`+id+`","Operations":[`+op+`]}`)
	}
	got = a.must(
		"DescribeUser", `{"IdentityStoreId":"STORE","UserId":"`+id+`","Extensions":["aws:identitystore:enterprise"]}`,
	)
	if text := fmt.Sprint(got); got["Title"] != nil || got["Addresses"] != nil ||
		!strings.Contains(text, "Augusta") || !strings.Contains(text, "Poetry") || !strings.Contains(text, "byron") ||
		strings.Contains(text, "Lady") {
		t.Errorf("updated to %v", got)
	}
}

func TestWhatTheModelForbids(t *testing.T) {
	a := newAPI(t)
	id := a.must("CreateUser", full)["UserId"].(string)
	group := a.must("CreateGroup", `{"IdentityStoreId":"STORE","DisplayName":"Crew"}`)["GroupId"].(string)
	const unknown = "99999999-2222-4333-8444-555555555555"
	person := func(change string) string {
		return `{"IdentityStoreId":"STORE","UserName":"x","DisplayName":"X","Name":{"GivenName":"G",
			"FamilyName":"F"}` + change + `}`
	}
	for name, c := range map[string]struct {
		operation, body, exception, message string
		members                             map[string]any
	}{
		"no store": {
			"ListUsers", `{}`, "ValidationException",
			"Value at 'identityStoreId' failed to satisfy constraint: Member must not be null", nil,
		},
		"a broken store id": {
			"ListUsers", `{"IdentityStoreId":"x"}`, "ValidationException",
			"Value 'x' at 'identityStoreId' failed to satisfy constraint: Member must satisfy regular expression " +
				"pattern",
			nil,
		},
		"another store": {
			"ListUsers", `{"IdentityStoreId":"d-0123456789"}`, "ResourceNotFoundException", "",
			map[string]any{"ResourceType": "IDENTITY_STORE"},
		},
		"a broken user id": {
			"DescribeUser", `{"IdentityStoreId":"STORE","UserId":"nobody"}`, "ValidationException", "userId", nil,
		},
		"an unknown user": {
			"DescribeUser", `{"IdentityStoreId":"STORE","UserId":"` + unknown + `"}`, "ResourceNotFoundException",
			"USER not found.", map[string]any{"ResourceType": "USER", "ResourceId": unknown},
		},
		"an unknown group": {
			"DescribeGroup", `{"IdentityStoreId":"STORE","GroupId":"` + unknown + `"}`, "ResourceNotFoundException",
			"GROUP not found.", map[string]any{"ResourceType": "GROUP"},
		},
		"an unknown membership": {
			"DescribeGroupMembership", `{"IdentityStoreId":"STORE","MembershipId":"` + unknown + `"}`,
			"ResourceNotFoundException", "", map[string]any{"ResourceType": "GROUP_MEMBERSHIP"},
		},
		"a taken name": {
			"CreateUser", strings.Replace(person(""), `"x"`, `"ADA@example.com"`, 1), "ConflictException",
			"Duplicate UserName", map[string]any{"Reason": "UNIQUENESS_CONSTRAINT_VIOLATION"},
		},
		"a taken address": {
			"CreateUser", person(`,"Emails":[{"Value":"ADA@example.com"}]`), "ConflictException", "",
			map[string]any{"Reason": "UNIQUENESS_CONSTRAINT_VIOLATION"},
		},
		"a taken group name": {
			"CreateGroup", `{"IdentityStoreId":"STORE","DisplayName":"CREW"}`, "ConflictException",
			"Duplicate GroupDisplayName", nil,
		},
		"a blank in a name": {
			"CreateUser", strings.Replace(person(""), `"x"`, `"x y"`, 1), "ValidationException", "userName", nil,
		},
		"an empty name": {
			"CreateUser", strings.Replace(person(""), `"x"`, `""`, 1), "ValidationException",
			"length greater than or equal to 1", nil,
		},
		"a long name": {
			"CreateUser", strings.Replace(person(""), `"x"`, `"`+strings.Repeat("é", 129)+`"`, 1),
			"ValidationException", "length less than or equal to 128", nil,
		},
		"a reserved name": {
			"CreateUser", strings.Replace(person(""), `"x"`, `"Administrator"`, 1), "ValidationException", "reserved",
			nil,
		},
		"a control character": {"CreateUser", person(`,"Title":"a\u0007b"`), "ValidationException", "title", nil},
		"a zero byte":         {"CreateUser", person(`,"Title":"\u0000"`), "ValidationException", "title", nil},
		"two addresses": {
			"CreateUser", person(`,"Emails":[{"Value":"a@b.c"},{"Value":"d@e.f"}]`), "ValidationException",
			"'emails' failed to satisfy constraint: Member must have length less than or equal to 1", nil,
		},
		"four photos": {
			"CreateUser", person(`,"Photos":[{"Value":"1"},{"Value":"2"},{"Value":"3"},{"Value":"4"}]`),
			"ValidationException", "photos", nil,
		},
		"a photo without a value": {
			"CreateUser", person(`,"Photos":[{"Type":"x"}]`), "ValidationException", "photos.1.member.value", nil,
		},
		"a birthday that is no date": {
			"CreateUser", person(`,"Birthdate":"10.12.1815"`), "ValidationException", "YYYY-MM-DD", nil,
		},
		"no display name": {"CreateUser", `{"IdentityStoreId":"STORE","UserName":"x"}`, "ValidationException", "", nil},
		"an unknown extension": {
			"CreateUser", person(`,"Extensions":{"aws:identitystore:shoes":{}}`), "ValidationException", "extension",
			nil,
		},
		"a broken extension name": {
			"CreateUser", person(`,"Extensions":{"shoes":{}}`), "ValidationException", "extensions.key", nil,
		},
		"several things": {
			"ListUsers", `{"IdentityStoreId":"x","MaxResults":0,"NextToken":"!"}`, "ValidationException",
			"3 validation errors detected", nil,
		},
		"too many results": {
			"ListUsers", `{"IdentityStoreId":"STORE","MaxResults":101}`, "ValidationException",
			"value less than or equal to 100", nil,
		},
		"a token of another list": {
			"ListUsers", `{"IdentityStoreId":"STORE","NextToken":"` + awsapi.EncodeToken("ListGroups", "x") + `"}`,
			"ValidationException", "token", nil,
		},
		"two filters": {
			"ListUsers",
			`{"IdentityStoreId":"STORE","Filters":[{"AttributePath":"UserName","AttributeValue":"x"},
				{"AttributePath":"UserName","AttributeValue":"y"}]}`,
			"ValidationException", "filters", nil,
		},
		"a filter on something else": {
			"ListUsers", `{"IdentityStoreId":"STORE","Filters":[{"AttributePath":"Title","AttributeValue":"x"}]}`,
			"ValidationException", "UserName", nil,
		},
		"both ways to name a user": {
			"GetUserId",
			`{"IdentityStoreId":"STORE","AlternateIdentifier":{"ExternalId":{"Issuer":"i","Id":"x"},
				"UniqueAttribute":{"AttributePath":"userName","AttributeValue":"x"}}}`,
			"ValidationException", "exactly one", nil,
		},
		"an attribute not unique": {
			"GetUserId",
			`{"IdentityStoreId":"STORE","AlternateIdentifier":{"UniqueAttribute":{"AttributePath":"title",
				"AttributeValue":"x"}}}`,
			"ValidationException", "The attribute title is not a unique attribute", nil,
		},
		"no member": {
			"CreateGroupMembership", `{"IdentityStoreId":"STORE","GroupId":"` + group + `","MemberId":{}}`,
			"ValidationException", "memberId", nil,
		},
		"an unknown member": {
			"CreateGroupMembership",
			`{"IdentityStoreId":"STORE","GroupId":"` + group + `","MemberId":{"UserId":"` + unknown + `"}}`,
			"ResourceNotFoundException", "Member does not exist", map[string]any{"ResourceType": "USER"},
		},
		"a member of no group": {
			"CreateGroupMembership",
			`{"IdentityStoreId":"STORE","GroupId":"` + unknown + `","MemberId":{"UserId":"` + id + `"}}`,
			"ResourceNotFoundException", "Group does not exist", map[string]any{"ResourceType": "GROUP"},
		},
		"no operations": {
			"UpdateUser", `{"IdentityStoreId":"STORE","UserId":"` + id + `","Operations":[]}`, "ValidationException",
			"operations", nil,
		},
		"an unknown attribute": {
			"UpdateUser",
			`{"IdentityStoreId":"STORE","UserId":"` + id +
				`","Operations":[{"AttributePath":"shoeSize","AttributeValue":"1"}]}`,
			"ValidationException", "shoeSize", nil,
		},
		"a broken path": {
			"UpdateUser",
			`{"IdentityStoreId":"STORE","UserId":"` + id +
				`","Operations":[{"AttributePath":"a.b.c.d.e","AttributeValue":"1"}]}`,
			"ValidationException", "attributePath", nil,
		},
		"a status": {
			"UpdateUser",
			`{"IdentityStoreId":"STORE","UserId":"` + id +
				`","Operations":[{"AttributePath":"userStatus","AttributeValue":"DISABLED"}]}`,
			"ValidationException", "userStatus", nil,
		},
		"a text that is a list": {
			"UpdateUser",
			`{"IdentityStoreId":"STORE","UserId":"` + id +
				`","Operations":[{"AttributePath":"title","AttributeValue":["x"]}]}`,
			"ValidationException", "title", nil,
		},
		"unsetting what is required": {
			"UpdateUser",
			`{"IdentityStoreId":"STORE","UserId":"` + id +
				`","Operations":[{"AttributePath":"displayName","AttributeValue":null}]}`,
			"ValidationException", "displayname: The attribute displayname is required", nil,
		},
		"half of an update": {
			"UpdateUser",
			`{"IdentityStoreId":"STORE","UserId":"` + id +
				`","Operations":[{"AttributePath":"title","AttributeValue":"half"},{"AttributePath":"shoeSize"}]}`,
			"ValidationException", "shoeSize", nil,
		},
		"no JSON":              {"ListUsers", `{`, "SerializationException", "", nil},
		"a list for an object": {"ListUsers", `[]`, "SerializationException", "", nil},
		"a number for a text": {
			"ListUsers", `{"IdentityStoreId":7}`, "SerializationException", "identityStoreId is not a string", nil,
		},
		"a large number": {
			"ListUsers", `{"IdentityStoreId":"STORE","MaxResults":1e400}`, "SerializationException", "maxResults",
			nil,
		},
		"a name twice": {
			"ListUsers", `{"IdentityStoreId":"STORE","IdentityStoreId":"STORE"}`, "SerializationException",
			"duplicate", nil,
		},
		"what is not UTF-8": {"ListUsers", "{\"IdentityStoreId\":\"\xff\"}", "SerializationException", "UTF-8", nil},
		"deep nesting": {
			"UpdateUser",
			`{"IdentityStoreId":"STORE","UserId":"` + id +
				`","Operations":[{"AttributePath":"title","AttributeValue":` + strings.Repeat("[", 20000) + `}]}`,
			"SerializationException", "", nil,
		},
		"an unknown operation": {"ListEverything", `{}`, "UnknownOperationException", "", nil},
	} {
		status, out := a.call(c.operation, c.body)
		if status != 400 || out["__type"] != c.exception || !strings.Contains(fmt.Sprint(out["Message"]), c.message) ||
			out["RequestId"] == "" {
			t.Errorf("%s: %d %v, want %s with %q", name, status, out, c.exception, c.message)
		}
		for k, v := range c.members {
			if out[k] != v {
				t.Errorf("%s: %s is %v, want %v", name, k, out[k], v)
			}
		}
	}
	if got := a.must("DescribeUser", `{"IdentityStoreId":"STORE","UserId":"`+id+`"}`); got["Title"] != "Countess" {
		t.Errorf("a refused update left %v", got["Title"])
	}
	for _, gone := range []string{`"DeleteGroup","GroupId":"` + group + `"`, `"DeleteUser","UserId":"` + id + `"`} {
		operation, field, _ := strings.Cut(gone, ",")
		a.must(strings.Trim(operation, `"`), `{"IdentityStoreId":"STORE",`+field+`}`)
	}
}

// TestOneRuleOfCharacters: what this API takes of a text, the center keeps, and nothing else,
// whichever door a text comes by.
func TestOneRuleOfCharacters(t *testing.T) {
	a, ctx := newAPI(t), context.Background()
	u, err := a.center.CreateUser(ctx, centertest.Actor, centertest.Person("ada@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range "a\u00e9\u65e5\U0001f600+<; \u00a0\u3000\t\n\r\u0301" +
		"\u0000\u0007\u007f\u0085\u00ad\u200b\u200d\u202e\u2003\u2028\ufeff\ue000" {
		title := "x" + string(r) + "y"
		value, err := json.Marshal(title)
		if err != nil {
			t.Fatal(err)
		}
		status, body := a.call("UpdateUser", `{"IdentityStoreId":"STORE","UserId":"`+string(u.ID)+
			`","Operations":[{"AttributePath":"title","AttributeValue":`+string(value)+`}]}`)
		_, err = a.center.UpdateUser(ctx, centertest.Actor, u.ID, func(u *center.User) error {
			u.Title, u.NickName = title, title
			return nil
		})
		if (status == http.StatusOK) != (err == nil) {
			t.Errorf("%+q: this door answers %d %v, the center %v", r, status, body, err)
		}
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	a := newAPI(t)
	people, readers := a.as(center.RoleUserAdministrator), a.as(center.RoleReadOnly)
	id := people.must("CreateUser", full)["UserId"].(string)
	readers.must("DescribeUser", `{"IdentityStoreId":"STORE","UserId":"`+id+`"}`)
	for _, body := range []string{
		`CreateGroup {"IdentityStoreId":"STORE","DisplayName":"x"}`,
		`DeleteUser {"IdentityStoreId":"STORE","UserId":"` + id + `"}`,
	} {
		operation, input, _ := strings.Cut(body, " ")
		if status, out := readers.call(operation, input); out["__type"] != "AccessDeniedException" {
			t.Errorf("a reader may %s: %d %v", operation, status, out)
		}
	}
	ctx := context.Background()
	if err := a.center.SetAccessKeyEnabled(ctx, centertest.Actor, readers.key.ID, false); err != nil {
		t.Fatal(err)
	}
	if _, out := readers.call("ListUsers", `{"IdentityStoreId":"STORE"}`); out["__type"] != "AccessDeniedException" &&
		out["__type"] != "UnrecognizedClientException" {
		t.Errorf("a disabled key: %v", out)
	}
	if err := a.center.DeleteAccessKey(ctx, centertest.Actor, people.key.ID); err != nil {
		t.Fatal(err)
	}
	if _, out := people.call("ListUsers", `{"IdentityStoreId":"STORE"}`); out["Users"] != nil {
		t.Errorf("a deleted key: %v", out)
	}
	if err := a.center.DeleteAccessKey(
		ctx, centertest.Actor, a.key.ID,
	); refusal.CodeOf(err) != center.LastAdministratorKey {
		t.Errorf("the last administrator's key could be deleted: %v", err)
	}
	if _, err := a.center.CreateAccessKey(
		ctx, centertest.Actor, "x", "emperor",
	); refusal.CodeOf(err) != center.InvalidValue {
		t.Errorf("an unknown role: %v", err)
	}
}

// TestPagesSurviveConcurrentWrites pages through users while others are made and deleted: everyone
// who was there all the time is seen exactly once.
func TestPagesSurviveConcurrentWrites(t *testing.T) {
	a := newAPI(t)
	stay := map[string]bool{}
	make1 := func(name string) string {
		return a.must(
			"CreateUser",
			`{"IdentityStoreId":"STORE","UserName":"`+name+
				`","DisplayName":"X","Name":{"GivenName":"G","FamilyName":"F"}}`,
		)["UserId"].(string)
	}
	for i := range 25 {
		stay[make1(fmt.Sprint("stay", i))] = true
	}
	group := a.must("CreateGroup", `{"IdentityStoreId":"STORE","DisplayName":"Crew"}`)["GroupId"].(string)
	for id := range stay {
		a.must(
			"CreateGroupMembership",
			`{"IdentityStoreId":"STORE","GroupId":"`+group+`","MemberId":{"UserId":"`+id+`"}}`,
		)
	}
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			id := make1(fmt.Sprint("come", i))
			a.must(
				"CreateGroupMembership",
				`{"IdentityStoreId":"STORE","GroupId":"`+group+`","MemberId":{"UserId":"`+id+`"}}`,
			)
			a.must("DeleteUser", `{"IdentityStoreId":"STORE","UserId":"`+id+`"}`)
		}
	})
	pages := func(operation, extra, list string, id func(map[string]any) string) {
		seen, token := map[string]int{}, ""
		for {
			body := `{"IdentityStoreId":"STORE","MaxResults":3` + extra
			if token != "" {
				body += `,"NextToken":"` + token + `"`
			}
			out := a.must(operation, body+`}`)
			for _, u := range out[list].([]any) {
				seen[id(u.(map[string]any))]++
			}
			if token, _ = out["NextToken"].(string); token == "" {
				break
			}
		}
		for who := range stay {
			if seen[who] != 1 {
				t.Errorf("%s: %s was seen %d times", operation, who, seen[who])
			}
		}
	}
	for range 3 {
		pages("ListUsers", "", "Users", func(u map[string]any) string { return u["UserId"].(string) })
		pages(
			"ListGroupMemberships", `,"GroupId":"`+group+`"`, "GroupMemberships",
			func(m map[string]any) string { return m["MemberId"].(map[string]any)["UserId"].(string) },
		)
	}
	close(stop)
	writer.Wait()
}

func TestAnotherLetterIsAnotherName(t *testing.T) {
	a := newAPI(t)
	id := a.must("CreateUser", strings.ReplaceAll(full, "ada@example.com", "mike@example.com"))["UserId"]
	a.must("CreateGroup", `{"IdentityStoreId":"STORE","DisplayName":"Bikes"}`)
	ask := func(name string) (int, map[string]any) {
		return a.call(
			"GetUserId",
			`{"IdentityStoreId":"STORE","AlternateIdentifier":{"UniqueAttribute":{"AttributePath":"userName",
				"AttributeValue":"`+name+`"}}}`,
		)
	}
	if status, out := ask("MIKE@example.com"); status != 200 || out["UserId"] != id {
		t.Errorf("by capital letters: %d %v", status, out)
	}
	for _, name := range []string{"mi\u212ae@example.com", "m\u0130ke@example.com", "m\u0131ke@example.com"} {
		if status, out := ask(name); status == 200 {
			t.Errorf("%q is %v", name, out)
		}
		if out := a.must(
			"ListUsers",
			`{"IdentityStoreId":"STORE","Filters":[{"AttributePath":"UserName","AttributeValue":"`+name+`"}]}`,
		); len(out["Users"].([]any)) != 0 {
			t.Errorf("%q lists %v", name, out)
		}
	}
	if status, out := a.call(
		"GetGroupId",
		`{"IdentityStoreId":"STORE","AlternateIdentifier":{"UniqueAttribute":{"AttributePath":"displayName",
			"AttributeValue":"Bi`+"\u212a"+`es"}}}`,
	); status == 200 {
		t.Errorf("the group is %v", out)
	}
}
