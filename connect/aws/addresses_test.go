package aws_test

import (
	"context"
	"encoding/binary"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect/aws"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/saml"
)

// guideOf takes the tasks, and brings what a test says.
type guideOf func(aws.Task) error

func (g guideOf) Do(_ context.Context, t aws.Task) error { return g(t) }

// roundTripper answers requests.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

const acs = "/platform/saml/acs/4e52542d-0123-4567-89ab-0123456789ab"

// inTwoRegions is an instance of AWS's in us-east-1 and eu-west-1, with AWS's own addresses.
//
// heard gets the requests to its SCIM endpoint, which nobody answers.
func inTwoRegions(t *testing.T, p *gatehousetest.Pair, guide guideOf, heard ...func(*http.Request)) *aws.Center {
	t.Helper()
	cfg := atAWS(p, &limits{answer: func(operation string) (int, string) {
		if operation != "DescribeInstance" {
			return 0, ""
		}
		return http.StatusOK, `{"Status":"ACTIVE","PrimaryRegion":"us-east-1","IdentityStoreId":"d-9067000000",` +
			`"OwnerAccountId":"111122223333","Regions":[{"RegionName":"us-east-1","Status":"ACTIVE"},` +
			`{"RegionName":"eu-west-1","Status":"ACTIVE"},{"RegionName":"eu-west-2","Status":"ADDING"}]}`
	}})
	cfg.Guide = guide
	cfg.HTTP = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		for _, hear := range heard {
			hear(r)
		}
		return nil, errKilled
	})}
	cfg.Addresses = aws.Addresses{
		SignIn: "https://us-east-1.signin.aws.amazon.com", Portal: "https://d-9067000000.awsapps.com/start",
		SCIM: "https://scim.us-east-1.amazonaws.com", Console: "https://us-east-1.console.aws.amazon.com",
	}
	c, err := aws.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// metadataOf is the file of an instance.
func metadataOf(t *testing.T, entityID string, urls ...string) string {
	t.Helper()
	data, err := saml.ServiceProviderMetadata(saml.ServiceProvider{EntityID: entityID, ACSURLs: urls})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// asUTF16 is how PowerShell's Out-File writes a text.
func asUTF16(text string) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune("\ufeff" + text)) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return string(out)
}

func inAGroup(file string) string {
	_, root, _ := strings.Cut(file, "?>")
	return `<g:EntitiesDescriptor xmlns:g="urn:oasis:names:tc:SAML:2.0:metadata">` + root + `</g:EntitiesDescriptor>`
}

func until(at, file string) string {
	return strings.Replace(file, ` entityID="`, ` validUntil="`+at+`" entityID="`, 1)
}

// TestWhatAPersonCopiesIsCheckedAtOnce has a line for each thing that is on the clipboard instead.
func TestWhatAPersonCopiesIsCheckedAtOnce(t *testing.T) {
	t.Parallel()
	p := gatehousetest.Start(t)
	const issuer = "https://us-east-1.signin.aws.amazon.com/platform/saml/d-9067000000"
	classic := "https://us-east-1.signin.aws.amazon.com" + acs
	second := "https://eu-west-1.signin.aws" + acs
	for name, c := range map[string]struct{ value, want string }{
		"the classic address":      {classic, ""},
		"the newer one":            {"https://us-east-1.signin.aws" + acs, ""},
		"that for IPv6":            {" https://us-east-1.sso.signin.aws" + acs + "\n", ""},
		"all of them":              {classic + "\n" + second, ""},
		"the metadata file":        {metadataOf(t, issuer, classic, second), ""},
		"the file with a mark":     {"\ufeff" + metadataOf(t, issuer, classic), ""},
		"the file of a shell":      {asUTF16(metadataOf(t, issuer, classic)), ""},
		"blank lines before it":    {"\r\n\r\n" + metadataOf(t, issuer, classic), ""},
		"the file in a group":      {inAGroup(metadataOf(t, issuer, classic, second)), ""},
		"an old file":              {until("2020-01-01T00:00:00Z", metadataOf(t, issuer, classic)), "2020-01-01"},
		"a file that is good yet":  {until("2220-01-01T00:00:00Z", metadataOf(t, issuer, classic)), ""},
		"a certificate":            {"-----BEGIN CERTIFICATE-----\nAAAA", "not the ACS URL"},
		"nothing":                  {" ", "empty"},
		"the issuer":               {issuer, "issuer URL"},
		"the portal":               {"https://d-9067000000.awsapps.com/start", "portal's URL"},
		"that of IAM federation":   {"https://signin.aws.amazon.com/saml", "IAM federation"},
		"another Region's":         {"https://ap-northeast-1.signin.aws" + acs, "is of ap-northeast-1"},
		"a Region that is added":   {"https://eu-west-2.signin.aws" + acs, "is of eu-west-2"},
		"somebody else's host":     {"https://us-east-1.signin.aws.example.com" + acs, "no address of IAM"},
		"a host that looks alike":  {"https://xus-east-1.signin.aws" + acs, "no address"},
		"without TLS":              {"http://us-east-1.signin.aws" + acs, "no address"},
		"with a user":              {"https://us-east-1.signin.aws@evil.example" + acs, "not the ACS URL"},
		"with a query":             {classic + "?x=y", "not the ACS URL"},
		"another path":             {"https://us-east-1.signin.aws/platform/login", "not an ACS URL"},
		"words":                    {"Copy all URLs", "not the ACS URL"},
		"another instance's file":  {metadataOf(t, issuer[:len(issuer)-1]+"1", classic), "another instance"},
		"a file with another host": {metadataOf(t, issuer, "https://evil.example"+acs), "no address"},
		"a file that is none":      {"<html></html>", "no metadata of a service provider"},
		"too much":                 {"<" + strings.Repeat("a", 2<<20), "longer"},
		"the tenant's own file":    {federationMetadata(), "identity provider's metadata"},
	} {
		taken := false
		center := inTwoRegions(t, p, func(task aws.Task) error {
			err := task.Wants[0].Take(context.Background(), []byte(c.value))
			taken = err == nil
			if proved, wrong := task.Proved(context.Background()); proved != taken || wrong != nil {
				t.Errorf("%s: proved %v, taken %v, %v", name, proved, taken, wrong)
			}
			return err
		})
		_, err := center.CreateConfiguration(context.Background(), federationMetadata())
		if (c.want == "") != taken || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// federationMetadata is what a tenant hands over.
var federationMetadata = sync.OnceValue(func() string {
	now := time.Now()
	key, err := saml.NewSigningKey(now, now.AddDate(3, 0, 0))
	if err != nil {
		panic(err)
	}
	idp := saml.IdentityProvider{EntityID: "https://sts.windows.net/t/", SignInURL: "https://login.example/t/saml2"}
	data, err := saml.FederationMetadata(idp, "https://login.example/t/wsfed", key)
	if err != nil {
		panic(err)
	}
	return string(data)
})

// TestEveryRegionGetsItsReplyURL: a person who copied that of one Region is asked for all of them
// after the change.
func TestEveryRegionGetsItsReplyURL(t *testing.T) {
	t.Parallel()
	p := gatehousetest.Start(t)
	ctx := context.Background()
	classic := "https://us-east-1.signin.aws.amazon.com" + acs
	second := "https://eu-west-1.signin.aws" + acs
	asked := 0
	c := inTwoRegions(t, p, func(task aws.Task) error {
		for _, w := range task.Wants {
			if w.Name != "acs" {
				continue
			}
			if asked++; asked == 1 {
				return w.Take(ctx, []byte(classic))
			}
			if err := w.Take(ctx, []byte(classic)); err == nil || !strings.Contains(err.Error(), "eu-west-1") {
				t.Errorf("one of two is taken for all: %v", err)
			}
			if proved, _ := task.Proved(ctx); proved {
				t.Error("it is proved without the second Region")
			}
			return w.Take(ctx, []byte(classic+" "+second))
		}
		return nil
	})
	if _, err := c.CreateConfiguration(ctx, federationMetadata()); err != nil {
		t.Fatal(err)
	}
	if err := c.EnableConfiguration(ctx, adminapi.ChangeInput{}); err != nil {
		t.Fatal(err)
	}
	sp, err := c.ServiceProvider(ctx)
	if err != nil || len(sp.AcsURLs) != 2 || asked != 2 {
		t.Errorf("%+v after %d questions, %v", sp, asked, err)
	}
}

// TestTheEndpointIsChecked: an endpoint of another Region, and one that is not whole.
func TestTheEndpointIsChecked(t *testing.T) {
	t.Parallel()
	p := gatehousetest.Start(t)
	for value, want := range map[string]string{
		"https://scim.eu-west-1.amazonaws.com/0123456789ab/scim/v2":      "of eu-west-1",
		"https://scim.us-east-1.amazonaws.com/":                          "whole SCIM endpoint",
		"https://scim.us-east-1.amazonaws.com.evil.example/0123/scim/v2": "begins with",
		"https://evil.example/0123456789ab/scim/v2":                      "begins with",
		"nonsense": "neither",
	} {
		c := inTwoRegions(t, p, func(task aws.Task) error {
			return task.Wants[0].Take(context.Background(), []byte(value))
		})
		if _, err := c.CreateTenant(context.Background()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", value, err, want)
		}
	}
	for _, value := range []string{
		"https://scim.us-east-1.amazonaws.com/0123456789ab/scim/v2/",
		"https://scim.us-east-1.api.aws/0123456789ab/scim/v2",
	} {
		c := inTwoRegions(t, p, nil)
		if tenant, err := c.LearnEndpoint(value); err != nil || tenant.TenantID != "0123456789ab" ||
			strings.HasSuffix(tenant.ScimEndpoint, "/") {
			t.Errorf("%s: %+v, %v", value, tenant, err)
		}
	}
}

// TestAPartitionWhoseAddressesNobodyHasPublished: that is said, and the address asked for; with it
// the reply URLs of GovCloud are known.
func TestAPartitionWhoseAddressesNobodyHasPublished(t *testing.T) {
	t.Parallel()
	p := gatehousetest.Start(t)
	ctx := context.Background()
	const arn = "arn:aws-us-gov:sso:::instance/ssoins-0123456789abcdef"
	china := strings.NewReplacer("aws-us-gov", "aws-cn", "us-gov-west-1", "cn-north-1")
	inChina := false
	answer := func(operation string) (int, string) {
		owner := `"OwnerAccountId":"` + p.Center.AccountID + `"`
		switch operation {
		case "sts":
			return http.StatusOK, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>` + p.Center.AccountID +
				`</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`
		case "DescribeOrganization":
			return http.StatusOK, `{"Organization":{"MasterAccountId":"` + p.Center.AccountID + `"}}`
		case "ListInstances":
			return http.StatusOK, `{"Instances":[{"InstanceArn":"` + arn + `",` + owner + `}]}`
		case "DescribeInstance":
			return http.StatusOK, `{"Status":"ACTIVE","PrimaryRegion":"us-gov-west-1",` +
				`"IdentityStoreId":"d-9067000000",` + owner + `,"PermissionSetsEnabled":false,` +
				`"NetworkConfigurationDetails":{"VpceAccessRequired":true},` +
				`"EncryptionConfigurationDetails":{"KmsKeyArn":"arn:aws-us-gov:kms:::key/x"}}`
		}
		return 0, ""
	}
	cfg := atAWS(p, &limits{answer: func(operation string) (int, string) {
		status, body := answer(operation)
		if inChina {
			body = china.Replace(body)
		}
		return status, body
	}})
	cfg.Place.Region = "us-gov-west-1"
	if _, err := aws.Open(ctx, cfg); err == nil || !strings.Contains(err.Error(), "--sign-in-host") {
		t.Errorf("nothing is asked for: %v", err)
	}
	cfg.Addresses.SignIn = "https://us-gov-west-1.signin.amazonaws-us-gov.com"
	c, err := aws.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.EntityID(); got != cfg.Addresses.SignIn+"/platform/saml/d-9067000000" {
		t.Errorf("the issuer is %s", got)
	}
	if err := c.CheckACS([]string{
		"https://us-gov-west-1.signin-fips.amazonaws-us-gov.com" + acs,
		"https://us-gov-west-1.sso.signin.amazonaws-us-gov.com" + acs,
	}); err != nil {
		t.Error(err)
	}
	if err := c.CheckACS([]string{"https://us-gov-east-1.signin.amazonaws-us-gov.com" + acs}); err == nil {
		t.Error("another Region is taken")
	}
	notes := strings.Join(c.Notes(), "\n")
	for _, want := range []string{"kms:Decrypt", "ScimAllowSourceIps", "no permission sets"} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes lack %q: %s", want, notes)
		}
	}
	inChina = true
	cfg.Place.Region, cfg.Addresses.SignIn = "cn-north-1", ""
	if _, err := aws.Open(ctx, cfg); err == nil || !strings.Contains(err.Error(), "--sign-in-host") {
		t.Errorf("nothing is asked for in China: %v", err)
	}
	cfg.Addresses.SignIn = "https://cn-north-1.signin.amazonaws.cn"
	c, err = aws.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckACS([]string{cfg.Addresses.SignIn + acs}); err != nil {
		t.Error(err)
	}
	if err := c.CheckACS([]string{"https://cn-northwest-1.signin.amazonaws.cn" + acs}); err == nil {
		t.Error("another Region of China is taken")
	}
}

// TestEndpointAndTokenComeInOneField: together or one after the other, in any order, with what else
// a person selects in the console's dialog; the endpoint is asked with the token, and neither is
// repeated in an error.
func TestEndpointAndTokenComeInOneField(t *testing.T) {
	t.Parallel()
	p := gatehousetest.Start(t)
	const endpoint = "https://scim.us-east-1.amazonaws.com/2bc5e2b6-0000-4000-8000-000000000000/scim/v2"
	const missing = "same field"
	token := strings.Repeat("Zm9v+/=_", 64)
	dual := strings.Replace(endpoint, "amazonaws.com", "api.aws", 1)
	for name, c := range map[string]struct {
		values []string
		wants  []string // what is said of each; "asked" where both are there
	}{
		"together":                  {[]string{endpoint + "\n" + token}, []string{"asked"}},
		"the token first":           {[]string{token + " " + endpoint + "/"}, []string{"asked"}},
		"one after the other":       {[]string{endpoint, token}, []string{missing, "asked"}},
		"one after the other again": {[]string{token, endpoint}, []string{missing, "asked"}},
		"the whole dialog": {
			[]string{"SCIM endpoint\n" + endpoint + "\nDual-stack\n" + dual + "\nAccess token\n" + token + "\nHide"},
			[]string{"asked"},
		},
		"a mistake, then both": {[]string{"Show token", endpoint, token}, []string{"neither", missing, "asked"}},
		"another Region's": {
			[]string{strings.Replace(endpoint, "us-east", "eu-west", 1) + " " + token}, []string{"is of eu-west-1"},
		},
		"cut":                 {[]string{endpoint[:60], endpoint, token[:20]}, []string{"whole", missing, "neither"}},
		"the ACS URL":         {[]string{"https://us-east-1.signin.aws" + acs}, []string{"begins with https://scim."}},
		"two tokens":          {[]string{token + "\n" + token[8:]}, []string{"two values"}},
		"a token that is new": {[]string{endpoint + " " + token, token[16:]}, []string{"asked", "asked"}},
	} {
		var asked []string
		center := inTwoRegions(t, p, func(task aws.Task) error {
			if len(task.Wants) != 1 || !task.Wants[0].Secret {
				t.Errorf("%s: it wants %+v", name, task.Wants)
			}
			for i, value := range c.values {
				before := len(asked)
				err := task.Wants[0].Take(context.Background(), []byte(value))
				switch {
				case c.wants[i] == "asked":
					if len(asked) == before {
						t.Errorf("%s: after value %d nothing is asked: %v", name, i, err)
					}
				case err == nil || !strings.Contains(err.Error(), c.wants[i]):
					t.Errorf("%s: value %d: %v, want %q", name, i, err, c.wants[i])
				}
				if err != nil && strings.Contains(err.Error(), token[:16]) {
					t.Errorf("%s: the token is repeated: %v", name, err)
				}
			}
			return errAway
		}, func(r *http.Request) { asked = append(asked, r.Header.Get("Authorization")) })
		if _, err := center.CreateTenant(context.Background()); err == nil {
			t.Errorf("%s: it is proved without an answer", name)
		}
	}
}
