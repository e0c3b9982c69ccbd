// Package report is everything that Anthill shows: plans, the end of runs, status, diagnostics and progress, as text
// for people and as JSON for programs. It is the only place with words: it takes facts (state.Finding, plan.Effects)
// and writes sentences, or in JSON the same facts.
//
// words.go puts findings into words, object.go what becomes of a declared object, labels.go what is counted. view.go
// gathers what a form shows of a plan, and telling.go, with the other files in tell*, says it in sentences that know no
// layout; text.go, markdown.go, html.go (with the files in html/), stat.go and json.go are forms of it. command.go writes commands that can be pasted.
//
// Its rules: the first screen is enough to decide; counts are exact, and those about what a plan does come from its
// effects alone; reasons stand beside them; the next command stands at the end; colour and symbols are never the
// message; whatever comes from files, databases or servers is escaped as it enters the words; no secret is ever shown, as none is in
// what it gets, and no name or address but where people asked for just that: a Lookup, an Export, a Runbook, and Explained.
package report
