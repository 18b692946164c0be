package awsstandin_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/awsstandin"
)

// TestAWSKnowsNothingElse: an operation, a member, a type and a value that the model has not, and a
// member that is missing.
func TestAWSKnowsNothingElse(t *testing.T) {
	t.Parallel()
	const store = "AWSIdentityStore."
	for _, c := range []struct{ target, body, want string }{
		{store + "ListUsers", `{"IdentityStoreId":"d-1234567890"}`, ""},
		{store + "ListUsers", `{"IdentityStoreId":"d-1234567890","PageSize":1}`, "PageSize"},
		{store + "ListUsers", `{"IdentityStoreId":1}`, "not a string"},
		{store + "ListUsers", `{}`, "must not be null"},
		{store + "ListPeople", `{}`, "no model has the operation"},
		{"SWBUPService.DescribeDirectory", `{}`, "no model has the operation"},
		{"SWBExternalService.ListInstances", `{}`, ""},
		{"AWSOrganizationsV20161128.DescribeOrganization", `{}`, ""},
		{
			"com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents",
			`{"LookupAttributes":[{"AttributeKey":"EventName","AttributeValue":"x"}],"StartTime":1.5}`, "",
		},
		{
			"com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents",
			`{"LookupAttributes":[{"AttributeKey":"Name","AttributeValue":"x"}]}`, "attributeKey",
		},
		{"", "Action=GetCallerIdentity&Version=2011-06-15", ""},
		{"", "Action=GetCallerIdentity&Version=2011-06-15&Who=me", "Who"},
	} {
		body := strings.NewReader(c.body)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://x.example/", body)
		if err != nil {
			t.Fatal(err)
		}
		if c.target != "" {
			r.Header.Set("X-Amz-Target", c.target)
		}
		err = awsstandin.Strict(r)
		if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %s: %v, want %q", c.target, c.body, err, c.want)
		}
	}
}
