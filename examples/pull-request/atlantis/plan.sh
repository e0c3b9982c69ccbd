#!/bin/sh
# The plan step of Atlantis, which posts what it prints. The scripts and both files of settings lie on the server of
# Atlantis, not in the pull request.
set -eu
# shellcheck source=/dev/null
. "${ANTHILL_PLAN_ENV:-/etc/anthill/plan.env}" # DATABASE_URL and SELF_AUTH_* of a role and a token that only read
export GITHUB_REPOSITORY="$BASE_REPO_OWNER/$BASE_REPO_NAME"
cd "${DIR%/"$REPO_REL_DIR"}"
status=0
"$ANTHILL_SCRIPTS/plan.sh" "$REPO_REL_DIR" "$WORKSPACE" "$PULL_NUM" >/dev/null || status=$?
out=anthill-out/$REPO_REL_DIR/$WORKSPACE
[ -f "$out/anthill.plan" ] || exit "$status"
anthill show -no-color "$PWD/$out/anthill.plan"
cat "$out/approve.md"
[ "$status" = 0 ] || exit "$status"
# Atlantis applies only what has left a file here.
cp "$out/anthill.plan" "$PLANFILE"
