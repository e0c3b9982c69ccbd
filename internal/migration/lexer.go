package migration

import (
	"errors"
	"strings"
)

// errUnsound is a text in which a quote or a comment is never closed, or that is no text at all.
var errUnsound = errors.New("no sound SQL")

// kind is the kind of a token.
type kind uint8

const (
	word   kind = iota + 1 // in small letters, as Postgres takes it
	quoted                 // "a name", without its quotes
	text                   // a string of whatever quotes; its content is not kept
	sign                   // any other character, alone
)

// token is a word of SQL. The zero token is the end.
type token struct {
	kind kind
	text string
}

func (t token) is(words ...string) bool {
	for _, w := range words {
		if t.kind != quoted && t.text == w {
			return true
		}
	}
	return false
}

// lexer cuts SQL into tokens.
type lexer struct {
	src string
	at  int
	err error // the text is not sound from here
}

// next is the next token; the zero one at the end, or where the text is not sound.
func (l *lexer) next() token {
	if !l.blanks() || l.at >= len(l.src) {
		return token{}
	}
	start, c := l.at, l.src[l.at]
	switch {
	case c == '\'':
		return l.string(false)
	case c == '"':
		return l.name()
	case c == '$':
		if tag, ok := l.dollar(); ok {
			return l.until(tag)
		}
	case begins(c):
		for l.at < len(l.src) && (begins(l.src[l.at]) || digit(l.src[l.at]) || l.src[l.at] == '$') {
			l.at++
		}
		return l.prefixed(l.src[start:l.at])
	case digit(c):
		for l.at < len(l.src) && (begins(l.src[l.at]) || digit(l.src[l.at]) || l.src[l.at] == '.') {
			l.at++
		}
		return token{word, l.src[start:l.at]}
	}
	l.at++
	return token{sign, l.src[start:l.at]}
}

// prefixed is a word, or the string or name that it stands before: E'..', B'..', X'..', N'..', U&'..' and U&"..".
func (l *lexer) prefixed(w string) token {
	rest := l.src[l.at:]
	lower := strings.ToLower(w)
	switch {
	case len(w) == 1 && strings.HasPrefix(rest, "'") && strings.Contains("ebxn", lower):
		return l.string(lower == "e")
	case lower == "u" && strings.HasPrefix(rest, "&'"):
		l.at++
		return l.string(false)
	case lower == "u" && strings.HasPrefix(rest, `&"`):
		l.at++
		return l.name()
	}
	return token{word, lower}
}

// string reads to the closing quote. Two quotes are one of the text; with escapes a backslash takes what follows it.
func (l *lexer) string(escapes bool) token {
	for l.at++; l.at < len(l.src); l.at++ {
		switch c := l.src[l.at]; {
		case c == '\\' && escapes:
			l.at++
		case c != '\'':
		case strings.HasPrefix(l.src[l.at+1:], "'"):
			l.at++
		default:
			l.at++
			return token{kind: text}
		}
	}
	return l.unsound()
}

func (l *lexer) name() token {
	var b strings.Builder
	for l.at++; l.at < len(l.src); l.at++ {
		if l.src[l.at] == '"' {
			if !strings.HasPrefix(l.src[l.at+1:], `"`) {
				l.at++
				return token{quoted, b.String()}
			}
			l.at++
		}
		b.WriteByte(l.src[l.at])
	}
	return l.unsound()
}

// dollar is the tag of a dollar quote that begins here: $$ or $tag$.
func (l *lexer) dollar() (tag string, ok bool) {
	for end := l.at + 1; end < len(l.src); end++ {
		switch c := l.src[end]; {
		case c == '$':
			return l.src[l.at : end+1], true
		case !begins(c) && (!digit(c) || end == l.at+1):
			return "", false
		}
	}
	return "", false
}

func (l *lexer) until(tag string) token {
	l.at += len(tag)
	end := strings.Index(l.src[l.at:], tag)
	if end < 0 {
		return l.unsound()
	}
	l.at += end + len(tag)
	return token{kind: text}
}

// blanks passes over blanks, comments and the commands of psql; false: a comment is not closed, or the way back begins here.
func (l *lexer) blanks() bool {
	for l.at < len(l.src) {
		rest := l.src[l.at:]
		switch c := rest[0]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v':
			l.at++
		case strings.HasPrefix(rest, "--"):
			line, _, _ := strings.Cut(rest, "\n")
			if goesBack(line) {
				l.at = len(l.src)
				return true
			}
			l.at += len(line)
		case strings.HasPrefix(rest, "/*"):
			if !l.comment() {
				return false
			}
		case c == '\\' && (l.at == 0 || l.src[l.at-1] == '\n'):
			line, _, _ := strings.Cut(rest, "\n")
			l.at += len(line)
		default:
			return true
		}
	}
	return true
}

// goesBack reports whether a comment begins the half of a file that takes its migration back, as dbmate, goose and sql-migrate
// write it.
func goesBack(comment string) bool {
	words := strings.Fields(strings.ToLower(strings.TrimLeft(comment, "-")))
	if len(words) == 1 {
		return words[0] == "migrate:down"
	}
	return len(words) > 1 && (words[0] == "migrate:down" || (words[0] == "+goose" || words[0] == "+migrate") && words[1] == "down")
}

// comment passes over a comment, which may hold others.
func (l *lexer) comment() bool {
	depth := 0
	for l.at < len(l.src) {
		switch rest := l.src[l.at:]; {
		case strings.HasPrefix(rest, "/*"):
			depth++
			l.at += 2
		case strings.HasPrefix(rest, "*/"):
			depth--
			l.at += 2
			if depth == 0 {
				return true
			}
		default:
			l.at++
		}
	}
	l.unsound()
	return false
}

// data passes over the rows of a COPY, as a dump has them, from the end of its statement.
func (l *lexer) data() {
	for l.at < len(l.src) {
		line, rest, _ := strings.Cut(l.src[l.at:], "\n")
		l.at = len(l.src) - len(rest)
		if strings.TrimRight(line, "\r") == `\.` {
			return
		}
	}
}

func (l *lexer) unsound() token {
	l.at, l.err = len(l.src), errUnsound
	return token{}
}

func begins(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
