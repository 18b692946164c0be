package awsstandin

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/identitystore"
	"github.com/gatehouse-id/gatehouse/center/orgserver"
	"github.com/gatehouse-id/gatehouse/center/ssoadmin"
	"github.com/gatehouse-id/gatehouse/center/sts"
)

// models are the shapes of the inputs that the services' models have, by X-Amz-Target. A test of
// the doors compares them with the newest models of the SDK. CloudTrail and the delegated
// administrators have no door: their operations are from the models.
var models = sync.OnceValue(func() map[string]*awsapi.Shape {
	none := &center.Center{}
	all := map[string]*awsapi.Shape{}
	for _, s := range []awsapi.Service{
		(&ssoadmin.Handler{Center: none}).Service(), (&identitystore.Handler{Center: none}).Service(),
		(&orgserver.Handler{Center: none}).Service(),
	} {
		for _, op := range s.Operations {
			all[s.Target+"."+op.Name] = op.Input
		}
	}
	text := awsapi.TextOf(0, 2000, "")
	keys := awsapi.EnumOf("EventId", "EventName", "ReadOnly", "Username", "ResourceType", "ResourceName", "EventSource",
		"AccessKeyId")
	all["AWSOrganizationsV20161128.ListDelegatedAdministrators"] = awsapi.StructureOf(awsapi.Members{
		"ServicePrincipal": awsapi.TextOf(1, 128, ""), "NextToken": awsapi.TextOf(0, 100_000, ""),
		"MaxResults": {Kind: awsapi.Integer, Min: 1, Max: 20},
	})
	all["CloudTrail_20131101.LookupEvents"] = awsapi.StructureOf(awsapi.Members{
		"LookupAttributes": awsapi.ListOf(0, 1, awsapi.StructureOf(
			awsapi.Members{"AttributeKey": keys, "AttributeValue": text}, "AttributeKey", "AttributeValue",
		)),
		"StartTime": {Kind: awsapi.Number}, "EndTime": {Kind: awsapi.Number}, "EventCategory": awsapi.EnumOf("insight"),
		"MaxResults": {Kind: awsapi.Integer, Min: 1, Max: 50}, "NextToken": text,
	})
	return all
})

// Strict says what a request to AWS has that the service's model has not: an operation, a member, a
// type or a value; or what it lacks. Its body can be read afterwards.
func Strict(r *http.Request) error {
	body := []byte{}
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	target := r.Header.Get("X-Amz-Target")
	if target == "" {
		return query(string(body))
	}
	for name, input := range models() {
		if target == name || strings.HasSuffix(target, "."+name) {
			if err := input.Check(body); err != nil {
				return fmt.Errorf("%s: %w", target, err)
			}
			return nil
		}
	}
	return fmt.Errorf("no model has the operation %q", target)
}

// query checks a request of the query protocol.
func query(body string) error {
	values, err := url.ParseQuery(body)
	if err != nil {
		return err
	}
	op, ok := (&sts.Handler{}).Service().Operations[values.Get("Action")]
	if !ok {
		return fmt.Errorf("no model has the operation %q", values.Get("Action"))
	}
	if err := op.Check(values); err != nil {
		return fmt.Errorf("%s: %w", values.Get("Action"), err)
	}
	return nil
}
