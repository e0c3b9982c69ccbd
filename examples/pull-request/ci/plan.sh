#!/bin/sh
# plan.sh DIRECTORY ENVIRONMENT REQUEST: plans for a pull request, with a role and a token that only read. It keeps
# the plan in anthill-out/DIRECTORY/ENVIRONMENT/anthill.plan and writes comment.md beside it, for comment.sh. Exit
# status 3: BLOCKED.
# shellcheck source=ci/lib.sh
. "${ANTHILL_SCRIPTS:-ci}/lib.sh"
requests=$3

rm -f "$out/comment.md"
make_plan
if [ ! "$id" ]; then
	not_planned >"$out/comment.md"
	exit "$planned"
fi
ever=$(forge_ever "$3")
old=$(older "$ever")
: >"$out/approve.md"
[ "$(field .empty "$out/plan.json")" = true ] || [ "$planned" = 3 ] || how_to_approve >"$out/approve.md"
markdown "$old" >"$out/comment.md"
cat "$out/approve.md" >>"$out/comment.md"
exit "$planned"
