package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"anthill/config"
	"anthill/providers"
)

const (
	maxName   = 64
	suffixLen = 8 // hexadecimal digits behind a hyphen
)

// Namer makes the name and the display name of a person from a row. The same row gives the same names on every
// machine, when planning and when applying.
type Namer struct {
	Name, Display config.Template
}

// Vars are what the templates of identity see of a row.
func Vars(u providers.User, tenantSlug string) config.UserVars {
	local, _, _ := strings.Cut(u.Email, "@")
	return config.UserVars{
		TenantSlug: tenantSlug,
		Email:      u.Email,
		EmailLocal: local,
		FullName:   u.FullName,
		Role:       u.Role,
		UserID:     u.ID,
	}
}

// Person returns the names of a row's person; with suffix the name carries one that is a pure function of the
// user's id. ok is false where a template fails.
func (n Namer) Person(u providers.User, tenantSlug string, suffix bool) (name, display string, ok bool) {
	vars := Vars(u, tenantSlug)
	raw, err := n.Name.Render(vars)
	if err != nil {
		return "", "", false
	}
	display, ok = n.display(vars)
	return CleanName(raw, u.ID, suffix), display, ok
}

// Addressed is how a user is addressed in a mail: by the full name, else the address's local part.
func Addressed(u providers.User) string {
	name, _ := Namer{}.display(Vars(u, ""))
	return name
}

func (n Namer) display(vars config.UserVars) (string, bool) {
	text := vars.FullName
	if !n.Display.IsZero() {
		var err error
		if text, err = n.Display.Render(vars); err != nil {
			return "", false
		}
	}
	if text = cleanText(text); text == "" {
		text = cleanText(vars.EmailLocal)
	}
	return text, text != ""
}

// cleanText turns control characters into blanks, which Self-auth refuses, and also what breaks a line, turns its
// direction or is invisible: Self-auth accepts those, but one person could pass for another by them.
func cleanText(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return strings.TrimSpace(s)
	}
	s = strings.ToValidUTF8(s, " ")
	clean := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) ||
			strings.ContainsRune("\u2028\u2029\u200b\ufeff", r) {
			return ' '
		}
		return r
	}, s)
	return strings.TrimSpace(clean)
}

// CleanName makes a name that Self-auth accepts (F18) from any text: lower-case ASCII, a letter first, at most 64
// characters, no UUID, no reserved word. A name that must be changed for the last three carries the suffix, and so does
// one that is made from nothing.
func CleanName(raw string, user uuid.UUID, suffix bool) string {
	base := asciiName(raw)
	switch {
	case base == "":
		base, suffix = "u", true
	case base[0] < 'a' || base[0] > 'z':
		base = "u-" + base
	}
	if isUUID(base) || base == "root" || len(base) > maxName {
		suffix = true
	}
	if !suffix {
		return base
	}
	// The suffix depends on the user alone, so that apply makes the same name from one row.
	sum := sha256.Sum256(user[:])
	if keep := maxName - suffixLen - 1; len(base) > keep {
		base = strings.TrimRight(base[:keep], "-_.")
	}
	return base + "-" + hex.EncodeToString(sum[:suffixLen/2])
}

// isUUID reports whether Self-auth would read a name as an id: with hyphens or without. uuid.Parse accepts more forms.
func isUUID(name string) bool {
	if len(name) != 36 && len(name) != 32 {
		return false
	}
	_, err := uuid.Parse(name)
	return err == nil
}

// asciiName folds a text to the letters, digits and signs of a name. Anything else becomes a hyphen, several in a row
// only one.
func asciiName(raw string) string {
	if plain(raw) {
		return raw
	}
	var b strings.Builder
	hyphen := false
	// Some signs decompose into capitals, so lower case comes after decomposing.
	for _, r := range strings.ToLower(norm.NFKD.String(raw)) {
		var out string
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_', r == '.':
			out = string(r)
		case unicode.Is(unicode.Mn, r):
			continue
		default:
			out = foreign[r] // "": nothing stands for it
		}
		if out == "" {
			hyphen = true
			continue
		}
		if hyphen && b.Len() > 0 {
			b.WriteByte('-')
		}
		hyphen = false
		b.WriteString(out)
	}
	return strings.Trim(b.String(), "-_.")
}

// plain reports whether a text is a name already, as most are: nothing to fold, and no hyphens in a row or at the ends.
func plain(s string) bool {
	last := byte('-')
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case c == '-', c == '_', c == '.':
			if i == 0 || (c == '-' && last == '-') {
				return false
			}
		default:
			return false
		}
		last = c
	}
	return s != "" && last != '-' && last != '_' && last != '.'
}

// foreign are letters that no decomposition turns into ASCII.
var foreign = map[rune]string{
	'đ': "d", 'ð': "d", 'ø': "o", 'ł': "l", 'ß': "ss", 'æ': "ae", 'œ': "oe", 'þ': "th", 'ı': "i", 'ħ': "h", 'ŋ': "n",
}
