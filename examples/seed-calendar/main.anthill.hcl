# What there is: both sides, the groups, the client that people come in by, and who becomes which person.
# calendar.anthill.hcl says who moves when, and what they are told.

anthill {
  required_version = ">= 0.1"
}

# Where they are comes from the environment: DATABASE_URL; SELF_AUTH_URL, SELF_AUTH_CA_FILE and SELF_AUTH_ADMIN_TOKEN; MAIL_PASSWORD.
provider "postgres" {
  naming = "self_auth"
}
provider "selfauth" {}

variable "mail_url" {
  type        = string
  default     = null
  description = "The relay that mails go to, as smtps://user@mail.example.com. Without it, MAIL_URL of the environment."
}
provider "mail" {
  url = var.mail_url
}

schema {
  level = "dual"
}

data "tenants" "active" {
  status = ["active"]
}

group "admins" {
  for_each    = data.tenants.active
  tenant      = each.key
  name        = "tenant_${slug(each.key, 50)}_admins"
  description = "${each.key} Admins"
  role        = "admin"
  members {
    roles = ["admin", "super_admin"]
  }
}

group "users" {
  for_each    = data.tenants.active
  tenant      = each.key
  name        = "tenant_${slug(each.key, 50)}_users"
  description = "${each.key} Users"
  role        = "member"
  members {
    all = true
  }
}

oauth2_client "inventory" {
  display_name  = "Anthill Inventory"
  landing_url   = "https://app.example.com"
  redirect_urls = ["https://app.example.com/oauth/callback"]
  scope_map {
    groups = group.users
    scopes = ["openid", "profile", "email", "groups", "groups_name"]
  }
}

# An administrator of a tenant can do more than others: no password alone lets one in.
account_policy "admins" {
  groups             = group.admins
  credential_minimum = "mfa"
}

identity {
  name         = "${user.tenant_slug}.${user.email_local}"
  shared_email = "skip"
}

# Service accounts stay as they are.
exclude {
  emails = ["system@anthill.local"]
}
