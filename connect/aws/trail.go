package aws

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/awsapi/trail"
	"github.com/gatehouse-id/gatehouse/connect"
)

var _ connect.Recorder = (*Center)(nil)

// RecordedSignIns reads CloudTrail: the newest page of each kind of event. What is a minute old may
// not be in it yet.
func (c *Center) RecordedSignIns(ctx context.Context, since time.Time) (connect.SignIns, error) {
	var out connect.SignIns
	for _, name := range []string{trail.ProviderLogin, trail.Authentication} {
		events, err := trail.Look(ctx, c.trail, trail.Name, name, since, 1)
		switch code := codeOf(err); {
		case code == "AccessDeniedException":
			return connect.SignIns{}, fmt.Errorf("%w: %w", connect.ErrUnrecorded, explain("read CloudTrail", err))
		case err != nil:
			return connect.SignIns{}, explain("read CloudTrail", err)
		}
		for _, e := range events {
			by := e.Additional("CredentialType")
			withPassword := by != "" && !slices.Contains(strings.Split(by, ","), "EXTERNAL_IDP") // of AWS's own
			if withPassword || e.EventTime.Before(since) {
				continue
			}
			out.Seen++
			if e.EventTime.After(out.Last) {
				out.Last = e.EventTime
			}
			switch {
			case e.Succeeded():
				out.Succeeded++
				if e.EventTime.After(out.At) {
					out.At = e.EventTime
				}
				if who := e.Additional("UserName"); out.Who == "" {
					out.Who = who
				}
			case e.EventTime.After(out.RefusedAt):
				out.RefusedAt, out.Refused = e.EventTime, cmp.Or(e.ErrorMessage, "it does not say why")
			}
		}
	}
	return out, nil
}
