#!/bin/sh
# The apply step of Atlantis, which comes before the merge: apply_requirements demand that the request is approved,
# and that its branch has all of the default branch. The plan is made again all the same, and must be one that was
# approved by ID.
set -eu
# shellcheck source=/dev/null
. "${ANTHILL_APPLY_ENV:-/etc/anthill/apply.env}" # DATABASE_URL and SELF_AUTH_* with the right to write
export GITHUB_REPOSITORY="$BASE_REPO_OWNER/$BASE_REPO_NAME"
export ANTHILL_COMMENT=no # Atlantis posts what is printed
cd "${DIR%/"$REPO_REL_DIR"}"
exec "$ANTHILL_SCRIPTS/merge.sh" "$REPO_REL_DIR" "$WORKSPACE" "" "$PULL_NUM" "$HEAD_COMMIT"
