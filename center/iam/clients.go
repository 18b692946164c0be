package iam

import (
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Clients reach IAM in all accounts, from credentials that may assume one role of the same name in
// each.
type Clients struct {
	Config aws.Config // with the credentials
	Own    string     // the account of the credentials themselves, where nothing is assumed
	Role   string     // its name, with its path

	mu   sync.Mutex
	kept map[string]*iam.Client
}

// maxKept bounds the clients that are kept, each with the credentials that it has assumed.
const maxKept = 10_000 //bound:memory clients of IAM, one for each account

// tries is how often one call is sent before the job that it belongs to is put off.
const tries = 4

// In returns the client for an account.
func (c *Clients) In(account string) *iam.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	if client, ok := c.kept[account]; ok {
		return client
	}
	cfg := c.Config.Copy()
	if account != c.Own {
		provider := stscreds.NewAssumeRoleProvider(
			sts.NewFromConfig(c.Config),
			"arn:aws:iam::"+account+":role/"+c.Role,
			func(o *stscreds.AssumeRoleOptions) {
				o.RoleSessionName, o.Duration = "gatehouse", 15*time.Minute
			},
		)
		cfg.Credentials = aws.NewCredentialsCache(provider)
	}
	client := iam.NewFromConfig(cfg, func(o *iam.Options) { o.RetryMaxAttempts = tries })
	if c.kept == nil || len(c.kept) >= maxKept {
		c.kept = map[string]*iam.Client{}
	}
	c.kept[account] = client
	return client
}
