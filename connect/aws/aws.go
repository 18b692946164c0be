// Package aws is the side of AWS itself in a connection: what IAM Identity Center and AWS
// Organizations tell by their public APIs, and a person at the console for what has no API: the
// identity source, the identity provider's metadata, the SCIM endpoint and its tokens.
//
// It sends nothing but documented operations, and those only read: Open finds the instance,
// Discover reads who is there. What changes is done by a person, led by a Guide, and counts when it
// is proved.
//
// It may import adminapi, awsapi/inventory, awsapi/trail, connect, connect/assist, saml and scim.
package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/gatehouse-id/gatehouse/awsapi/inventory"
	"github.com/gatehouse-id/gatehouse/awsapi/trail"
	"github.com/gatehouse-id/gatehouse/connect"
)

// Place is which instance to connect: what follows --center aws.
type Place struct{ Instance, Region string }

var (
	instanceID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(ssoins-)?[0-9a-f]{16}$`) })
	regionName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d{1,2}$`) })
)

// ParsePlace reads aws[:INSTANCE][@REGION]. The instance is its id or its ARN.
func ParsePlace(text string) (p Place, err error) {
	rest, ok := strings.CutPrefix(text, "aws")
	if !ok || (rest != "" && !strings.ContainsAny(rest[:1], ":@")) || strings.HasSuffix(rest, ":") {
		return p, fmt.Errorf("--center %q: use aws, aws:INSTANCE, aws@REGION or aws:INSTANCE@REGION", text)
	}
	rest, p.Region, _ = strings.Cut(rest, "@")
	p.Instance = strings.TrimPrefix(rest, ":")
	if i := strings.LastIndex(p.Instance, "/"); i >= 0 {
		p.Instance = p.Instance[i+1:]
	}
	if p.Instance != "" && !instanceID().MatchString(p.Instance) {
		return p, fmt.Errorf("--center %q: an instance is ssoins- and sixteen hexadecimal digits, or its ARN", text)
	}
	if p.Instance != "" && !strings.HasPrefix(p.Instance, "ssoins-") {
		p.Instance = "ssoins-" + p.Instance
	}
	if strings.Contains(text, "@") && !regionName().MatchString(p.Region) {
		return p, fmt.Errorf("--center %q: %q is no AWS Region, such as eu-west-1", text, p.Region)
	}
	return p, nil
}

// Config says how AWS is reached.
type Config struct {
	// SDK has the credentials and the Region, as config.LoadDefaultConfig finds them.
	SDK   sdk.Config
	Place Place
	// OwnCenter says that the other side is a center of one's own, which has no rates.
	OwnCenter bool
	// Addresses are those of a center that is not AWS's own.
	Addresses Addresses
	// Guide leads a person through what has no API. Without one, nothing is changed at AWS.
	Guide Guide
	// Folder has the journal, which remembers what a person brought and what was proved; empty for
	// none.
	Folder string
	// Tokenless says that the tenant does not provision: no endpoint and no token is asked for.
	Tokenless bool
	HTTP      *http.Client // for the SCIM endpoint
}

// ownShare is the part of AWS's rates that is taken: whoever works there besides keeps room.
const ownShare = 0.75

// Center is an instance of IAM Identity Center at AWS.
type Center struct {
	cfg    Config
	store  *identitystore.Client
	admin  *ssoadmin.Client
	reader *inventory.Reader
	sts    *sts.Client
	trail  trail.Client
	Caller string // the ARN of whoever the credentials are of
	// Delegated says that the caller's account administers for another one, the owner. It cannot
	// change what is provisioned in the management account.
	Delegated bool
	Instance  Instance

	addresses Addresses
	fileStart string // of the files in which runs remember something of the instance
	journal   journal
	warned    bool // this run has said what to look at before the identity source changes
	hand      brought
	metadata  []byte // the tenant's, to hand over
	witness   connect.Witness
	// discovered is who was there when they were read last; nil before.
	discovered atomic.Pointer[[]connect.StoreUser]
}

// Instance is what AWS says of the instance.
type Instance struct {
	ARN, IdentityStoreID, OwnerAccountID, Name string
	Region                                     string   // the primary one
	Regions                                    []string // all, the primary one first
	Key                                        string   // the ARN of a customer managed KMS key
	NoPermissionSets                           bool
	VPCOnly                                    bool // only networks that were named may call the APIs
}

// Notes are what to know of the instance before it is connected.
func (c *Center) Notes() (notes []string) {
	i := c.Instance
	if c.Delegated {
		notes = append(
			notes, "your account is the delegated administrator: permission sets that are provisioned in the "+
				"management account ("+i.OwnerAccountID+") stay out of reach, and a service control policy may deny "+
				"tokens",
		)
	}
	if len(i.Regions) > 1 {
		notes = append(notes, "the instance is in "+strings.Join(i.Regions, " and ")+": each needs its own reply URL")
	}
	if kind := c.oneKind(); kind != "" {
		notes = append(
			notes, "all reply URLs that are known are "+kind+" ones: who comes by the other kind of address gets "+
				"AADSTS50011, until the tenant has its ACS URL too (Actions > Manage authentication > View ACS URLs)",
		)
	}
	if i.Key != "" {
		notes = append(notes, "the instance has a customer managed key ("+i.Key+"): whoever calls its APIs needs "+
			"kms:Decrypt with it")
	}
	if i.VPCOnly {
		notes = append(notes, "only networks that the instance names may call it: let the tenant's provisioning in "+
			"(ScimAllowSourceIps of the identity store), or it writes nothing")
	}
	if i.NoPermissionSets {
		notes = append(notes, "the instance has no permission sets: people get applications, and no AWS accounts")
	}
	return notes
}

// id is the instance's, such as ssoins-1234567890abcdef.
func (i Instance) id() string { return i.ARN[strings.LastIndex(i.ARN, "/")+1:] }

// Open finds the instance. It fails with a sentence that says what to do next.
func Open(ctx context.Context, cfg Config) (*Center, error) {
	if cfg.Place.Region != "" {
		cfg.SDK.Region = cfg.Place.Region
	}
	if cfg.SDK.Region == "" {
		return nil, errors.New(
			"no Region: say where IAM Identity Center was enabled, such as --center aws@eu-west-1, or set AWS_REGION",
		)
	}
	cfg.SDK.Retryer = inventory.Retryer
	if !cfg.OwnCenter {
		cfg.SDK = (&inventory.Rates{Share: ownShare}).Pace(cfg.SDK)
	}
	c := &Center{
		cfg:    cfg,
		store:  identitystore.NewFromConfig(cfg.SDK),
		admin:  ssoadmin.NewFromConfig(cfg.SDK),
		reader: inventory.Open(cfg.SDK),
		sts:    sts.NewFromConfig(cfg.SDK),
		trail:  trail.Open(cfg.SDK),
	}
	who, err := c.sts.GetCallerIdentity(ctx, nil)
	if err != nil {
		return nil, explain("ask AWS whose the credentials are", err)
	}
	// Where the clock is wrong the SDK signs with AWS's time, but proofs compare with the tenant's.
	if off, known := middleware.GetAttemptSkew(who.ResultMetadata); known && off.Abs() > connect.ClockSkew {
		return nil, fmt.Errorf(
			"this machine's clock is %s away from AWS's: set it and run this again", off.Abs().Round(time.Second),
		)
	}
	c.Caller = sdk.ToString(who.Arn)
	found, err := c.find(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.checkOwner(ctx, sdk.ToString(found.OwnerAccountId), sdk.ToString(who.Account)); err != nil {
		return nil, err
	}
	if err := c.describe(ctx, sdk.ToString(found.InstanceArn)); err != nil {
		return nil, err
	}
	c.reader = c.reader.Of(c.Instance.ARN, c.Instance.IdentityStoreID)
	c.addresses = cfg.Addresses
	endpoint := sdk.ToString(cfg.SDK.BaseEndpoint)
	c.addresses.fill(endpoint, c.Instance)
	c.fileStart = FileStart(cfg.Folder, c.Instance.IdentityStoreID, endpoint)
	return c, c.remember()
}

// find looks for the instance in the Region, and where there is none, in all of them.
func (c *Center) find(ctx context.Context) (found types.InstanceMetadata, err error) {
	list, err := c.instances(ctx, "")
	if err != nil {
		return found, explain("list the instances of IAM Identity Center in "+c.cfg.SDK.Region, err)
	}
	wanted := c.cfg.Place.Instance
	var named []types.InstanceMetadata
	for _, i := range list {
		if wanted == "" || strings.HasSuffix(sdk.ToString(i.InstanceArn), "/"+wanted) {
			named = append(named, i)
		}
	}
	switch {
	case len(named) == 1:
		return named[0], nil
	case len(named) > 1:
		return found, fmt.Errorf(
			"%s has %d instances: %s. Name the organization's, such as --center aws:%s", c.cfg.SDK.Region, len(named),
			idsOf(named), Instance{ARN: sdk.ToString(named[0].InstanceArn)}.id(),
		)
	case len(list) > 0:
		return found, fmt.Errorf("%s has no instance %s, but %s", c.cfg.SDK.Region, wanted, idsOf(list))
	}
	return found, c.elsewhere(ctx)
}

// elsewhere says why a Region has no instance.
func (c *Center) elsewhere(ctx context.Context) error {
	region := c.cfg.SDK.Region
	// An older partition may not know the scope: then nothing more is known.
	if all, err := c.instances(ctx, types.RegionScopeAllRegions); err == nil && len(all) > 0 {
		home := sdk.ToString(all[0].PrimaryRegion)
		if home == "" {
			home = strings.Split(sdk.ToString(all[0].InstanceArn)+"::::", ":")[3]
		}
		return fmt.Errorf(
			"IAM Identity Center has no instance in %s. There is one in %s: use --center aws@%s", region, home, home,
		)
	}
	return fmt.Errorf(
		"IAM Identity Center has no instance in %s that %s can see. An instance is in one Region only: look at the "+
			"Region in the URL of its console and use --center aws@REGION, or sign in with the management account or "+
			"the delegated administrator, or enable IAM Identity Center first", region, c.Caller,
	)
}

const maxInstances = 200 //bound:list instances that are looked through

func (c *Center) instances(ctx context.Context, scope types.RegionScope) (all []types.InstanceMetadata, err error) {
	for i, err := range inventory.Each(c.reader.Instances(ctx, scope)) {
		if err != nil || len(all) == maxInstances {
			return all, err
		}
		all = append(all, i)
	}
	return all, nil
}

func idsOf(list []types.InstanceMetadata) string {
	texts := make([]string, len(list))
	for i, x := range list {
		texts[i] = fmt.Sprintf(
			"%s (of account %s)", Instance{ARN: sdk.ToString(x.InstanceArn)}.id(), sdk.ToString(x.OwnerAccountId),
		)
	}
	return strings.Join(texts, ", ")
}

// checkOwner refuses an account instance, which has no AWS accounts to give access to, and an
// instance that the caller's account only sees. Source: "Delegated administration" of the user
// guide.
func (c *Center) checkOwner(ctx context.Context, owner, caller string) error {
	org, err := c.reader.Organization(ctx)
	if err != nil {
		if code := codeOf(err); code == "AWSOrganizationsNotInUseException" {
			return fmt.Errorf(
				"the instance belongs to account %s, which is in no organization: it is an account instance. Connect "+
					"the organization's instance, with credentials of its management account", owner,
			)
		}
		return explain("read the organization", err)
	}
	management := sdk.ToString(org.MasterAccountId)
	switch {
	case owner != management:
		return fmt.Errorf(
			"the instance belongs to account %s, and the organization's management account is %s: it is an account "+
				"instance, which gives no access to AWS accounts. Name the organization's with --center aws:INSTANCE",
			owner, management,
		)
	case caller == owner:
		return nil
	}
	for a, err := range inventory.Each(c.reader.DelegatedAdministrators(ctx)) {
		if err != nil {
			return explain("see whether account "+caller+" is a delegated administrator", err)
		}
		if sdk.ToString(a.Id) == caller {
			c.Delegated = true
			return nil
		}
	}
	return fmt.Errorf(
		"the credentials are of account %s, and the instance belongs to account %s. Use credentials of that account, "+
			"or register %s as the delegated administrator of IAM Identity Center", caller, owner, caller,
	)
}

// describe reads the instance, and refuses one that cannot be changed from here.
func (c *Center) describe(ctx context.Context, arn string) error {
	out, err := c.reader.Of(arn, "").Instance(ctx)
	if err != nil {
		return explain("describe the instance "+arn, err)
	}
	i := Instance{
		ARN:              arn,
		IdentityStoreID:  sdk.ToString(out.IdentityStoreId),
		OwnerAccountID:   sdk.ToString(out.OwnerAccountId),
		Name:             sdk.ToString(out.Name),
		Region:           sdk.ToString(out.PrimaryRegion),
		NoPermissionSets: out.PermissionSetsEnabled != nil && !*out.PermissionSetsEnabled,
	}
	if i.Region == "" {
		i.Region = c.cfg.SDK.Region
	}
	i.Regions = []string{i.Region}
	for _, r := range out.Regions {
		if name := sdk.ToString(r.RegionName); name != i.Region && r.Status == types.RegionStatusActive {
			i.Regions = append(i.Regions, name)
		}
	}
	if e := out.EncryptionConfigurationDetails; e != nil {
		i.Key = sdk.ToString(e.KmsKeyArn)
	}
	if n := out.NetworkConfigurationDetails; n != nil {
		i.VPCOnly = sdk.ToBool(n.VpceAccessRequired)
	}
	c.Instance = i
	switch {
	case out.Status != types.InstanceStatusActive:
		return fmt.Errorf(
			"the instance is %s, not ACTIVE: %s. Wait, or see its console", out.Status, sdk.ToString(out.StatusReason),
		)
	case i.Region != c.cfg.SDK.Region:
		return fmt.Errorf(
			"%s is an additional Region of the instance. Only its primary Region can change the identity source: use "+
				"--center aws@%s", c.cfg.SDK.Region, i.Region,
		)
	case !strings.HasPrefix(arn, "arn:aws:") && c.cfg.Addresses.SignIn == "":
		return fmt.Errorf(
			"%s is in a partition whose sign-in addresses nobody has published. Give the issuer URL's scheme and host "+
				"with --sign-in-host, as the console shows it (Settings, Identity source)", arn,
		)
	}
	return nil
}
