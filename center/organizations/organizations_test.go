package organizations_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsorg "github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/organizations"
)

func config(endpoint string) aws.Config {
	return aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: &endpoint,
		Credentials:  credentials.NewStaticCredentialsProvider("AKIAMANAGEMENT", "secret", ""),
	}
}

// TestAnOrganizationIsReadWithUnitsAndTags builds one at moto: accounts in the root and in two
// levels of units.
func TestAnOrganizationIsReadWithUnitsAndTags(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	cfg := config(centertest.Moto(t))
	client := awsorg.NewFromConfig(cfg)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := client.CreateOrganization(
		ctx, &awsorg.CreateOrganizationInput{FeatureSet: types.OrganizationFeatureSetAll},
	)
	must(err)
	roots, err := client.ListRoots(ctx, &awsorg.ListRootsInput{})
	must(err)
	root := roots.Roots[0].Id
	outer, err := client.CreateOrganizationalUnit(
		ctx, &awsorg.CreateOrganizationalUnitInput{ParentId: root, Name: aws.String("Workloads")},
	)
	must(err)
	inner, err := client.CreateOrganizationalUnit(
		ctx, &awsorg.CreateOrganizationalUnitInput{ParentId: outer.OrganizationalUnit.Id, Name: aws.String("Prod")},
	)
	must(err)
	for name, parent := range map[string]*string{
		"first":  inner.OrganizationalUnit.Id,
		"second": outer.OrganizationalUnit.Id,
		"third":  nil,
	} {
		made, err := client.CreateAccount(
			ctx,
			&awsorg.CreateAccountInput{AccountName: &name, Email: aws.String(name + "@example.com"),
				Tags: []types.Tag{
					{Key: aws.String("team"), Value: &name}, {Key: aws.String("env"), Value: aws.String("prod")},
				}},
		)
		must(err)
		if parent != nil {
			_, err = client.MoveAccount(
				ctx,
				&awsorg.MoveAccountInput{
					AccountId:           made.CreateAccountStatus.AccountId,
					SourceParentId:      root,
					DestinationParentId: parent,
				},
			)
			must(err)
		}
		if name == "third" {
			_, err = client.CloseAccount(ctx, &awsorg.CloseAccountInput{AccountId: made.CreateAccountStatus.AccountId})
			must(err)
		}
	}
	told := 0
	accounts, err := organizations.New(cfg).Accounts(ctx, func(read int) { told = read })
	must(err)
	got := map[string]string{}
	for _, a := range accounts {
		var path []string
		for _, u := range a.Units {
			path = append(path, u.Name)
		}
		got[a.Name] = strings.Join(path, "/")
		if a.Name != "master" &&
			(a.Email != a.Name+"@example.com" || len(a.Tags) != 2 ||
				a.Tags[0] != (center.Tag{Key: "env", Value: "prod"}) || a.Suspended != (a.Name == "third")) {
			t.Errorf("read %+v", a)
		}
	}
	if len(accounts) != 4 || told != 4 || got["first"] != "Root/Workloads/Prod" || got["second"] != "Root/Workloads" ||
		got["third"] != "Root" {
		t.Errorf("%d accounts, told of %d: %v", len(accounts), told, got)
	}
}

// TestWhatAWSRefusesIsSaid: an error names what was asked for, and nothing is returned of half an
// organization.
func TestWhatAWSRefusesIsSaid(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"ListRoots":                         `{"Roots":[{"Id":"r-1","Name":"Root"}]}`,
		"ListAccountsForParent":             `{"Accounts":[{"Id":"111111111111","Name":"One","Status":"ACTIVE"}]}`,
		"ListOrganizationalUnitsForParent":  `{"OrganizationalUnits":[]}`,
		"ListTagsForResource":               `{"Tags":[]}`,
		"endless ListOrganizationalUnitsFo": `{"OrganizationalUnits":[{"Id":"ou-1","Name":"Again"}]}`,
	}
	server := func(edit func(map[string]string)) string {
		mine := map[string]string{}
		for k, v := range answers {
			mine[k] = v
		}
		edit(mine)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			if mine[operation] == "" {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write([]byte(`{"__type":"AccessDeniedException","Message":"no"}`))
				return
			}
			_, _ = w.Write([]byte(mine[operation]))
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	for name, c := range map[string]struct {
		edit func(map[string]string)
		want string
	}{
		"no roots":    {func(m map[string]string) { delete(m, "ListRoots") }, "list the roots"},
		"no accounts": {func(m map[string]string) { delete(m, "ListAccountsForParent") }, "list the accounts in r-1"},
		"no units": {func(m map[string]string) {
			delete(m, "ListOrganizationalUnitsForParent")
		}, "list the organizational units in r-1"},
		"no tags": {func(m map[string]string) {
			delete(m, "ListTagsForResource")
		}, "list the tags of account 111111111111"},
		"an endless tree": {func(m map[string]string) {
			m["ListOrganizationalUnitsForParent"] = m["endless ListOrganizationalUnitsFo"]
		}, "deeper than"},
		"an empty tree": {func(m map[string]string) {
			m["ListAccountsForParent"] = `{"Accounts":[]}`
		}, "no accounts"},
		"half an answer":     {func(m map[string]string) { m["ListTagsForResource"] = `{"Tags":[` }, "list the tags"},
		"nothing goes amiss": {func(map[string]string) {}, ""},
	} {
		accounts, err := organizations.New(config(server(c.edit))).Accounts(context.Background(), func(int) {})
		if c.want == "" {
			if err != nil || len(accounts) != 1 {
				t.Errorf("%s: %v, %v", name, accounts, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
