package postgres

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"anthill/internal/migration"
	"anthill/internal/sandbox"
	"anthill/providers"
)

// TestMigrationTables: the table of each tool, as the tool makes it, is known by its columns, with what it says was run.
func TestMigrationTables(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sql  string
		want providers.MigrationTable
		runs []string // keys of files that count as run
		not  []string
	}{
		"sqlx": {`create table _sqlx_migrations (version bigint primary key, description text not null, installed_on timestamptz not null default now(),
				success boolean not null, checksum bytea not null, execution_time bigint not null);
			insert into _sqlx_migrations values (9, 'a', now(), true, '', 0), (10, 'b', now(), true, '', 0), (11, 'c', now(), false, '', 0)`,
			providers.MigrationTable{Tool: "sqlx", Name: "public._sqlx_migrations", Applied: []string{"9", "10"}}, []string{"9", "10"}, []string{"11", "1"}},
		"golang-migrate": {"create table schema_migrations (version bigint not null primary key, dirty boolean not null); insert into schema_migrations values (15, false)",
			providers.MigrationTable{Tool: "golang-migrate", Name: "public.schema_migrations", Applied: []string{"15"}, UpTo: true}, []string{"15", "2", "1"}, []string{"16", "a"}},
		"Rails": {"create table schema_migrations (version varchar not null primary key); insert into schema_migrations values ('20240101000000'), ('20230101000000')",
			providers.MigrationTable{Tool: "Rails, dbmate or Ecto", Name: "public.schema_migrations", Applied: []string{"20230101000000", "20240101000000"}},
			[]string{"20230101000000"}, []string{"20230601000000"}},
		"goose": {`create table goose_db_version (id serial primary key, version_id bigint not null, is_applied boolean not null, tstamp timestamp default now());
			insert into goose_db_version (version_id, is_applied) values (0, true), (1, true), (2, true), (2, false), (3, true), (3, false), (3, true)`,
			providers.MigrationTable{Tool: "goose", Name: "public.goose_db_version", Applied: []string{"0", "1", "3"}}, []string{"3"}, []string{"2"}},
		"Flyway": {`create table flyway_schema_history (installed_rank int primary key, version varchar(50), description varchar(200) not null, type varchar(20) not null,
				script varchar(1000) not null, checksum int, installed_by varchar(100) not null, installed_on timestamp not null default now(), execution_time int not null, success boolean not null);
			insert into flyway_schema_history (installed_rank, version, description, type, script, installed_by, execution_time, success)
				values (1, '1.9', '', '', '', '', 0, true), (2, '1.10', '', '', '', '', 0, true), (3, null, '', '', '', '', 0, true), (4, '2', '', '', '', '', 0, false)`,
			providers.MigrationTable{Tool: "Flyway", Name: "public.flyway_schema_history", Applied: []string{"1.9", "1.10"}}, []string{"1.10"}, []string{"2"}},
		"Atlas": {`create schema atlas_schema_revisions; create table atlas_schema_revisions.atlas_schema_revisions (version varchar primary key, description varchar, type bigint, applied bigint, total bigint);
			insert into atlas_schema_revisions.atlas_schema_revisions values ('20240101000000', '', 2, 1, 1)`,
			providers.MigrationTable{Tool: "Atlas", Name: "atlas_schema_revisions.atlas_schema_revisions", Applied: []string{"20240101000000"}}, nil, nil},
		"Diesel": {`create table __diesel_schema_migrations (version varchar(50) primary key, run_on timestamp not null default now());
			insert into __diesel_schema_migrations values ('00000000000000'), ('20240131120000')`,
			providers.MigrationTable{Tool: "Diesel", Name: "public.__diesel_schema_migrations", Applied: []string{"0", "20240131120000"}}, []string{"0"}, []string{"1"}},
		"Refinery": {"create table refinery_schema_history (version int4 primary key, name varchar(255), applied_on varchar(255), checksum varchar(255)); insert into refinery_schema_history values (7, 'x')",
			providers.MigrationTable{Tool: "Refinery", Name: "public.refinery_schema_history", Applied: []string{"7"}}, nil, nil},
		"Alembic": {"create table alembic_version (version_num varchar(32) not null primary key); insert into alembic_version values ('ae1027a6acf')",
			providers.MigrationTable{Tool: "Alembic", Name: "public.alembic_version", Applied: []string{"ae1027a6acf"}}, nil, nil},
		"Django": {"create table django_migrations (id int primary key, app varchar(255), name varchar(255), applied timestamptz); insert into django_migrations values (1, 'a', '0001_initial', now())",
			providers.MigrationTable{Tool: "Django", Name: "public.django_migrations", Applied: []string{"0001_initial"}}, nil, nil},
		"Prisma": {`create table _prisma_migrations (id varchar(36) primary key, checksum varchar(64), finished_at timestamptz, migration_name varchar(255), logs text, rolled_back_at timestamptz,
				started_at timestamptz default now(), applied_steps_count int);
			insert into _prisma_migrations values ('1', '', now(), '20240201000000_init', '', null), ('2', '', null, '20240202000000_b', '', null), ('3', '', now(), '20240203000000_c', '', now())`,
			providers.MigrationTable{Tool: "Prisma", Name: "public._prisma_migrations", Applied: []string{"20240201000000_init"}}, []string{"20240201000000_init"}, []string{"20240202000000_b"}},
		"Knex": {"create table knex_migrations (id serial, name varchar(255), batch int, migration_time timestamptz); insert into knex_migrations values (1, 'a.sql', 1, now())",
			providers.MigrationTable{Tool: "Knex", Name: "public.knex_migrations", Applied: []string{"a.sql"}}, nil, nil},
		"TypeORM": {"create table migrations (id serial, timestamp bigint, name varchar); insert into migrations values (1, 17, 'A17')",
			providers.MigrationTable{Tool: "TypeORM", Name: "public.migrations", Applied: []string{"A17"}}, nil, nil},
		"Laravel": {"create table migrations (id serial, migration varchar(255), batch int); insert into migrations values (1, '2014_10_12_000000_users', 1)",
			providers.MigrationTable{Tool: "Laravel", Name: "public.migrations", Applied: []string{"2014_10_12_000000_users"}}, nil, nil},
		"Sequelize": {`create table "SequelizeMeta" (name varchar(255) primary key); insert into "SequelizeMeta" values ('1-a.sql')`,
			providers.MigrationTable{Tool: "Sequelize", Name: "public.SequelizeMeta", Applied: []string{"1-a.sql"}}, nil, nil},
		"birds that migrate": {"create table migrations (id serial, species text, distance int)", providers.MigrationTable{}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, conn, i := opened(t, sandbox.Options{})
			if len(i.Noted) != 0 {
				t.Fatalf("before there is a table: %+v", i.Noted)
			}
			if _, err := conn.Exec(t.Context(), c.sql); err != nil {
				t.Fatal(err)
			}
			noted := level(t, p).Noted
			if c.want.Name == "" {
				if len(noted) != 0 {
					t.Errorf("it is taken for a tool's: %+v", noted)
				}
				return
			}
			if len(noted) != 1 {
				t.Fatalf("tables: %+v", noted)
			}
			got := noted[0]
			got.Quoted = ""
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, key := range c.runs {
				if !got.Has(migration.File{Keys: []string{"other", key}}) {
					t.Errorf("%s does not count as run", key)
				}
			}
			for _, key := range c.not {
				if got.Has(migration.File{Keys: []string{key, "other"}}) {
					t.Errorf("%s counts as run", key)
				}
			}
		})
	}
}

// TestMigrationTableTooLong: a table with more rows than anybody has migrations is not read to its end.
func TestMigrationTableTooLong(t *testing.T) {
	t.Parallel()
	p, conn, _ := opened(t, sandbox.Options{})
	if _, err := conn.Exec(t.Context(), "create table schema_migrations as select n::text as version from generate_series(1, 20001) n"); err != nil {
		t.Fatal(err)
	}
	noted := level(t, p).Noted
	if len(noted) != 1 || noted[0].Unread.IsZero() || noted[0].Applied != nil || noted[0].Grant != "" {
		t.Errorf("%+v", noted)
	}
}

// TestThings: what steps make under names of their own is there when they are through, and was not before.
func TestThings(t *testing.T) {
	t.Parallel()
	for _, naming := range Namings() {
		p, _, before := opened(t, sandbox.Options{Naming: naming})
		for _, thing := range before.Things {
			if thing.There {
				t.Errorf("%s: %s is there", naming, thing.Name)
			}
		}
		upgrade(t, p, before.Steps)
		after := level(t, p)
		if len(after.Things) != 13 {
			t.Errorf("%s: %d things", naming, len(after.Things))
		}
		for _, thing := range after.Things {
			if !thing.There || thing.Schema != "public" || thing.Table != "users" && thing.Table != "sessions" {
				t.Errorf("%s: %+v", naming, thing)
			}
		}
	}
}
