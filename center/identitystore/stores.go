package identitystore

import (
	"context"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
)

// storeNamed is how the identity store is named in answers.
type storeNamed struct {
	IdentityStoreID  string `json:"IdentityStoreId"`
	IdentityStoreArn string
}

func (h *Handler) nameStore() storeNamed {
	i := h.Center.Instance
	return storeNamed{i.IdentityStoreID, i.IdentityStoreARN()}
}

type listStoresInput struct {
	MaxResults *int
	NextToken  string
}

type listStoresOutput struct{ IdentityStores []storeNamed }

// listStores lists the one store that there is.
func (h *Handler) listStores(_ context.Context, _ awsapi.Caller, in listStoresInput) (listStoresOutput, error) {
	if _, err := awsapi.DecodeToken("ListIdentityStores", in.NextToken); err != nil {
		return listStoresOutput{}, err
	}
	return listStoresOutput{[]storeNamed{h.nameStore()}}, nil
}

// networkConfiguration is what requests and answers say of the networks.
type networkConfiguration struct {
	VpceAccessRequired    bool
	APIRestrictSourceVpcs []string `json:"ApiRestrictSourceVpcs,omitempty"`
	APIAllowSourceIPs     []string `json:"ApiAllowSourceIps,omitempty"`
	SCIMAllowSourceIPs    []string `json:"ScimAllowSourceIps,omitempty"`
}

type describeStoreOutput struct {
	storeNamed
	NetworkConfiguration networkConfiguration
}

func (h *Handler) describeStore(ctx context.Context, _ awsapi.Caller, in store) (describeStoreOutput, error) {
	out := describeStoreOutput{storeNamed: h.nameStore()}
	if err := h.check(in); err != nil {
		return out, err
	}
	controls, err := h.Center.InstanceControls(ctx)
	if n := controls.StoreNetwork; n != nil {
		out.NetworkConfiguration = networkConfiguration{
			VpceAccessRequired: n.Required,
			APIAllowSourceIPs:  n.APIAllowSourceIPs,
			SCIMAllowSourceIPs: n.SCIMAllowSourceIPs,
		}
	}
	return out, err
}

type updateStoreInput struct {
	store
	NetworkConfiguration *networkConfiguration
}

// updateStore replaces the network configuration whole, as AWS does.
func (h *Handler) updateStore(ctx context.Context, who awsapi.Caller, in updateStoreInput) (storeNamed, error) {
	if err := h.check(in.store); err != nil || in.NetworkConfiguration == nil {
		return h.nameStore(), err
	}
	n := in.NetworkConfiguration
	if len(n.APIRestrictSourceVpcs) > 0 {
		return storeNamed{}, invalid(
			"ApiRestrictSourceVpcs cannot be enforced: no request comes through a VPC endpoint here; " +
				"name the networks in ApiAllowSourceIps and ScimAllowSourceIps",
		)
	}
	return h.nameStore(), h.Center.SetStoreNetwork(ctx, awsdoor.Actor(who), center.StoreNetwork{
		Required:           n.VpceAccessRequired,
		APIAllowSourceIPs:  n.APIAllowSourceIPs,
		SCIMAllowSourceIPs: n.SCIMAllowSourceIPs,
	})
}
