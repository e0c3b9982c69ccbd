#!/bin/sh
# install.sh: fetches the program that ci/anthill.pin names, by address and SHA-256, into .anthill/bin.
set -eu
read -r address sum <"${ANTHILL_SCRIPTS:-ci}/anthill.pin"
mkdir -p .anthill/bin
curl -sSfL --max-time 300 --retry 3 -o .anthill/bin/anthill.new "$address"
echo "$sum  .anthill/bin/anthill.new" | sha256sum -c - >/dev/null
chmod 755 .anthill/bin/anthill.new
mv .anthill/bin/anthill.new .anthill/bin/anthill
