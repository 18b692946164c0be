package identitystore

import (
	"context"

	"github.com/gatehouse-id/gatehouse/awsapi"
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

func (h *Handler) describeStore(_ context.Context, _ awsapi.Caller, in store) (storeNamed, error) {
	return h.nameStore(), h.check(in)
}
