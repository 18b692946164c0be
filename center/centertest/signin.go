package centertest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
)

// now is when the sign-ins of the contract happen.
var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// signIns is the contract of what sign-in keeps.
func signIns(t *testing.T, s center.Store) {
	want := center.SignInSettings{
		PortalSession: time.Hour,
		MFA:           center.MFAAlways,
		WithoutDevice: center.BlockSignIn,
		SecurityKeys:  true,
	}
	view(t, s, func(r center.Reader) error {
		_, err := r.SignInSettings()
		wantNoRow(t, "settings that nobody made", err)
		return nil
	})
	update(t, s, func(tx center.Tx) error {
		return errors.Join(
			tx.PutSignInSettings(center.SignInSettings{}),
			tx.PutRequestKey(center.RequestKey{SealedKey: "k"}),
			tx.PutSignInSettings(want),
			tx.PutTicket(center.Ticket{
				Digest:    "d1",
				Purpose:   center.SigningIn,
				Principal: "u1",
				ExpiresAt: now.Add(time.Hour),
			}),
			tx.PutTicket(center.Ticket{
				Digest:    "d1",
				Purpose:   center.SigningIn,
				Principal: "u1",
				ExpiresAt: now.Add(time.Hour),
				Failures:  3,
				Challenge: []byte("{}"),
			}),
			tx.PutTicket(center.Ticket{
				Digest:    "d1",
				Purpose:   center.KnownBrowser,
				Principal: "u1",
				ExpiresAt: now.Add(time.Hour),
				Trusted:   true,
			}),
			tx.PutTicket(center.Ticket{Digest: "d2", Purpose: center.SigningIn, Principal: "u1", ExpiresAt: now}),
			tx.PutTicket(center.Ticket{
				Digest:    "d3",
				Purpose:   center.SigningIn,
				Principal: "u2",
				ExpiresAt: now.Add(time.Hour),
			}),
			tx.PutMFADevice(center.MFADevice{ID: "m1", Principal: "u1", Name: "Phone"}),
			tx.PutMFADevice(center.MFADevice{ID: "m1", Principal: "u1", Name: "Old phone", LastStep: 7}),
			tx.PutMFADevice(center.MFADevice{
				ID:         "m2",
				Principal:  "u1",
				Type:       center.SecurityKey,
				Credential: []byte("{}"),
			}),
			tx.PutMFADevice(center.MFADevice{ID: "m3", Principal: "administrator/root"}),
			tx.PutSession(center.Session{Digest: "s2", UserID: "u1", ExpiresAt: now.Add(time.Hour)}),
			tx.PutSession(center.Session{Digest: "s1", UserID: "u1", ExpiresAt: now.Add(time.Hour)}),
			tx.PutSession(center.Session{Digest: "s3", UserID: "u2", ExpiresAt: now.Add(time.Hour)}),
		)
	})
	signInsAreRead(t, s, want)
	signInsEnd(t, s)
}

func signInsAreRead(t *testing.T, s center.Store, want center.SignInSettings) {
	view(t, s, func(r center.Reader) error {
		settings, e1 := r.SignInSettings()
		ticket, e2 := r.Ticket(center.SigningIn, "d1")
		browser, e3 := r.Ticket(center.KnownBrowser, "d1")
		device, e4 := r.MFADevice("m1")
		devices, e5 := r.MFADevicesOf("u1")
		sessions, e6 := r.SessionsOf("u1")
		if settings != want || ticket.Failures != 3 || string(ticket.Challenge) != "{}" || !browser.Trusted ||
			device.Name != "Old phone" || device.LastStep != 7 {
			t.Errorf("read back %+v %+v %+v %+v", settings, ticket, browser, device)
		}
		if len(devices) != 2 || devices[1].ID != "m2" || len(sessions) != 2 || sessions[0].Digest != "s1" {
			t.Errorf("lists %+v %+v", devices, sessions)
		}
		if tickets, err := r.TicketsOf(center.SigningIn, "u1"); err != nil || len(tickets) != 2 ||
			tickets[0].Digest != "d2" || tickets[1].Digest != "d1" {
			t.Errorf("tickets %+v, %v", tickets, err)
		}
		if all, err := r.TicketsOf("", "u1"); err != nil || len(all) != 3 ||
			!slices.ContainsFunc(all, func(t center.Ticket) bool { return t.Purpose == center.KnownBrowser }) {
			t.Errorf("tickets of every purpose %+v, %v", all, err)
		}
		_, err := r.Ticket(center.SetsPassword, "d1")
		wantNoRow(t, "a ticket of another purpose", err)
		key, e7 := r.RequestKey()
		if key.SealedKey != "k" {
			t.Errorf("the key is %+v", key)
		}
		return errors.Join(e1, e2, e3, e4, e5, e6, e7)
	})
}

func signInsEnd(t *testing.T, s center.Store) {
	update(t, s, func(tx center.Tx) error {
		_, err := tx.DeleteExpired(now, now)
		return errors.Join(
			err, tx.DeleteTicketsOf(center.SigningIn, "u1"), tx.DeleteMFADevice("m2"),
			tx.DeleteMFADevicesOf("administrator/root"), tx.DeleteTicket(center.SigningIn, "nothing"),
		)
	})
	view(t, s, func(r center.Reader) error {
		for what, id := range map[string][2]string{
			"deleted": {string(center.SigningIn), "d1"},
			"expired": {string(center.SigningIn), "d2"},
		} {
			_, err := r.Ticket(center.Purpose(id[0]), id[1])
			wantNoRow(t, "a ticket that is "+what, err)
		}
		_, e1 := r.Ticket(center.KnownBrowser, "d1")
		_, e2 := r.Ticket(center.SigningIn, "d3")
		left, e3 := r.MFADevicesOf("u1")
		if len(left) != 1 || left[0].ID != "m1" {
			t.Errorf("devices left: %+v", left)
		}
		_, err := r.MFADevice("m3")
		wantNoRow(t, "a device whose principal lost all", err)
		return errors.Join(e1, e2, e3)
	})
	update(t, s, func(tx center.Tx) error { return tx.DeleteTicket(center.KnownBrowser, "d1") })
	view(t, s, func(r center.Reader) error {
		_, err := r.Ticket(center.KnownBrowser, "d1")
		wantNoRow(t, "a deleted ticket", err)
		return nil
	})
}
