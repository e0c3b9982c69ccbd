package pg

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"anthill/state"
)

// IntendObjects makes the intents of objects durable.
func (r *run) IntendObjects(ctx context.Context, intents ...state.ObjectIntent) (again []bool, err error) {
	err = r.s.writing(ctx, func(tx pgx.Tx) error {
		again = nil
		for _, i := range intents {
			known, err := r.intendObject(ctx, tx, i)
			if err != nil {
				return err
			}
			again = append(again, known)
		}
		return nil
	})
	return again, err
}

// intendObject says whether the run had been stopped with the intent unsettled: then it stays as it is, for its
// before-image is the true one.
func (r *run) intendObject(ctx context.Context, tx pgx.Tx, i state.ObjectIntent) (known bool, err error) {
	var images [4]*string
	for k, v := range []any{i.Before, i.After, i.Was, i.Will} {
		if images[k], err = jsonOf(v); err != nil {
			return false, err
		}
	}
	tag, err := tx.Exec(ctx, r.s.sql(`insert into {schema}.object_records
			(run, address, action, origin, before, after, was, will)
		select $1, $2, $3, $4, $5, $6, $7, $8 where not exists
			(select from {schema}.object_records where run = $1 and address = $2 and not settled)`),
		r.id, i.Address, i.Action, i.From, images[0], images[1], images[2], images[3])
	return tag.RowsAffected() == 0, err
}

// jsonOf is the text of an image; nil for none.
func jsonOf(v any) (*string, error) {
	b, err := json.Marshal(v)
	if text := string(b); err == nil && text != "null" {
		return &text, nil
	}
	return nil, err
}

// SettleObjects records how the changes of objects ended, and what is recorded of them from now on.
func (r *run) SettleObjects(ctx context.Context, outcomes ...state.ObjectOutcome) error {
	settlement := r.progress.Objects(outcomes)
	err := r.s.writing(ctx, func(tx pgx.Tx) error {
		for _, o := range outcomes {
			if err := r.settleObject(ctx, tx, o); err != nil {
				return err
			}
		}
		return r.advance(ctx, execer{tx}, settlement)
	})
	if err == nil {
		r.progress.Written(settlement)
	}
	return err
}

func (r *run) settleObject(ctx context.Context, tx pgx.Tx, o state.ObjectOutcome) error {
	reason, err := reasonText(o.Reason)
	if err != nil {
		return err
	}
	// A change that was left alone before anything was intended has no record yet, but the journal lists it too.
	n, err := tx.Exec(ctx, r.s.sql(`update {schema}.object_records
		set settled = true, verdict = $3, reason = nullif($4, '')::jsonb
		where run = $1 and address = $2 and not settled`), r.id, o.Address, o.Verdict.String(), reason)
	if err == nil && n.RowsAffected() == 0 {
		_, err = tx.Exec(ctx, r.s.sql(`insert into {schema}.object_records (run, address, action, settled, verdict, reason)
			values ($1, $2, '', true, $3, nullif($4, '')::jsonb)`), r.id, o.Address, o.Verdict.String(), reason)
	}
	if err != nil {
		return err
	}
	if o.From != "" && o.From != o.Address {
		if err := r.s.recordObject(ctx, tx, o.From, nil); err != nil {
			return err
		}
	}
	return r.s.recordObject(ctx, tx, o.Address, o.Recorded)
}

// recordObject writes what is recorded at an address from now on; nil: nothing.
func (s *Store) recordObject(ctx context.Context, tx pgx.Tx, a state.Address, o *state.Object) error {
	if o == nil {
		_, err := tx.Exec(ctx, s.sql("delete from {schema}.objects where address = $1"), a)
		return err
	}
	attributes, err := json.Marshal(o.Attributes)
	if err != nil {
		return err
	}
	members, err := json.Marshal(o.Members)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, s.sql(`insert into {schema}.objects
			(address, kind, id, generation, tenant, tenant_slug, attributes, members, adopted, deleted, paused, run)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		on conflict (address) do update set kind = excluded.kind, id = excluded.id, generation = excluded.generation,
			tenant = excluded.tenant, tenant_slug = excluded.tenant_slug, attributes = excluded.attributes,
			members = excluded.members, adopted = excluded.adopted, deleted = excluded.deleted, paused = excluded.paused, run = excluded.run`),
		a, o.Kind, o.ID, o.Generation, o.Tenant, o.TenantSlug, string(attributes), string(members),
		o.Adopted, o.Deleted, o.Paused, o.Run)
	return err
}
