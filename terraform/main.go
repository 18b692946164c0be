package terraform

import (
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// main writes what Terraform itself needs, and what it cannot manage.
func (e *exporter) main() error {
	return e.folder.write("main.tf", func(f *file) {
		f.comment(e.preface()...)
		f.apart()
		f.block("terraform", nil, func(b *body) {
			b.text("required_version", ">= 1.7")
			b.AppendNewline()
			b.block("required_providers", func(b *body) {
				provider := func(name, version string) {
					b.SetAttributeValue(name, cty.ObjectVal(map[string]cty.Value{
						"source": cty.StringVal("hashicorp/" + name), "version": cty.StringVal(version),
					}))
				}
				provider("aws", ">= 5.100")
				if e.Entra != nil {
					provider("azuread", ">= 3.0")
				}
			})
		})
		e.provider(f)
		f.variable("instance_arn", "ARN of the instance of IAM Identity Center", e.InstanceARN)
		f.variable("identity_store_id", "ID of its identity store", e.IdentityStoreID)
		f.comment("The identity source is no resource: with another kind of it, an instance gets another store.")
		f.write([]byte(checkInstance))
		if len(e.Ends) == 0 {
			return
		}
		f.comment("What ends, and is no resource.")
		f.block("locals", nil, func(b *body) {
			var all []entry
			for _, end := range e.Ends {
				all = append(all, entry{key: end.What, value: quoted(end.At.UTC().Format(time.RFC3339))})
			}
			b.SetAttributeRaw("ends", entries(all))
		})
		f.write([]byte(checkEnds))
	})
}

// variable writes a variable, with what it is as long as nobody sets it.
func (f *file) variable(name, description, value string) {
	f.block("variable", []string{name}, func(b *body) {
		b.text("description", description)
		b.ref("type", to("string"))
		b.text("default", value)
	})
}

const checkEnds = `
check "ends" {
  assert {
    condition     = alltrue([for what, at in local.ends : timecmp(plantimestamp(), timeadd(at, "-720h")) < 0])
    error_message = "Less than 30 days are left: ${jsonencode(local.ends)}"
  }
}
`

const checkInstance = `data "aws_ssoadmin_instances" "this" {}

check "instance" {
  assert {
    condition = (
      contains(data.aws_ssoadmin_instances.this.arns, var.instance_arn) &&
      contains(data.aws_ssoadmin_instances.this.identity_store_ids, var.identity_store_id)
    )
    error_message = "Another instance or identity store is here: look for a change of the identity source."
  }
}
`

// provider says where AWS's APIs are, with AWS's own credentials.
func (e *exporter) provider(f *file) {
	if e.Endpoint != "" {
		f.comment("The keys are the center's: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of an access key.")
	}
	f.block("provider", []string{"aws"}, func(b *body) {
		b.text("region", e.Region)
		if e.Endpoint == "" {
			return
		}
		for _, skip := range []string{
			"skip_credentials_validation", "skip_metadata_api_check", "skip_region_validation",
			"skip_requesting_account_id",
		} {
			b.flag(skip, true)
		}
		b.AppendNewline()
		b.block("endpoints", func(b *body) {
			b.ref("identitystore", to("var", "center_url"))
			b.ref("ssoadmin", to("var", "center_url"))
		})
	})
	if e.Endpoint != "" {
		f.variable("center_url", "URL of the center", e.Endpoint)
	}
}

// preface is the comment that the files begin with.
func (e *exporter) preface() []string {
	name := strings.TrimSpace(e.Name + " " + e.InstanceARN)
	lines := []string{
		"IAM Identity Center, instance " + name + " in " + e.Region + ", as gatehouse export --terraform has read it.",
		"",
		"terraform plan of these files imports what is there, and changes nothing. Once that is applied, delete the " +
			"files import_*.tf.", "",
		"What no provider manages, and stays as it is in the console: the identity source, the identity provider's " +
			"metadata and certificates, automatic provisioning with its endpoint and access tokens, multi-factor " +
			"authentication, the length of sessions, Regions, and who administers for the organization.",
	}
	for _, fact := range e.Facts {
		lines = append(lines, "- "+fact)
	}
	if len(e.Unread) > 0 {
		lines = append(lines, "", "Not here, since it could not be read:")
	}
	for _, u := range e.Unread {
		lines = append(lines, "- "+u.What+" ("+u.Permission+"): "+u.Reason)
	}
	if len(e.left) > 0 {
		lines = append(lines, "", "Not here, since the provider cannot say it:")
	}
	for _, l := range e.left {
		lines = append(lines, "- "+l)
	}
	return lines
}
