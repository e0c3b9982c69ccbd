# shellcheck shell=sh
# The forge, where it is GitLab: notes, approvals and artefacts by its API. CI_API_V4_URL and CI_PROJECT_ID are set
# in its jobs; ANTHILL_GITLAB_TOKEN is a project access token with the scope api: a job's own token writes no notes.
project=$CI_API_V4_URL/projects/$CI_PROJECT_ID

# call METHOD ADDRESS [CURL ARGUMENT...]: the token is not on the command line, where other processes see it.
call() {
	method=$1 address=$2
	shift 2
	printf 'PRIVATE-TOKEN: %s\n' "$ANTHILL_GITLAB_TOKEN" |
		curl -sS --fail-with-body --max-time 60 --retry 3 -H @- -H 'Content-Type: application/json' \
			-X "$method" "$@" "$address"
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

# forge_comment REQUEST MARKER FILE: puts FILE in the place of our own note that begins with MARKER. Others may
# write a note that begins so: theirs is left alone.
forge_comment() {
	get "$CI_API_V4_URL/user"
	me=$(jq .id "$out/answer")
	pages "$project/merge_requests/$1/notes"
	old=$(jq -r --arg marker "$2" --argjson me "$me" \
		'[.[] | select(.author.id == $me and (.body | startswith($marker)))][0].id // ""' "$out/answer")
	jq -n --rawfile body "$3" '{$body}' >"$out/body.json"
	if [ "$old" ]; then
		call PUT "$project/merge_requests/$1/notes/$old" --data-binary "@$out/body.json" >"$out/answer"
	else
		call POST "$project/merge_requests/$1/notes" --data-binary "@$out/body.json" >"$out/answer"
	fi
}

# forge_merged COMMIT: the requests that were merged into the default branch with it.
forge_merged() {
	get "$project/repository/commits/$1/merge_requests"
	jq -r --arg branch "$ANTHILL_BRANCH" \
		'.[] | select(.state == "merged" and .target_branch == $branch) | .iid' "$out/answer"
}

# forge_authors REQUEST: who opened it. GitLab does not say which users made its commits: the setting "prevent
# approvals by users who add commits" does that part.
forge_authors() {
	get "$project/merge_requests/$1"
	jq -r .author.username "$out/answer"
}

# named: of notes on stdin, "LOGIN ID" for each line "apply ID". Programs approve nothing: whoever can push may have
# their tokens.
named='select(.system | not) | .author.username as $who
	| select($who | test("^[A-Za-z0-9_.-]+$") and (test("^(project|group)_[0-9]+_bot") | not))
	| (.body // "") | split("\n")[] | capture("^ *apply +(?<id>[0-9a-f]{64})[ \r]*$") | "\($who) \(.id)"'

# forge_approvals REQUEST: "LOGIN ID" for each plan that somebody named in a note who did not make the request, who has
# approved it, and who wrote the note after the last push: GitLab's approvals say neither why nor of which commit.
forge_approvals() {
	forge_authors "$1" >"$out/authors"
	pages "$project/merge_requests/$1/versions"
	pushed=$(jq -r 'sort_by(.id) | last | .created_at' "$out/answer")
	get "$project/merge_requests/$1/approvals"
	jq -r '.approved_by[].user.username' "$out/answer" >"$out/approvers"
	pages "$project/merge_requests/$1/notes"
	jq -r --arg pushed "$pushed" '
		def at: capture("^(?<day>[^.]{19})(?<part>([.][0-9]+)?)(?<zone>Z|[+-][0-9]{2}:[0-9]{2})$")
			as {day: $day, part: $part, zone: $zone}
			| (($day + "Z") | fromdateiso8601) + ("0" + $part | tonumber)
			- (if $zone == "Z" then 0 else ($zone[0:1] + "1" | ltrimstr("+") | tonumber)
				* (($zone[1:3] | tonumber) * 3600 + ($zone[4:6] | tonumber) * 60) end);
		.[] | select((.created_at | at) > ($pushed | at)) | '"$named" "$out/answer" >"$out/named"
	while read -r who what; do
		! grep -qixF -e "$who" "$out/authors" || continue
		! grep -qxF -e "$who" "$out/approvers" || printf '%s %s\n' "$who" "$what"
	done <"$out/named"
}

# forge_ever REQUEST: the IDs of plans that were ever named in it, of whichever commit: what a new plan is compared
# with.
forge_ever() {
	pages "$project/merge_requests/$1/notes"
	jq -r '.[] | '"$named" "$out/answer" | cut -d' ' -f2
}

# forge_saved REQUEST FOLDER: the plan that its latest job has kept.
forge_saved() {
	path=raw/anthill-out/$directory/$environment/anthill.plan
	call GET "$project/jobs/artifacts/refs%2Fmerge-requests%2F$1%2Fhead/$path?job=plan" -L -o "$2/$1.plan"
}

# forge_approver: who started this manual job, which only those may who may deploy to its protected environment.
forge_approver() { printf '%s\n' "$GITLAB_USER_LOGIN"; }

forge_how() { echo 'approve the merge request, and write this line in a comment of your own:'; }

# tell NAME VALUE: to the jobs that follow.
tell() { printf '%s=%s\n' "$1" "$2" >"$out/told.env"; }
