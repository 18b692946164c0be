package ssoadmin_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
	"github.com/aws/smithy-go"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	door "github.com/gatehouse-id/gatehouse/center/ssoadmin"
)

// api is the sso-admin API of a real center, and AWS's own client for it.
type api struct {
	*ssoadmin.Client
	t        *testing.T
	center   *center.Center
	instance *string
}

var background = context.Background()

func newAPI(t *testing.T) *api {
	t.Helper()
	c := centertest.New(t, "http://127.0.0.1")
	handler := &awsapi.Handler{
		Verify: &awsapi.Verifier{
			Region: "us-east-1",
			Now:    c.Now,
			Lookup: func(ctx context.Context, id, _ string) (awsapi.Credential, error) {
				key, err := c.AccessKeySecret(ctx, id)
				return awsapi.Credential{Secret: key.SecretAccessKey.Reveal(), Caller: awsapi.Caller{
					AccessKeyID: id,
					Principal:   key.Principal,
					Role:        string(key.Role),
				}}, err
			},
		},
		Services: []awsapi.Service{(&door.Handler{Center: c}).Service()}, Log: slog.New(slog.DiscardHandler),
		RequestID: func(*http.Request) string { return "11111111-2222-3333-4444-555555555555" },
		Address:   func(*http.Request) string { return "127.0.0.1" },
		Used:      func(context.Context, awsapi.Caller, string) {},
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	key, err := c.CreateAccessKey(background, centertest.Actor, "terraform", center.RoleAdministrator)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.PutAccount(
		background, centertest.Actor, center.Account{ID: "111122223333", Name: "Production"},
	); err != nil {
		t.Fatal(err)
	}
	client := ssoadmin.New(ssoadmin.Options{Region: "us-east-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.SecretAccessKey.Reveal(), "")})
	return &api{client, t, c, &c.Instance.ARN}
}

// ok returns the answer of an operation that must succeed.
func ok[Out any](a *api) func(Out, error) Out {
	return func(out Out, err error) Out {
		a.t.Helper()
		if err != nil {
			a.t.Fatal(err)
		}
		return out
	}
}

// refused checks which exception an operation fails with.
func refused[Out any](a *api, want string) func(Out, error) {
	return func(_ Out, err error) {
		a.t.Helper()
		var e smithy.APIError
		if !errors.As(err, &e) || e.ErrorCode() != want {
			a.t.Errorf("got %v, want %s", err, want)
		}
	}
}

func (a *api) group(name string) *string {
	a.t.Helper()
	g, err := a.center.CreateGroup(background, centertest.Actor, center.Group{DisplayName: name})
	if err != nil {
		a.t.Fatal(err)
	}
	return aws.String(string(g.ID))
}

func (a *api) set(name string) *string {
	a.t.Helper()
	return ok[*ssoadmin.CreatePermissionSetOutput](a)(
		a.CreatePermissionSet(background, &ssoadmin.CreatePermissionSetInput{InstanceArn: a.instance, Name: &name}),
	).PermissionSet.PermissionSetArn
}

// TestPatternsOfTheModel compiles every pattern, which otherwise happens when it is needed.
func TestPatternsOfTheModel(t *testing.T) {
	patterns := 0
	var walk func(*awsapi.Shape)
	walk = func(s *awsapi.Shape) {
		if s == nil {
			return
		}
		if s.Pattern != nil {
			s.Pattern.Match("")
			patterns++
		}
		for _, m := range s.Members {
			walk(m)
		}
		walk(s.Of)
		walk(s.Key)
	}
	for _, s := range door.Shapes {
		walk(s)
	}
	if patterns < 100 {
		t.Errorf("only %d patterns were found", patterns)
	}
}

// TestEveryShapeIsAnOperation: an input of the model that nothing reads would be a mistake.
func TestEveryShapeIsAnOperation(t *testing.T) {
	there := map[string]bool{}
	for _, op := range (&door.Handler{}).Service().Operations {
		there[op.Name] = true
	}
	for name := range door.Shapes {
		if !there[name] {
			t.Errorf("%s does not answer", name)
		}
	}
}

func TestTheInstance(t *testing.T) {
	a := newAPI(t)
	ok[*ssoadmin.UpdateInstanceOutput](
		a,
	)(a.UpdateInstance(background, &ssoadmin.UpdateInstanceInput{InstanceArn: a.instance, Name: aws.String("Corp")}))
	if i := ok[*ssoadmin.DescribeInstanceOutput](a)(a.DescribeInstance(
		background, &ssoadmin.DescribeInstanceInput{InstanceArn: a.instance},
	)); *i.Name != "Corp" ||
		i.Status != types.InstanceStatusActive {
		t.Errorf("the instance %+v", i)
	}
	refused[*ssoadmin.CreateInstanceOutput](
		a, "ConflictException",
	)(a.CreateInstance(background, &ssoadmin.CreateInstanceInput{}))
	refused[*ssoadmin.DeleteInstanceOutput](
		a, "ConflictException",
	)(a.DeleteInstance(background, &ssoadmin.DeleteInstanceInput{InstanceArn: a.instance}))
	refused[*ssoadmin.UpdateInstanceOutput](a, "ValidationException")(
		a.UpdateInstance(background, &ssoadmin.UpdateInstanceInput{InstanceArn: a.instance,
			EncryptionConfiguration: &types.EncryptionConfiguration{KeyType: types.KmsKeyTypeCustomerManagedKey}}),
	)

	add := func(name string) (*ssoadmin.AddRegionOutput, error) {
		return a.AddRegion(background, &ssoadmin.AddRegionInput{InstanceArn: a.instance, RegionName: &name})
	}
	ok[*ssoadmin.AddRegionOutput](a)(add("eu-central-1"))
	refused[*ssoadmin.AddRegionOutput](a, "ConflictException")(add("eu-central-1"))
	refused[*ssoadmin.AddRegionOutput](a, "ConflictException")(add("us-east-1"))
	for _, r := range []string{"eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1"} {
		ok[*ssoadmin.AddRegionOutput](a)(add(r))
	}
	refused[*ssoadmin.AddRegionOutput](a, "ServiceQuotaExceededException")(add("ap-south-1"))
	ok[*ssoadmin.RemoveRegionOutput](a)(
		a.RemoveRegion(
			background, &ssoadmin.RemoveRegionInput{InstanceArn: a.instance, RegionName: aws.String("eu-west-1")},
		),
	)
	refused[*ssoadmin.RemoveRegionOutput](a, "ConflictException")(
		a.RemoveRegion(
			background, &ssoadmin.RemoveRegionInput{InstanceArn: a.instance, RegionName: aws.String("us-east-1")},
		),
	)
	refused[*ssoadmin.DescribeRegionOutput](a, "ResourceNotFoundException")(
		a.DescribeRegion(
			background, &ssoadmin.DescribeRegionInput{InstanceArn: a.instance, RegionName: aws.String("eu-west-1")},
		),
	)
	if l := ok[*ssoadmin.ListRegionsOutput](a)(a.ListRegions(
		background, &ssoadmin.ListRegionsInput{InstanceArn: a.instance},
	)); len(l.Regions) != 5 ||
		!l.Regions[0].IsPrimaryRegion {
		t.Errorf("regions %+v", l.Regions)
	}

	config := func(key, source string) *types.InstanceAccessControlAttributeConfiguration {
		return &types.InstanceAccessControlAttributeConfiguration{
			AccessControlAttributes: []types.AccessControlAttribute{
				{Key: &key, Value: &types.AccessControlAttributeValue{Source: []string{source}}},
			},
		}
	}
	describe := func() (*ssoadmin.DescribeInstanceAccessControlAttributeConfigurationOutput, error) {
		return a.DescribeInstanceAccessControlAttributeConfiguration(
			background, &ssoadmin.DescribeInstanceAccessControlAttributeConfigurationInput{InstanceArn: a.instance},
		)
	}
	create := &ssoadmin.CreateInstanceAccessControlAttributeConfigurationInput{
		InstanceArn: a.instance,
		InstanceAccessControlAttributeConfiguration: config("cost", "${path:enterprise.costCenter}"),
	}
	refused[*ssoadmin.DescribeInstanceAccessControlAttributeConfigurationOutput](
		a, "ResourceNotFoundException",
	)(describe())
	ok[*ssoadmin.CreateInstanceAccessControlAttributeConfigurationOutput](
		a,
	)(a.CreateInstanceAccessControlAttributeConfiguration(background, create))
	refused[*ssoadmin.CreateInstanceAccessControlAttributeConfigurationOutput](
		a, "ConflictException",
	)(a.CreateInstanceAccessControlAttributeConfiguration(background, create))
	ok[*ssoadmin.UpdateInstanceAccessControlAttributeConfigurationOutput](a)(
		a.UpdateInstanceAccessControlAttributeConfiguration(
			background,
			&ssoadmin.UpdateInstanceAccessControlAttributeConfigurationInput{
				InstanceArn: a.instance,
				InstanceAccessControlAttributeConfiguration: config("team", "${path:title}"),
			},
		),
	)
	got := ok[*ssoadmin.DescribeInstanceAccessControlAttributeConfigurationOutput](a)(describe())
	if l := got.InstanceAccessControlAttributeConfiguration.AccessControlAttributes; len(l) != 1 ||
		*l[0].Key != "team" || l[0].Value.Source[0] != "${path:title}" {
		t.Errorf("attributes %+v", l)
	}
	ok[*ssoadmin.DeleteInstanceAccessControlAttributeConfigurationOutput](a)(
		a.DeleteInstanceAccessControlAttributeConfiguration(background,
			&ssoadmin.DeleteInstanceAccessControlAttributeConfigurationInput{InstanceArn: a.instance}),
	)
	refused[*ssoadmin.DescribeInstanceAccessControlAttributeConfigurationOutput](
		a, "ResourceNotFoundException",
	)(describe())
}

// TestReadOnlyKeysChangeNothing: every operation that is not a look is refused to a key that may
// only look, and recorded.
func TestReadOnlyKeysChangeNothing(t *testing.T) {
	a := newAPI(t)
	set := a.set("Dev")
	key, err := a.center.CreateAccessKey(background, centertest.Actor, "auditor", center.RoleReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	options := a.Options()
	options.Credentials = credentials.NewStaticCredentialsProvider(key.ID, key.SecretAccessKey.Reveal(), "")
	reader := ssoadmin.New(options)
	ok[*ssoadmin.ListPermissionSetsOutput](
		a,
	)(reader.ListPermissionSets(background, &ssoadmin.ListPermissionSetsInput{InstanceArn: a.instance}))
	refused[*ssoadmin.DeletePermissionSetOutput](a, "AccessDeniedException")(
		reader.DeletePermissionSet(
			background, &ssoadmin.DeletePermissionSetInput{InstanceArn: a.instance, PermissionSetArn: set},
		),
	)
	events, err := a.center.Events(background, center.EventQuery{Limit: 1})
	if err != nil || events[0].Action != "DeletePermissionSet" || events[0].Result != audit.Refused ||
		events[0].Actor.Name != "auditor" {
		t.Errorf("the last event is %+v, %v", events, err)
	}
}
