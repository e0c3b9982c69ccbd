#!/bin/sh
# comment.sh DIRECTORY ENVIRONMENT REQUEST: keeps the one comment of this directory and environment up to date, with
# what plan.sh has written.
# shellcheck source=ci/lib.sh
. "${ANTHILL_SCRIPTS:-ci}/lib.sh"
requests=$3

comment "$out/comment.md"
