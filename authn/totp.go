package authn

import (
	"bytes"
	"fmt"
	"image/png"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

// TOTP is the secret of an authenticator app (RFC 6238): SHA-1, six digits, thirty seconds, which
// is what apps support everywhere.
type TOTP struct {
	Secret string // base32, for people who type it
	URL    string // otpauth://, which the QR code holds
	QR     []byte // PNG
}

const (
	totpPeriod = 30 // seconds
	qrPixels   = 220
)

// NewTOTP makes the secret for an account at an issuer, both of which the app shows.
func NewTOTP(issuer, account string) (TOTP, error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: account, Period: totpPeriod})
	if err != nil {
		return TOTP{}, fmt.Errorf("make the authenticator's secret: %w", err)
	}
	image, err := key.Image(qrPixels, qrPixels)
	if err != nil {
		return TOTP{}, fmt.Errorf("draw the QR code: %w", err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, image); err != nil {
		return TOTP{}, err
	}
	return TOTP{Secret: key.Secret(), URL: key.URL(), QR: b.Bytes()}, nil
}

// CheckTOTP says whether code is the one of now, of the step before or of the one after, and which
// step that is. A step that is not after last, the one of the code that was accepted last, is
// refused: a code is used once (RFC 6238 §5.2). One that was accepted by a clock that was ahead is
// not: until then every code would be refused.
func CheckTOTP(secret, code string, now time.Time, last int64) (step int64, ok bool) {
	if Ahead(time.Unix(last*totpPeriod, 0), now) {
		last = 0
	}
	for i := int64(-1); i <= 1; i++ {
		at := now.Add(time.Duration(i) * totpPeriod * time.Second)
		want, err := totp.GenerateCodeCustom(
			secret, at, totp.ValidateOpts{Period: totpPeriod, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1},
		)
		if err == nil && Equal(want, code) && at.Unix()/totpPeriod > last {
			step, ok = at.Unix()/totpPeriod, true
		}
	}
	return step, ok
}
