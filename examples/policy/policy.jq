# Three checks on the JSON of a plan, by the settings of policy.json. Each thing that is not allowed is one line; no line: the
# plan may run.
#
#   anthill show -json pilot.plan >plan.json
#   jq -r --arg at "$(date -u +%Y-%m-%dT%H:%M:%SZ)" --slurpfile settings policy.json -f policy.jq plan.json
#
# $at is when the plan is to run. Weekdays count from Sunday, 0; hours and days are those of UTC.

if .format_version == "1" then . else error("not the JSON of a plan") end
| $settings[0] as $allowed
| ($at | fromdateiso8601) as $now
| ($now | gmtime) as $clock

# Nothing is deleted outside a window: neither an object nor a person.
| ([.effects.objects[]? | select(.action == "delete")] | length) as $objects
| ([.figures[].all.delete // 0] | add // 0) as $persons
| ($allowed.deletes | (.weekdays | index($clock[6])) and .from_hour <= $clock[3] and $clock[3] < .to_hour) as $open
| (if $objects + $persons > 0 and ($open | not)
   then "deletes \($objects) objects and \($persons) persons outside the window for that"
   else empty end),

# No plan makes more administrators than that.
  ([.figures[].all.gain_admin // 0] | add // 0
   | if . > $allowed.admins_gained then "\(.) users become admin, and \($allowed.admins_gained) may" else empty end),

# Before a date users of the pilot's tenants are moved, and no others.
  (if $now < ($allowed.pilot.until | fromdateiso8601)
   then [.figures[] | select(.kind == "move") | .tenants[] | .slug]
     | unique - $allowed.pilot.tenants
     | .[] | "moves users of \(.), which is not in the pilot"
   else empty end)
