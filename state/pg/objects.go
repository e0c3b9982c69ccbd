package pg

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"anthill/state"
)

// IntendObjects makes the intents of objects durable. The statements of all go to the server together, as those of
// SettleObjects do: there may be a hundred groups.
func (r *run) IntendObjects(ctx context.Context, intents ...state.ObjectIntent) (again []bool, err error) {
	err = r.s.writing(ctx, func(tx pgx.Tx) error {
		again = make([]bool, len(intents))
		var b pgx.Batch
		for n, i := range intents {
			if err := r.intendObject(&b, i, &again[n]); err != nil {
				return err
			}
		}
		return tx.SendBatch(ctx, &b).Close()
	})
	return again, err
}

// intendObject says in known whether the run had been stopped with the intent unsettled: then it stays as it is, for
// its before-image is the true one.
func (r *run) intendObject(b *pgx.Batch, i state.ObjectIntent, known *bool) (err error) {
	var images [4]*string
	for k, v := range []any{i.Before, i.After, i.Was, i.Will} {
		if images[k], err = jsonOf(v); err != nil {
			return err
		}
	}
	b.Queue(r.s.sql(`insert into {schema}.object_records
			(run, address, action, origin, before, after, was, will)
		select $1, $2, $3, $4, $5, $6, $7, $8 where not exists
			(select from {schema}.object_records where run = $1 and address = $2 and not settled)`),
		r.id, i.Address, i.Action, i.From, images[0], images[1], images[2], images[3]).
		Exec(func(tag pgconn.CommandTag) error {
			*known = tag.RowsAffected() == 0
			return nil
		})
	return nil
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
		var b pgx.Batch
		for _, o := range outcomes {
			if err := r.settleObject(&b, o); err != nil {
				return err
			}
		}
		if err := tx.SendBatch(ctx, &b).Close(); err != nil {
			return err
		}
		return r.advance(ctx, execer{tx}, settlement)
	})
	if err == nil {
		r.progress.Written(settlement)
	}
	return err
}

func (r *run) settleObject(b *pgx.Batch, o state.ObjectOutcome) error {
	reason, err := reasonText(o.Reason)
	if err != nil {
		return err
	}
	// A change that was left alone before anything was intended has no record yet, but the journal lists it too.
	b.Queue(r.s.sql(`with intended as (
			update {schema}.object_records set settled = true, verdict = $3, reason = nullif($4, '')::jsonb
			where run = $1 and address = $2 and not settled returning id)
		insert into {schema}.object_records (run, address, action, settled, verdict, reason)
		select $1, $2, '', true, $3, nullif($4, '')::jsonb where not exists (select from intended)`),
		r.id, o.Address, o.Verdict.String(), reason)
	if o.From != "" && o.From != o.Address {
		if err := r.s.recordObject(b, o.From, nil); err != nil {
			return err
		}
	}
	return r.s.recordObject(b, o.Address, o.Recorded)
}

// recordObject writes what is recorded at an address from now on; nil: nothing.
func (s *Store) recordObject(b *pgx.Batch, a state.Address, o *state.Object) error {
	if o == nil {
		b.Queue(s.sql("delete from {schema}.objects where address = $1"), a)
		return nil
	}
	attributes, err := json.Marshal(o.Attributes)
	if err != nil {
		return err
	}
	members, err := json.Marshal(o.Members)
	if err != nil {
		return err
	}
	b.Queue(s.sql(`insert into {schema}.objects
			(address, kind, id, generation, tenant, tenant_slug, attributes, members, adopted, deleted, paused, run)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		on conflict (address) do update set kind = excluded.kind, id = excluded.id, generation = excluded.generation,
			tenant = excluded.tenant, tenant_slug = excluded.tenant_slug, attributes = excluded.attributes,
			members = excluded.members, adopted = excluded.adopted, deleted = excluded.deleted, paused = excluded.paused, run = excluded.run`),
		a, o.Kind, o.ID, o.Generation, o.Tenant, o.TenantSlug, string(attributes), string(members),
		o.Adopted, o.Deleted, o.Paused, o.Run)
	return nil
}
