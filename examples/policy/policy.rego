# The same three checks as policy.jq, for Open Policy Agent. data.policy is policy.json; data.at is when the plan is to run.
#
#   anthill show -json pilot.plan >plan.json
#   opa eval -f raw -i plan.json -d policy.rego -d settings.json 'concat("\n", data.anthill.deny)'
package anthill

now := time.parse_rfc3339_ns(data.at)

# Nothing is deleted outside a window: neither an object nor a person.
deny contains message if {
	objects := count([o | some o in input.effects.objects; o.action == "delete"])
	persons := sum([n | some part in input.figures; n := object.get(part.all, "delete", 0)])
	objects + persons > 0
	not in_window
	message := sprintf("deletes %d objects and %d persons outside the window for that", [objects, persons])
}

weekdays := {"Sunday": 0, "Monday": 1, "Tuesday": 2, "Wednesday": 3, "Thursday": 4, "Friday": 5, "Saturday": 6}

in_window if {
	weekdays[time.weekday(now)] in data.policy.deletes.weekdays
	hour := time.clock(now)[0]
	data.policy.deletes.from_hour <= hour
	hour < data.policy.deletes.to_hour
}

# No plan makes more administrators than that.
deny contains message if {
	gained := sum([n | some part in input.figures; n := object.get(part.all, "gain_admin", 0)])
	gained > data.policy.admins_gained
	message := sprintf("%d users become admin, and %d may", [gained, data.policy.admins_gained])
}

# Before a date users of the pilot's tenants are moved, and no others.
deny contains message if {
	now < time.parse_rfc3339_ns(data.policy.pilot.until)
	some part in input.figures
	part.kind == "move"
	some tenant in part.tenants
	not tenant.slug in data.policy.pilot.tenants
	message := sprintf("moves users of %s, which is not in the pilot", [tenant.slug])
}

# Where the plan, a setting or the time is missing, the rules above would be undefined, and allow everything.
deny contains "the plan, the settings or the time cannot be read" if not complete

complete if {
	input.format_version == "1"
	is_array(input.figures)
	is_number(now)
	is_array(data.policy.deletes.weekdays)
	is_number(data.policy.deletes.from_hour)
	is_number(data.policy.deletes.to_hour)
	is_number(data.policy.admins_gained)
	is_array(data.policy.pilot.tenants)
	is_number(time.parse_rfc3339_ns(data.policy.pilot.until))
}
