# shellcheck shell=sh
# The forge, where it is GitHub: comments, reviews and artefacts by its API, with the token of the job.
# GITHUB_REPOSITORY, GITHUB_API_URL and GITHUB_RUN_ID are set in its jobs; GITHUB_TOKEN is given to the step.
api=${GITHUB_API_URL:-https://api.github.com}
repository=$api/repos/${GITHUB_REPOSITORY:-}

# call METHOD ADDRESS [CURL ARGUMENT...]: the token is not on the command line, where other processes see it.
call() {
	method=$1 address=$2
	shift 2
	printf 'Authorization: Bearer %s\n' "$GITHUB_TOKEN" |
		curl -sS --fail-with-body --max-time 60 --retry 3 -H @- -H 'Accept: application/vnd.github+json' \
			-H 'X-GitHub-Api-Version: 2022-11-28' -X "$method" "$@" "$address"
}

# get ADDRESS: writes what it says to $out/answer. A request that fails ends the script: an answer that is not there
# must not pass for an empty one.
get() { call GET "$1" >"$out/answer"; }

# pages ADDRESS: the same with all pages of a list, as one list.
pages() {
	: >"$out/pages"
	page=1
	while :; do
		get "$1?per_page=100&page=$page"
		cat "$out/answer" >>"$out/pages"
		[ "$(jq length "$out/answer")" = 100 ] || break
		page=$((page + 1))
	done
	jq -s add "$out/pages" >"$out/answer"
}

# forge_comment REQUEST MARKER FILE: puts FILE in the place of the comment of a program that begins with MARKER.
# Others may write a comment that begins so: theirs is left alone.
forge_comment() {
	pages "$repository/issues/$1/comments"
	old=$(jq -r --arg marker "$2" \
		'[.[] | select(.user.type == "Bot" and (.body | startswith($marker)))][0].id // ""' "$out/answer")
	jq -n --rawfile body "$3" '{$body}' >"$out/body.json"
	if [ "$old" ]; then
		call PATCH "$repository/issues/comments/$old" --data-binary "@$out/body.json" >"$out/answer"
	else
		call POST "$repository/issues/$1/comments" --data-binary "@$out/body.json" >"$out/answer"
	fi
}

# forge_merged COMMIT: the requests that were merged into the default branch with it.
forge_merged() {
	get "$repository/commits/$1/pulls"
	jq -r --arg branch "$ANTHILL_BRANCH" '.[] | select(.merged_at and .base.ref == $branch) | .number' "$out/answer"
}

# forge_head REQUEST: the commit that it ends in.
forge_head() {
	get "$repository/pulls/$1"
	jq -r .head.sha "$out/answer"
}

# forge_authors REQUEST: who opened it, and who made its commits.
forge_authors() {
	get "$repository/pulls/$1"
	jq -r .user.login "$out/answer"
	pages "$repository/pulls/$1/commits"
	jq -r '.[] | .author, .committer | select(.) | .login' "$out/answer"
}

# named: of reviews on stdin, "LOGIN ID" for each line "apply ID" of an approval. Programs approve nothing: a job can be
# allowed to, and whoever can push can write one.
named='select(.user.type == "User" and (.user.login | test("^[A-Za-z0-9_-]+$"))) | .user.login as $who
	| (.body // "") | split("\n")[] | capture("^ *apply +(?<id>[0-9a-f]{64})[ \r]*$") | "\($who) \(.id)"'

# forge_approvals REQUEST: "LOGIN ID" for each plan that somebody approved who did not make the request, who may
# write to the repository, whose latest review is that approval, and who gave it to the commit that the request ends
# in.
forge_approvals() {
	head=$(forge_head "$1")
	forge_authors "$1" >"$out/authors"
	pages "$repository/pulls/$1/reviews"
	jq -r --arg head "$head" '[.[] | select(.user and (.state | IN("APPROVED", "CHANGES_REQUESTED", "DISMISSED")))]
		| group_by(.user.login)[] | sort_by(.submitted_at) | last
		| select(.state == "APPROVED" and .commit_id == $head) | '"$named" "$out/answer" >"$out/named"
	while read -r who what; do
		! grep -qixF -e "$who" "$out/authors" || continue
		get "$repository/collaborators/$who/permission"
		case $(jq -r .permission "$out/answer") in
		admin | write) printf '%s %s\n' "$who" "$what" ;;
		esac
	done <"$out/named"
}

# forge_ever REQUEST: the IDs of plans that were ever approved in it, of whichever commit: what a new plan is
# compared with.
forge_ever() {
	pages "$repository/pulls/$1/reviews"
	jq -r '.[] | select(.user and (.state | IN("APPROVED", "DISMISSED"))) | '"$named" "$out/answer" | cut -d' ' -f2
}

# forge_saved REQUEST FOLDER: the plans that its jobs have kept, newest first, at most ten.
forge_saved() {
	get "$repository/actions/artifacts?name=anthill-$environment-$1&per_page=10"
	jq -r '[.artifacts[] | select(.expired | not)] | sort_by(.created_at) | reverse[] | .id' \
		"$out/answer" >"$out/artefacts"
	n=10
	while read -r artefact; do
		call GET "$repository/actions/artifacts/$artefact/zip" -L -o "$out/artefact.zip" || continue
		unzip -p "$out/artefact.zip" anthill.plan >"$2/$1-$n.plan" || continue
		n=$((n + 1))
	done <"$out/artefacts"
}

# forge_approver ENVIRONMENT: who let this job begin, as that protected environment demands.
forge_approver() {
	get "$repository/actions/runs/$GITHUB_RUN_ID/approvals"
	jq -r --arg environment "$1" '[.[] | select(.state == "approved" and any(.environments[]; .name == $environment))
		| .user.login] | last // ""' "$out/answer"
}

forge_how() { echo 'approve the pull request with this line in the text of your review:'; }

# tell NAME VALUE: to the jobs that follow.
tell() { printf '%s=%s\n' "$1" "$2" >>"${GITHUB_OUTPUT:-/dev/null}"; }
