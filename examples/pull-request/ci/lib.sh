# shellcheck shell=sh
# What the scripts share; they read it with ". ci/lib.sh DIRECTORY ENVIRONMENT". A configuration is planned in its
# DIRECTORY for an ENVIRONMENT: this pair has one comment on a request, one plan, and one apply at a time.
set -eu

fail() {
	status=$1
	shift
	printf '%s\n' "$*" >&2
	exit "$status"
}

# Names go into paths, addresses and comments: only plain signs.
plain() {
	case $1 in
	'' | -* | /* | *..* | *[!A-Za-z0-9._/-]*) fail 1 "not a plain name: $1" ;;
	esac
}

directory=${1-} environment=${2-}
plain "$directory"
plain "$environment"
requests= # of which the work is: their numbers
root=$(pwd)
out=$root/anthill-out/$directory/$environment
plan=$out/anthill.plan
marker="<!-- anthill: $directory for $environment -->"
export PATH="$root/.anthill/bin:$PATH"
mkdir -p "$out"

# The scripts may lie elsewhere than the configuration.
scripts=${ANTHILL_SCRIPTS:-ci}
if [ "${GITLAB_CI-}" ]; then
	# shellcheck source=ci/gitlab.sh
	. "$scripts/gitlab.sh"
else
	# shellcheck source=ci/github.sh
	. "$scripts/github.sh"
fi

# field FILTER FILE: a value in a JSON file; nothing where it is null.
field() { jq -r "$1 | select(. != null)" "$2"; }

# make_plan: plans, and writes $plan and $out/plan.json. Sets id and planned, the exit status; 3: the plan is BLOCKED.
make_plan() {
	planned=0 id=
	rm -f "$plan" "$out/plan.json" "$out/denied"
	anthill -chdir "$directory" plan -out "$plan" || planned=$?
	[ -f "$plan" ] || return 0
	anthill show -json "$plan" >"$out/plan.json"
	if [ -f "$scripts/policy.jq" ]; then
		# What the company does not allow stops a plan like a hazard that nobody allowed.
		jq -r --arg at "$(date -u +%Y-%m-%dT%H:%M:%SZ)" --slurpfile settings "$scripts/policy.json" \
			-f "$scripts/policy.jq" "$out/plan.json" >"$out/denied"
		[ ! -s "$out/denied" ] || planned=3
	fi
	id=$(field .plan_id "$out/plan.json")
}

# markdown [OLD]: the plan for a comment, beside an older one. Nobody applies it by hand here.
markdown() {
	(cd "$out" && anthill show -markdown ${1:+-diff "$1"} anthill.plan) >"$out/plan.md"
	sed '/^To carry out exactly this: /d' "$out/plan.md"
	if [ -s "$out/denied" ]; then
		printf '\n**Not allowed by ci/policy.jq:**\n\n'
		sed 's/^/    /' "$out/denied"
	fi
}

# older IDS: the newest saved plan of the requests that has one of the IDs, or nothing. Whoever can push can save
# another file under its name, but none that has the ID and does something else: the ID is the digest of what it
# does.
older() {
	rm -rf "$out/saved"
	mkdir -p "$out/saved"
	[ "$1" ] || return 0
	for request in $requests; do
		forge_saved "$request" "$out/saved" 2>/dev/null || continue # kept for some days only
	done
	for file in "$out/saved"/*.plan; do
		saved=$(anthill show -json "$file" 2>/dev/null | jq -r .plan_id)
		for one in $1; do
			[ "$saved" != "$one" ] || {
				printf '%s\n' "$file"
				return 0
			}
		done
	done
}

# comment FILE: makes it the one comment about this directory and environment, on each of the requests, and shows it
# in the job's summary or log. With ANTHILL_COMMENT=no something else posts what the job prints.
comment() {
	cat "$1" >>"${GITHUB_STEP_SUMMARY:-/dev/stdout}"
	[ "${ANTHILL_COMMENT-}" != no ] || return 0
	{
		printf '%s\n' "$marker"
		cat "$1"
	} >"$out/comment"
	for request in $requests; do
		forge_comment "$request" "$marker" "$out/comment"
	done
}

# approvals: "LOGIN ID" a line, of all requests, each once.
approvals() {
	: >"$out/approvals"
	for request in $requests; do
		forge_approvals "$request" >>"$out/approvals"
	done
	sort -u "$out/approvals"
}

# of_plan ID: who of "LOGIN ID" lines approved it, as a list.
of_plan() { awk -v id="$1" '$2 == id { printf "%s%s", sep, $1; sep = ", " }'; }

# merged BEFORE: the requests that were merged into the default branch since the commit BEFORE. Without one, or
# where it is not known any more, with the last commit. A commit that came in otherwise has no request, and nobody
# approved it.
merged() {
	if git cat-file -e "$1^{commit}" 2>/dev/null; then
		git rev-list --first-parent "$1..HEAD" >"$out/commits"
	else
		git rev-list --max-count=1 HEAD >"$out/commits"
	fi
	: >"$out/merged"
	while read -r commit; do
		forge_merged "$commit" >>"$out/merged"
	done <"$out/commits"
	sort -nu "$out/merged"
}

# here, there: the tree of the directory as it is checked out, and as it is on the default branch now. Where they
# differ, the job of the newer commit plans, with what both commits bring.
here() { git rev-parse "HEAD:$directory"; }
there() {
	git fetch --quiet origin "$ANTHILL_BRANCH"
	git rev-parse --verify --quiet "FETCH_HEAD:$directory" || echo none
}

# carry_out ID BY [FLAG...] [PLANFILE]: applies this plan and no other, and says on the requests how it ended. Exit
# status 5, done with a remainder, is a result and no failure: the next plan has the rest.
carry_out() {
	id=$1 by=$2
	shift 2
	applied=0
	rm -f "$out/result.json"
	anthill -chdir "$directory" apply -json -plan-id "$id" -approved-by "$by" "$@" >"$out/result.json" || applied=$?
	outcome "$applied" >"$out/outcome.md"
	comment "$out/outcome.md"
	[ "$applied" = 5 ] || return "$applied"
}

# not_planned: that there is no plan, for a comment.
not_planned() {
	printf '### Anthill in `%s` for `%s`: not planned, exit status %s\n\nThe log of the job says why.\n' \
		"$directory" "$environment" "$planned"
}

# outcome STATUS: how an apply ended, for a comment: what happened in the run, with its digest.
outcome() {
	run=$(jq -r '.run // ""' "$out/result.json" 2>/dev/null) || run=
	if [ ! "$run" ]; then
		printf '### Anthill in `%s` for `%s`: plan `%s` was not applied, exit status %s\n\nThe log of the job says why.\n' \
			"$directory" "$environment" "$(short "$id")" "$1"
		return
	fi
	# The server may be gone in whose middle it was stopped.
	anthill -chdir "$directory" show -run "$run" -markdown || printf '### Anthill run `%s` of plan `%s`\n' "$run" "$id"
	case $1 in
	5) printf '\n**Done with a remainder**: the next plan has the rest.\n' ;;
	9) printf '\n**Stopped in the middle**: run this job again, which finishes the run.\n' ;;
	esac
}

short() { printf '%.8s' "$1"; }

# how_to_approve: what a reviewer does who wants this plan.
how_to_approve() {
	printf '\nTo approve this plan, %s\n\n    apply %s\n\n' "$(forge_how)" "$id"
	printf 'Whoever can push can rewrite this comment. The plan file, an artefact of the job, cannot be given this ID\n'
	printf 'and do something else: read it on your own machine with `anthill show anthill.plan`.\n'
}
