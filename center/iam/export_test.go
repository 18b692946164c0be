package iam

import "github.com/aws/aws-sdk-go-v2/service/iam"

// Whole is the SDK's client for an account.
func (c *Clients) Whole(account string) *iam.Client { return c.client(account) }
