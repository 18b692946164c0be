package ssoadmin

import (
	"context"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// instances are the operations on the instance itself: its name, Regions, attributes for access
// control, and everybody's tags.
func (h *Handler) instances() []awsapi.Operation {
	return []awsapi.Operation{
		op("ListInstances", reads, h.listInstances), op("CreateInstance", changes, h.createInstance),
		within(h, "DescribeInstance", reads, h.describeInstance),
		within(h, "UpdateInstance", changes, h.updateInstance),
		within(h, "DeleteInstance", changes, h.deleteInstance),
		within(h, "AddRegion", changes, h.addRegion), within(h, "RemoveRegion", changes, h.removeRegion),
		within(h, "DescribeRegion", reads, h.describeRegion), within(h, "ListRegions", reads, h.listRegions),
		within(h, "CreateInstanceAccessControlAttributeConfiguration", changes, h.createAccessControl),
		within(h, "DescribeInstanceAccessControlAttributeConfiguration", reads, h.describeAccessControl),
		within(h, "UpdateInstanceAccessControlAttributeConfiguration", changes, h.updateAccessControl),
		within(h, "DeleteInstanceAccessControlAttributeConfiguration", changes, h.deleteAccessControl),
		op("TagResource", changes, h.tagResource), op("UntagResource", changes, h.untagResource),
		op("ListTagsForResource", reads, h.listTags),
	}
}

type instanceDetail struct {
	InstanceArn      string
	IdentityStoreID  string `json:"IdentityStoreId"`
	IdentityStoreArn string
	OwnerAccountID   string `json:"OwnerAccountId"`
	Name             string `json:",omitempty"`
	CreatedDate      awsapi.Timestamp
	Status           string
	PrimaryRegion    string
	Regions          []regionDetail
}

type describeInstanceOutput struct {
	instanceDetail
	EncryptionConfigurationDetails encryption
	NetworkConfigurationDetails    *networkConfiguration `json:",omitzero"`
	PermissionSetsEnabled          bool
}

// networkConfiguration is what requests and answers say of the networks.
type networkConfiguration struct {
	VpceAccessRequired     bool
	RestrictSourceVpcs     []string `json:",omitempty"`
	AllowSourceIPs         []string `json:"AllowSourceIps,omitempty"`
	ExcludeApplicationArns []string `json:",omitempty"`
}

type encryption struct{ KeyType, EncryptionStatus string }

func (h *Handler) instanceDetail(ctx context.Context) (instanceDetail, error) {
	i := h.Center.Instance
	s, err := h.Center.InstanceSettings(ctx)
	return instanceDetail{
		InstanceArn:      i.ARN,
		IdentityStoreID:  i.IdentityStoreID,
		IdentityStoreArn: i.IdentityStoreARN(),
		OwnerAccountID:   i.OwnerAccountID,
		Name:             s.Name,
		CreatedDate:      awsapi.Timestamp(i.CreatedAt),
		Status:           "ACTIVE",
		PrimaryRegion:    i.Region,
		Regions:          h.regionsOf(s),
	}, err
}

// listInstancesInput has a scope that changes nothing: the one instance is in every Region.
type listInstancesInput struct {
	paging
	RegionScope string
}

type listInstancesOutput struct{ Instances []instanceDetail }

// listInstances answers in one page, which no other follows: a center is one instance.
func (h *Handler) listInstances(
	ctx context.Context, _ awsapi.Caller, in listInstancesInput,
) (listInstancesOutput, error) {
	p, err := in.of(1, "ListInstances")
	if err != nil {
		return listInstancesOutput{}, err
	}
	d, err := h.instanceDetail(ctx)
	all, _ := whole(p, []instanceDetail{d}, func(i instanceDetail) string { return i.InstanceArn })
	return listInstancesOutput{all}, err
}

func (h *Handler) describeInstance(ctx context.Context, _ awsapi.Caller, _ instance) (describeInstanceOutput, error) {
	d, err := h.instanceDetail(ctx)
	if err != nil {
		return describeInstanceOutput{}, err
	}
	controls, err := h.Center.InstanceControls(ctx)
	out := describeInstanceOutput{
		instanceDetail:                 d,
		EncryptionConfigurationDetails: encryption{"AWS_OWNED_KMS_KEY", "ENABLED"},
		PermissionSetsEnabled:          !controls.WithoutPermissionSets,
	}
	if n := controls.Network; n != nil {
		out.NetworkConfigurationDetails = &networkConfiguration{
			VpceAccessRequired: n.Required,
			AllowSourceIPs:     n.AllowSourceIPs,
		}
	}
	return out, err
}

// createInstanceInput is read whole, so that what is wrong with it is said.
type createInstanceInput struct {
	Name, ClientToken string
	Tags              []tag
}

// createInstance is refused: AWS makes account instances besides an organization's, and only one of
// them in an account. A center is one instance.
func (h *Handler) createInstance(ctx context.Context, who awsapi.Caller, _ createInstanceInput) (awsapi.Empty, error) {
	return awsapi.Empty{}, h.Center.Refuse(
		ctx, awsdoor.Actor(who), "CreateInstance", "",
		&refusal.Error{Code: center.InstanceExists, Subject: h.Center.Instance.ARN},
	)
}

func (h *Handler) deleteInstance(ctx context.Context, who awsapi.Caller, in instance) (awsapi.Empty, error) {
	return awsapi.Empty{}, h.Center.Refuse(
		ctx, awsdoor.Actor(who), "DeleteInstance", in.InstanceArn,
		&refusal.Error{Code: center.InstanceStays, Subject: in.InstanceArn},
	)
}

type updateInstanceInput struct {
	instance
	Name                    *string
	EncryptionConfiguration *struct{ KeyType, KmsKeyArn string }
	NetworkConfiguration    *networkConfiguration
	PermissionSetsEnabled   *bool
}

// check refuses what the instance cannot do. Source: API reference, UpdateInstance.
func (in updateInstanceInput) check() error {
	e, n := in.EncryptionConfiguration, in.NetworkConfiguration
	sets := in.PermissionSetsEnabled
	switch {
	case e != nil && (n != nil || sets != nil), n != nil && sets != nil:
		return invalid(
			"Only one of EncryptionConfiguration, PermissionSetsEnabled and NetworkConfiguration can be specified",
		)
	case e != nil && (e.KeyType != "AWS_OWNED_KMS_KEY" || e.KmsKeyArn != ""):
		return invalid("There is no KMS here: secrets are encrypted with the center's own master key")
	case sets != nil && !*sets:
		return invalid(
			"The only accepted value of PermissionSetsEnabled is true: permission sets cannot be disabled. A new " +
				"center begins without them when it is started with --permission-sets=false",
		)
	case n != nil && len(n.RestrictSourceVpcs) > 0:
		return invalid(
			"RestrictSourceVpcs cannot be enforced: no request comes through a VPC endpoint here; name the " +
				"networks in AllowSourceIps",
		)
	case n != nil && len(n.ExcludeApplicationArns) > 0:
		return invalid(
			"ExcludeApplicationArns cannot be enforced: people are let in before it is known which application " +
				"they go to; name their networks in AllowSourceIps",
		)
	}
	return nil
}

func (h *Handler) updateInstance(ctx context.Context, who awsapi.Caller, in updateInstanceInput) (awsapi.Empty, error) {
	if err := in.check(); err != nil {
		return awsapi.Empty{}, err
	}
	change := center.InstanceChange{Name: in.Name, EnablePermissionSets: in.PermissionSetsEnabled != nil}
	if n := in.NetworkConfiguration; n != nil {
		change.Network = &center.InstanceNetwork{Required: n.VpceAccessRequired, AllowSourceIPs: n.AllowSourceIPs}
	}
	if change == (center.InstanceChange{}) {
		return awsapi.Empty{}, nil
	}
	return awsapi.Empty{}, h.Center.UpdateInstance(ctx, awsdoor.Actor(who), change)
}

type regionInput struct {
	instance
	RegionName string
}

type regionStatus struct{ Status string }

type regionDetail struct {
	RegionName      string
	Status          string
	AddedDate       awsapi.Timestamp
	IsPrimaryRegion bool
}

func (h *Handler) addRegion(ctx context.Context, who awsapi.Caller, in regionInput) (regionStatus, error) {
	return regionStatus{"ADDING"}, h.Center.AddRegion(ctx, awsdoor.Actor(who), in.RegionName)
}

func (h *Handler) removeRegion(ctx context.Context, who awsapi.Caller, in regionInput) (regionStatus, error) {
	return regionStatus{"REMOVING"}, h.Center.RemoveRegion(ctx, awsdoor.Actor(who), in.RegionName)
}

// regions lists the primary Region first.
func (h *Handler) regions(ctx context.Context) ([]regionDetail, error) {
	s, err := h.Center.InstanceSettings(ctx)
	return h.regionsOf(s), err
}

func (h *Handler) regionsOf(s center.InstanceSettings) []regionDetail {
	i := h.Center.Instance
	all := []regionDetail{{i.Region, "ACTIVE", awsapi.Timestamp(i.CreatedAt), true}}
	for _, r := range s.Regions {
		all = append(all, regionDetail{r.Name, "ACTIVE", awsapi.Timestamp(r.AddedAt), false})
	}
	return all
}

func (h *Handler) describeRegion(ctx context.Context, _ awsapi.Caller, in regionInput) (regionDetail, error) {
	all, err := h.regions(ctx)
	for _, r := range all {
		if r.RegionName == in.RegionName {
			return r, err
		}
	}
	return regionDetail{}, &refusal.Error{Code: center.RegionNotFound, Subject: in.RegionName}
}

type regionsInput struct {
	instance
	paging
}

type regionsOutput struct {
	Regions   []regionDetail
	NextToken string `json:",omitempty"`
}

// listRegions has the primary Region first, and then the others by name: a Region that goes between
// two pages moves none of the others.
func (h *Handler) listRegions(ctx context.Context, _ awsapi.Caller, in regionsInput) (regionsOutput, error) {
	p, err := in.of(1, "ListRegions")
	if err != nil {
		return regionsOutput{}, err
	}
	all, err := h.regions(ctx)
	place := func(r regionDetail) string {
		if r.IsPrimaryRegion {
			return "."
		}
		return r.RegionName
	}
	slices.SortFunc(all, func(a, b regionDetail) int { return strings.Compare(place(a), place(b)) })
	regions, next := whole(p, all, place)
	return regionsOutput{regions, next}, err
}

type accessControlAttribute struct {
	Key   string
	Value struct{ Source []string }
}

type accessControlConfiguration struct{ AccessControlAttributes []accessControlAttribute }

type accessControlInput struct {
	instance
	InstanceAccessControlAttributeConfiguration accessControlConfiguration
}

func (in accessControlInput) attributes() []center.AccessControlAttribute {
	var all []center.AccessControlAttribute
	for _, a := range in.InstanceAccessControlAttributeConfiguration.AccessControlAttributes {
		// the shape has exactly one
		all = append(all, center.AccessControlAttribute{Key: a.Key, Source: a.Value.Source[0]})
	}
	return all
}

func (h *Handler) createAccessControl(
	ctx context.Context, who awsapi.Caller, in accessControlInput,
) (awsapi.Empty, error) {
	return awsapi.Empty{}, h.Center.CreateAccessControl(ctx, awsdoor.Actor(who), in.attributes())
}

func (h *Handler) updateAccessControl(
	ctx context.Context, who awsapi.Caller, in accessControlInput,
) (awsapi.Empty, error) {
	return awsapi.Empty{}, h.Center.UpdateAccessControl(ctx, awsdoor.Actor(who), in.attributes())
}

func (h *Handler) deleteAccessControl(ctx context.Context, who awsapi.Caller, _ instance) (awsapi.Empty, error) {
	return awsapi.Empty{}, h.Center.DeleteAccessControl(ctx, awsdoor.Actor(who))
}

type accessControlOutput struct {
	Status                                      string
	InstanceAccessControlAttributeConfiguration accessControlConfiguration
}

func (h *Handler) describeAccessControl(ctx context.Context, _ awsapi.Caller, _ instance) (accessControlOutput, error) {
	all, err := h.Center.AccessControl(ctx)
	out := accessControlOutput{"ENABLED", accessControlConfiguration{[]accessControlAttribute{}}}
	for _, a := range all {
		shown := accessControlAttribute{Key: a.Key}
		shown.Value.Source = []string{a.Source}
		out.InstanceAccessControlAttributeConfiguration.AccessControlAttributes = append(
			out.InstanceAccessControlAttributeConfiguration.AccessControlAttributes, shown,
		)
	}
	return out, err
}

type tag struct{ Key, Value string }

func readTags(tags []tag) []center.Tag {
	var all []center.Tag
	for _, t := range tags {
		all = append(all, center.Tag(t))
	}
	return all
}

// tagInput names the instance optionally: newer clients leave it out.
type tagInput struct {
	InstanceArn string
	ResourceArn string
	Tags        []tag
	TagKeys     []string
	NextToken   string
}

func (h *Handler) checkTagged(in tagInput) error {
	if in.InstanceArn != "" && in.InstanceArn != h.Center.Instance.ARN {
		return &refusal.Error{Code: center.InstanceNotFound, Subject: in.InstanceArn}
	}
	return nil
}

func (h *Handler) tagResource(ctx context.Context, who awsapi.Caller, in tagInput) (awsapi.Empty, error) {
	if err := h.checkTagged(in); err != nil {
		return awsapi.Empty{}, err
	}
	return awsapi.Empty{}, h.Center.TagResource(ctx, awsdoor.Actor(who), in.ResourceArn, readTags(in.Tags))
}

func (h *Handler) untagResource(ctx context.Context, who awsapi.Caller, in tagInput) (awsapi.Empty, error) {
	if err := h.checkTagged(in); err != nil {
		return awsapi.Empty{}, err
	}
	return awsapi.Empty{}, h.Center.UntagResource(ctx, awsdoor.Actor(who), in.ResourceArn, in.TagKeys)
}

type tagsOutput struct{ Tags []tag }

// listTags answers in one page, which no other follows: a resource has at most 50 tags.
func (h *Handler) listTags(ctx context.Context, _ awsapi.Caller, in tagInput) (tagsOutput, error) {
	out := tagsOutput{[]tag{}}
	if err := h.checkTagged(in); err != nil {
		return out, err
	}
	p, err := paging{NextToken: in.NextToken}.of(1, "ListTagsForResource", in.ResourceArn)
	if err != nil {
		return out, err
	}
	all, err := h.Center.Tags(ctx, in.ResourceArn)
	all, _ = whole(p, all, func(t center.Tag) string { return t.Key })
	for _, t := range all {
		out.Tags = append(out.Tags, tag(t))
	}
	return out, err
}
