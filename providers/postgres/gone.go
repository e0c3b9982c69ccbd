package postgres

import (
	"slices"

	"anthill/providers"
)

// The application may take away again what the link needs: its own migration that removes the identity provider, or a
// clean-up of passwords. Where Anthill has moved users before, their persons must still be found and taken back. So what is
// gone reads as if it held nothing, and rows are not written.

// mayGo are columns of the baseline that can be gone, with what they read as. With mapping it is the whole table.
func mayGo() map[string]string {
	return map[string]string{"link_id": "null::uuid", "linked_at": "null::timestamptz", "password_hash": "null::text"}
}

// noteGone notes what is gone of the baseline, if it is nothing but what can be.
func (p *Provider) noteGone(tables, columns []string, wanting []string, i *providers.Inspection, lacking error) bool {
	gone := map[string]string{}
	left := slices.Clone(columns)
	for col, reads := range mayGo() {
		name := p.names.qualified("users", col)
		if slices.Contains(left, name) {
			gone[col] = reads
			left = slices.DeleteFunc(left, func(c string) bool { return c == name })
		}
	}
	other := slices.ContainsFunc(tables, func(t string) bool { return t != p.names.tables["mapping"] })
	if len(left) > 0 || other {
		return false
	}
	p.names.gone, p.names.unmapped = gone, len(tables) > 0
	i.Gone, i.Wanting, i.Lacking = slices.Concat(tables, columns), wanting, lacking
	return true
}

// without reports whether rows of users cannot be written, as a column is gone.
func (n *names) without() bool { return len(n.gone) > 0 }
