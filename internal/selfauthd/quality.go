package selfauthd

import (
	"math"
	"slices"
	"strings"

	"anthill/internal/regex"
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

// quality returns what is wrong with a password; nil: nothing. Words are what the person is called: none may be in it.
//
// It estimates how many guesses it would take, in the manner of zxcvbn: the likeliest way to put the password together
// out of known patterns counts. Fewer words are known here, so that more passes than at the real server.
func quality(password string, shortest int, words []string) []any {
	if len([]rune(password)) < shortest {
		return []any{map[string]int{"tooshort": shortest}}
	}
	if slices.ContainsFunc(words, func(w string) bool { return w != "" && strings.Contains(password, w) }) {
		return []any{"namesandsurnamesbythemselvesareeasytoguess", "avoiddatesandyearsthatareassociatedwithyou"}
	}
	text := strings.ToLower(password)
	guesses, weakest := estimate(text, true)
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

const mostParts = 12 // that a password is taken apart into

// estimate finds the fewest guesses for a text, and the longest of the patterns that they stand on. A guesser must find
// out too into how many parts, and in which order, so that each part more costs a factor.
func estimate(text string, repeated bool) (float64, *pattern) {
	type step struct {
		guesses float64
		longest *pattern
		random  bool // it ends with characters that are no pattern
	}
	unknown := step{guesses: math.Inf(1)}
	found := patterns(text, repeated)
	best := make([][mostParts + 1]step, len(text)+1)
	for end := range best {
		for parts := range best[end] {
			best[end][parts] = unknown
		}
	}
	best[0][0].guesses = 1
	for end := 1; end <= len(text); end++ {
		for parts := 1; parts <= mostParts; parts++ {
			at := &best[end][parts]
			for i := range found {
				p := &found[i]
				if p.to != end {
					continue
				}
				before := best[p.from][parts-1]
				if g := before.guesses * p.guesses; g < at.guesses {
					*at = step{g, longer(before.longest, p), false}
				}
			}
			for from := range end {
				before := best[from][parts-1]
				if g := before.guesses * math.Pow(10, float64(end-from)); !before.random && g < at.guesses {
					*at = step{g, before.longest, true}
				}
			}
		}
	}
	result, order := unknown, 1.0
	for parts := 1; parts <= mostParts; parts++ {
		order *= float64(parts)
		at := best[len(text)][parts]
		if at.guesses = at.guesses*order + math.Pow(10000, float64(parts-1)); at.guesses < result.guesses {
			result = at
		}
	}
	return result.guesses, result.longest
}

func longer(a, b *pattern) *pattern {
	if a == nil || b.to-b.from > a.to-a.from {
		return b
	}
	return a
}

var (
	years = regex.Lazy(`(19|20)\d\d`)
	dates = regex.Lazy(`\d{1,2}[-./ ]\d{1,2}[-./ ]\d{4}|\d{4}[-./ ]\d{1,2}[-./ ]\d{1,2}`)
	rows  = []string{"1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm"}
)

// patterns finds everything in a text that is easy to guess.
func patterns(text string, repeated bool) (list []pattern) {
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
	for _, at := range years().FindAllStringIndex(text, -1) {
		list = append(list, pattern{at[0], at[1], 120, []string{adviceMore, "avoidrecentyears", "recentyearsareeasytoguess"}})
	}
	for _, at := range dates().FindAllStringIndex(text, -1) {
		list = append(list, pattern{at[0], at[1], 365 * 60 * 4,
			[]string{adviceMore, "avoiddatesandyearsthatareassociatedwithyou", "datesareofteneasytoguess"}})
	}
	for _, row := range rows {
		list = append(list, stretches(text, func(a, b byte) bool { return strings.Contains(row, string([]byte{a, b})) },
			40, similar)...)
	}
	list = append(list, stretches(text, func(a, b byte) bool { return b == a+1 || a == b+1 }, 20,
		[]string{adviceMore, "avoidsequences", "sequenceslikeabcareeasytoguess"})...)
	if repeated {
		list = append(list, repeats(text)...)
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
			base, _ := estimate(text[from:from+size], false)
			list = append(list, pattern{from, to, base * float64((to-from)/size), advice})
			from = to
		}
	}
	return list
}
