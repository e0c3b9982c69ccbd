package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"anthill/state"
)

// A text that is not in the encoding of its database (SQL_ASCII takes any bytes) must not come out as a name with other letters. The
// server refuses to send most of them, without a word on which row it is; what it sends all the same is looked at here.

// texts are the columns of a table that are read as text, by logical names; the first is the row's id.
func texts(logical string) []string {
	return map[string][]string{
		"users":   {"user_id", "email", "full_name", "role", "status"},
		"tenants": {"tenant_id", "slug", "name", "plan", "status"},
		"mapping": {"tenant_id", "group_name", "role"},
	}[logical]
}

// spoilt is the error of a text that cannot be read.
func (n *names) spoilt(logical, id, column string) error {
	column = n.col(logical, column)
	quoted := pgx.Identifier{column}.Sanitize()
	return &state.Error{
		Kind: state.ErrorInternal, Side: side, Doing: "read " + strings.Join(n.table(logical), "."),
		Reason: fmt.Sprintf("%s of the row with %s %s is no text in the encoding of the database, and cannot be said in UTF-8",
			column, n.col(logical, texts(logical)[0]), id),
		Cure: fmt.Sprintf("It would come out as another name. Write it anew, for bytes of LATIN1 in a database of SQL_ASCII:\n\n"+
			"    UPDATE %s SET %s = convert_from(convert(convert_to(%s, 'SQL_ASCII'), 'LATIN1', 'UTF8'), 'SQL_ASCII')\n    WHERE %s = '%s';",
			n.table(logical).Sanitize(), quoted, quoted, pgx.Identifier{n.col(logical, texts(logical)[0])}.Sanitize(), id),
	}
}

// sound refuses texts of a row that are no UTF-8. They stand in the order of texts.
func (n *names) sound(logical string, id fmt.Stringer, values ...string) error {
	for i, v := range values {
		if !utf8.ValidString(v) {
			return n.spoilt(logical, id.String(), texts(logical)[i+1])
		}
	}
	return nil
}

// unread is the error of reading rows of a table. Where the server refuses a text without saying of which row, that is looked up.
func (p *Provider) unread(ctx context.Context, doing, logical string, err error) error {
	var pg, found *pgconn.PgError
	if !errors.As(err, &pg) || raised(pg) || pg.Code != "22021" && pg.Code != "22P05" {
		return fail(doing, err)
	}
	list := texts(logical)
	var columns, checks strings.Builder
	for i, c := range list[1:] {
		fmt.Fprintf(&columns, ", {%s.%s}::text as c%d", logical, c, i+1)
		fmt.Fprintf(&checks, " at := r.id || ' %d'; perform pg_catalog.convert_to(r.c%d, 'UTF8');", i+1, i+1)
	}
	look := "do $look$ declare r record; at text; begin for r in select {" + logical + "." + list[0] + "}::text as id" + columns.String() + " from {" + logical +
		"} loop" + checks.String() + " end loop; exception when character_not_in_repertoire or untranslatable_character then " +
		"raise exception using errcode = 'P0001', message = at; end $look$"
	_, lookErr := p.pool.Exec(ctx, p.names.sql(look))
	if errors.As(lookErr, &found) && raised(found) {
		id, at, _ := strings.Cut(found.Message, " ")
		if i, err := strconv.Atoi(at); err == nil && i < len(list) {
			return p.names.spoilt(logical, id, list[i])
		}
	}
	return fail(doing, err)
}
