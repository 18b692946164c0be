package trail_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/gatehouse-id/gatehouse/awsapi/trail"
)

// pages answers with a page after the other, and then fails.
type pages []string

func (p *pages) LookupEvents(
	_ context.Context, in *cloudtrail.LookupEventsInput, _ ...func(*cloudtrail.Options),
) (*cloudtrail.LookupEventsOutput, error) {
	if len(*p) == 0 {
		return nil, errors.New("throttled")
	}
	first := (*p)[0]
	*p = (*p)[1:]
	if *in.LookupAttributes[0].AttributeValue != trail.Authentication {
		return nil, errors.New("another event")
	}
	return &cloudtrail.LookupEventsOutput{
		NextToken: aws.String("next" + first), Events: []types.Event{{CloudTrailEvent: &first}},
	}, nil
}

// TestEventsAreReadInPagesUpToABound, with what is no record left out; the outcome of a sign-in is
// where each kind has it.
func TestEventsAreReadInPagesUpToABound(t *testing.T) {
	t.Parallel()
	p := &pages{
		`{"eventName":"UserAuthentication","serviceEventDetails":{"UserAuthentication":"Success"},` +
			`"additionalEventData":{"UserName":"ada","LoginTo":7}}`,
		`no record`,
		`{"eventName":"UserAuthentication","serviceEventDetails":{"UserAuthentication":"Failure"}}`,
	}
	look := func(pages int) ([]trail.Event, error) {
		return trail.Look(t.Context(), p.LookupEvents, trail.Name, trail.Authentication, time.Now(), pages)
	}
	list, err := look(2)
	if err != nil || len(list) != 1 || !list[0].Succeeded() || list[0].Additional("UserName") != "ada" ||
		list[0].Additional("LoginTo") != "" {
		t.Errorf("%+v, %v", list, err)
	}
	if list, err = look(2); err == nil || len(list) != 1 || list[0].Succeeded() {
		t.Errorf("%+v, %v", list, err)
	}
}
