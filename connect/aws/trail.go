package aws

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/gatehouse-id/gatehouse/connect"
)

// signInEvents are what CloudTrail calls a sign-in that an identity provider has answered: what AWS
// made of the response, and that the person is in. Source: "Understanding IAM Identity Center
// sign-in events" of the user guide.
var signInEvents = []string{"ExternalIdPDirectoryLogin", "UserAuthentication"}

// signInRecord is the part of an event that says how a sign-in ended. The outcome is in the answer
// or in the details, not in an error code.
type signInRecord struct {
	EventTime           time.Time         `json:"eventTime"`
	ErrorMessage        string            `json:"errorMessage"`
	ResponseElements    map[string]string `json:"responseElements"`
	ServiceEventDetails map[string]string `json:"serviceEventDetails"`
	AdditionalEventData map[string]string `json:"additionalEventData"`
}

var _ connect.Recorder = (*Center)(nil)

// RecordedSignIns reads CloudTrail: the newest page of each kind of event. What is a minute old may
// not be in it yet.
func (c *Center) RecordedSignIns(ctx context.Context, since time.Time) (connect.SignIns, error) {
	var out connect.SignIns
	var last time.Time // of what was refused
	for _, name := range signInEvents {
		page, err := c.trail.LookupEvents(ctx, &cloudtrail.LookupEventsInput{
			LookupAttributes: []types.LookupAttribute{
				{AttributeKey: types.LookupAttributeKeyEventName, AttributeValue: &name},
			},
			StartTime: &since,
		})
		if err != nil {
			return connect.SignIns{}, explain("read CloudTrail", err)
		}
		for _, e := range page.Events {
			var r signInRecord
			if json.Unmarshal([]byte(sdk.ToString(e.CloudTrailEvent)), &r) != nil || r.EventTime.Before(since) {
				continue
			}
			by := r.AdditionalEventData["CredentialType"]
			if by != "" && !slices.Contains(strings.Split(by, ","), "EXTERNAL_IDP") {
				continue // with a password of AWS's own
			}
			out.Seen++
			if r.EventTime.After(out.Last) {
				out.Last = r.EventTime
			}
			switch {
			case r.ResponseElements[name] == "Success", r.ServiceEventDetails[name] == "Success":
				out.Succeeded++
				if who := r.AdditionalEventData["UserName"]; out.Who == "" {
					out.Who = who
				}
			case r.EventTime.After(last):
				last, out.Refused = r.EventTime, r.ErrorMessage
			}
		}
	}
	return out, nil
}
