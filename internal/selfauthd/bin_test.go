package selfauthd

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

var binKinds = map[string]string{"c": "oauth2", "g": "group", "h": "group", "x": "group", "p": "person", "q": "person"}

// binWorld makes what TestBin deletes and revives: groups g, h and x, persons p and q, and a client c with maps.
func (a *api) binWorld() (ids map[string]string) {
	token := a.tokens["rw"]
	made := func(values ...string) any {
		attrs := map[string][]string{"name": {values[0]}}
		for i := 1; i < len(values); i += 2 {
			attrs[values[i]] = []string{values[i+1]}
		}
		return map[string]any{"attrs": attrs}
	}
	a.must("POST", "/v1/person", token, made("p", "displayname", "p"))
	a.must("POST", "/v1/person", token, made("q", "displayname", "q"))
	a.must("POST", "/v1/group", token, made("x"))
	a.must("POST", "/v1/group", token, made("g"))
	a.must("POST", "/v1/group", token, made("h", "member", "p", "entry_managed_by", "g"))
	a.must("POST", "/v1/oauth2/_basic", token, made("c", "displayname", "c", "oauth2_rs_origin_landing", "https://x.test/"))
	a.must("POST", "/v1/group/g/_attr/member", token, []string{"p", "h", "c"})
	for _, m := range []string{"_scopemap/g", "_scopemap/h", "_sup_scopemap/g", "_claimmap/one/g", "_claimmap/two/g", "_claimmap/two/p"} {
		a.must("POST", "/v1/oauth2/c/"+m, token, []string{"v"})
	}
	ids = map[string]string{}
	for name := range binKinds {
		ids[name] = a.attrs(name)["uuid"][0]
	}
	return ids
}

func (a *api) attrs(name string) map[string][]string {
	var e struct{ Attrs map[string][]string }
	if err := json.Unmarshal(a.must("GET", "/v1/"+binKinds[name]+"/"+name, a.tokens["rw"], nil), &e); err != nil {
		a.t.Fatal(err)
	}
	return e.Attrs
}

// binShows is what is there: members in brackets, groups and manager of each, and what the client maps to whom.
func (a *api) binShows() string {
	var out []string
	for _, name := range []string{"g", "h", "x", "p", "q", "c"} {
		attrs := a.attrs(name)
		if attrs == nil {
			out = append(out, name+" gone")
			continue
		}
		text := name
		for _, show := range []struct{ attr, form string }{{"member", " [%s]"}, {"directmemberof", " in %s"}, {"entry_managed_by", " by %s"},
			{"oauth2_rs_scope_map", " scope:%s"}, {"oauth2_rs_sup_scope_map", " sup:%s"}} {
			var list []string
			for _, v := range attrs[show.attr] {
				if v, _, _ = strings.Cut(v, "@"); !strings.HasPrefix(v, "idm_") {
					list = append(list, v)
				}
			}
			if slices.Sort(list); len(list) > 0 {
				text += fmt.Sprintf(show.form, strings.Join(list, ""))
			}
		}
		slices.Sort(attrs["oauth2_rs_claim_map"])
		for _, v := range attrs["oauth2_rs_claim_map"] {
			v, _, _ = strings.Cut(v, "@")
			text += " " + v
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// TestBin: what a real server keeps of entries that refer to each other when they are deleted (-) and revived (+), changed (~),
// and made (>) or no longer (<) members. The directory is read back after each step.
func TestBin(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ steps, want string }{
		{"", "g [chp], h [p] in g by g, x, p in gh, q, c scope:gh sup:g one:g two:g two:p"},
		{"-g", "g gone, h [p], x, p in h, q, c scope:h two:p"},
		{"-g +g", "g [chp], h [p], x, p in h, q, c scope:h two:p"},
		{"-c -g +c", "g gone, h [p], x, p in h, q, c scope:h two:p"},
		{"-c -g +c +g", "g [hp], h [p], x, p in h, q, c scope:h two:p"},
		{"-c -g +g +c", "g [hp], h [p], x, p in gh, q, c scope:h two:p"},
		{"-g -c +c +g", "g [hp], h [p], x, p in h, q, c scope:h two:p"},
		{"-g -c +g +c", "g [hp], h [p], x, p in gh, q, c scope:h two:p"},
		{"-c +c", "g [chp], h [p] in g by g, x, p in gh, q, c scope:gh sup:g one:g two:g two:p"},
		{"-c -p +c +p", "g [chp], h [p] in g by g, x, p in gh, q, c scope:gh sup:g one:g two:g"},
		{"-c -h +c", "g [cp], h gone, x, p in g, q, c scope:g sup:g one:g two:g two:p"},
		{"-g -p +p +g", "g [ch], h [p], x, p in h, q, c scope:h"},
		{"-g -p +g +p", "g [ch], h [p] in g, x, p in h, q, c scope:h"},
		{"-p -g +p +g", "g [ch], h [p], x, p in h, q, c scope:h"},
		{"-p -g +g +p", "g [ch], h [p] in g, x, p in h, q, c scope:h"},
		{"-p +p", "g [chp], h [p] in g by g, x, p in gh, q, c scope:gh sup:g one:g two:g"},
		{"-g -h +h +g", "g [cp], h [p], x, p, q, c two:p"},
		{"-g -h +g +h", "g [cp], h [p], x, p, q, c two:p"},
		{"-h -g +g +h", "g [cp], h [p], x, p, q, c two:p"},
		{"-h -g +h", "g gone, h [p], x, p, q, c two:p"},
		{"-h +h", "g [chp], h [p] in g by g, x, p in gh, q, c scope:g sup:g one:g two:g two:p"},
		{"-g +g ~g", "g [chp], h [p], x, p in h, q, c scope:h two:p"},
		{"-g +g ~p", "g [chp], h [p], x, p in gh, q, c scope:h two:p"},
		{"-g +g ~h", "g [chp], h [p] in g, x, p in gh, q, c scope:h two:p"},
		{"-g +g q>g", "g [chpq], h [p], x, p in h, q in g, c scope:h two:p"},
		{"-g +g p>g", "g [chp], h [p], x, p in h, q, c scope:h two:p"},
		{"-g +g p<g p>g", "g [chp], h [p], x, p in gh, q, c scope:h two:p"},
		{"-g +g g>x", "g [chp] in x, h [p] in g, x [g], p in gh, q, c scope:h two:p"},
		{"-g +g q>h", "g [chp], h [pq] in g, x, p in gh, q in h, c scope:h two:p"},
		{"-g +g -q +q", "g [chp], h [p], x, p in gh, q, c scope:h two:p"},
		{"-g +g -c +c", "g [hp], h [p], x, p in gh, q, c scope:h two:p"},
		{"-g +g -x +x", "g [chp], h [p], x, p in h, q, c scope:h two:p"},
		{"-g +g -p +p", "g [ch], h [p] in g, x, p in h, q, c scope:h"},
		{"-g +g -g +g", "g [chp], h [p], x, p in h, q, c scope:h two:p"},
		{"-g +g ~p -g", "g gone, h [p], x, p in h, q, c scope:h two:p"},
		{"g>x -g +g", "g [chp] in x, h [p] in g, x [g], p in gh, q, c scope:h two:p"},
		{"-x +x ~q", "g [chp], h [p] in g by g, x, p in gh, q, c scope:gh sup:g one:g two:g two:p"},
	} {
		t.Run(test.steps, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			a := newAPIWith(t, Options{Dir: dir})
			a.tokens["rw"], a.tokens["ro"] = a.s.Operator()
			ids := a.binWorld()
			for step := range strings.FieldsSeq(test.steps) {
				first, last := step[:1], step[len(step)-1:]
				path := "/v1/" + binKinds[last] + "/" + last
				switch step[:len(step)-1] {
				case "-":
					a.must("DELETE", path, a.tokens["rw"], nil)
				case "+":
					a.must("POST", "/v1/recycle_bin/"+ids[last]+"/_revive", a.tokens["rw"], nil)
				case "~":
					attr := map[string]string{"group": "description", "person": "displayname"}[binKinds[last]]
					a.must("PATCH", path, a.tokens["rw"], map[string]any{"attrs": map[string][]string{attr: {"d"}}})
				case first + ">":
					a.must("POST", path+"/_attr/member", a.tokens["rw"], []string{first})
				case first + "<":
					a.must("DELETE", path+"/_attr/member", a.tokens["rw"], []string{first})
				default:
					t.Fatalf("no step %q", step)
				}
				a = again(t, a, dir)
			}
			if got := a.binShows(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}
