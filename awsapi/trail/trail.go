// Package trail is AWS CloudTrail as its readers see it: the shape of a record, and what its lookup
// finds.
//
// It imports nothing of ours.
package trail

import (
	"context"
	"encoding/json"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
)

// Event is a record of CloudTrail. Source: CloudTrail User Guide, record contents.
type Event struct {
	EventTime         time.Time      `json:"eventTime"`
	EventSource       string         `json:"eventSource"`
	EventName         string         `json:"eventName"`
	AWSRegion         string         `json:"awsRegion,omitempty"`
	ErrorCode         string         `json:"errorCode,omitempty"`
	ErrorMessage      string         `json:"errorMessage,omitempty"`
	SourceIPAddress   string         `json:"sourceIPAddress,omitempty"`
	UserIdentity      map[string]any `json:"userIdentity,omitempty"`
	RequestParameters map[string]any `json:"requestParameters,omitempty"`
	ResponseElements  map[string]any `json:"responseElements,omitempty"`
	AdditionalData    map[string]any `json:"additionalEventData,omitempty"`
	ServiceDetails    map[string]any `json:"serviceEventDetails,omitempty"`
}

// What CloudTrail calls a sign-in that an identity provider has answered: what AWS made of the
// response, and that the person is in. Source: "Understanding IAM Identity Center sign-in events"
// of its user guide.
const (
	ProviderLogin  = "ExternalIdPDirectoryLogin"
	Authentication = "UserAuthentication"
)

// Succeeded says whether a sign-in did. The outcome is in the answer or in the details, not in an
// error code.
func (e Event) Succeeded() bool {
	return e.ResponseElements[e.EventName] == "Success" || e.ServiceDetails[e.EventName] == "Success"
}

// Additional is a text of the additional data; empty where there is none.
func (e Event) Additional(name string) string {
	text, _ := e.AdditionalData[name].(string)
	return text
}

// By is what events are looked up by: CloudTrail takes one attribute at a time.
type By = types.LookupAttributeKey

// The attributes that we look up.
const (
	Name   By = types.LookupAttributeKeyEventName
	Source By = types.LookupAttributeKeyEventSource
)

// Client is the one operation of CloudTrail that is called. It is a function, and not the SDK's
// client: templates find methods by their names, so that the linker keeps every method of a type
// that one could meet, and the client has 59 more, which are 3 MiB.
type Client func(
	context.Context, *cloudtrail.LookupEventsInput, ...func(*cloudtrail.Options),
) (*cloudtrail.LookupEventsOutput, error)

// Open makes a client with somebody's credentials.
func Open(cfg aws.Config) Client { return cloudtrail.NewFromConfig(cfg).LookupEvents }

// LookupEvents implements cloudtrail.LookupEventsAPIClient.
func (c Client) LookupEvents(
	ctx context.Context, in *cloudtrail.LookupEventsInput, options ...func(*cloudtrail.Options),
) (*cloudtrail.LookupEventsOutput, error) {
	return c(ctx, in, options...)
}

// Look reads the newest pages, at most as many as given, of events since a time. CloudTrail takes
// two requests a second. What cannot be read as a record is left out.
func Look(ctx context.Context, c Client, by By, value string, since time.Time, pages int) ([]Event, error) {
	var list []Event
	found := cloudtrail.NewLookupEventsPaginator(c, &cloudtrail.LookupEventsInput{
		LookupAttributes: []types.LookupAttribute{{AttributeKey: by, AttributeValue: &value}}, StartTime: &since,
	})
	for n := 0; found.HasMorePages() && n < pages; n++ {
		page, err := found.NextPage(ctx)
		if err != nil {
			return list, err
		}
		for _, e := range page.Events {
			var record Event
			if json.Unmarshal([]byte(aws.ToString(e.CloudTrailEvent)), &record) == nil {
				list = append(list, record)
			}
		}
	}
	return list, nil
}
