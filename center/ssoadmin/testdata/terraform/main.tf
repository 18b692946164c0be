# Every resource and data source that the AWS provider has for sso-admin and identitystore. The
# variable changed turns it into a later version of itself.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "center_url" { type = string }

variable "account" { type = string }

variable "changed" {
  type    = bool
  default = false
}

provider "aws" {
  region                      = "us-east-1"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
  skip_region_validation      = true

  endpoints {
    identitystore = var.center_url
    ssoadmin      = var.center_url
  }
}

data "aws_ssoadmin_instances" "center" {}

locals {
  instance = data.aws_ssoadmin_instances.center.arns[0]
  store    = data.aws_ssoadmin_instances.center.identity_store_ids[0]
  policy = {
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = var.changed ? "s3:Get*" : "s3:GetObject", Resource = "*" }]
  }
}

# --- people

resource "aws_identitystore_user" "ada" {
  identity_store_id  = local.store
  user_name          = "ada@example.com"
  display_name       = var.changed ? "Ada King" : "Ada Lovelace"
  nickname           = var.changed ? null : "Ada"
  profile_url        = "https://example.com/ada"
  user_type          = "Employee"
  title              = var.changed ? "Countess" : null
  preferred_language = "en-GB"
  locale             = "en"
  timezone           = "Europe/London"

  name {
    given_name       = "Ada"
    family_name      = var.changed ? "King" : "Lovelace"
    middle_name      = var.changed ? null : "Byron"
    formatted        = "Augusta Ada King"
    honorific_prefix = "Lady"
    honorific_suffix = "FRS"
  }

  emails {
    value   = var.changed ? "ada.king@example.com" : "ada@example.com"
    type    = "work"
    primary = true
  }

  phone_numbers {
    value   = "+44 20 7946 0000"
    type    = "work"
    primary = !var.changed
  }

  addresses {
    street_address = "12 St James's Square"
    locality       = "London"
    region         = var.changed ? null : "England"
    postal_code    = "SW1Y 4JH"
    country        = "GB"
    formatted      = "12 St James's Square, London"
    type           = "work"
    primary        = true
  }
}

resource "aws_identitystore_user" "least" {
  identity_store_id = local.store
  user_name         = "least@example.com"
  display_name      = "Least"

  name {
    given_name  = "L"
    family_name = "Least"
  }

  emails {}
}

resource "aws_identitystore_group" "engineers" {
  identity_store_id = local.store
  display_name      = var.changed ? "Engineers of engines" : "Engineers"
  description       = var.changed ? null : "They build engines"
}

resource "aws_identitystore_group_membership" "ada" {
  identity_store_id = local.store
  group_id          = aws_identitystore_group.engineers.group_id
  member_id         = var.changed ? aws_identitystore_user.least.user_id : aws_identitystore_user.ada.user_id
}

data "aws_identitystore_user" "ada" {
  identity_store_id = local.store

  alternate_identifier {
    unique_attribute {
      attribute_path  = "UserName"
      attribute_value = aws_identitystore_user.ada.user_name
    }
  }
}

data "aws_identitystore_group" "engineers" {
  identity_store_id = local.store

  alternate_identifier {
    unique_attribute {
      attribute_path  = "DisplayName"
      attribute_value = aws_identitystore_group.engineers.display_name
    }
  }
}

data "aws_identitystore_users" "all" {
  identity_store_id = local.store
  depends_on        = [aws_identitystore_user.ada, aws_identitystore_user.least]
}

data "aws_identitystore_groups" "all" {
  identity_store_id = local.store
  depends_on        = [aws_identitystore_group.engineers]
}

data "aws_identitystore_group_memberships" "engineers" {
  identity_store_id = local.store
  group_id          = aws_identitystore_group_membership.ada.group_id
}

# --- permission sets

resource "aws_ssoadmin_permission_set" "operator" {
  instance_arn     = local.instance
  name             = "Operator"
  description      = var.changed ? "Runs everything" : "Runs things"
  relay_state      = "https://s3.console.aws.amazon.com/s3/home?region=us-east-1#"
  session_duration = var.changed ? "PT120M" : "PT60M"
  tags             = { team = var.changed ? "sre" : "platform" }
}

resource "aws_ssoadmin_permission_set" "least" {
  instance_arn = local.instance
  name         = "Least"
  relay_state  = var.changed ? null : "https://console.aws.amazon.com/"
}

resource "aws_ssoadmin_managed_policy_attachment" "operator" {
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.operator.arn
  managed_policy_arn = "arn:aws:iam::aws:policy/${var.changed ? "ReadOnlyAccess" : "job-function/Billing"}"
}

resource "aws_ssoadmin_customer_managed_policy_attachment" "operator" {
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.operator.arn

  customer_managed_policy_reference {
    name = "OwnPolicy"
    path = var.changed ? "/own/" : "/"
  }
}

resource "aws_ssoadmin_permission_set_inline_policy" "operator" {
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.operator.arn
  inline_policy      = jsonencode(local.policy)
}

resource "aws_ssoadmin_permissions_boundary_attachment" "operator" {
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.operator.arn

  permissions_boundary {
    managed_policy_arn = "arn:aws:iam::aws:policy/PowerUserAccess"
  }
}

resource "aws_ssoadmin_permissions_boundary_attachment" "least" {
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.least.arn

  permissions_boundary {
    customer_managed_policy_reference {
      name = "OwnBoundary"
      path = "/own/"
    }
  }
}

resource "aws_ssoadmin_account_assignment" "engineers" {
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.operator.arn
  principal_type     = "GROUP"
  principal_id       = aws_identitystore_group.engineers.group_id
  target_type        = "AWS_ACCOUNT"
  target_id          = var.account
}

resource "aws_ssoadmin_instance_access_control_attributes" "center" {
  instance_arn = local.instance

  attribute {
    key = "cost"
    value {
      source = ["$${path:enterprise.costCenter}"]
    }
  }

  attribute {
    key = "country"
    value {
      source = [var.changed ? "$${path:locale}" : "$${path:addresses[type eq \"work\"].country}"]
    }
  }
}

data "aws_ssoadmin_permission_set" "operator" {
  instance_arn = local.instance
  name         = aws_ssoadmin_permission_set.operator.name
}

data "aws_ssoadmin_permission_sets" "all" {
  instance_arn = local.instance
  depends_on   = [aws_ssoadmin_permission_set.operator, aws_ssoadmin_permission_set.least]
}

# --- applications

resource "aws_ssoadmin_application" "wiki" {
  name                     = var.changed ? "Wiki 2" : "Wiki"
  description              = var.changed ? "Pages, all of them" : "Pages"
  application_provider_arn = "arn:aws:sso::aws:applicationProvider/custom"
  instance_arn             = local.instance
  status                   = var.changed ? "DISABLED" : "ENABLED"
  tags                     = { team = var.changed ? "sre" : "platform" }

  portal_options {
    visibility = "ENABLED"
    sign_in_options {
      application_url = "https://wiki.example.com/${var.changed ? "two" : "one"}"
      origin          = "APPLICATION"
    }
  }
}

resource "aws_ssoadmin_application" "least" {
  name                     = "Least"
  application_provider_arn = "arn:aws:sso::aws:applicationProvider/custom"
  instance_arn             = local.instance
}

resource "aws_ssoadmin_application" "here" {
  name                     = "Begins here"
  application_provider_arn = "arn:aws:sso::aws:applicationProvider/custom"
  instance_arn             = local.instance

  portal_options {
    visibility = "ENABLED"
    sign_in_options {
      origin = "IDENTITY_CENTER"
    }
  }
}

resource "aws_ssoadmin_application_access_scope" "wiki" {
  application_arn    = aws_ssoadmin_application.wiki.application_arn
  authorized_targets = [aws_ssoadmin_application.wiki.application_arn]
  scope              = "sso:account:access"
}

resource "aws_ssoadmin_application_assignment" "engineers" {
  application_arn = aws_ssoadmin_application.wiki.application_arn
  principal_id    = aws_identitystore_group.engineers.group_id
  principal_type  = "GROUP"
}

resource "aws_ssoadmin_application_assignment" "ada" {
  application_arn = aws_ssoadmin_application.least.application_arn
  principal_id    = aws_identitystore_user.ada.user_id
  principal_type  = "USER"
}

resource "aws_ssoadmin_application_assignment_configuration" "wiki" {
  application_arn     = aws_ssoadmin_application.wiki.application_arn
  assignment_required = !var.changed
}

resource "aws_ssoadmin_trusted_token_issuer" "corp" {
  name                      = var.changed ? "corp-2" : "corp"
  instance_arn              = local.instance
  trusted_token_issuer_type = "OIDC_JWT"
  tags                      = { team = var.changed ? "sre" : "platform" }

  trusted_token_issuer_configuration {
    oidc_jwt_configuration {
      claim_attribute_path          = "email"
      identity_store_attribute_path = var.changed ? "userName" : "emails.value"
      issuer_url                    = "https://issuer.example.com"
      jwks_retrieval_option         = "OPEN_ID_DISCOVERY"
    }
  }
}

data "aws_ssoadmin_application" "wiki" {
  application_arn = aws_ssoadmin_application.wiki.application_arn
}

data "aws_ssoadmin_application" "least" {
  application_arn = aws_ssoadmin_application.least.application_arn
}

data "aws_ssoadmin_application_assignments" "wiki" {
  application_arn = aws_ssoadmin_application_assignment.engineers.application_arn
}

data "aws_ssoadmin_principal_application_assignments" "ada" {
  instance_arn   = local.instance
  principal_id   = aws_ssoadmin_application_assignment.ada.principal_id
  principal_type = "USER"
  depends_on     = [aws_ssoadmin_application_assignment.engineers, aws_identitystore_group_membership.ada]
}

data "aws_ssoadmin_application_providers" "all" {}

output "seen" {
  value = {
    user        = data.aws_identitystore_user.ada.display_name
    group       = data.aws_identitystore_group.engineers.group_id == aws_identitystore_group.engineers.group_id
    users       = length(data.aws_identitystore_users.all.users)
    groups      = length(data.aws_identitystore_groups.all.groups)
    members     = length(data.aws_identitystore_group_memberships.engineers.group_memberships)
    duration    = data.aws_ssoadmin_permission_set.operator.session_duration
    sets        = length(data.aws_ssoadmin_permission_sets.all.arns)
    application = data.aws_ssoadmin_application.wiki.name
    assigned    = length(data.aws_ssoadmin_application_assignments.wiki.application_assignments)
    of_ada      = length(data.aws_ssoadmin_principal_application_assignments.ada.application_assignments)
    providers   = length(data.aws_ssoadmin_application_providers.all.application_providers)
  }
}
