#!/bin/sh
# waiting.sh DIRECTORY ENVIRONMENT BEFORE ID GATE: applies the plan that merge.sh left waiting, after somebody let
# this job go on, as its protected environment GATE demands. It plans once more: if that is another plan than ID,
# nothing is done.
# shellcheck source=ci/lib.sh
. "${ANTHILL_SCRIPTS:-ci}/lib.sh"

[ "${4-}" ] || {
	echo "No plan waits."
	exit 0
}
requests=$(merged "$3")
here=$(here)
there=$(there)
[ "$here" = "$there" ] || fail 4 "$directory has changed on $ANTHILL_BRANCH since: the job of the newer commit plans"
by=$(forge_approver "$5")
[ "$by" ] || fail 3 "nobody is recorded who let this job go on"
for request in $requests; do
	forge_authors "$request" >"$out/authors"
	! grep -qixF -e "$by" "$out/authors" || fail 3 "$by made request $request, and somebody else must let its plan go on"
done
make_plan
[ "$planned" = 0 ] || fail "$planned" "the plan cannot be applied, exit status $planned"
[ "$id" = "$4" ] || fail 4 "this is plan $id by now, and $4 was let go on: nothing is changed; run merge.sh again"
carry_out "$id" "$by" "$plan"
