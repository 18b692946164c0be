# A small organization in the center, made by the AWS provider: people, groups, permission sets, and
# who has which role in which account.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 4.67"
    }
  }
}

variable "center_url" {
  description = "URL of the center, such as https://id.example.com"
  type        = string
}

variable "accounts" {
  description = "AWS accounts by name; the center must know them (gatehouse accounts import)"
  type        = map(string)
}

# The keys are those of the center: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of
# `gatehouse access-keys create terraform --role administrator`.
provider "aws" {
  region                      = "us-east-1"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true

  endpoints {
    identitystore = var.center_url
    ssoadmin      = var.center_url
  }
}

data "aws_ssoadmin_instances" "center" {}

locals {
  instance_arn      = data.aws_ssoadmin_instances.center.arns[0]
  identity_store_id = data.aws_ssoadmin_instances.center.identity_store_ids[0]

  people = {
    "ada@example.com"   = { given = "Ada", family = "Lovelace", groups = ["engineers"] }
    "grace@example.com" = { given = "Grace", family = "Hopper", groups = ["engineers", "operators"] }
    "luca@example.com"  = { given = "Luca", family = "Pacioli", groups = ["auditors"] }
  }

  groups = {
    engineers = "Build things"
    operators = "Keep things running"
    auditors  = "Read everything, change nothing"
  }

  permission_sets = {
    Developer = { duration = "PT8H", policy = "arn:aws:iam::aws:policy/PowerUserAccess" }
    Operator  = { duration = "PT1H", policy = "arn:aws:iam::aws:policy/AdministratorAccess" }
    ReadOnly  = { duration = "PT4H", policy = "arn:aws:iam::aws:policy/ReadOnlyAccess" }
  }

  # group, permission set, account
  access = [
    ["engineers", "Developer", "staging"],
    ["engineers", "ReadOnly", "production"],
    ["operators", "Operator", "production"],
    ["auditors", "ReadOnly", "staging"],
    ["auditors", "ReadOnly", "production"],
  ]

  memberships = merge([
    for name, person in local.people : { for group in person.groups : "${name} ${group}" => [name, group] }
  ]...)
}

resource "aws_identitystore_user" "person" {
  for_each = local.people

  identity_store_id = local.identity_store_id
  user_name         = each.key
  display_name      = "${each.value.given} ${each.value.family}"

  name {
    given_name  = each.value.given
    family_name = each.value.family
  }

  emails {
    value   = each.key
    primary = true
  }
}

resource "aws_identitystore_group" "group" {
  for_each = local.groups

  identity_store_id = local.identity_store_id
  display_name      = each.key
  description       = each.value
}

resource "aws_identitystore_group_membership" "membership" {
  for_each = local.memberships

  identity_store_id = local.identity_store_id
  member_id         = aws_identitystore_user.person[each.value[0]].user_id
  group_id          = aws_identitystore_group.group[each.value[1]].group_id
}

resource "aws_ssoadmin_permission_set" "set" {
  for_each = local.permission_sets

  instance_arn     = local.instance_arn
  name             = each.key
  session_duration = each.value.duration
}

resource "aws_ssoadmin_managed_policy_attachment" "policy" {
  for_each = local.permission_sets

  instance_arn       = local.instance_arn
  permission_set_arn = aws_ssoadmin_permission_set.set[each.key].arn
  managed_policy_arn = each.value.policy
}

resource "aws_ssoadmin_account_assignment" "access" {
  for_each = { for entry in local.access : join(" ", entry) => entry }

  instance_arn       = local.instance_arn
  principal_type     = "GROUP"
  principal_id       = aws_identitystore_group.group[each.value[0]].group_id
  permission_set_arn = aws_ssoadmin_permission_set.set[each.value[1]].arn
  target_type        = "AWS_ACCOUNT"
  target_id          = var.accounts[each.value[2]]
}
