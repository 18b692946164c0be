package ssoadmin_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
)

// TestTheInstanceTellsItsRegionsAndItsStore: lists and descriptions have the same Regions, primary
// first, in whichever scope is asked for.
func TestTheInstanceTellsItsRegionsAndItsStore(t *testing.T) {
	a := newAPI(t)
	ok[*ssoadmin.AddRegionOutput](a)(a.AddRegion(
		background, &ssoadmin.AddRegionInput{InstanceArn: a.instance, RegionName: aws.String("eu-central-1")},
	))
	described := ok[*ssoadmin.DescribeInstanceOutput](a)(a.DescribeInstance(
		background, &ssoadmin.DescribeInstanceInput{InstanceArn: a.instance},
	))
	check := func(what string, regions []types.RegionMetadata, primary, store *string) {
		t.Helper()
		if len(regions) != 2 || *regions[0].RegionName != "us-east-1" || !regions[0].IsPrimaryRegion ||
			*regions[1].RegionName != "eu-central-1" || regions[1].IsPrimaryRegion ||
			regions[1].Status != types.RegionStatusActive || aws.ToString(primary) != "us-east-1" {
			t.Errorf("%s: the Regions are %+v, the primary one is %s", what, regions, aws.ToString(primary))
		}
		if aws.ToString(store) != a.center.Instance.IdentityStoreARN() {
			t.Errorf("%s: the identity store is %s", what, aws.ToString(store))
		}
	}
	check("DescribeInstance", described.Regions, described.PrimaryRegion, described.IdentityStoreArn)
	for _, scope := range []types.RegionScope{"", types.RegionScopeCurrentRegion, types.RegionScopeAllRegions} {
		listed := ok[*ssoadmin.ListInstancesOutput](a)(a.ListInstances(
			background, &ssoadmin.ListInstancesInput{RegionScope: scope},
		))
		if len(listed.Instances) != 1 {
			t.Fatalf("%q: %d instances", scope, len(listed.Instances))
		}
		i := listed.Instances[0]
		check("ListInstances "+string(scope), i.Regions, i.PrimaryRegion, i.IdentityStoreArn)
	}
	refused[*ssoadmin.ListInstancesOutput](a, "ValidationException")(a.ListInstances(
		background, &ssoadmin.ListInstancesInput{RegionScope: "EVERYWHERE"},
	))
}
