package report

import (
	"io"
	"strings"

	"github.com/google/uuid"

	"anthill/state"
)

// ToForget says what is kept of a user, before it is forgotten. person was there before us; zero: none.
func ToForget(w io.Writer, user uuid.UUID, wave string, runs []string, records int, person uuid.UUID, o Options) error {
	p := newPage(w, o)
	p.line("Kept of user %s, whose row is gone:", user)
	if wave != "" {
		p.line("  recorded under wave %s", Escape(wave))
	}
	if records > 0 {
		p.hang("  ", of(int64(records), "journal record", "journal records")+" of "+of(int64(len(runs)), "run", "runs")+": "+strings.Join(each(runs, Escape), ", "))
	}
	if person != uuid.Nil {
		p.hang("  ", "person "+person.String()+" was in Self-auth before Anthill and stays there: it is not Anthill's to delete")
	}
	p.gap()
	p.para("Forgotten is what was recorded, what each run found, did and would take back, and the id in the journal. The plans that the runs keep hold the id and a digest of the " +
		"row, and stay as they were approved (docs/people-kept.md).")
	return p.flush()
}

// Forgot says that a user was forgotten.
func Forgot(w io.Writer, f state.Forgotten, o Options) error {
	p := newPage(w, o)
	p.line("Forgotten. Recorded: %s, without the user.", signedWords("wanted by", f.Signed))
	p.line("The runs, their figures and their digests are as they were. No rollback takes this user back any more.")
	return p.flush()
}

// ForgottenBefore says that a user was forgotten already.
func ForgottenBefore(w io.Writer, f state.Forgotten, o Options) error {
	p := newPage(w, o)
	p.line("This user was forgotten already, %s. Nothing was changed.", signedWords("wanted by", f.Signed))
	return p.flush()
}
