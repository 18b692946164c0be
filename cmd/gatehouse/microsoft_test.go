package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph/signin"
)

// TestHowToSignInToMicrosoftIsChecked finds every mistake before anything is asked.
func TestHowToSignInToMicrosoftIsChecked(t *testing.T) {
	t.Parallel()
	for want, settings := range map[string]signin.Settings{
		"--login-url is missing":  {Method: signin.DeviceCode},
		"--client-id is missing":  {Method: signin.Client},
		"GATEHOUSE_CLIENT_SECRET": {Method: signin.Client, LoginURL: "https://login.example", ClientID: "y"},
		`--sign-in "magic"`:       {Method: "magic"},
		"":                        {Method: signin.AzureCLI},
	} {
		m := microsoft{Settings: settings}
		if err := errors.Join(m.check()...); (err == nil) != (want == "") ||
			(err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%+v: %v, want %q", settings, err, want)
		}
	}
}
