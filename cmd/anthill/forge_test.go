package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// forge is what examples/pull-request asks of GitHub or GitLab, in memory: what was said and reviewed, and files that were
// kept. It answers as their documents say, a page at a time, and takes nothing without the job's token.
type forge struct {
	t       *testing.T
	url     string
	mu      sync.Mutex
	clock   time.Time
	numbers int
	asked   map[int]*pullRequest
	may     map[string]string // GitHub: login -> permission
	gate    string            // GitHub: who let the protected environment begin
}

// pullRequest is a request to merge.
type pullRequest struct {
	author, branch, head string
	committers           []string
	pushed               time.Time
	merged               []string // commits of the default branch that brought it
	comments             []*remark
	reviews              []remark // GitHub
	approvers            []string // GitLab
	kept                 [][]byte // plans, the latest last
}

// remark is a comment or a review.
type remark struct {
	id                          int
	author, body, state, commit string
	at                          time.Time
}

const (
	forgeToken = "forge-token-1177"
	forgeBot   = "the-bot"
)

func newForge(t *testing.T) *forge {
	t.Helper()
	f := &forge{t: t, clock: time.Date(2026, 11, 29, 8, 59, 58, 0, time.UTC), asked: map[int]*pullRequest{}, may: map[string]string{}}
	mux := http.NewServeMux()
	for pattern, answer := range map[string]func(r *http.Request) any{
		"GET /repos/{o}/{r}/pulls/{n}":                                                                   f.ghPull,
		"GET /repos/{o}/{r}/pulls/{n}/commits":                                                           f.ghCommits,
		"GET /repos/{o}/{r}/pulls/{n}/reviews":                                                           f.ghReviews,
		"GET /repos/{o}/{r}/issues/{n}/comments":                                                         f.ghComments,
		"POST /repos/{o}/{r}/issues/{n}/comments":                                                        f.add,
		"PATCH /repos/{o}/{r}/issues/comments/{id}":                                                      f.edit,
		"GET /repos/{o}/{r}/commits/{sha}/pulls":                                                         f.ghMerged,
		"GET /repos/{o}/{r}/collaborators/{who}/permission":                                              f.ghPermission,
		"GET /repos/{o}/{r}/actions/artifacts":                                                           f.ghKept,
		"GET /repos/{o}/{r}/actions/artifacts/{id}/zip":                                                  f.ghZip,
		"GET /repos/{o}/{r}/actions/runs/{run}/approvals":                                                f.ghGate,
		"GET /api/v4/user":                                                                               func(*http.Request) any { return object{"id": 1, "username": forgeBot} },
		"GET /api/v4/projects/5/merge_requests/{n}":                                                      f.glRequest,
		"GET /api/v4/projects/5/merge_requests/{n}/versions":                                             f.glVersions,
		"GET /api/v4/projects/5/merge_requests/{n}/approvals":                                            f.glApprovals,
		"GET /api/v4/projects/5/merge_requests/{n}/notes":                                                f.glNotes,
		"POST /api/v4/projects/5/merge_requests/{n}/notes":                                               f.add,
		"PUT /api/v4/projects/5/merge_requests/{n}/notes/{id}":                                           f.edit,
		"GET /api/v4/projects/5/repository/commits/{sha}/merge_requests":                                 f.glMerged,
		"GET /api/v4/projects/5/jobs/artifacts/{ref}/raw/anthill-out/production/production/anthill.plan": f.glKept,
	} {
		mux.HandleFunc(pattern, f.answer(answer))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the scripts ask for %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusNotFound)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

// object is one of JSON.
type object = map[string]any

// answer checks the token, and writes what is asked for: bytes as they are, all else as JSON, of lists a page. nil is 404.
func (f *forge) answer(what func(*http.Request) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+forgeToken && r.Header.Get("PRIVATE-TOKEN") != forgeToken {
			f.t.Errorf("no token in %s %s", r.Method, r.URL)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		switch v := what(r).(type) {
		case nil:
			w.WriteHeader(http.StatusNotFound)
		case []byte:
			w.Write(v)
		case []object:
			json.NewEncoder(w).Encode(page(r, v))
		default:
			json.NewEncoder(w).Encode(v)
		}
	}
}

func page(r *http.Request, list []object) []object {
	size, _ := strconv.Atoi(r.FormValue("per_page"))
	number, _ := strconv.Atoi(r.FormValue("page"))
	size, number = max(size, 20), max(number, 1)
	from := min((number-1)*size, len(list))
	return append([]object{}, list[from:min(from+size, len(list))]...)
}

// tick is the next moment.
func (f *forge) tick() time.Time {
	f.clock = f.clock.Add(700 * time.Millisecond)
	return f.clock
}

func (f *forge) number() int {
	f.numbers++
	return f.numbers
}

func (f *forge) pull(r *http.Request) *pullRequest {
	n, _ := strconv.Atoi(r.PathValue("n"))
	if p := f.asked[n]; p != nil {
		return p
	}
	f.t.Errorf("no request: %s", r.URL)
	return &pullRequest{}
}

func account(login string) object {
	if strings.HasSuffix(login, "[bot]") || login == forgeBot {
		return object{"login": login, "type": "Bot"}
	}
	return object{"login": login, "type": "User"}
}

func (f *forge) body(r *http.Request) string {
	var b struct{ Body string }
	text, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(text, &b)
	}
	if err != nil || b.Body == "" || len([]rune(b.Body)) > 65536 {
		f.t.Errorf("%s %s: %v, a body of %d", r.Method, r.URL, err, len(b.Body))
	}
	return b.Body
}

func (f *forge) add(r *http.Request) any {
	p := f.pull(r)
	p.comments = append(p.comments, &remark{id: f.number(), author: forgeBot, body: f.body(r), at: f.tick()})
	return object{}
}

func (f *forge) edit(r *http.Request) any {
	for _, p := range f.asked {
		for _, c := range p.comments {
			if strconv.Itoa(c.id) != r.PathValue("id") {
				continue
			}
			if c.author != forgeBot {
				f.t.Errorf("a comment of %s is edited", c.author)
			}
			c.body = f.body(r)
			return object{}
		}
	}
	return nil
}

func (f *forge) ghPull(r *http.Request) any {
	p := f.pull(r)
	return object{"user": account(p.author), "head": object{"sha": p.head}}
}

func (f *forge) ghCommits(r *http.Request) any {
	var list []object
	for _, who := range f.pull(r).committers {
		list = append(list, object{"author": account(who), "committer": nil})
	}
	return list
}

func (f *forge) ghReviews(r *http.Request) any {
	var list []object
	for _, v := range f.pull(r).reviews {
		list = append(list, object{"user": account(v.author), "body": v.body, "state": v.state, "commit_id": v.commit, "submitted_at": v.at})
	}
	return list
}

func (f *forge) ghComments(r *http.Request) any {
	var list []object
	for _, c := range f.pull(r).comments {
		list = append(list, object{"id": c.id, "user": account(c.author), "body": c.body})
	}
	return list
}

func (f *forge) ghMerged(r *http.Request) any {
	list := []object{}
	for n, p := range f.asked {
		if slices.Contains(p.merged, r.PathValue("sha")) {
			list = append(list, object{"number": n, "merged_at": f.clock, "base": object{"ref": "main"}})
		}
	}
	return list
}

func (f *forge) ghPermission(r *http.Request) any {
	if may := f.may[r.PathValue("who")]; may != "" {
		return object{"permission": may}
	}
	return object{"permission": "read"}
}

func (f *forge) ghKept(r *http.Request) any {
	list := []object{}
	for n, p := range f.asked {
		if r.FormValue("name") != fmt.Sprintf("anthill-production-%d", n) {
			continue
		}
		for i := range p.kept {
			list = append(list, object{"id": n*100 + i, "expired": false, "created_at": f.clock.Add(time.Duration(i) * time.Minute)})
		}
	}
	return object{"artifacts": list}
}

func (f *forge) ghZip(r *http.Request) any {
	id, _ := strconv.Atoi(r.PathValue("id"))
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("anthill.plan")
	if err == nil {
		_, err = w.Write(f.asked[id/100].kept[id%100])
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		f.t.Error(err)
	}
	return b.Bytes()
}

func (f *forge) ghGate(*http.Request) any {
	list := []object{{"state": "approved", "environments": []object{{"name": "another"}}, "user": account("eve")}}
	if f.gate != "" {
		list = append(list, object{"state": "approved", "environments": []object{{"name": "production-waiting"}}, "user": account(f.gate)})
	}
	return list
}

func (f *forge) glRequest(r *http.Request) any {
	p := f.pull(r)
	return object{"author": object{"username": p.author}, "sha": p.head}
}

// glTime is how GitLab writes times, where its zone is another one: as text it sorts wrongly.
func glTime(t time.Time) string {
	return t.In(time.FixedZone("", 3600)).Format("2006-01-02T15:04:05.000-07:00")
}

func (f *forge) glVersions(r *http.Request) any {
	p := f.pull(r)
	return []object{
		{"id": 2, "head_commit_sha": p.head, "created_at": p.pushed.UTC().Format("2006-01-02T15:04:05.000Z")},
		{"id": 1, "head_commit_sha": "before", "created_at": "2020-01-01T00:00:00.000Z"},
	}
}

func (f *forge) glApprovals(r *http.Request) any {
	list := []object{}
	for _, who := range f.pull(r).approvers {
		list = append(list, object{"user": object{"username": who}})
	}
	return object{"approved_by": list}
}

func (f *forge) glNotes(r *http.Request) any {
	var list []object
	for _, c := range f.pull(r).comments {
		id := 2
		if c.author == forgeBot {
			id = 1
		}
		list = append(list, object{"id": c.id, "author": object{"id": id, "username": c.author}, "body": c.body, "system": false, "created_at": glTime(c.at)})
	}
	return list
}

func (f *forge) glMerged(r *http.Request) any {
	list := []object{}
	for n, p := range f.asked {
		if slices.Contains(p.merged, r.PathValue("sha")) {
			list = append(list, object{"iid": n, "state": "merged", "target_branch": "main"})
		}
	}
	return list
}

func (f *forge) glKept(r *http.Request) any {
	for n, p := range f.asked {
		if r.PathValue("ref") == fmt.Sprintf("refs/merge-requests/%d/head", n) && r.FormValue("job") == "plan" && len(p.kept) > 0 {
			return p.kept[len(p.kept)-1]
		}
	}
	return nil
}
