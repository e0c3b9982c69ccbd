package postgres

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"anthill/providers"
	"anthill/state"
)

// Use is what is going to be done with the application's tables, besides reading them as every plan does.
type Use struct {
	Counts  bool // sessions are counted, and users listed by their dates, as a status does
	Columns bool // what the columns of the dual schema hold is counted, as a rollback of the schema does

	Links    bool              // users are linked, or looked at again under a lock
	Restores bool              // users get back what they held
	Logins   bool              // times of completion are noted
	Invites  bool              // times of invitation are noted
	Maps     bool              // mapping rows are made, changed or deleted
	Makes    []state.Attribute // of tenants that are made; nil: none is
	Changes  []state.Attribute // of tenants that are changed
	Steps    []string          // of the schema that are made
	Back     []string          // of the schema that are taken back
	Forgets  bool              // what dropped columns held of somebody goes
}

// Everything is all that a plan may do to rows, and to the schema where alters is set.
func Everything(alters bool) Use {
	u := Use{Counts: true, Links: true, Restores: true, Logins: true, Invites: true, Maps: true}
	u.Makes = slices.Sorted(maps.Keys(tenantColumns()))
	u.Changes = append(slices.Clone(u.Makes), state.AttrDeleted)
	if alters {
		n, err := spell(Namings()[0], nil) // steps have the same names in all namings
		if err == nil {
			u.Columns, u.Steps, u.Back = true, n.stepNames(), n.stepNames()
		}
	}
	return u
}

func (n *names) stepNames() (list []string) {
	for _, s := range n.steps() {
		list = append(list, s.name)
	}
	return list
}

// needed gathers rights.
type needed struct {
	names *names
	there map[string]map[string]bool // table -> column; nil: it is not known, and all are taken to be there
	list  []state.Right
}

func (x *needed) table(logical string) (schema, name string) {
	table := x.names.table(logical)
	if len(table) == 2 {
		schema = table[0]
	}
	return schema, table[len(table)-1]
}

// columns adds a right on columns of a table, by logical names; those that are not there yet are left out.
func (x *needed) columns(logical, privilege string, columns ...string) {
	schema, name := x.table(logical)
	for _, c := range columns {
		if column := x.names.col(logical, c); x.there == nil || x.there[name][column] {
			x.list = append(x.list, state.Right{On: state.OnTable, Schema: schema, Name: name, Column: column, Privilege: privilege})
		}
	}
}

func (x *needed) whole(logical, privilege string) {
	schema, name := x.table(logical)
	if x.there == nil || x.there[name] != nil {
		x.list = append(x.list, state.Right{On: state.OnTable, Schema: schema, Name: name, Privilege: privilege})
	}
}

func (x *needed) owner(logical string) {
	schema, name := x.table(logical)
	if x.there == nil || x.there[name] != nil {
		x.list = append(x.list, state.Right{On: state.OnOwner, Schema: schema, Name: name})
	}
}

// create adds the right to make things in the schema of a table, such as its indexes.
func (x *needed) create(logical string) {
	if schema, _ := x.table(logical); schema != "" {
		x.list = append(x.list, state.Right{On: state.OnSchema, Name: schema, Privilege: "CREATE"})
	}
}

// reads is what every plan reads.
func (x *needed) reads(u Use) {
	x.list = append(x.list, state.Right{On: state.OnFunction, Name: "pg_control_system()", Privilege: "EXECUTE"})
	for _, logical := range []string{"users", "tenants", "mapping"} {
		if schema, _ := x.table(logical); schema != "" {
			x.list = append(x.list, state.Right{On: state.OnSchema, Name: schema, Privilege: "USAGE"})
		}
		x.columns(logical, "SELECT", baseline()[logical]...)
	}
	x.columns("users", "SELECT", "method", "invited_at", "completed_at")
	x.columns("tenants", "SELECT", "settings")
	if u.Counts || u.Columns {
		if schema, _ := x.table("sessions"); schema != "" {
			x.list = append(x.list, state.Right{On: state.OnSchema, Name: schema, Privilege: "USAGE"})
		}
	}
	if u.Counts {
		x.columns("users", "SELECT", "created_at", "last_login_at")
		x.columns("sessions", "SELECT", "user_id", "created_at", "revoked", "method")
	}
	if u.Columns {
		x.columns("sessions", "SELECT", "session_id", "access_token_hash", "refresh_token_hash", "revoked", "session_link", "method")
	}
}

// writes is what carrying out a plan writes. SELECT ... FOR UPDATE is content with the right to write one column.
func (x *needed) writes(u Use) {
	if u.Links || u.Restores {
		x.columns("users", "UPDATE", "link_id", "linked_at", "method", "completed_at")
	}
	if u.Logins {
		x.columns("users", "UPDATE", "completed_at")
	}
	if u.Restores || u.Invites {
		x.columns("users", "UPDATE", "invited_at")
	}
	if u.Maps {
		x.columns("mapping", "INSERT", baseline()["mapping"]...)
		x.columns("mapping", "UPDATE", "group_name", "role")
		x.whole("mapping", "DELETE")
	}
	if u.Makes != nil {
		x.columns("tenants", "INSERT", "tenant_id")
		x.columns("tenants", "UPDATE", "deleted_at") // where it is taken back
	}
	for _, a := range u.Makes {
		if c := tenantColumns()[a]; c != "" {
			x.columns("tenants", "INSERT", c)
		}
	}
	for _, a := range u.Changes {
		if c := tenantColumns()[a]; c != "" {
			x.columns("tenants", "UPDATE", c)
		} else if a == state.AttrDeleted {
			x.columns("tenants", "UPDATE", "deleted_at")
		}
	}
}

// steps is what steps of the schema need. An index is a thing in the schema of its table.
func (x *needed) steps(u Use) {
	for _, step := range slices.Concat(u.Steps, u.Back) {
		if step == providers.SchemaFilled {
			x.columns("users", "UPDATE", "method", "completed_at")
			continue
		}
		index := strings.HasPrefix(step, "index.")
		table, _, _ := strings.Cut(strings.TrimPrefix(step, "index."), ".")
		x.owner(table)
		if index || strings.HasSuffix(step, ".columns") { // which go with the help of an index
			x.create(table)
		}
	}
}

// Rights are those that a role needs for a use of the tables that were found; columns that are not there yet are left out.
func (p *Provider) Rights(ctx context.Context, u Use) ([]state.Right, error) {
	x := needed{names: p.names, there: map[string]map[string]bool{}}
	tables := map[uint32]map[string]bool{}
	for _, f := range p.names.places.tables {
		if f.kind == "r" || f.kind == "p" { // what else has the name of a table is refused by Inspect
			tables[f.oid] = map[string]bool{}
			x.there[f.name] = tables[f.oid]
		}
	}
	rows, err := p.pool.Query(ctx, `select attrelid, attname::text from pg_attribute
		where attrelid = any($1) and attnum > 0 and not attisdropped`, p.names.places.all())
	if err != nil {
		return nil, fail(looking, err)
	}
	var table uint32
	var column string
	_, err = pgx.ForEachRow(rows, []any{&table, &column}, func() error {
		if of := tables[table]; of != nil {
			of[column] = true
		}
		return nil
	})
	if err != nil {
		return nil, fail(looking, err)
	}
	x.all(u)
	if u.Makes != nil || u.Maps {
		sequences, err := p.sequences(ctx, u)
		if err != nil {
			return nil, err
		}
		x.list = append(x.list, sequences...)
	}
	if len(u.Steps)+len(u.Back) > 0 || u.Forgets {
		archive, err := p.archiveRights(ctx, u)
		if err != nil {
			return nil, err
		}
		x.list = append(x.list, archive...)
	}
	return x.list, nil
}

func (x *needed) all(u Use) {
	x.reads(u)
	x.writes(u)
	x.steps(u)
}

// RightsOffline are those that a role needs where all columns are there, without a look. The tables are found by the search path.
func RightsOffline(naming string, own map[string]string, u Use) ([]state.Right, error) {
	n, err := spell(naming, own)
	if err != nil {
		return nil, err
	}
	x := needed{names: n}
	x.all(u)
	return x.list, nil
}

// sequences are those from which rows that are made get values by a default.
func (p *Provider) sequences(ctx context.Context, u Use) ([]state.Right, error) {
	var tables []uint32
	if u.Maps {
		tables = p.names.oids("mapping")
	}
	if u.Makes != nil {
		tables = append(tables, p.names.oids("tenants")...)
	}
	rows, err := p.pool.Query(ctx, `select distinct n.nspname::text, s.relname::text from pg_attrdef f
		join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid and d.refclassid = 'pg_class'::regclass
		join pg_class s on s.oid = d.refobjid and s.relkind = 'S' join pg_namespace n on n.oid = s.relnamespace
		where f.adrelid = any($1)`, tables)
	if err != nil {
		return nil, fail(looking, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (state.Right, error) {
		r := state.Right{On: state.OnSequence, Privilege: "USAGE"}
		return r, row.Scan(&r.Schema, &r.Name)
	})
	return list, fail(looking, err)
}

// archiveRights are on the table of what dropped columns held, or to make it.
func (p *Provider) archiveRights(ctx context.Context, u Use) (list []state.Right, err error) {
	var there, schema bool
	err = p.pool.QueryRow(ctx, `select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
			where n.nspname = $1 and c.relname = $2), exists (select from pg_namespace where nspname = $1)`,
		p.archive[0], p.archive[1]).Scan(&there, &schema)
	switch {
	case err != nil:
		return nil, fail(looking, err)
	case !there && schema && len(u.Back) > 0:
		return []state.Right{{On: state.OnSchema, Name: p.archive[0], Privilege: "CREATE"}}, nil
	case !there:
		return nil, nil
	}
	privileges := []string{"SELECT", "DELETE"}
	if len(u.Back) > 0 {
		privileges = append(privileges, "INSERT", "UPDATE")
	}
	for _, privilege := range privileges {
		list = append(list, state.Right{On: state.OnTable, Schema: p.archive[0], Name: p.archive[1], Privilege: privilege})
	}
	return list, nil
}

// heldSQL says of each right whether the role has it, and who owns what it is about, where that is asked for. The catalogue is open
// to every role; a name with its schema would not be found by a role that may not use that.
func heldSQL(owners bool) string {
	owner, roles := "'', false, false", ""
	if owners {
		owner = `coalesce(o.rolname::text, ''), coalesce(o.rolsuper, false),
			coalesce(pg_has_role(c.relowner, 'member') and not pg_has_role(c.relowner, 'usage'), false)`
		roles = "left join pg_roles o on o.oid = c.relowner"
	}
	return `select w.n, ` + owner + `,
		case w.kind
			when $6 then has_database_privilege(current_database(), w.privilege)
			when $7 then has_schema_privilege(s.oid, w.privilege)
			when $8 then has_function_privilege(w.name, w.privilege)
			when $10 then has_sequence_privilege(c.oid, w.privilege)
			when $11 then pg_has_role(c.relowner, 'usage')
			else case when w.part = '' then has_table_privilege(c.oid, w.privilege)
				else has_column_privilege(c.oid, a.attnum, w.privilege) end end
	from unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[]) with ordinality
			as w (kind, space, name, part, privilege, n)
		left join pg_namespace s on s.nspname = case w.kind when $7 then w.name else w.space end
		left join pg_class c on c.relnamespace = s.oid and c.relname = w.name and w.kind >= $9
		left join pg_attribute a on a.attrelid = c.oid and a.attname = w.part and not a.attisdropped
		` + roles + `
	order by w.n`
}

// Has refuses a connection whose role lacks some of these rights: a *state.DeniedError that names all of them. What is not there at
// all lacks nothing. what is as of DeniedError.For.
func (p *Provider) Has(ctx context.Context, what string, rights []state.Right) error {
	denied := &state.DeniedError{For: what, Path: p.names.places.path}
	err := p.eachHeld(ctx, p.pool, rights, func(r state.Right, held *bool) {
		if held != nil && !*held {
			denied.Rights = append(denied.Rights, r)
		}
	})
	if err != nil || len(denied.Rights) == 0 {
		return fail(looking, err)
	}
	for _, logical := range []string{"sessions", "mapping", "tenants", "users"} {
		schema, name := (&needed{names: p.names}).table(logical)
		if slices.Contains(denied.Rights, state.Right{On: state.OnSchema, Name: schema, Privilege: "USAGE"}) {
			denied.Leads = schema + "." + name
		}
	}
	if err := p.pool.QueryRow(ctx, "select current_user::text").Scan(&denied.Role); err != nil {
		return fail(looking, err)
	}
	return denied
}

// Owned are the same rights with whoever owns what they are about.
func (p *Provider) Owned(ctx context.Context, rights []state.Right) (list []state.Right, err error) {
	err = p.eachHeld(ctx, p.pool, rights, func(r state.Right, _ *bool) {
		if r.OwnerIs == state.OwnerApart { // that is about our own role
			r.OwnerIs = state.OwnerPlain
		}
		list = append(list, r)
	})
	return list, fail(looking, err)
}

// eachHeld looks at rights one by one; held is nil where the thing is not there.
func (p *Provider) eachHeld(ctx context.Context, q querier, rights []state.Right, tell func(r state.Right, held *bool)) error {
	kinds, spaces, names := make([]int32, len(rights)), make([]string, len(rights)), make([]string, len(rights))
	parts, privileges := make([]string, len(rights)), make([]string, len(rights))
	for i, r := range rights {
		kinds[i], spaces[i], names[i], parts[i], privileges[i] = int32(r.On), r.Schema, r.Name, r.Column, r.Privilege
	}
	owners := slices.ContainsFunc(rights, func(r state.Right) bool { return r.On == state.OnOwner })
	rows, err := q.Query(ctx, heldSQL(owners), kinds, spaces, names, parts, privileges, int32(state.OnDatabase), int32(state.OnSchema),
		int32(state.OnFunction), int32(state.OnTable), int32(state.OnSequence), int32(state.OnOwner))
	if err != nil {
		return err
	}
	var n int64
	var owner string
	var super, apart bool
	var held *bool
	_, err = pgx.ForEachRow(rows, []any{&n, &owner, &super, &apart, &held}, func() error {
		r := rights[n-1]
		if r.On == state.OnOwner {
			r.Owner, r.OwnerIs = owner, state.OwnerPlain
			if super {
				r.OwnerIs = state.OwnerSuper
			} else if apart {
				r.OwnerIs = state.OwnerApart
			}
		}
		tell(r, held)
		return nil
	})
	return err
}

// MayWrite refuses a server, or a role, that only reads, whatever rights it has.
func (p *Provider) MayWrite(ctx context.Context) error {
	const doing = "check the role"
	var role string
	var standby, reads bool
	err := p.pool.QueryRow(ctx, "select current_user, pg_is_in_recovery(), current_setting('transaction_read_only')::bool").
		Scan(&role, &standby, &reads)
	switch {
	case err != nil:
		return fail(doing, err)
	case standby:
		return &state.Error{
			Kind: state.ErrorDenied, Side: side, Doing: doing, Reason: "this server is a standby, which only reads",
			Cure: "It is enough to plan. To apply, name the primary server in DATABASE_URL, or several and " +
				"target_session_attrs=read-write. Nothing was changed.",
		}
	case reads:
		return &state.Error{
			Kind: state.ErrorDenied, Side: side, Doing: doing, Reason: "role " + role + " only reads here: default_transaction_read_only is on",
			Cure: "It is enough to plan. To apply, use a role in DATABASE_URL for which neither ALTER ROLE, ALTER DATABASE, the server nor the URL " +
				"sets it. Nothing was changed.",
		}
	}
	return nil
}

// Trigger is a trigger of the application that runs with the rights of whoever writes the row.
type Trigger struct{ Table, Name, Function string }

// Triggers are those of the tables that are written, sorted. What they do besides needs rights that nobody can tell.
func (p *Provider) Triggers(ctx context.Context) ([]Trigger, error) {
	rows, err := p.pool.Query(ctx, `select format('%I.%I', n.nspname, c.relname), t.tgname::text, f.oid::regprocedure::text
		from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
			join pg_proc f on f.oid = t.tgfoid
		where t.tgrelid = any($1) and not t.tgisinternal and t.tgenabled <> 'D' and not f.prosecdef order by 1, 2`,
		p.names.oids("users", "tenants", "mapping"))
	if err != nil {
		return nil, fail(looking, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Trigger])
	return list, fail(looking, err)
}

// Found refuses tables that are not there, or are none of ours to read, by the catalogue alone.
func (p *Provider) Found(ctx context.Context) error {
	if err := p.usable(); err != nil {
		return err
	}
	c, err := p.catalogue(ctx)
	if err != nil {
		return err
	}
	var i providers.Inspection
	if err := p.missing(ctx, c, &i); err != nil || len(i.Gone) == 0 {
		return err
	}
	return i.Lacking
}

// Unmade names the database, and the columns that steps of the schema make and that are not there yet.
func (p *Provider) Unmade(ctx context.Context) (database string, columns []string, err error) {
	c, err := p.catalogue(ctx)
	if err != nil {
		return "", nil, err
	}
	for _, table := range []string{"users", "sessions"} {
		for _, column := range p.names.leaving(table).columns {
			if _, there := p.names.column(c, table, column); !there {
				columns = append(columns, p.names.qualified(table, column))
			}
		}
	}
	err = p.pool.QueryRow(ctx, "select current_database()").Scan(&database)
	return database, columns, fail(looking, err)
}

// HasRole reports whether the server has a role.
func (p *Provider) HasRole(ctx context.Context, role string) (there bool, err error) {
	err = p.pool.QueryRow(ctx, "select exists (select from pg_roles where rolname = $1)", role).Scan(&there)
	return there, fail(looking, err)
}
