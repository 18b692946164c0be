package inventory

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/aws/smithy-go"
)

// Unread says what could not be read.
type Unread struct {
	What string // such as "the users"
	// Permission is the action of IAM that the caller lacks, such as identitystore:ListUsers; empty
	// where something else was the matter.
	Permission string
	Err        error
}

func (u *Unread) Error() string {
	if u.Permission != "" {
		return "could not read " + u.What + ": missing permission " + u.Permission + " (" + u.Err.Error() + ")"
	}
	return "could not read " + u.What + ": " + u.Err.Error()
}

// Unwrap returns AWS's error.
func (u *Unread) Unwrap() error { return u.Err }

var (
	errSamePage = errors.New("AWS gave the same page again and again")
	errNothing  = errors.New("the answer does not have it")
)

// prefixes are the names that services have in policies of IAM, by the names that the SDK gives
// them.
var prefixes = map[string]string{
	"identitystore": "identitystore", "SSO Admin": "sso", "Organizations": "organizations", "STS": "sts",
	"CloudTrail": "cloudtrail",
}

// actionIn finds what was not allowed, in AWS's own words. Source: IAM user guide, "Troubleshoot
// access denied error messages".
var actionIn = regexp.MustCompile(`not authorized to perform: ([a-zA-Z0-9-]+:[a-zA-Z0-9*]+)`)

// unread says what an error of AWS's was about. The end of the caller's context stays what it is.
func unread(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &Unread{What: what, Permission: Missing(err), Err: err}
}

// Missing is the permission that the caller of a refused request lacks; empty where the error is
// another.
func Missing(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	code := api.ErrorCode()
	if !strings.HasPrefix(code, "AccessDenied") && !strings.HasPrefix(code, "UnauthorizedAccess") &&
		code != "NotAuthorized" {
		return ""
	}
	if m := actionIn.FindStringSubmatch(api.ErrorMessage()); m != nil {
		return m[1]
	}
	var operation *smithy.OperationError
	if errors.As(err, &operation) {
		return prefixes[operation.ServiceID] + ":" + operation.OperationName
	}
	return "of the operation"
}
