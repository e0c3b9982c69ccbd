# What there is in production, and who moves when. A pull request changes it; ci/ plans, and applies what was reviewed.

anthill {
  environment = "production"
}

schema {
  level = "dual"
}

variable "pilots" {
  type    = set(string)
  default = ["acme"]
}

data "tenants" "pilots" {
  slugs = var.pilots
}

group "admins" {
  for_each = data.tenants.pilots
  tenant   = each.key
  name     = "tenant_${slug(each.key, 50)}_admins"
  role     = "admin"
  members {
    roles = ["admin", "super_admin"]
  }
}

group "users" {
  for_each = data.tenants.pilots
  tenant   = each.key
  name     = "tenant_${slug(each.key, 50)}_users"
  role     = "member"
  members {
    all = true
  }
}

auth_policy "dual" {
  method = "dual"
}

wave "pilot" {
  auth_policy = auth_policy.dual
  users {
    tenants = var.pilots
  }
}
