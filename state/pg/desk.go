package pg

import (
	"context"

	"github.com/jackc/pgx/v5"

	"anthill/state"
)

// right is what a role needs to do with columns of a table.
type right struct {
	does, table string
	columns     []string
}

// toShow is what it takes to record that a code was shown.
var toShow = []right{{"INSERT", "mails", []string{"id", "user_id", "wave", "letter", "round", "link", "unverified", "template", "run", "status",
	"chosen", "ended", "shown_to", "reason"}}}

// toMail is what it takes to record a run of mails alone.
var toMail = []right{
	{"SELECT", "epoch", []string{"epoch", "one"}},
	{"INSERT", "epoch", []string{"epoch"}},
	{"UPDATE", "epoch", []string{"epoch"}},
	{"UPDATE", "meta", []string{"serial"}},
	{"INSERT", "runs", []string{"id", "kind", "plan", "seal", "who", "approved_by", "started", "open", "outcome", "counts", "undoes", "undone",
		"previous", "digest", "segment", "position"}},
	{"UPDATE", "runs", []string{"open", "ended", "outcome", "counts", "segment", "position", "digest"}},
	{"INSERT", "plans", []string{"run", "n", "data"}},
	{"INSERT", "calls", []string{"run", "batch", "request", "doing", "milliseconds"}},
	{"INSERT", "records", []string{"id", "run", "batch", "user_id", "tenant", "segment", "wave", "settled", "verdict", "reason"}},
	{"INSERT", "mails", []string{"id", "user_id", "wave", "letter", "round", "link", "unverified", "template", "run", "status", "chosen"}},
	{"UPDATE", "mails", []string{"wave", "link", "unverified", "template", "chosen", "run", "status", "past", "rendered", "ended", "reply",
		"enhanced", "why"}},
}

// ToMail are the rights that it takes to record a run of mails alone.
func (s *Store) ToMail(ctx context.Context) ([]state.Right, error) {
	return s.narrow(ctx, toMail, idsName)
}

// ToShow are the rights that it takes to record that a code was shown.
func (s *Store) ToShow(ctx context.Context) ([]state.Right, error) { return s.narrow(ctx, toShow, "") }

// narrow are rights in a state of this version: whoever may change its tables brings an earlier one to it.
func (s *Store) narrow(ctx context.Context, list []right, sequence string) (rights []state.Right, err error) {
	err = s.reading(ctx, func(tx pgx.Tx) error {
		version, err := s.version(ctx, tx)
		if err != nil || version < mailVersion {
			return noState(err)
		}
		return nil
	})
	return s.columnRights(list, sequence), err
}

func (s *Store) columnRights(list []right, sequence string) (rights []state.Right) {
	for _, r := range list {
		for _, c := range r.columns {
			rights = append(rights, state.Right{On: state.OnTable, Schema: s.schema, Name: r.table, Column: c, Privilege: r.does})
		}
	}
	if sequence != "" {
		rights = append(rights, state.Right{On: state.OnSequence, Schema: s.schema, Name: sequence, Privilege: "USAGE"})
	}
	return rights
}
