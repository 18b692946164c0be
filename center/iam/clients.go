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
	kept map[string]*Operations
}

// maxKept bounds the clients that are kept, each with the credentials that it has assumed.
const maxKept = 10_000 //bound:memory clients of IAM, one for each account

// tries is how often one call is sent before the job that it belongs to is put off.
const tries = 4

// In returns what is called of IAM in an account.
func (c *Clients) In(account string) *Operations {
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept, ok := c.kept[account]; ok {
		return kept
	}
	if c.kept == nil || len(c.kept) >= maxKept {
		c.kept = map[string]*Operations{}
	}
	c.kept[account] = operations(c.client(account))
	return c.kept[account]
}

func (c *Clients) client(account string) *iam.Client {
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
	return iam.NewFromConfig(cfg, func(o *iam.Options) { o.RetryMaxAttempts = tries })
}
