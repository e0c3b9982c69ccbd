package selfauthd

import (
	"math"
	"regexp"
	"slices"
	"strings"
)

// The advice that goes with a refused password, as the server words it.
const (
	adviceWords   = "useafewwordsavoidcommonphrases"
	adviceSymbols = "noneedforsymbolsdigitsoruppercaseletters"
	adviceMore    = "addanotherwordortwo"
)

// badlist are passwords that are refused although nobody would guess them: the one that the server has for trying it.
var badlist = []string{"demo_badlist_shohfie3aeci2oobur0aru9uushah6eipi2woh4hohngoighairuepien3ongoo1"}

// commonPasswords are the likeliest first; what the server knows of them is much more.
var commonPasswords = strings.Fields(`password 123456 12345678 1234 qwerty 12345 dragon pussy baseball football letmein monkey 696969 abc123 mustang michael
	shadow master jennifer 111111 2000 jordan superman harley 1234567 trustno1 iloveyou sunshine princess welcome admin login passw0rd password1 changeme
	starwars whatever freedom hello charlie secret summer winter spring autumn test guest root`)

// commonWords are the words of the language that come up first.
var commonWords = strings.Fields(`the and you that was for are with his they this have from one had word but not what all were when your can said there use each
	which she how their will other about out many then them these some her would make like him into time has look two more write see number way could people
	than first water been call who oil its now find long down day did get come made may part correct horse company group user example corp mail house home
	world work school love life tree night light music`)

// pattern is something in a password that is easier to guess than its length says.
type pattern struct {
	from, to int
	guesses  float64
	advice   []string
}

// quality returns what is wrong with a password; nil: nothing. It estimates how many guesses it would take, in the manner of
// zxcvbn: the likeliest way to put the password together out of known patterns counts. Words are those that are known here, so
// that it lets more pass than the real server.
func quality(password string, shortest int, words []string) []any {
	if len([]rune(password)) < shortest {
		return []any{map[string]int{"tooshort": shortest}}
	}
	text := strings.ToLower(password)
	guesses, weakest := estimate(text, words)
	switch {
	case guesses < 1e10+5:
		advice := []string{adviceWords, adviceMore, adviceSymbols}
		if weakest != nil && guesses < 1e8+5 {
			advice = weakest.advice
		}
		out := make([]any, len(advice))
		for i, a := range advice {
			out[i] = a
		}
		return out
	case slices.Contains(badlist, text):
		return []any{"badlisted"}
	}
	return nil
}

// estimate finds the fewest guesses for a text, and the longest of the patterns that they stand on.
func estimate(text string, words []string) (float64, *pattern) {
	type step struct {
		guesses float64
		parts   int
		longest *pattern
	}
	found := patterns(text, words)
	best := make([]step, len(text)+1)
	best[0] = step{guesses: 1}
	for end := 1; end <= len(text); end++ {
		best[end] = step{guesses: math.Inf(1)}
		for i := range found {
			p := &found[i]
			if p.to != end {
				continue
			}
			before := best[p.from]
			longest := before.longest
			if longest == nil || p.to-p.from > longest.to-longest.from {
				longest = p
			}
			if g := before.guesses * p.guesses * float64(before.parts+1); g < best[end].guesses {
				best[end] = step{g, before.parts + 1, longest}
			}
		}
		for from := range end {
			before := best[from]
			if g := before.guesses * math.Pow(10, float64(end-from)); g < best[end].guesses {
				best[end] = step{g, before.parts, before.longest}
			}
		}
	}
	return best[len(text)].guesses, best[len(text)].longest
}

var (
	dates = regexp.MustCompile(`(19|20)\d\d`)
	rows  = []string{"1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm"}
)

// patterns finds everything in a text that is easy to guess.
func patterns(text string, words []string) (list []pattern) {
	similar := []string{adviceMore, "thisissimilartoacommonlyusedpassword"}
	for rank, word := range commonPasswords {
		advice := similar
		if strings.TrimRight(text, "0123456789!") == word || text == word {
			advice = []string{adviceMore, "thisisacommonpassword"}
		}
		list = append(list, occurrences(text, word, float64(rank+1), advice)...)
	}
	for rank, word := range commonWords {
		list = append(list, occurrences(text, word, float64(10*(rank+1)), []string{adviceMore})...)
	}
	for rank, word := range own(words) {
		list = append(list, occurrences(text, word, float64(rank+1), []string{"avoiddatesandyearsthatareassociatedwithyou", "namesandsurnamesbythemselvesareeasytoguess"})...)
	}
	for _, at := range dates.FindAllStringIndex(text, -1) {
		list = append(list, pattern{at[0], at[1], 120, []string{adviceMore, "avoidrecentyears", "recentyearsareeasytoguess"}})
	}
	for _, row := range rows {
		list = append(list, stretches(text, func(a, b byte) bool { return strings.Contains(row, string([]byte{a, b})) }, 40, similar)...)
	}
	list = append(list, stretches(text, func(a, b byte) bool { return b == a+1 || a == b+1 }, 20, []string{adviceMore, "avoidsequences", "sequenceslikeabcareeasytoguess"})...)
	return append(list, repeats(text)...)
}

// own are the words of a person: its names and what its addresses consist of.
func own(words []string) (list []string) {
	for _, w := range words {
		for _, part := range strings.FieldsFunc(strings.ToLower(w), func(r rune) bool { return strings.ContainsRune(" @.-_", r) }) {
			if len(part) > 2 {
				list = append(list, part)
			}
		}
	}
	return list
}

func occurrences(text, word string, guesses float64, advice []string) (list []pattern) {
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return list
		}
		list = append(list, pattern{from + i, from + i + len(word), guesses + 1, advice})
		from += i + 1
	}
}

// stretches are runs of three characters or more of which each goes with the next.
func stretches(text string, goes func(a, b byte) bool, guesses float64, advice []string) (list []pattern) {
	for from := 0; from < len(text); {
		to := from + 1
		for to < len(text) && goes(text[to-1], text[to]) {
			to++
		}
		if to-from >= 3 {
			list = append(list, pattern{from, to, guesses * float64(to-from), advice})
		}
		from = to
	}
	return list
}

// repeats are parts that come twice or more, one after another.
func repeats(text string) (list []pattern) {
	for size := 1; size <= len(text)/2; size++ {
		for from := 0; from+2*size <= len(text); {
			to := from + size
			for to+size <= len(text) && text[to:to+size] == text[from:from+size] {
				to += size
			}
			if to-from < max(2*size, 3) {
				from++
				continue
			}
			advice := []string{adviceMore, "avoidrepeatedwordsandcharacters", "repeatslikeabcabcareonlyslightlyhardertoguess"}
			if size == 1 {
				advice[2] = "repeatslikeaaaareeasytoguess"
			}
			list = append(list, pattern{from, to, math.Pow(10, float64(min(size, 4))) * float64((to-from)/size), advice})
			from = to
		}
	}
	return list
}
