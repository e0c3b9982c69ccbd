package config

import (
	"bytes"
	"encoding/json"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

const (
	maxNesting   = 200  // brackets in brackets: the parser recurses
	maxDepth     = 4000 // operators, names behind points and the like in one expression, where each may be a part of the one before
	perDirective = 10   // a directive of a template is as deep as so many
)

// checkBrackets finds too many open brackets before anything is made of the source. Those in texts count as well.
func checkBrackets(src []byte, whole hcl.Range) *hcl.Diagnostic {
	depth := 0
	for _, c := range src {
		switch c {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth = max(0, depth-1)
		}
		if depth > maxNesting {
			return problem(whole, "Nested too deeply", "%s has more than %d brackets open at once. Name parts of it in locals.", whole.Filename,
				maxNesting)
		}
	}
	return nil
}

// How a source is cut into tokens: a file, a text that is a template, or an expression.
type lexer func(src []byte, name string, at hcl.Pos) (hclsyntax.Tokens, hcl.Diagnostics)

// checkDepth finds what would lead a parser, and all that walks what it makes, too deep, without going there: an expression may
// nest without any bracket, in chains of operators and in the directives of templates.
func checkDepth(src []byte, at hcl.Range, lex lexer) *hcl.Diagnostic {
	if d := checkBrackets(src, at); d != nil {
		return d
	}
	if len(src) <= maxDepth {
		return nil
	}
	tokens, _ := lex(src, at.Filename, at.Start) // the parser says what is wrong with them
	c := chains{open: []chain{{with: hclsyntax.TokenOBrace}}}
	for i := range tokens {
		if c.next(tokens, i); c.sum+c.directives > maxDepth {
			return problem(tokens[i].Range, "Nested too deeply", "Here an expression has more than %d operators, names and directives, each "+
				"within the one before. Name parts of it in locals.", maxDepth)
		}
	}
	return nil
}

// chains are the open brackets of a source, outermost first, each with the operators and steps since the last comma or line.
type chains struct {
	open       []chain
	sum        int
	directives int
}

type chain struct {
	with hclsyntax.TokenType
	n    int
}

func (c *chains) next(tokens hclsyntax.Tokens, i int) {
	last := &c.open[len(c.open)-1]
	switch t := tokens[i].Type; t {
	case hclsyntax.TokenTemplateControl:
		c.directives = max(0, c.directives+directive(tokens[i+1:]))
		c.open = append(c.open, chain{with: t})
	case hclsyntax.TokenTemplateInterp:
		c.open = append(c.open, chain{with: t})
	case hclsyntax.TokenOParen, hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
		last.n++ // a[x][y] nests
		c.sum++
		c.open = append(c.open, chain{with: t})
	case hclsyntax.TokenCParen, hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc,
		hclsyntax.TokenTemplateSeqEnd:
		if c.sum -= last.n; len(c.open) > 1 {
			c.open = c.open[:len(c.open)-1]
		} else {
			last.n = 0
		}
	case hclsyntax.TokenComma:
		c.sum, last.n = c.sum-last.n, 0
	case hclsyntax.TokenNewline:
		if last.with == hclsyntax.TokenOBrace {
			c.sum, last.n = c.sum-last.n, 0
		}
	case hclsyntax.TokenIdent, hclsyntax.TokenNumberLit, hclsyntax.TokenStringLit, hclsyntax.TokenQuotedLit, hclsyntax.TokenComment:
	default:
		last.n++
		c.sum++
	}
}

// directive says by how much the directive that begins here leads deeper into a template.
func directive(tokens hclsyntax.Tokens) int {
	for _, t := range tokens[:min(len(tokens), 8)] { // line ends may come first
		if t.Type != hclsyntax.TokenIdent {
			continue
		}
		switch string(t.Bytes) {
		case "if", "for":
			return perDirective
		case "endif", "endfor":
			return -perDirective
		}
		return 0
	}
	return 0
}

// checkJSONDepth is checkDepth for the texts of a JSON file, which are templates; their brackets may be hidden in escapes.
func checkJSONDepth(src []byte, whole hcl.Range) *hcl.Diagnostic {
	if d := checkBrackets(src, whole); d != nil {
		return d
	}
	d := json.NewDecoder(bytes.NewReader(src))
	d.UseNumber()
	at, seen := whole, int64(0)
	// It ends with the file, or where the parser has something to say.
	for t, err := d.Token(); err == nil; t, err = d.Token() {
		text, ok := t.(string)
		if !ok {
			continue
		}
		now := d.InputOffset()
		at.Start.Line += bytes.Count(src[seen:now], []byte("\n"))
		at.Start.Byte, seen = int(now), now
		at.End = at.Start
		if problem := checkDepth([]byte(text), at, hclsyntax.LexTemplate); problem != nil {
			return problem
		}
	}
	return nil
}
