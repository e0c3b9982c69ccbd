# What there is: the two sides, the groups, and who becomes which person.
# rollout.anthill.hcl says who moves when.

anthill {
  required_version = ">= 0.1"
}

# Where they are comes from the environment: DATABASE_URL, SELF_AUTH_URL and
# SELF_AUTH_CA_FILE. The token is SELF_AUTH_ADMIN_TOKEN, never in a file.
provider "postgres" {
  naming = "self_auth"
}
provider "selfauth" {}

# Mails are files in this folder, for trying things out. Without the argument
# they go to the mail server that MAIL_URL names.
provider "mail" {
  directory = "mails"
}

# Columns for both ways to log in, beside each other.
schema {
  level = "dual"
}

data "tenants" "active" {
  status = ["active"]
}

# Two groups for each tenant. The application reads the tenant and the role of
# whoever comes in through Self-auth from them.
group "admins" {
  for_each    = data.tenants.active
  tenant      = each.key
  name        = "tenant_${slug(each.key, 50)}_admins" # slug: fits into a name, whatever the tenant is called
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

variable "app_url" {
  type        = string
  default     = "https://app.example.com"
  description = "Where the application is."
}

# The application, as Self-auth's users log in to it. With groups_name the token
# names groups as the application's mapping rows do.
oauth2_client "app" {
  display_name  = "Anthill Inventory"
  landing_url   = var.app_url
  redirect_urls = ["${var.app_url}/oauth/callback"]
  scope_map {
    groups = group.users
    scopes = ["openid", "profile", "email", "groups", "groups_name"]
  }
}

# A user becomes a person with this name and the users' e-mail address. The
# person's password and passkeys are Self-auth's business alone.
identity {
  name         = "${user.tenant_slug}.${user.email_local}"
  shared_email = "skip" # Self-auth takes an address once
  unverified   = "skip" # the code in a mail gives the account to its reader
}

# Service accounts stay as they are.
exclude {
  emails = ["system@anthill.local"]
}
