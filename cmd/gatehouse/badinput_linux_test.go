package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/awsstandin"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

const (
	ourInstance = `{"InstanceArn":"arn:aws:sso:::instance/ssoins-0123456789abcdef",` +
		`"IdentityStoreId":"d-9067000000","OwnerAccountId":"999999999999","Status":"ACTIVE",` +
		`"PrimaryRegion":"us-east-1"}`
	explicitDeny = `{"__type":"AccessDeniedException","message":"User: arn:aws:iam::1:user/x is not authorized to ` +
		`perform: sso:ListInstances on resource: * with an explicit deny in a service control policy"}`
	otherCaller = `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::555555555555:user/x</Arn>` +
		`<Account>555555555555</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`
	lateSignature = `<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>` +
		`Signature expired: 20261129T090000Z is now earlier than 20261129T094500Z</Message></Error></ErrorResponse>`
	forbidden = `{"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges"}}`
)

// answers has one of AWS's operations, or services, answered otherwise.
func answers(operation string, status int, body string) func(string, string, string) (int, string) {
	return func(service, _, asked string) (int, string) {
		if asked != operation && service != operation {
			return 0, ""
		}
		return status, body
	}
}

// delegated is somebody of another account, which may be the delegated administrator.
func delegated(list string) func(string, string, string) (int, string) {
	return func(service, _, asked string) (int, string) {
		switch {
		case service == "sts":
			return http.StatusOK, otherCaller
		case asked == "ListDelegatedAdministrators":
			return http.StatusOK, `{"DelegatedAdministrators":` + list + `}`
		}
		return 0, ""
	}
}

// refuses is a Graph that refuses some requests.
func refuses(method, part string) func(*http.Request) (int, string) {
	return func(r *http.Request) (int, string) {
		if r.Method != method || !strings.Contains(r.URL.Path, part) {
			return 0, ""
		}
		return http.StatusForbidden, forbidden
	}
}

// badInput has a line for each thing that is not as it should be before anything is done.
var badInput = []struct {
	name, region string
	trouble      awsstandin.Trouble
	want         []string
}{
	{
		"the wrong Region", awsstandin.Empty, awsstandin.Trouble{},
		[]string{"no instance in eu-central-1", "use --center aws@us-east-1"},
	},
	{
		"an additional Region", awsstandin.Additional, awsstandin.Trouble{},
		[]string{"eu-west-1 is an additional Region", "use --center aws@us-east-1"},
	},
	{
		"no instance", "", awsstandin.Trouble{AWS: answers("ListInstances", 200, `{"Instances":[]}`)},
		[]string{"no instance in us-east-1", "sign in with the management account", "enable IAM Identity Center first"},
	},
	{
		"two instances", "", awsstandin.Trouble{AWS: answers(
			"ListInstances", 200, `{"Instances":[`+ourInstance+`,`+
				strings.ReplaceAll(ourInstance, "0123456789abcdef", "fedcba9876543210")+`]}`,
		)}, []string{"us-east-1 has 2 instances", "ssoins-fedcba9876543210", "such as --center aws:"},
	},
	{
		"an account instance", "", awsstandin.Trouble{AWS: answers(
			"DescribeOrganization", 200, `{"Organization":{"MasterAccountId":"888888888888"}}`,
		)}, []string{"it is an account instance", "management account is 888888888888", "--center aws:INSTANCE"},
	},
	{
		"an instance of another account", "", awsstandin.Trouble{AWS: delegated(`[]`)},
		[]string{"credentials are of account 555555555555", "Use credentials of that account, or register"},
	},
	{
		"a clock that is wrong", "", awsstandin.Trouble{AWS: answers("sts", 403, lateSignature)},
		[]string{"this machine's clock is wrong by minutes: set it and run this again"},
	},
	{
		"a service control policy", "", awsstandin.Trouble{AWS: answers("ListInstances", 400, explicitDeny)},
		[]string{"service control policy (SCP) of the organization denies sso:ListInstances", "make an exception"},
	},
	{
		"a partition whose values nobody has published", awsstandin.Unpublished,
		awsstandin.Trouble{AWS: func(_, _, asked string) (int, string) {
			switch asked {
			case "ListInstances":
				return 200, `{"Instances":[` + strings.ReplaceAll(ourInstance, "arn:aws:", "arn:aws-us-gov:") + `]}`
			case "DescribeOrganization":
				return 200, `{"Organization":{"MasterAccountId":"999999999999"}}`
			case "DescribeInstance":
				return 200, `{"Status":"ACTIVE","PrimaryRegion":"us-gov-west-1","IdentityStoreId":"d-9067000000",` +
					`"OwnerAccountId":"999999999999"}`
			case "":
				return 200, strings.ReplaceAll(otherCaller, "555555555555", "999999999999")
			}
			return 0, ""
		}}, []string{"whose sign-in addresses nobody has published", "--sign-in-host", "Settings, Identity source"},
	},
	{
		"credentials that have expired", "", awsstandin.Trouble{AWS: answers(
			"ListUsers", 400, `{"__type":"ExpiredTokenException","message":"The security token is expired"}`,
		)}, []string{"the AWS credentials have expired", "aws sso login", "run this again: what was done is kept"},
	},
	{
		"no consent to read people", "", awsstandin.Trouble{Entra: refuses("GET", "/users")},
		[]string{"needs the permission User.Read.All", "grant admin consent", "run this again: what was done is kept"},
	},
}

// TestBadInputIsSaidWithItsCauseAndNextStep, and nothing is changed by it. connect afterwards
// completes, with trouble in the middle of it too.
func TestBadInputIsSaidWithItsCauseAndNextStep(t *testing.T) {
	t.Parallel()
	p := newTypist(t)
	before := p.Listing()
	for _, c := range badInput {
		if p.region = awsstandin.Region; c.region != "" {
			p.region = c.region
		}
		p.Trouble(c.trouble)
		p.types("connect", "--accept")
		p.says(c.name, exitFailed, c.want...)
		if now := p.Listing(); now != before {
			t.Errorf("%s: it was\n%s\nand is\n%s", c.name, before, now)
		}
	}
	p.region = awsstandin.Region
	p.Trouble(awsstandin.Trouble{})
	p.isTroubledHalfWay()
}

// says waits for the end of the command, and for what it has to say.
func (p *typist) says(name string, want int, texts ...string) {
	p.t.Helper()
	code, shown := p.ends()
	for _, text := range texts {
		if code != want || !strings.Contains(shown, text) {
			p.t.Errorf("%s: exit code %d, want %d and %q in %s", name, code, want, text, shown)
		}
	}
}

// stops is Ctrl+C.
func (p *typist) stops() {
	p.t.Helper()
	if _, err := p.keys.WriteString("\x03"); err != nil {
		p.t.Fatal(err)
	}
}

// other makes another application of the gallery's entry, with an identifier or with a job that
// writes to an endpoint.
func (p *typist) other(name, identifier, endpoint string) graph.ServicePrincipal {
	p.t.Helper()
	ctx := p.t.Context()
	c := graph.NewClient(
		ctx, p.Tenant.GraphURL, p.Tenant.TokenURL, p.Tenant.ClientID, p.Tenant.ClientSecret, http.DefaultClient,
	)
	var made graph.ApplicationServicePrincipal
	do := func(method, path string, in, out any) {
		p.t.Helper()
		if err := c.Do(ctx, method, path, in, out); err != nil {
			p.t.Fatal(err)
		}
	}
	template := "/applicationTemplates/" + graph.AWSTemplateID
	do("POST", template+"/instantiate", map[string]string{"displayName": name}, &made)
	if identifier != "" {
		saml := map[string]string{"preferredSingleSignOnMode": "saml"}
		do("PATCH", "/servicePrincipals/"+made.ServicePrincipal.ID, saml, nil)
		do("PATCH", "/applications/"+made.Application.ID, map[string]any{"identifierUris": []string{identifier}}, nil)
	}
	if endpoint != "" {
		sync := "/servicePrincipals/" + made.ServicePrincipal.ID + "/synchronization"
		do("POST", sync+"/jobs", graph.SynchronizationJob{TemplateID: graph.AWSSyncTemplate}, nil)
		do("PUT", sync+"/secrets", graph.Secrets{Value: []graph.KeyValue{
			{Key: graph.KeyBaseAddress, Value: endpoint}, {Key: graph.KeySecretToken, Value: "another"},
		}}, nil)
	}
	return made.ServicePrincipal
}

// isTroubledHalfWay goes the whole way with something wrong at each stage of it. Each run says
// what, and the next goes on from there.
func (p *typist) isTroubledHalfWay() {
	p.t.Helper()
	groups := []string{"--group", "Engineering", "--group", "Platform Engineering"}
	begin := func(t awsstandin.Trouble) {
		p.t.Helper()
		p.Trouble(t)
		p.types("connect", groups...)
		p.accepts()
	}
	p.other("AWS IAM Identity Center", "https://us-east-1.signin.aws.amazon.com/platform/saml/d-0000000000", "")
	begin(awsstandin.Trouble{Entra: refuses("POST", "/instantiate")})
	p.says(
		"an application with another identifier, and no consent to make one", exitFailed,
		"with the identifier of something else (", "it stays as it is",
		"needs the permission Application.ReadWrite.All", "Run the command again to complete the rest",
	)
	was := p.Source()
	begin(awsstandin.Trouble{Source: "Active Directory"})
	p.sees("not Active Directory: stop here if it is (Ctrl+C)")
	p.sees("give the path of the file: ")
	p.stops()
	p.says("Active Directory", 130, "done above is kept")
	if now := p.Source(); now != was {
		p.t.Errorf("AWS's identity source was %s and is %s", was, now)
	}
	p.Hire("old@northwind.example")
	begin(awsstandin.Trouble{
		AWS: delegated(`[{"Id":"555555555555"}]`), Console: "explicit deny in a service control policy",
	})
	p.begins()
	p.sees("a service control policy (SCP) denies sso-directory:CreateBearerToken to delegated administrators")
	p.changes()
	p.stops()
	p.says("an SCP that denies tokens", 130, "your account is the delegated administrator", "done above is kept")
	begin(awsstandin.Trouble{})
	p.sees("Change the identity source")
	endpoint, token := p.NewToken()
	p.brings(p.OtherEndpoint(), strings.Repeat("t", 40))
	p.sees("this endpoint is of another instance: it does not have old@northwind.example")
	twin := p.other("Old AWS", "", endpoint)
	p.brings(endpoint, token)
	p.copiesURLs()
	p.says(
		"another application that provisions the same store", exitFailed,
		`another application, "Old AWS" (`+twin.ID+")",
		"delete its provisioning job, or connect that application with --name",
	)
	p.Remove(twin.ID)
	begin(awsstandin.Trouble{Entra: refuses("PUT", "/synchronization/secrets")})
	p.sees("Generate an access token")
	p.brings(p.NewToken())
	p.says(
		"no consent to save the token", exitFailed, "Tenant URL, secret token and scope:",
		"needs the permission Synchronization.ReadWrite.All", "AllRoles",
	)
	begin(awsstandin.Trouble{AWS: p.expiresAfter("ListPermissionSets")})
	p.sees("Generate an access token")
	p.brings(p.NewToken())
	p.sees("Delete the older access token") // that of a run before, which nobody has
	p.sees("when the console says that it has succeeded")
	p.enters("DONE\n")
	p.says(
		"credentials that expire half-way", exitFailed, "✓ Provisioning status", "the AWS credentials have expired",
		"run this again: what was done is kept",
	)
	p.Trouble(awsstandin.Trouble{})
	p.types("connect", groups...)
	p.sees("Sign in once")
	p.SignIn(pairtest.Amara)
	p.says("in the end", exitDone, "A real sign-in", "nothing to change")
}

// expiresAfter has the credentials end when an operation was asked once.
func (p *typist) expiresAfter(operation string) func(string, string, string) (int, string) {
	asked := 0
	return func(_, _, now string) (int, string) {
		if now == operation {
			asked++
		}
		if asked < 2 {
			return 0, ""
		}
		return http.StatusBadRequest, `{"__type":"ExpiredTokenException","message":"The security token is expired"}`
	}
}
