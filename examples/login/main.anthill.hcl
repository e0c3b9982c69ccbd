# Everything that a login through Self-auth needs, besides the users: the tenant's row, its groups, the application as a
# client, and a stricter policy for administrators.

provider "selfauth" {
  max_write_time = "1s" # how long a write of Anthill's may keep the server's other writes waiting
}

schema { level = "dual" }

data "tenants" "active" { status = ["active"] }

# A new tenant. Only what is given here is Anthill's, and the row is never deleted.
tenant "newco" {
  name     = "New Co"
  plan     = "starter"
  settings = { seats = 20 }
}

# One that is there already: only its name is ours from now on.
tenant "acme" {
  name  = "Acme Corporation Ltd"
  adopt = true
}

group "admins" {
  for_each = data.tenants.active
  tenant   = each.key
  name     = "tenant_${slug(each.key, 50)}_admins"
  role     = "admin"
  members { roles = ["admin", "super_admin"] }
}

group "users" {
  for_each    = data.tenants.active
  tenant      = each.key
  name        = "tenant_${slug(each.key, 50)}_users"
  description = "${each.key} Users"
  role        = "member"
  members {
    all    = true
    manage = "full" # whoever is no moved user of the tenant leaves
  }
}

oauth2_client "inventory" {
  display_name  = "Anthill Inventory"
  landing_url   = "https://app.example.com"
  redirect_urls = ["https://app.example.com/oauth/callback"]
  scope_map {
    groups = group.users
    # groups_name: the names of groups as the application's mapping rows have them. It must ask for it, too.
    scopes = ["openid", "profile", "email", "groups", "groups_name"]
  }
  claim_map {
    claim  = "role"
    groups = group.admins
    values = ["admin"]
  }
}

account_policy "admins" {
  groups             = group.admins
  credential_minimum = "passkey"
  session_expiry     = "8h"
}

auth_policy "dual" { method = "dual" }

identity {
  adopt  = "mail"             # a person who holds a user's verified address already is taken over, once that is allowed
  follow = ["mail", "status"] # kept in step with the row after the move
}

exclude { emails = ["system@anthill.local"] }

guard { max_users_changed_percent = 100 }

wave "everyone" {
  auth_policy = auth_policy.dual
  users { all = true }
}
