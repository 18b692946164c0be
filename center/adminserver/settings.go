package adminserver

import (
	"context"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
)

func (h *Handler) describeSignIn(
	ctx context.Context, _ awsapi.Caller, _ adminapi.None,
) (adminapi.SignInSettings, error) {
	s, err := h.Center.SignInSettings(ctx)
	minutes := int(s.PortalSession / time.Minute)
	return adminapi.SignInSettings{
		PortalSessionMinutes: &minutes,
		MFAMode:              (*string)(&s.MFA),
		WithoutDevice:        (*string)(&s.WithoutDevice),
		SecurityKeys:         &s.SecurityKeys,
		AuthenticatorApps:    &s.Authenticator,
		SelfService:          &s.SelfService,
		AccessControl:        &s.AccessControl,
	}, err
}

func (h *Handler) updateSignIn(
	ctx context.Context, who awsapi.Caller, in adminapi.SignInSettings,
) (adminapi.None, error) {
	return adminapi.None{}, h.Center.EditSignInSettings(ctx, awsdoor.Actor(who), func(s *center.SignInSettings) {
		if m := in.PortalSessionMinutes; m != nil { // what overflows is beyond the bounds on either side
			s.PortalSession = time.Duration(max(0, min(*m, int(2*center.MaxPortalSession/time.Minute)))) * time.Minute
		}
		set((*string)(&s.MFA), in.MFAMode)
		set((*string)(&s.WithoutDevice), in.WithoutDevice)
		set(&s.SecurityKeys, in.SecurityKeys)
		set(&s.Authenticator, in.AuthenticatorApps)
		set(&s.SelfService, in.SelfService)
		set(&s.AccessControl, in.AccessControl)
	})
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func (h *Handler) openNetworks(ctx context.Context, who awsapi.Caller, _ adminapi.None) (adminapi.None, error) {
	return adminapi.None{}, h.Center.OpenNetworks(ctx, awsdoor.Actor(who))
}

// watchMetadata looks at the address at once, so that what is wrong with it is known now.
func (h *Handler) watchMetadata(
	ctx context.Context, who awsapi.Caller, in adminapi.MetadataWatch,
) (adminapi.None, error) {
	err := h.Center.WatchMetadata(ctx, awsdoor.Actor(who), strings.TrimSpace(in.URL))
	if err == nil && in.URL != "" {
		err = h.Metadata.Look(ctx, strings.TrimSpace(in.URL))
	}
	return adminapi.None{}, err
}

func (h *Handler) acceptMetadata(
	ctx context.Context, who awsapi.Caller, in adminapi.MetadataOffer,
) (adminapi.None, error) {
	return adminapi.None{}, h.Center.AcceptMetadata(ctx, awsdoor.Actor(who), strings.Join(in.Differences, "\n"))
}
