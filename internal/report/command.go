package report

import (
	"fmt"
	"strings"
)

// told begins the line of a message that tells a command to type.
const told = "    anthill "

// Command is a command line of anthill that does the same as it stands when it is pasted into a POSIX shell: arguments
// are quoted where that is needed, and -chdir stands in it where it was given. The result is one line of printable
// characters.
func Command(o Options, args ...string) string {
	words := []string{"anthill"}
	if o.Chdir != "" {
		words = append(words, "-chdir", o.Chdir)
	}
	words = append(words, args...)
	for i, w := range words {
		words[i] = quote(w)
	}
	return strings.Join(words, " ")
}

// Commands puts -chdir, where it was given, into the commands that a message tells: lines that are indented by four
// blanks and begin with "anthill". Those that ask for help and those that name a directory already stay as they are.
func Commands(o Options, text string) string {
	if o.Chdir == "" {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		rest, ok := strings.CutPrefix(l, told)
		if ok && !strings.HasSuffix(rest, " -h") && !strings.HasPrefix(rest, "-chdir") {
			lines[i] = "    " + Command(o) + " " + rest
		}
	}
	return strings.Join(lines, "\n")
}

// plainSigns need no quotes in a shell, besides letters and digits.
const plainSigns = "-_./:=,@%+"

func quote(word string) string {
	// Signs that no shell takes for its own. A word of these alone looks best without quotes.
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(plainSigns, r)
	}
	switch {
	case word != "" && strings.TrimLeftFunc(word, plain) == "":
		return word
	case Escape(word) == word:
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	// What a terminal would not show as it is, a line break among it, is written byte by byte.
	var b strings.Builder
	b.WriteString(`"$(printf '`)
	for _, c := range []byte(word) {
		if c < 0x80 && plain(rune(c)) && c != '%' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\%03o`, c)
		}
	}
	return b.String() + `')"`
}
