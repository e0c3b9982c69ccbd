package migration

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Kind is what sort of thing a Thing is.
type Kind uint8

// The kinds of things.
const (
	Table Kind = iota + 1
	Column
	Constraint
	Index
)

// Thing is a part of a schema, by its names as the database has them.
type Thing struct {
	Kind   Kind
	Schema string // of the table; "": the search path finds it
	Table  string // "" of an index that is dropped
	Name   string // "" of a table
}

// Step is a thing that a file makes without looking whether it is there, so that it fails where it is; or, with Drops, that it
// takes away.
type Step struct {
	Thing
	Drops bool
}

// Touches reports whether a step makes or takes away a thing, whose schema is known. A table that goes takes all of it along.
func (s Step) Touches(t Thing) bool {
	if s.Schema != "" && s.Schema != t.Schema {
		return false
	}
	switch s.Kind {
	case Table:
		return s.Table == t.Table
	case Index: // the names of indexes are those of their schema
		return t.Kind == Index && s.Name == t.Name
	case Column, Constraint:
	}
	return s.Kind == t.Kind && s.Table == t.Table && s.Name == t.Name
}

// Steps reads SQL for what it makes and takes away, in its order. errUnsound where it is none.
func Steps(src string) ([]Step, error) {
	if !utf8.ValidString(src) || strings.ContainsRune(src, 0) {
		return nil, errUnsound
	}
	l := &lexer{src: strings.TrimPrefix(src, "\uFEFF")}
	var steps []Step
	for l.at < len(l.src) && l.err == nil {
		p := parser{tokens: statement(l)}
		steps = append(steps, p.statement()...)
	}
	return steps, l.err
}

// statement reads to the end of a statement. Of one that makes and takes away nothing the first word alone is kept.
func statement(l *lexer) (list []token) {
	var first token
	copies := false
	for {
		t := l.next()
		if t == (token{}) || t.is(";") {
			if copies {
				l.data()
			}
			return list
		}
		if first == (token{}) {
			first = t
		}
		if first.is("alter", "create", "drop") {
			list = append(list, t)
		}
		copies = copies || first.is("copy") && t.is("stdin")
	}
}

// parser reads a statement.
type parser struct {
	tokens []token
	at     int
}

func (p *parser) peek() token {
	if p.at < len(p.tokens) {
		return p.tokens[p.at]
	}
	return token{}
}

// take passes over some words, if they stand here.
func (p *parser) take(words ...string) bool {
	for i, w := range words {
		if p.at+i >= len(p.tokens) || !p.tokens[p.at+i].is(w) {
			return false
		}
	}
	p.at += len(words)
	return true
}

// name reads a name.
func (p *parser) name() (string, bool) {
	t := p.peek()
	if t.kind != word && t.kind != quoted {
		return "", false
	}
	p.at++
	return t.text, true
}

// path reads a name with or without its schema.
func (p *parser) path() (schema, name string, ok bool) {
	if name, ok = p.name(); !ok {
		return "", "", false
	}
	for p.take(".") {
		schema = name
		if name, ok = p.name(); !ok {
			return "", "", false
		}
	}
	return schema, name, true
}

func (p *parser) statement() []Step {
	switch {
	case p.take("alter", "table"):
		return p.alterTable()
	case p.take("alter", "index"):
		return p.alterIndex()
	case p.take("create", "index"), p.take("create", "unique", "index"):
		return p.createIndex()
	case p.take("drop", "index"):
		p.take("concurrently")
		return p.dropAll(Index)
	case p.take("drop", "table"):
		return p.dropAll(Table)
	}
	return nil
}

func (p *parser) createIndex() []Step {
	p.take("concurrently")
	if p.take("if", "not", "exists") || p.peek().is("on") {
		return nil
	}
	name, ok := p.name()
	if !ok || !p.take("on") {
		return nil
	}
	p.take("only")
	schema, table, ok := p.path()
	if !ok {
		return nil
	}
	return []Step{{Thing: Thing{Index, schema, table, name}}}
}

func (p *parser) alterIndex() []Step {
	p.take("if", "exists")
	schema, name, ok := p.path()
	if !ok || !p.take("rename", "to") {
		return nil
	}
	to, ok := p.name()
	if !ok {
		return nil
	}
	return []Step{{Thing{Kind: Index, Schema: schema, Name: name}, true}, {Thing{Kind: Index, Schema: schema, Name: to}, false}}
}

// dropAll reads the names of a DROP.
func (p *parser) dropAll(kind Kind) (steps []Step) {
	p.take("if", "exists")
	for {
		schema, name, ok := p.path()
		if !ok {
			return steps
		}
		one := Thing{Kind: kind, Schema: schema, Name: name}
		if kind == Table {
			one.Table, one.Name = name, ""
		}
		steps = append(steps, Step{one, true})
		if !p.take(",") {
			return steps
		}
	}
}

func (p *parser) alterTable() (steps []Step) {
	p.take("if", "exists")
	p.take("only")
	schema, table, ok := p.path()
	if !ok {
		return nil
	}
	p.take("*")
	for p.peek() != (token{}) {
		end := p.actionEnd()
		a := action{parser{tokens: p.tokens[p.at:end]}, Thing{Schema: schema, Table: table}}
		steps = append(steps, a.steps()...)
		p.at = min(end+1, len(p.tokens))
	}
	return steps
}

// actionEnd is where the action ends that begins here: at the next comma that stands in no brackets.
func (p *parser) actionEnd() int {
	depth := 0
	for i := p.at; i < len(p.tokens); i++ {
		switch t := p.tokens[i]; {
		case t.is("(", "["):
			depth++
		case t.is(")", "]"):
			depth--
		case t.is(",") && depth <= 0:
			return i
		}
	}
	return len(p.tokens)
}

// action is one of an ALTER TABLE.
type action struct {
	parser
	of Thing // the table
}

func (a *action) step(kind Kind, name string, drops bool) Step {
	t := a.of
	t.Kind, t.Name = kind, name
	return Step{t, drops}
}

func (a *action) steps() []Step {
	switch {
	case a.take("add"):
		return a.add()
	case a.take("drop"):
		kind := Column
		if a.take("constraint") {
			kind = Constraint
		} else {
			a.take("column")
		}
		a.take("if", "exists")
		if name, ok := a.name(); ok {
			return []Step{a.step(kind, name, true)}
		}
	case a.take("rename", "to"):
		return []Step{a.step(Table, "", true)}
	case a.take("rename"):
		return a.rename()
	}
	return nil
}

func (a *action) rename() []Step {
	kind := Column
	if a.take("constraint") {
		kind = Constraint
	} else {
		a.take("column")
	}
	from, ok := a.name()
	if !ok || !a.take("to") {
		return nil
	}
	to, ok := a.name()
	if !ok {
		return nil
	}
	return []Step{a.step(kind, from, true), a.step(kind, to, false)}
}

// add reads what is added. A constraint without a name gets one that is free.
func (a *action) add() (steps []Step) {
	if a.take("constraint") {
		if name, ok := a.name(); ok {
			steps = append(steps, a.step(Constraint, name, false))
		}
		return steps
	}
	if !a.take("column") && a.peek().kind == word &&
		slices.Contains([]string{"check", "unique", "primary", "foreign", "exclude", "not"}, a.peek().text) {
		return nil
	}
	looks := a.take("if", "not", "exists")
	name, ok := a.name()
	if !ok || looks {
		return nil // with its constraints, if it is there
	}
	return append([]Step{a.step(Column, name, false)}, a.named()...)
}

// named are the constraints of a column that have names.
func (a *action) named() (steps []Step) {
	depth := 0
	for ; a.at < len(a.tokens); a.at++ {
		switch t := a.peek(); {
		case t.is("(", "["):
			depth++
		case t.is(")", "]"):
			depth--
		case depth == 0 && t.is("constraint") && a.at+1 < len(a.tokens):
			a.at++
			if name := a.peek(); name.kind == word || name.kind == quoted {
				steps = append(steps, a.step(Constraint, name.text, false))
			}
		}
	}
	return steps
}
