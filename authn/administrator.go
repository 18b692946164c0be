package authn

import "time"

// AdministratorSummary is an administrator of either half, as lists show one. Commands print it as
// JSON: fields are added, never changed.
type AdministratorSummary struct {
	Name            string    `json:"name"`
	CreatedAt       time.Time `json:"created_at"`
	CreatedBy       string    `json:"created_by,omitempty"`     // empty: made before this was noted
	LastSignInAt    time.Time `json:"last_sign_in_at,omitzero"` // zero: never, or before this was noted
	Sessions        int       `json:"sessions"`
	SecondFactors   int       `json:"second_factors"`
	OneTimePassword bool      `json:"one_time_password"` // it is not replaced yet
}
