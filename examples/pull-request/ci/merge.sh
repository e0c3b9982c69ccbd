#!/bin/sh
# merge.sh DIRECTORY ENVIRONMENT BEFORE: runs on the default branch after a merge, with the right to write. It plans
# again, and applies the plan if it is one that reviewers have approved by its ID, in the requests merged since the
# commit BEFORE. Any other plan is posted beside the approved one and waits: its ID is told to the job that runs
# waiting.sh.
#
# merge.sh DIRECTORY ENVIRONMENT "" REQUEST COMMIT: the same before a merge, for Atlantis, of the request that ends in
# COMMIT. A plan that waits is exit status 3 then: approve it by its ID, and apply again.
# shellcheck source=ci/lib.sh
. "${ANTHILL_SCRIPTS:-ci}/lib.sh"

tell waits ''
if [ "${4-}" ]; then
	requests=$4
	[ "$(forge_head "$4")" = "$5" ] || fail 4 "request $4 does not end in $5 any more: plan again"
else
	requests=$(merged "$3")
	here=$(here)
	there=$(there)
	if [ "$here" != "$there" ]; then
		echo "$directory has changed on $ANTHILL_BRANCH since this commit: the job of the newer commit plans."
		exit 0
	fi
fi
approved=$(approvals)

# A run that was stopped is finished first, where this job may have begun it.
anthill -chdir "$directory" status -json >"$out/status.json"
open=$(field '[.runs[] | select(.open)][0].plan_id' "$out/status.json")
if [ "$open" ]; then
	by=$(printf '%s\n' "$approved" | of_plan "$open")
	[ "$by" ] || fail 3 "a run of plan $open is open, which nobody approved in these requests: finish it by hand"
	carry_out "$open" "$by" -auto-approve
	exit 0
fi

make_plan
if [ ! "$id" ]; then
	not_planned >"$out/outcome.md"
	comment "$out/outcome.md"
	exit "$planned"
fi
by=$(printf '%s\n' "$approved" | of_plan "$id")
if [ "$(field .empty "$out/plan.json")" = true ]; then
	markdown >"$out/outcome.md"
	comment "$out/outcome.md"
	exit 0
fi
if [ "$planned" = 0 ] && [ "$by" ]; then
	carry_out "$id" "$by" "$plan"
	exit 0
fi

old=$(older "$(printf '%s\n' "$approved" | cut -d' ' -f2)")
{
	if [ "$planned" = 3 ]; then
		printf '**Not applied: this plan is blocked.** Change the configuration, or allow its hazards there.\n\n'
	else
		printf '**Waits: this plan is not one that was approved.** It is applied when somebody who may lets it go on.\n\n'
	fi
	markdown "$old"
	printf '\nPlan ID `%s`\n' "$id"
} >"$out/outcome.md"
comment "$out/outcome.md"
[ "$planned" = 0 ] || exit "$planned"
[ ! "${4-}" ] || fail 3 "plan $id is not one that was approved"
tell waits "$id"
echo "Plan $id waits: it is not one that was approved."
