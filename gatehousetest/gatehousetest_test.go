package gatehousetest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/scim"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestThePairIsReachedByEachOfItsSettings takes what Pair says, and nothing else.
func TestThePairIsReachedByEachOfItsSettings(t *testing.T) { // not parallel: it sets the environment
	ctx, pair := context.Background(), gatehousetest.Start(t)
	amara, ok := pair.Person("amara.okafor@northwind.example")
	if !ok || !slices.Contains(amara.Groups, "Platform Engineering") || len(pair.Accounts) != 4 {
		t.Fatalf("the company is %+v, %+v", amara, pair.Accounts)
	}
	if _, ok := pair.Person("nobody@northwind.example"); ok {
		t.Error("nobody is somebody")
	}

	t.Run("the AWS SDK for Go", func(t *testing.T) {
		cfg := pair.AWSConfig()
		who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil || *who.Account != pair.Center.AccountID {
			t.Errorf("the caller is %+v, %v", who, err)
		}
		instances, err := ssoadmin.NewFromConfig(cfg).ListInstances(ctx, &ssoadmin.ListInstancesInput{})
		if err != nil || *instances.Instances[0].InstanceArn != pair.Center.InstanceARN {
			t.Errorf("the instances are %+v, %v", instances, err)
		}
		for _, variable := range pair.Env() {
			name, value, _ := strings.Cut(variable, "=")
			t.Setenv(name, value)
		}
		if cfg, err = config.LoadDefaultConfig(ctx); err != nil {
			t.Fatal(err)
		}
		again, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil || *again.Arn != *who.Arn {
			t.Errorf("by the environment the caller is %+v, %v", again, err)
		}
	})
	t.Run("SCIM", func(t *testing.T) {
		client := &scim.Client{BaseURL: pair.Center.SCIMEndpoint, Token: pair.Center.SCIMToken}
		found, err := client.Find(ctx, "/Users", "userName", amara.UserName)
		if err != nil || len(found) != 1 {
			t.Errorf("found %v, %v", found, err)
		}
	})
	t.Run("Graph, and what follows at the center", func(t *testing.T) {
		client := graph.NewClient(ctx, pair.Tenant.GraphURL, pair.AuthorityURL()+"/oauth2/v2.0/token",
			pair.Tenant.ClientID, pair.Tenant.ClientSecret, nil)
		if err := client.Do(ctx, http.MethodPatch, "/users/"+amara.UserName,
			map[string]any{"jobTitle": "Chief"}, nil); err != nil {
			t.Fatal(err)
		}
		target := &scim.Client{BaseURL: pair.Center.SCIMEndpoint, Token: pair.Center.SCIMToken}
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) { // a poll
			found, err := target.Find(ctx, "/Users", "userName", amara.UserName)
			if err != nil {
				t.Fatal(err)
			}
			if found[0].String("title") == "Chief" {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the title never came: %v", found)
			}
		}
	})
	t.Run("a person's browser", func(t *testing.T) {
		v := webtest.New(t, nil)
		page := v.Get(pair.Center.PortalURL) // the tenant asks for the password
		form := webtest.Hidden(page)
		form.Set("loginfmt", amara.UserName)
		form.Set("passwd", amara.Password)
		_, page = v.Send(http.MethodPost, pair.Tenant.URL+"/login", form)
		action, form := v.Form(page, "SAMLResponse")
		v.Does(action, form, "AdministratorAccess")
	})
	t.Run("the administrator's, at both", func(t *testing.T) {
		for _, office := range []string{pair.Center.ConsoleURL, pair.Tenant.AdminCenterURL} {
			form := url.Values{"username": {pair.Admin.UserName}, "password": {pair.Admin.Password}}
			if status, page := webtest.New(
				t, nil,
			).Send(http.MethodPost, office+"login", form); status != http.StatusOK {
				t.Errorf("%s: %d %s", office, status, page)
			}
		}
	})
}

func TestAPairLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	pair, err := gatehousetest.New(gatehousetest.Unconnected(), gatehousetest.Company(3, 1))
	if err != nil {
		t.Fatal(err)
	}
	if len(pair.People) != 3 || pair.Center.SCIMToken != "" || pair.Tenant.ApplicationID != "" {
		t.Errorf("unconnected, it is %+v", pair.Output)
	}
	folder := filepath.Dir(pair.AWS.ConfigFile)
	if _, err := os.Stat(folder); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := pair.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
	for _, address := range []string{pair.Center.URL, pair.Tenant.URL} {
		if res, err := http.Get(address); err == nil {
			_ = res.Body.Close()
			t.Errorf("%s still answers", address)
		}
	}
	if _, err := gatehousetest.New(gatehousetest.Company(0, 1)); err == nil {
		t.Error("a company of nobody is made")
	}
}

// A program that is no test calls New and Close; a test calls Start, which does both.
func ExampleNew() {
	pair, err := gatehousetest.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pair.Close() //nolint:errcheck // the end of an example

	ctx, client := context.Background(), ssoadmin.NewFromConfig(pair.AWSConfig())
	sets, err := client.ListPermissionSets(ctx, &ssoadmin.ListPermissionSetsInput{
		InstanceArn: &pair.Center.InstanceARN,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, arn := range sets.PermissionSets {
		set, err := client.DescribePermissionSet(ctx, &ssoadmin.DescribePermissionSetInput{
			InstanceArn:      &pair.Center.InstanceARN,
			PermissionSetArn: &arn,
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(*set.PermissionSet.Name)
	}
	// Unordered output:
	// AdministratorAccess
	// PowerUserAccess
	// ReadOnlyAccess
}
