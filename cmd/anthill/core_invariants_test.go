package main

import (
	"slices"
	"strings"

	"github.com/google/uuid"
)

// invariants after everything has been applied: who may be where.
func (w *world) invariants(when string, followed bool) (bad []string) {
	d := w.directory()
	type rowInfo struct {
		tenant, role string
		active       bool
	}
	rows := map[uuid.UUID]rowInfo{}
	q, err := w.connect().Query(w.t.Context(), w.spell("select {idp}_user_id, slug, role, users.status = 'active' and users.deleted_at is null from users join tenants using (tenant_id) where {idp}_user_id is not null"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer q.Close()
	for q.Next() {
		var id uuid.UUID
		var i rowInfo
		if err := q.Scan(&id, &i.tenant, &i.role, &i.active); err != nil {
			w.t.Fatal(err)
		}
		if _, twice := rows[id]; twice {
			bad = append(bad, when+": two rows linked to "+d.persons[id].Name)
		}
		rows[id] = i
	}
	for id, p := range d.persons {
		i, linked := rows[id]
		switch {
		case !linked && !p.Expired:
			bad = append(bad, when+": person "+p.Name+" is enabled and of no row")
		case linked && followed && !i.active && !p.Expired:
			bad = append(bad, when+": person "+p.Name+" of a row that is not active is enabled")
		case linked && followed && i.active && p.Expired:
			bad = append(bad, when+": person "+p.Name+" of an active linked row is expired")
		}
	}
	for id := range rows {
		if _, there := d.persons[id]; !there {
			bad = append(bad, when+": a row is linked to nobody")
		}
	}
	if followed {
		for name, g := range d.groups {
			if !strings.HasPrefix(name, "tenant_") {
				continue
			}
			for _, m := range g.Members {
				i, linked := rows[m]
				switch {
				case !linked:
					bad = append(bad, when+": "+name+" has "+d.persons[m].Name+" who is of no row")
				case !i.active:
				case !strings.HasPrefix(name, "tenant_"+i.tenant+"_"):
					bad = append(bad, when+": "+name+" has "+d.persons[m].Name+" of tenant "+i.tenant)
				case strings.HasSuffix(name, "_admins") && i.role != "admin" && i.role != "super_admin":
					bad = append(bad, when+": "+name+" has "+d.persons[m].Name+" whose role is "+i.role)
				}
			}
		}
		for id, i := range rows {
			if !i.active {
				continue
			}
			if !slices.Contains(d.groups["tenant_"+i.tenant+"_users"].Members, id) {
				bad = append(bad, when+": "+d.persons[id].Name+" is not in the group of its tenant "+i.tenant)
			}
		}
	}
	slices.Sort(bad)
	return bad
}
