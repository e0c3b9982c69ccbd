#!/bin/sh
# drift.sh DIRECTORY ENVIRONMENT: for a nightly job: fails (exit status 2) where the configuration of the default
# branch and the servers differ: somebody changed them by hand, or a wave has become due. Reads only.
# shellcheck source=ci/lib.sh
. "${ANTHILL_SCRIPTS:-ci}/lib.sh"

status=0
anthill -chdir "$directory" plan -detailed-exitcode -markdown >"$out/drift.md" || status=$?
cat "$out/drift.md" >>"${GITHUB_STEP_SUMMARY:-/dev/stdout}"
exit "$status"
