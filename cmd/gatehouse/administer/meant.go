package administer

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// kinds are what the center does not find, by the reason that it gives.
var kinds = map[string]string{
	"user-not-found": adminapi.NamesOfUsers, "group-not-found": adminapi.NamesOfGroups,
	"account-not-found": adminapi.NamesOfAccounts, "permission-set-not-found": adminapi.NamesOfPermissionSets,
	"application-not-found": adminapi.NamesOfApplications, "access-key-not-found": adminapi.NamesOfAccessKeys,
	"request-policy-not-found": adminapi.NamesOfPolicies, "access-review-not-found": adminapi.NamesOfReviews,
}

// maxNamed bounds the names for which similar ones are looked for.
const maxNamed = 256 //bound:text a name in a refusal, for which similar ones are looked for

// named is how a refusal names what was asked for.
var named = regexp.MustCompile(`\(([^()]{2,})\)`)

// Helped is an error with what helps: the name that may be meant by one that the center does not
// know, or how another center is named, where none answers.
func Helped(ctx context.Context, c *adminapi.Client, err error) error {
	var away *url.Error
	if errors.As(err, &away) && ctx.Err() == nil {
		return fmt.Errorf("%w: does the center run at %s? --center-url or AWS_ENDPOINT_URL names another", err, c.URL)
	}
	m := named.FindStringSubmatch(fmt.Sprint(err))
	kind := kinds[adminapi.ReasonOf(err)]
	if kind == "" || m == nil || len(m[1]) > maxNamed {
		return err
	}
	name := []rune(m[1])
	for _, letters := range []int{len(name) / 2, 2, 0} { // of many names, the center lists those that come first
		var known []string
		found, _ := c.ListNames(ctx, kind, string(name[:letters])) // without them, the error stays as it is
		for _, n := range found {
			known = append(known, n.Name)
		}
		if meant := terminal.Meant(m[1], known); meant != "" {
			return fmt.Errorf("%w%s", err, meant)
		}
	}
	return err
}
