package adminserver

import (
	"context"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/refusal"
)

func showKey(k center.AccessKey) adminapi.AccessKey {
	out := adminapi.AccessKey{
		AccessKeyID:     k.ID,
		UserName:        k.Principal,
		Role:            string(k.EffectiveRole()),
		Status:          adminapi.KeyActive,
		CreateDate:      k.CreatedAt,
		LastUsedService: k.LastUsedService,
		LastUsedAddress: k.LastUsedAddress,
	}
	if k.Disabled {
		out.Status = adminapi.KeyInactive
	}
	if !k.LastUsedAt.IsZero() {
		out.LastUsedDate = &k.LastUsedAt
	}
	return out
}

func (h *Handler) createAccessKey(
	ctx context.Context, who awsapi.Caller, in adminapi.NewKey,
) (adminapi.AccessKey, error) {
	k, err := h.Center.CreateAccessKey(ctx, awsdoor.Actor(who), in.UserName, center.KeyRole(in.Role))
	if err != nil {
		return adminapi.AccessKey{}, err
	}
	out := showKey(k.AccessKey)
	out.SecretAccessKey = k.SecretAccessKey.Reveal()
	return out, nil
}

func (h *Handler) listAccessKeys(ctx context.Context, _ awsapi.Caller, _ adminapi.None) (adminapi.AccessKeys, error) {
	keys, err := h.Center.AccessKeys(ctx)
	out := adminapi.AccessKeys{AccessKeyMetadata: []adminapi.AccessKey{}}
	for _, k := range keys {
		out.AccessKeyMetadata = append(out.AccessKeyMetadata, showKey(k))
	}
	return out, err
}

func (h *Handler) updateAccessKey(
	ctx context.Context, who awsapi.Caller, in adminapi.KeyStatus,
) (adminapi.None, error) {
	if in.Status != adminapi.KeyActive && in.Status != adminapi.KeyInactive {
		return adminapi.None{}, h.Center.Refuse(
			ctx, awsdoor.Actor(who), "UpdateAccessKey", in.AccessKeyID,
			&refusal.Error{Code: center.InvalidValue, Field: "Status", Detail: "use Active or Inactive"},
		)
	}
	id, err := h.keyNamed(ctx, in.AccessKeyID)
	if err != nil {
		return adminapi.None{}, err
	}
	return adminapi.None{}, h.Center.SetAccessKeyEnabled(
		ctx, awsdoor.Actor(who), id, in.Status == adminapi.KeyActive,
	)
}

func (h *Handler) deleteAccessKey(ctx context.Context, who awsapi.Caller, in adminapi.KeyInput) (adminapi.None, error) {
	id, err := h.keyNamed(ctx, in.AccessKeyID)
	if err != nil {
		return adminapi.None{}, err
	}
	return adminapi.None{}, h.Center.DeleteAccessKey(ctx, awsdoor.Actor(who), id)
}
