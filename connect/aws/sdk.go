package aws

import (
	"context"
	"errors"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"

	"github.com/gatehouse-id/gatehouse/adminapi"
)

// SDKOf is how AWS's clients reach a Gatehouse center.
func SDKOf(c *adminapi.Client) sdk.Config {
	out := sdk.Config{
		Region:       c.Region,
		BaseEndpoint: sdk.String(c.URL),
		Credentials: sdk.CredentialsProviderFunc(func(context.Context) (sdk.Credentials, error) {
			return sdk.Credentials{
				AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, Source: "gatehouse",
			}, nil
		}),
	}
	if c.HTTP != nil {
		out.HTTPClient = c.HTTP
	}
	return out
}

// SDK is how AWS's clients reach AWS's side: the credentials and the primary Region.
func (c *Center) SDK() sdk.Config {
	out := c.cfg.SDK.Copy()
	if c.Instance.Region != "" {
		out.Region = c.Instance.Region
	}
	return out
}

// Explained says of an error of AWS's APIs what to do next.
func Explained(doing string, err error) error { return explain(doing, err) }

// LoadSDK finds credentials and Region as every AWS tool does: by environment, profile or role.
func LoadSDK(ctx context.Context, place Place) (sdk.Config, error) {
	out, err := config.LoadDefaultConfig(ctx, config.WithLogger(logging.Nop{}))
	if err != nil {
		return out, explain("read the AWS configuration", err)
	}
	if place.Region != "" {
		out.Region = place.Region
	}
	if out.Region == "" {
		return out, errors.New("no Region: say where IAM Identity Center is, such as aws@eu-west-1")
	}
	return out, nil
}
