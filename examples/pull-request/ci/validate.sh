#!/bin/sh
# validate.sh DIRECTORY ENVIRONMENT: checks the configuration. It needs no server and no secret, so it runs for
# forks and in merge queues, too.
# shellcheck source=ci/lib.sh
. "${ANTHILL_SCRIPTS:-ci}/lib.sh"

anthill -chdir "$directory" validate
