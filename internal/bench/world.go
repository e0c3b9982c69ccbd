package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/internal/sandbox"
)

// world is a database of users all of whom can be moved, and those users in the order in which Anthill moves them.
type world struct {
	box   *sandbox.Sandbox
	users []user
}

// user is a row, and the person that a bare client makes of it.
type user struct {
	id            uuid.UUID // of the person
	tenant        uuid.UUID
	name          string
	display, mail string
	admin         bool
}

// plain makes generated rows ones that nothing stands in the way of: the benchmark measures the moving. Each tenant has
// a domain of its own and its users have names of people, as at a customer: Self-auth indexes addresses and names by
// their parts, so that a person costs it the more, the more others share them.
const plain = `
create function pg_temp.word(list text, n bigint) returns text language sql immutable as $$
	select words[1 + n % cardinality(words)] from string_to_array(list, ' ') words $$;
with t as (select tenant_id, row_number() over (order by tenant_id) n from tenants)
update tenants set status = 'active', deleted_at = null, slug =
	pg_temp.word('amber silver northern blue quiet rapid golden iron ' ||
		'maple urban vivid lunar coastal alpine bright royal', n)
	|| '-' || pg_temp.word('harbor foundry logistics kitchen dental studio motors energy ' ||
		'forest media bakery clinic freight garden textile optics', n + n / 16)
	|| case when n >= 256 then '-' || n / 256 else '' end
	from t where t.tenant_id = tenants.tenant_id;
with u as (select user_id, slug, row_number() over (partition by tenant_id order by user_id) n
	from users join tenants using (tenant_id)),
named as (select *,
	pg_temp.word('anna bjorn carla dmitri elena farid greta hugo ines jonas kemal lucia marek nadia omar petra', n) first,
	pg_temp.word('meier nguyen garcia kowalski haddad jensen rossi dubois ' ||
		'silva novak okafor tanaka murphy weber lindqvist petrov', n + n / 16) last from u)
update users set email =
	first || '.' || last || case when n >= 256 then '.' || n / 256 else '' end || '@' || slug || '.example',
	full_name = initcap(first || ' ' || last), status = 'active', email_verified = true, deleted_at = null
	from named where named.user_id = users.user_id;
analyze tenants, users`

func startWorld(ctx context.Context, tenants, users int) (*world, error) {
	box, err := sandbox.Start(ctx, sandbox.Options{Tenants: tenants, Users: users, SelfAuth: sandbox.None})
	if err != nil {
		return nil, err
	}
	w := &world{box: box}
	if err := w.fill(ctx); err != nil {
		box.Close()
		return nil, fmt.Errorf("prepare the users: %w", err)
	}
	return w, nil
}

func (w *world) fill(ctx context.Context) error {
	c, err := pgx.Connect(ctx, databaseURL(w.box))
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, plain); err != nil {
		return err
	}
	rows, err := c.Query(ctx, `select tenant_id, slug || '.' || split_part(email, '@', 1), full_name, email,
		role in ('admin', 'super_admin') from users join tenants using (tenant_id) order by tenant_id, user_id`)
	if err != nil {
		return err
	}
	w.users, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (u user, err error) {
		return u, r.Scan(&u.tenant, &u.name, &u.display, &u.mail, &u.admin)
	})
	return err
}

// anew are users whose persons get new ids: a server refuses those that it has deleted.
func anew(users []user) []user {
	users = slices.Clone(users)
	for i := range users {
		users[i].id = uuid.New()
	}
	return users
}

// linked is how many rows hold the id of a person. The column is an effect of apply, and a rollback takes it back.
func linked(ctx context.Context, url string) (n int, err error) {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	defer c.Close(ctx)
	return n, c.QueryRow(ctx, "select count(*) from users where self_auth_user_id is not null").Scan(&n)
}

// groups are the two of each tenant.
type groups struct {
	admins, users map[uuid.UUID]uuid.UUID // by tenant
}

func groupsOf(users []user) groups {
	g := groups{map[uuid.UUID]uuid.UUID{}, map[uuid.UUID]uuid.UUID{}}
	for _, u := range users {
		if g.users[u.tenant] == uuid.Nil {
			g.admins[u.tenant], g.users[u.tenant] = uuid.New(), uuid.New()
		}
	}
	return g
}

// make makes them at the server in one call.
func (g groups) make(ctx context.Context, c *client) error {
	var entries []entry
	add := func(id uuid.UUID, name string) {
		entries = append(entries, entry{map[string][]string{
			"class": {"object", "group"}, "uuid": {id.String()}, "name": {name},
		}})
	}
	for tenant, id := range g.users {
		add(id, "bench_"+tenant.String()[24:]+"_users")
		add(g.admins[tenant], "bench_"+tenant.String()[24:]+"_admins")
	}
	return c.send(ctx, http.MethodPost, "/v1/raw/create", map[string]any{"entries": entries})
}

// join is one call that adds members to a group.
type join struct {
	group   uuid.UUID
	members []uuid.UUID
}

// joins are the calls that a batch of users needs: one a group, in the order of the groups' ids.
func (g groups) joins(batch []user) (list []join) {
	at := map[uuid.UUID]int{}
	add := func(group, member uuid.UUID) {
		i, ok := at[group]
		if !ok {
			i = len(list)
			at[group] = i
			list = append(list, join{group: group})
		}
		list[i].members = append(list[i].members, member)
	}
	for _, u := range batch {
		add(g.users[u.tenant], u.id)
		if u.admin {
			add(g.admins[u.tenant], u.id)
		}
	}
	slices.SortFunc(list, func(a, b join) int { return slices.Compare(a.group[:], b.group[:]) })
	return list
}
