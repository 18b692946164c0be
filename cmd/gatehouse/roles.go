package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/center/broker"
)

func (w *world) rolesCommand() *cobra.Command {
	a := &administration{world: w}
	var format, path string
	cmd := &cobra.Command{
		Use:   "roles ACCOUNT",
		Short: "Print what an AWS account must have in IAM, as a template",
		Long: `Prints the SAML provider and the roles for what is assigned in an account, for people who make them by CloudFormation
or Terraform. It changes nothing. Deploy it again after permission sets or assignments of the account have changed.`,
		Example: `  gatehouse roles 111122223333 > roles.json
  aws cloudformation deploy --template-file roles.json --stack-name gatehouse --capabilities CAPABILITY_NAMED_IAM
  gatehouse roles 111122223333 --format terraform > gatehouse.tf.json`,
		Args: oneArg("an account id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			found, err := c.AccountRoles(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			roles := broker.AccountRoles{ProviderName: found.SAMLProviderName, Metadata: found.SAMLMetadata, Path: path}
			for _, r := range found.Roles {
				roles.Roles = append(roles.Roles, broker.IAMRole{Name: r.RoleName, Description: r.Description, Policies: r.ManagedPolicyARNs, Inline: r.InlinePolicy, Boundary: r.PermissionsBoundary})
			}
			text, err := map[string]func() ([]byte, error){formatCloudFormation: roles.CloudFormation, formatTerraform: roles.Terraform}[format]()
			if err == nil {
				_, err = w.out.Write(text)
			}
			return err
		},
		PreRunE: func(*cobra.Command, []string) error {
			if format != formatCloudFormation && format != formatTerraform {
				return usageError{fmt.Errorf("--format %q: want cloudformation or terraform", format)}
			}
			return nil
		},
	}
	a.address.flags(cmd)
	cmd.Flags().StringVar(&format, "format", formatCloudFormation, "cloudformation or terraform")
	cmd.Flags().StringVar(&path, "role-path", "/", "path of the roles in IAM, as the center was started with")
	return cmd
}

const (
	formatCloudFormation = "cloudformation"
	formatTerraform      = "terraform"
)
