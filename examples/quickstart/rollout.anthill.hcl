# Who moves when. A wave waits for the waves in `after` and for its date.

# Self-auth beside the password: nobody loses a way to log in.
auth_policy "dual" {
  method = "dual"
}

variable "pilots" {
  type        = set(string)
  default     = ["acme", "globex"]
  description = "Tenants of the pilot, by slug."
}

# First ourselves: the own tenant, and the people who can help everywhere.
wave "internal" {
  auth_policy = auth_policy.dual
  users {
    tenants = ["anthill"]
  }
  users {
    roles = ["super_admin"]
  }
}

# Who is moved is sent a mail: how to get in, with a one-time code.
wave "pilot" {
  auth_policy = auth_policy.dual
  users {
    tenants = var.pilots
  }
  invitation {
    subject = "Your new login with Self-auth"
    from    = "Anthill <noreply@anthill.example>"
    support = "help@anthill.example"
  }
  start {
    after = [wave.internal]
  }
}

wave "everyone" {
  auth_policy = auth_policy.dual
  users {
    all = true
  }
  start {
    after = [wave.pilot]
    at    = "2027-03-01T09:00:00Z"
  }
}

# No plan may change more of the live users than this. The default is 30: here
# the first two waves are a good part of a small sample. On a real database
# leave the default, and let a plan that is larger be a decision.
guard {
  max_users_changed_percent = 50
}
