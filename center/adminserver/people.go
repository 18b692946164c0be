package adminserver

import (
	"context"
	"strconv"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/refusal"
)

const usersAtOnce = 100 //bound:list users of a page of SearchUsers

func showUser(u center.User) adminapi.User {
	out := adminapi.User{
		UserID:      string(u.ID),
		UserName:    u.UserName,
		DisplayName: u.DisplayName,
		Email:       u.PrimaryEmail(),
		ExternalID:  u.ExternalID,
		Status:      adminapi.UserEnabled,
	}
	if !u.Active {
		out.Status = adminapi.UserDisabled
	}
	if !u.CreatedAt.IsZero() {
		out.CreatedAt = &u.CreatedAt
	}
	return out
}

func (h *Handler) searchUsers(
	ctx context.Context, _ awsapi.Caller, in adminapi.SearchUsersInput,
) (adminapi.Users, error) {
	out := adminapi.Users{Users: []adminapi.User{}}
	offset := 0
	if in.NextToken != "" {
		var err error
		if offset, err = strconv.Atoi(in.NextToken); err != nil || offset < 0 {
			return out, &refusal.Error{Code: center.InvalidValue, Field: "NextToken"}
		}
	}
	q := center.UserQuery{Search: in.Search}
	var err error
	if out.Total, err = h.Center.CountUsers(ctx, q); err != nil {
		return out, err
	}
	q.Offset, q.Limit = offset, usersAtOnce
	list, err := h.Center.Users(ctx, q)
	for _, u := range list {
		out.Users = append(out.Users, showUser(u))
	}
	if offset += len(list); len(list) == usersAtOnce && offset < out.Total {
		out.NextToken = strconv.Itoa(offset)
	}
	return out, err
}

func (h *Handler) describeUser(ctx context.Context, _ awsapi.Caller, in adminapi.UserInput) (adminapi.User, error) {
	if (in.UserID == "") == (in.UserName == "") {
		return adminapi.User{}, &refusal.Error{
			Code: center.InvalidValue, Field: "UserId", Detail: "use either UserId or UserName",
		}
	}
	if in.UserName != "" {
		u, err := h.Center.UserByName(ctx, in.UserName)
		return showUser(u), err
	}
	u, err := h.Center.User(ctx, center.UserID(in.UserID))
	return showUser(u), err
}

func (h *Handler) enableUser(ctx context.Context, who awsapi.Caller, in adminapi.UserInput) (adminapi.None, error) {
	return adminapi.None{}, h.Center.SetUserActive(ctx, awsdoor.Actor(who), center.UserID(in.UserID), true)
}

func (h *Handler) disableUser(ctx context.Context, who awsapi.Caller, in adminapi.UserInput) (adminapi.None, error) {
	return adminapi.None{}, h.Center.SetUserActive(ctx, awsdoor.Actor(who), center.UserID(in.UserID), false)
}

func (h *Handler) updatePassword(
	ctx context.Context, who awsapi.Caller, in adminapi.UpdatePasswordInput,
) (adminapi.NewPassword, error) {
	id := center.UserID(in.UserID)
	switch in.PasswordMode {
	case adminapi.PasswordByEmail:
		return adminapi.NewPassword{}, h.Center.Invite(ctx, awsdoor.Actor(who), id, in.AddressIsTheirs)
	case adminapi.PasswordOnce:
		secret, err := h.Center.OneTimePassword(ctx, awsdoor.Actor(who), id)
		if err != nil {
			return adminapi.NewPassword{}, err
		}
		return adminapi.NewPassword{Password: secret.Reveal()}, nil
	}
	return adminapi.NewPassword{}, &refusal.Error{
		Code: center.InvalidValue, Field: "PasswordMode", Detail: "use EMAIL or OTP",
	}
}

func (h *Handler) listDevices(
	ctx context.Context, _ awsapi.Caller, in adminapi.UserInput,
) (adminapi.MFADevices, error) {
	out := adminapi.MFADevices{Devices: []adminapi.MFADevice{}}
	if _, err := h.Center.User(ctx, center.UserID(in.UserID)); err != nil {
		return out, err
	}
	devices, err := h.Center.Devices(ctx, in.UserID)
	for _, d := range devices {
		shown := adminapi.MFADevice{
			DeviceID: d.ID, DeviceName: d.Name, DeviceType: string(d.Type), CreatedAt: d.CreatedAt,
		}
		if !d.LastUsedAt.IsZero() {
			shown.LastUsedAt = &d.LastUsedAt
		}
		out.Devices = append(out.Devices, shown)
	}
	return out, err
}

func (h *Handler) deleteDevice(ctx context.Context, who awsapi.Caller, in adminapi.DeviceInput) (adminapi.None, error) {
	if _, err := h.Center.User(ctx, center.UserID(in.UserID)); err != nil {
		return adminapi.None{}, err // an administrator of the console is no user
	}
	id, err := h.deviceNamed(ctx, in.UserID, in.DeviceID)
	if err != nil {
		return adminapi.None{}, err
	}
	return adminapi.None{}, h.Center.DeleteDevice(ctx, awsdoor.Actor(who), in.UserID, id, "")
}

// startDevice makes a secret for an authenticator app. Nothing of the user changes before the
// registration is completed.
func (h *Handler) startDevice(
	ctx context.Context, who awsapi.Caller, in adminapi.UserInput,
) (adminapi.DeviceRegistration, error) {
	e, err := h.Center.EnrolFor(ctx, awsdoor.Actor(who), center.UserID(in.UserID))
	if err != nil {
		return adminapi.DeviceRegistration{}, err
	}
	if e.TOTP == nil {
		return adminapi.DeviceRegistration{}, &refusal.Error{
			Code: center.TooManyDevices, Subject: in.UserID,
			Detail: "the user cannot register another authenticator app, or the settings allow none",
		}
	}
	return adminapi.DeviceRegistration{Registration: e.Ticket.Reveal(), Secret: e.TOTP.Secret}, nil
}

func (h *Handler) completeDevice(
	ctx context.Context, who awsapi.Caller, in adminapi.CompleteDeviceInput,
) (adminapi.None, error) {
	if _, err := h.Center.User(ctx, center.UserID(in.UserID)); err != nil {
		return adminapi.None{}, err
	}
	return adminapi.None{}, h.Center.FinishEnrolment(ctx, awsdoor.Actor(who), in.UserID, center.NewDevice{
		Ticket: in.Registration, Name: in.DeviceName, Code: in.Code,
	})
}

func (h *Handler) listSessions(
	ctx context.Context, _ awsapi.Caller, in adminapi.UserInput,
) (adminapi.UserSessions, error) {
	out := adminapi.UserSessions{Sessions: []adminapi.UserSession{}}
	if _, err := h.Center.User(ctx, center.UserID(in.UserID)); err != nil {
		return out, err
	}
	sessions, err := h.Center.Sessions(ctx, center.UserID(in.UserID))
	for _, s := range sessions {
		out.Sessions = append(out.Sessions, adminapi.UserSession{
			SessionID: s.Digest,
			UserAgent: s.UserAgent,
			Address:   s.Address,
			Program:   s.Kind == center.ClientSession,
			CreatedAt: s.CreatedAt,
			ExpiresAt: s.ExpiresAt,
		})
	}
	return out, err
}

func (h *Handler) deleteSession(
	ctx context.Context, who awsapi.Caller, in adminapi.SessionInput,
) (adminapi.None, error) {
	id := center.UserID(in.UserID)
	if in.All == (in.SessionID != "") {
		return adminapi.None{}, &refusal.Error{
			Code: center.InvalidValue, Field: "SessionId", Detail: "use either SessionId or All",
		}
	}
	if _, err := h.Center.User(ctx, id); err != nil {
		return adminapi.None{}, err
	}
	if in.All {
		return adminapi.None{}, h.Center.EndSessions(ctx, awsdoor.Actor(who), id, "")
	}
	return adminapi.None{}, h.Center.EndSession(ctx, awsdoor.Actor(who), id, in.SessionID)
}
