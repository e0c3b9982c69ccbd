# The calendar of a migration, from the first week to the last password. Dates are the only thing that must be edited for another
# year. Nothing here happens by itself: each step is a plan that somebody reviews, and an apply.

variable "pilots" {
  type        = set(string)
  default     = ["acme", "globex"]
  description = "Two or three friendly tenants, by slug. Each of them opts in: anthill wave confirm -tenant SLUG pilot opt_in."
}

# Self-auth beside the password. The date is a promise, quoted in the mails; until then no plan takes a password away.
auth_policy "dual" {
  method         = "dual"
  complete_on    = "first_login"
  password_until = "2027-05-03"
}

# Self-auth alone, for those who have been moved and can come in by it.
auth_policy "self_auth" {
  method = "self_auth"
  from   = auth_policy.dual
}

# Half of those who were moved have come in through Self-auth at least once.
gate "adoption" {
  condition = wave.completed >= 0.5 * wave.moved
}

# Hardly anybody was left behind by a mistake.
gate "few_failures" {
  condition = wave.failed <= 0.01 * wave.selected
}

# The support desk says when it can take the next ones.
gate "support" {
  manual = true
}

# A pilot's tenant takes part when its administrator has agreed.
gate "opt_in" {
  manual = true
  per    = "tenant"
}

# Week 1: ourselves, and those who can help everywhere.
wave "internal" {
  auth_policy = auth_policy.dual
  users {
    tenants = ["anthill"]
  }
  users {
    roles = ["super_admin"]
  }
  start {
    at = "2027-01-04T08:00:00Z"
  }
  finish {
    soak  = "5d"
    gates = [gate.adoption]
  }
  invitation {
    from      = "Anthill <noreply@anthill.example>"
    reply_to  = "support@anthill.example"
    support   = "support@anthill.example"
    guide_url = "https://docs.anthill.example/self-auth-migration"
  }
}

# Weeks 2 and 3: the pilot, on working days, while somebody is there to help.
wave "pilot" {
  auth_policy = auth_policy.dual
  users {
    tenants = var.pilots
  }
  start {
    after = [wave.internal]
    at    = "2027-01-11T08:00:00Z"
    gates = [gate.opt_in]
  }
  finish {
    soak  = "14d"
    gates = [gate.adoption, gate.support]
  }
  window {
    days = ["mon-thu"]
    from = "09:00"
    to   = "17:00"
    zone = "Europe/Berlin"
  }
  announcement { # who administers a tenant hears first, and can say that the invitations are real
    to        = "tenant_admins"
    before    = "72h"
    template  = "soon.md"
    from      = "Anthill <noreply@anthill.example>"
    reply_to  = "support@anthill.example"
    support   = "support@anthill.example"
    guide_url = "https://docs.anthill.example/self-auth-migration"
  }
  invitation {
    from      = "Anthill <noreply@anthill.example>"
    reply_to  = "support@anthill.example"
    support   = "support@anthill.example"
    guide_url = "https://docs.anthill.example/self-auth-migration"
  }
  reminder {
    after = "5d"
  }
}

# Week 4 and on: everybody, in steps, each of which has a week to show that it went well.
wave "everyone" {
  auth_policy = auth_policy.dual
  steps       = [5, 25, 50, 100]
  users {
    all = true
  }
  start {
    after = [wave.pilot]
    at    = "2027-01-25T08:00:00Z"
  }
  finish {
    soak  = "7d"
    gates = [gate.few_failures]
  }
  window {
    days = ["mon-thu"]
    from = "09:00"
    to   = "17:00"
    zone = "Europe/Berlin"
    except {
      from   = "2027-02-15"
      to     = "2027-02-19"
      reason = "stock-taking at most tenants"
    }
  }
  invitation {
    from      = "Anthill <noreply@anthill.example>"
    reply_to  = "support@anthill.example"
    support   = "support@anthill.example"
    guide_url = "https://docs.anthill.example/self-auth-migration"
    rate      = 300
  }
  reminder {
    after   = "7d"
    every   = "14d"
    at_most = 3
  }
}

# Month 2 and on: the password goes, as was promised. Who has no credential in Self-auth keeps it, counted.
wave "retire" {
  auth_policy = auth_policy.self_auth
  users {
    all = true
  }
  start {
    after = [wave.everyone]
    at    = "2027-05-03T08:00:00Z"
    gates = [gate.support]
  }
  announcement {
    to        = "users"
    before    = "30d"
    template  = "password-ends.md"
    from      = "Anthill <noreply@anthill.example>"
    reply_to  = "support@anthill.example"
    support   = "support@anthill.example"
    guide_url = "https://docs.anthill.example/self-auth-migration"
    rate      = 300
  }
}
