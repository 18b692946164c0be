package server_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	idtypes "github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/smithy-go"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

var background = context.Background()

// door is a whole center and AWS's clients of it, all of which come from loopback.
type door struct {
	*centertest.Server
	t     *testing.T
	admin *ssoadmin.Client
	store *identitystore.Client
}

func newDoor(t *testing.T) door {
	t.Helper()
	s := centertest.Serve(t)
	key, err := s.CreateAccessKey(background, audit.SystemActor, "terraform", center.RoleAdministrator)
	if err != nil {
		t.Fatal(err)
	}
	keys := credentials.NewStaticCredentialsProvider(key.ID, key.SecretAccessKey.Reveal(), "")
	return door{
		s, t,
		ssoadmin.New(ssoadmin.Options{
			Region: "us-east-1", BaseEndpoint: &s.URL, RetryMaxAttempts: 1, Credentials: keys,
		}),
		identitystore.New(identitystore.Options{
			Region: "us-east-1", BaseEndpoint: &s.URL, RetryMaxAttempts: 1, Credentials: keys,
		}),
	}
}

// fails checks the exception and the sentence that an operation fails with; "": it succeeds.
func (d door) fails(what string, err error, code, sentence string) {
	d.t.Helper()
	var e smithy.APIError
	switch {
	case code == "" && err == nil:
	case code == "", !errors.As(err, &e), e.ErrorCode() != code, !strings.Contains(e.ErrorMessage(), sentence):
		d.t.Errorf("%s: %v, want %s %q", what, err, code, sentence)
	}
}

func (d door) setInstance(n *types.NetworkConfigurationInfo) error {
	_, err := d.admin.UpdateInstance(background, &ssoadmin.UpdateInstanceInput{
		InstanceArn: &d.Instance.ARN, NetworkConfiguration: n,
	})
	return err
}

func (d door) setStore(n *idtypes.NetworkConfiguration) error {
	_, err := d.store.UpdateIdentityStore(background, &identitystore.UpdateIdentityStoreInput{
		IdentityStoreId: &d.Instance.IdentityStoreID, NetworkConfiguration: n,
	})
	return err
}

// allowed are the networks that an instance tells; nil also where it tells of no controls.
func allowed(i *ssoadmin.DescribeInstanceOutput) []string {
	if i == nil || i.NetworkConfigurationDetails == nil {
		return nil
	}
	return i.NetworkConfigurationDetails.AllowSourceIps
}

// TestNetworkControlsThatCannotBeKeptAreRefused: nothing is acknowledged that is not enforced, and
// nobody shuts themselves out.
func TestNetworkControlsThatCannotBeKeptAreRefused(t *testing.T) {
	d := newDoor(t)
	const invalid = "ValidationException"
	yes, no := aws.Bool(true), aws.Bool(false)
	for sentence, n := range map[string]*types.NetworkConfigurationInfo{
		"RestrictSourceVpcs cannot be enforced": {
			VpceAccessRequired: yes, RestrictSourceVpcs: []string{"vpc-0123456789abcdef0"},
			AllowSourceIps: []string{"127.0.0.1"},
		},
		"ExcludeApplicationArns cannot be enforced": {
			VpceAccessRequired: yes, AllowSourceIps: []string{"127.0.0.1"},
			ExcludeApplicationArns: []string{"arn:aws:sso::111122223333:application/*"},
		},
		"add the caller's source IP": {VpceAccessRequired: yes, AllowSourceIps: []string{"192.0.2.0/24"}},
		"would deny the calling":     {VpceAccessRequired: yes},
		"regular expression pattern": {VpceAccessRequired: yes, AllowSourceIps: []string{"127.0.0.1/33"}},
	} {
		d.fails(sentence, d.setInstance(n), invalid, sentence)
	}
	for sentence, n := range map[string]*idtypes.NetworkConfiguration{
		"ApiRestrictSourceVpcs cannot be enforced": {
			VpceAccessRequired: yes, ApiRestrictSourceVpcs: []string{"vpc-0123456789abcdef0"},
		},
		"VPC endpoint here":          {VpceAccessRequired: yes, ScimAllowSourceIps: []string{"127.0.0.1"}},
		"set it to true":             {VpceAccessRequired: no, ApiAllowSourceIps: []string{"127.0.0.1"}},
		"192.0.2.0/99":               {VpceAccessRequired: yes, ApiAllowSourceIps: []string{"192.0.2.0/99"}},
		"greater than or equal":      {VpceAccessRequired: yes, ApiAllowSourceIps: []string{}},
		"satisfy regular expression": {VpceAccessRequired: yes, ApiAllowSourceIps: []string{"127.0.0.1", "10.0.0"}},
	} {
		d.fails(sentence, d.setStore(n), invalid, "")
	}
	_, err := d.admin.UpdateInstance(background, &ssoadmin.UpdateInstanceInput{
		InstanceArn: &d.Instance.ARN, PermissionSetsEnabled: yes,
		NetworkConfiguration: &types.NetworkConfigurationInfo{VpceAccessRequired: no},
	})
	d.fails("two at once", err, invalid, "Only one of")
	i, err := d.admin.DescribeInstance(background, &ssoadmin.DescribeInstanceInput{InstanceArn: &d.Instance.ARN})
	if err != nil || i.NetworkConfigurationDetails != nil {
		t.Errorf("after refusals only: %+v, %v", i, err)
	}

	d.fails("own network", d.setInstance(&types.NetworkConfigurationInfo{
		VpceAccessRequired: yes, AllowSourceIps: []string{"127.0.0.0/8", "2001:db8::/32"},
	}), "", "")
	if i, err = d.admin.DescribeInstance(background, &ssoadmin.DescribeInstanceInput{
		InstanceArn: &d.Instance.ARN,
	}); err != nil || len(allowed(i)) != 2 {
		t.Errorf("what was set: %+v, %v", i, err)
	}
	d.fails("none", d.setInstance(&types.NetworkConfigurationInfo{
		VpceAccessRequired: no, AllowSourceIps: []string{"127.0.0.1"},
	}), "", "")
	if i, err = d.admin.DescribeInstance(background, &ssoadmin.DescribeInstanceInput{
		InstanceArn: &d.Instance.ARN,
	}); err != nil || len(allowed(i)) != 0 {
		t.Errorf("where nothing is required, the lists are cleared: %+v, %v", i, err)
	}
}

// TestRequestsFromOtherNetworksAreRefused by every door in its protocol's words, and the console
// opens what was shut.
func TestRequestsFromOtherNetworksAreRefused(t *testing.T) {
	d := newDoor(t)
	elsewhere := []string{"192.0.2.0/24"}
	provisioner := d.SCIM(center.ProfileAWS)
	list := func() error {
		_, err := d.store.ListUsers(background, &identitystore.ListUsersInput{
			IdentityStoreId: &d.Instance.IdentityStoreID,
		})
		return err
	}
	provision := func() error {
		_, err := provisioner.List(background, "/Users", 1, 1)
		return err
	}
	if err := d.SetStoreNetwork(background, audit.SystemActor, center.StoreNetwork{
		Required: true, APIAllowSourceIPs: elsewhere, SCIMAllowSourceIPs: []string{"127.0.0.1"},
	}); err != nil {
		t.Fatal(err)
	}
	d.fails("identitystore", list(), "AccessDeniedException", "from this address")
	if err := provision(); err != nil {
		t.Errorf("SCIM from its network: %v", err)
	}
	if err := d.SetStoreNetwork(background, audit.SystemActor, center.StoreNetwork{
		Required: true, APIAllowSourceIPs: []string{"127.0.0.1"},
	}); err != nil {
		t.Fatal(err)
	}
	d.fails("identitystore from its network", list(), "", "")
	if err := provision(); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("SCIM from elsewhere: %v", err)
	}

	if err := d.UpdateInstance(background, audit.SystemActor, center.InstanceChange{
		Network: &center.InstanceNetwork{Required: true, AllowSourceIPs: elsewhere},
	}); err != nil {
		t.Fatal(err)
	}
	_, err := d.admin.ListInstances(background, &ssoadmin.ListInstancesInput{})
	d.fails("sso-admin", err, "AccessDeniedException", "from this address")
	anonymous := sso.New(sso.Options{Region: "us-east-1", BaseEndpoint: &d.URL, RetryMaxAttempts: 1})
	_, err = anonymous.ListAccounts(background, &sso.ListAccountsInput{AccessToken: aws.String("none")})
	d.fails("sso", err, "ForbiddenException", "")
	programs := ssooidc.New(ssooidc.Options{Region: "us-east-1", BaseEndpoint: &d.URL, RetryMaxAttempts: 1})
	_, err = programs.RegisterClient(background, &ssooidc.RegisterClientInput{
		ClientName: aws.String("program"), ClientType: aws.String("public"),
	})
	d.fails("sso-oidc", err, "AccessDeniedException", "")
	for _, path := range []string{
		"/", "/start", "/start/applications", "/platform/login",
		"/platform/saml/metadata/" + d.Instance.IdentityStoreID,
		"/authorize", "/start/device", "//start", "/console/../start", "/saml/metadata/apl-0123456789abcdef",
		"/saml/sso/apl-0123456789abcdef", "/nowhere",
	} {
		if status, page := d.Visitor().Send(http.MethodGet, d.URL+path, nil); status != http.StatusForbidden ||
			!strings.Contains(page, "its own networks only") {
			t.Errorf("%s: %d %s", path, status, page)
		}
	}
	if e := d.LastEvent(); e.Action != "NetworkAccess" || e.Result != audit.Refused || e.Code != "network-not-allowed" {
		t.Errorf("the event is %+v", e)
	}

	console := d.Console()
	if page := console.Get(d.URL + "/console/settings/network"); !strings.Contains(page, elsewhere[0]) {
		t.Errorf("the settings do not tell the networks: %s", page)
	}
	if status, page := console.Send(
		http.MethodPost, d.URL+"/console/settings/networks/open", url.Values{"sure": {"yes"}},
	); status != http.StatusOK || strings.Contains(page, elsewhere[0]) {
		t.Errorf("the networks are opened: %d %s", status, page)
	}
	metadata := d.URL + "/platform/saml/metadata/" + d.Instance.IdentityStoreID
	if status, _ := d.Visitor().Send(http.MethodGet, metadata, nil); status != http.StatusOK {
		t.Errorf("people's pages after the controls are removed: %d", status)
	}
	d.fails("identitystore", list(), "", "")
	if err := provision(); err != nil {
		t.Errorf("SCIM: %v", err)
	}
}

// TestTheControlsCannotBeTakenAwayFromElsewhere: an administrator's key that was stolen opens no
// networks from outside of them, by the admin API neither, but the center's own machine always may.
// STS proves who somebody is to whoever asks, as at AWS, but opens no role of the instance.
func TestTheControlsCannotBeTakenAwayFromElsewhere(t *testing.T) {
	d := newDoor(t)
	key, err := d.CreateAccessKey(background, audit.SystemActor, "ada", center.RoleAdministrator)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.UpdateInstance(background, audit.SystemActor, center.InstanceChange{
		Network: &center.InstanceNetwork{Required: true, AllowSourceIPs: []string{"192.0.2.0/24"}},
	}); err != nil {
		t.Fatal(err)
	}
	ask := func(from, service, target, body string) (int, string) {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, d.URL+"/", strings.NewReader(body))
		r.RemoteAddr = from + ":1024"
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if target != "" {
			r.Header.Set("Content-Type", "application/x-amz-json-1.1")
			r.Header.Set("X-Amz-Target", target)
		}
		sum := sha256.Sum256([]byte(body))
		if err := v4.NewSigner().SignHTTP(background, aws.Credentials{
			AccessKeyID: key.ID, SecretAccessKey: key.SecretAccessKey.Reveal(),
		}, r, hex.EncodeToString(sum[:]), service, d.Instance.Region, time.Now()); err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		d.HTTP.Config.Handler.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	const role = "Action=AssumeRole&Version=2011-06-15&RoleSessionName=ada&RoleArn=arn%3Aaws%3Aiam%3A%3A222233334444" +
		"%3Arole%2FAWSReservedSSO_Reader_0123456789abcdef"
	const remove = adminapi.Target + ".RemoveNetworkControls"
	for _, c := range []struct {
		from, service, target, body string
		status                      int
		text                        string
	}{
		{"198.51.100.7", adminapi.SigningName, remove, "{}", 400, "from this address"},
		{"198.51.100.7", adminapi.SigningName, adminapi.Target + ".CreateBearerToken", "{}", 400, "from this address"},
		{"198.51.100.7", "organizations", "AWSOrganizationsV20161128.ListRoots", "{}", 400, "from this address"},
		{"198.51.100.7", "sts", "", role, 403, "from this address"},
		{"192.0.2.7", "sts", "", role, 403, "sts:AssumeRole"},
		{"198.51.100.7", "sts", "", "Action=GetCallerIdentity&Version=2011-06-15", 200, "user/ada"},
		{"192.0.2.7", adminapi.SigningName, adminapi.Target + ".DescribeDirectory", "{}", 200, "{"},
		{"::1", adminapi.SigningName, remove, "{}", 200, "{"},
		{"198.51.100.7", adminapi.SigningName, adminapi.Target + ".DescribeDirectory", "{}", 200, "{"},
	} {
		from := c.from
		if strings.Contains(from, ":") {
			from = "[" + from + "]"
		}
		status, text := ask(from, c.service, c.target, c.body)
		if status != c.status || !strings.Contains(text, c.text) {
			t.Errorf("%s %s%.30s: %d %s, want %d %q", c.from, c.target, c.body, status, text, c.status, c.text)
		}
	}
}

// TestAnInstanceWithoutPermissionSets has none in any way, until they are enabled for good.
func TestAnInstanceWithoutPermissionSets(t *testing.T) {
	d := newDoor(t)
	if err := d.Store.Update(background, func(tx center.Tx) error {
		return tx.PutInstanceControls(center.InstanceControls{WithoutPermissionSets: true})
	}); err != nil {
		t.Fatal(err)
	}
	const sentence = "Permission Sets are not enabled for this instance"
	make1 := func() error {
		_, err := d.admin.CreatePermissionSet(background, &ssoadmin.CreatePermissionSetInput{
			InstanceArn: &d.Instance.ARN, Name: aws.String("Admin"),
		})
		return err
	}
	enable := func(flag bool) error {
		_, err := d.admin.UpdateInstance(background, &ssoadmin.UpdateInstanceInput{
			InstanceArn: &d.Instance.ARN, PermissionSetsEnabled: &flag,
		})
		return err
	}
	enabled := func() bool {
		i, err := d.admin.DescribeInstance(background, &ssoadmin.DescribeInstanceInput{InstanceArn: &d.Instance.ARN})
		if err != nil {
			t.Fatal(err)
		}
		return *i.PermissionSetsEnabled
	}
	d.fails("a permission set", make1(), "ValidationException", sentence)
	_, err := d.admin.ListPermissionSets(background, &ssoadmin.ListPermissionSetsInput{InstanceArn: &d.Instance.ARN})
	d.fails("the list", err, "ValidationException", sentence)
	_, err = d.admin.ListAccountAssignmentsForPrincipal(background, &ssoadmin.ListAccountAssignmentsForPrincipalInput{
		InstanceArn: &d.Instance.ARN, PrincipalId: aws.String("11111111-2222-4333-8444-555555555555"),
		PrincipalType: types.PrincipalTypeUser,
	})
	d.fails("assignments", err, "ValidationException", sentence)
	_, err = d.CreatePermissionSet(background, centertest.Actor, center.PermissionSet{Name: "Admin"})
	if err == nil {
		t.Error("an administrator made a permission set in the console")
	}
	if enabled() {
		t.Error("the instance says that permission sets are enabled")
	}
	d.fails("disabling", enable(false), "ValidationException", "The only accepted value")
	d.fails("enabling", enable(true), "", "")
	d.fails("a permission set after that", make1(), "", "")
	d.fails("disabling after that", enable(false), "ValidationException", "cannot be disabled")
	if !enabled() {
		t.Error("permission sets are not enabled")
	}
}
