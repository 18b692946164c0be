package orgserver_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/smithy-go"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/organizations"
	"github.com/gatehouse-id/gatehouse/center/orgserver"
	"github.com/gatehouse-id/gatehouse/refusal"
)

var background = context.Background()

func serve(t *testing.T, accounts ...center.Account) (*centertest.Server, *sdk.Client) {
	t.Helper()
	s := centertest.Serve(t)
	key, err := s.CreateAccessKey(background, audit.SystemActor, "terraform", center.RoleReadOnly)
	if err == nil {
		err = s.PutAccounts(background, audit.SystemActor, accounts)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s, sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: &s.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.SecretAccessKey.Reveal(), ""),
	})
}

// TestAnOrganizationIsReadBackWhole: what imports an organization from AWS reads the same accounts
// from the center, with their units and tags.
func TestAnOrganizationIsReadBackWhole(t *testing.T) {
	root := center.Unit{ID: "r-ab12", Name: "Root"}
	work := center.Unit{ID: "ou-ab12-aaaaaaaa", Name: "Workloads"}
	prod := center.Unit{ID: "ou-ab12-bbbbbbbb", Name: "Production"}
	want := []center.Account{
		{ID: "111122223333", Name: "Management", Email: "root@example.com", Units: []center.Unit{root}},
		{ID: "222222222222", Name: "Shop", Email: "shop@example.com", Units: []center.Unit{root, work, prod},
			Tags: []center.Tag{{Key: "team", Value: "shop"}}},
		{ID: "333333333333", Name: "Old", Email: "old@example.com", Units: []center.Unit{root, work}, Suspended: true},
	}
	s, client := serve(t, want...)
	got, err := organizations.Of(client).Accounts(background, func(int) {})
	slices.SortFunc(got, func(a, b center.Account) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read back %+v, %v, want %+v", got, err, want)
	}

	described, err := client.DescribeOrganization(background, &sdk.DescribeOrganizationInput{})
	if err != nil || *described.Organization.MasterAccountId != s.Instance.OwnerAccountID ||
		*described.Organization.MasterAccountEmail != "root@example.com" ||
		described.Organization.FeatureSet != types.OrganizationFeatureSetAll {
		t.Errorf("the organization is %+v, %v", described, err)
	}
	id := *described.Organization.Id
	account, err := client.DescribeAccount(background, &sdk.DescribeAccountInput{AccountId: aws.String("333333333333")})
	if err != nil || account.Account.Status != types.AccountStatusSuspended ||
		*account.Account.Arn != "arn:aws:organizations::111122223333:account/"+id+"/333333333333" ||
		account.Account.Paths[0] != id+"/r-ab12/ou-ab12-aaaaaaaa/333333333333/" {
		t.Errorf("the account is %+v, %v", account, err)
	}
	for child, parent := range map[string]types.Parent{
		"111122223333": {Id: &root.ID, Type: types.ParentTypeRoot},
		"222222222222": {Id: &prod.ID, Type: types.ParentTypeOrganizationalUnit},
		prod.ID:        {Id: &work.ID, Type: types.ParentTypeOrganizationalUnit},
		work.ID:        {Id: &root.ID, Type: types.ParentTypeRoot},
	} {
		parents, err := client.ListParents(background, &sdk.ListParentsInput{ChildId: &child})
		if err != nil || len(parents.Parents) != 1 || !reflect.DeepEqual(parents.Parents[0], parent) {
			t.Errorf("%s: %+v, %v", child, parents, err)
		}
	}
	units, err := client.ListChildren(background, &sdk.ListChildrenInput{
		ParentId: &work.ID, ChildType: types.ChildTypeOrganizationalUnit,
	})
	if err != nil || len(units.Children) != 1 || *units.Children[0].Id != prod.ID {
		t.Errorf("the children are %+v, %v", units, err)
	}
	unit, err := client.DescribeOrganizationalUnit(background, &sdk.DescribeOrganizationalUnitInput{
		OrganizationalUnitId: &prod.ID,
	})
	if err != nil || *unit.OrganizationalUnit.Name != "Production" {
		t.Errorf("the unit is %+v, %v", unit, err)
	}
	services, err := client.ListAWSServiceAccessForOrganization(
		background, &sdk.ListAWSServiceAccessForOrganizationInput{},
	)
	if err != nil || len(services.EnabledServicePrincipals) != 1 {
		t.Errorf("the services are %+v, %v", services, err)
	}
}

// TestAccountsThatWereMadeByHandAreUnderTheRoot, in pages.
func TestAccountsThatWereMadeByHandAreUnderTheRoot(t *testing.T) {
	var made []center.Account
	for _, id := range []string{"111111111111", "222222222222", "333333333333", "444444444444", "555555555555"} {
		made = append(made, center.Account{ID: id, Name: id})
	}
	_, client := serve(t, made...)
	roots, err := client.ListRoots(background, &sdk.ListRootsInput{})
	if err != nil || len(roots.Roots) != 1 {
		t.Fatalf("the roots are %+v, %v", roots, err)
	}
	pages := sdk.NewListAccountsForParentPaginator(client, &sdk.ListAccountsForParentInput{
		ParentId: roots.Roots[0].Id, MaxResults: aws.Int32(2),
	})
	var ids []string
	n := 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(background)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.Accounts {
			ids = append(ids, *a.Id)
		}
		n++
	}
	if n != 3 || len(ids) != 5 || !slices.IsSorted(ids) {
		t.Errorf("%d pages of %v", n, ids)
	}
	all, err := client.ListAccounts(background, &sdk.ListAccountsInput{})
	if err != nil || len(all.Accounts) != 5 {
		t.Errorf("all accounts: %+v, %v", all, err)
	}
	refused := func(what string, err error, want string) {
		t.Helper()
		var e smithy.APIError
		if !errors.As(err, &e) || e.ErrorCode() != want {
			t.Errorf("%s: %v, want %s", what, err, want)
		}
	}
	_, err = client.DescribeAccount(background, &sdk.DescribeAccountInput{AccountId: aws.String("999999999999")})
	refused("an unknown account", err, "AccountNotFoundException")
	_, err = client.DescribeAccount(background, &sdk.DescribeAccountInput{AccountId: aws.String("1")})
	refused("no account id", err, "InvalidInputException")
	_, err = client.ListAccounts(background, &sdk.ListAccountsInput{NextToken: aws.String("abc")})
	refused("a page token", err, "InvalidInputException")
	_, err = client.ListAccountsForParent(background, &sdk.ListAccountsForParentInput{
		ParentId: aws.String("ou-ab12-aaaaaaaa"),
	})
	refused("an unknown parent", err, "ParentNotFoundException")
	_, err = client.ListParents(background, &sdk.ListParentsInput{ChildId: aws.String("999999999999")})
	refused("an unknown child", err, "ChildNotFoundException")
	_, err = client.ListTagsForResource(background, &sdk.ListTagsForResourceInput{
		ResourceId: aws.String("999999999999"),
	})
	refused("an unknown resource", err, "TargetNotFoundException")
	_, err = client.CreateAccount(background, &sdk.CreateAccountInput{
		AccountName: aws.String("New"), Email: aws.String("new@example.com"),
	})
	refused("a change", err, "UnknownOperationException")
}

// TestEveryReasonHasAnAnswer: no refusal of the center ends as an unknown error here.
func TestEveryReasonHasAnAnswer(t *testing.T) {
	for _, code := range center.Refusals.All() {
		if e := orgserver.Answer(&refusal.Error{Code: code}); e.Code == "" {
			t.Errorf("%s has no answer", code)
		}
	}
}
