package state

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"anthill/internal/regex"
)

// RightOn is what sort of thing of Postgres a right is about.
type RightOn uint8

// The sorts of things, in the order in which their statements stand. OnOwner is what only the owner of a table may do.
const (
	_ RightOn = iota
	OnDatabase
	OnSchema
	OnFunction
	OnTable
	OnSequence
	OnOwner
)

// Right is one thing that a role must be allowed to do in Postgres.
type Right struct {
	On        RightOn
	Schema    string // of a table, sequence or function; "": it is found by the search path
	Name      string // of a function with its parentheses
	Column    string // of a table; "": the right is one of the whole table
	Privilege string // as in GRANT; "" of OnOwner
	Owner     string // of OnOwner: who owns it, as far as that is known
	OwnerIs   OwnerIs
}

// OwnerIs says how a role can get what only an owner may do.
type OwnerIs uint8

// OwnerPlain: by membership in the role that owns it. OwnerSuper: that is a superuser, of whom nobody is made a member.
// OwnerApart: the role is a member that does not inherit what the owner may.
const (
	OwnerPlain OwnerIs = iota
	OwnerSuper
	OwnerApart
)

// CompareRights is the order of rights in a script.
func CompareRights(a, b Right) int {
	order := func(privilege string) int { return slices.Index(privileges, privilege) }
	return cmp.Or(cmp.Compare(a.On, b.On), cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Name, b.Name),
		cmp.Compare(order(a.Privilege), order(b.Privilege)), cmp.Compare(a.Column, b.Column))
}

var privileges = []string{"SELECT", "INSERT", "UPDATE", "DELETE", "USAGE", "CREATE", "EXECUTE"}

// on names what a right is about, as GRANT does.
func (r Right) on() string {
	name := QuoteName(r.Name)
	if r.Schema != "" {
		name = QuoteName(r.Schema) + "." + name
	}
	switch r.On {
	case OnDatabase:
		return "DATABASE " + name
	case OnSchema:
		return "SCHEMA " + name
	case OnFunction:
		return "FUNCTION " + r.Name
	case OnSequence:
		return "SEQUENCE " + name
	}
	return name
}

// Grants are the statements that give rights to a role: in a stable order, and one for each thing that they are about.
func Grants(role string, rights []Right) (list []string) {
	rights = slices.Clone(rights)
	slices.SortFunc(rights, CompareRights)
	to := QuoteName(role)
	for len(rights) > 0 {
		n := 1
		for n < len(rights) && rights[n].On == rights[0].On && rights[n].Schema == rights[0].Schema && rights[n].Name == rights[0].Name {
			n++
		}
		statement := owning(to, rights[0])
		if rights[0].On != OnOwner {
			statement = "GRANT " + granted(rights[:n]) + " ON " + rights[0].on() + " TO " + to + ";"
		}
		if rights = rights[n:]; !slices.Contains(list, statement) {
			list = append(list, statement)
		}
	}
	return list
}

// owning is the statement that lets a role do what only an owner may.
func owning(to string, r Right) string {
	switch {
	case r.Owner == "" || r.OwnerIs == OwnerSuper:
		return "ALTER TABLE " + r.on() + " OWNER TO " + to + ";"
	case r.OwnerIs == OwnerApart:
		return "ALTER ROLE " + to + " INHERIT;"
	}
	return "GRANT " + QuoteName(r.Owner) + " TO " + to + ";"
}

// granted are the privileges of sorted rights on one thing: "SELECT (a, b), DELETE".
func granted(rights []Right) string {
	var list []string
	for len(rights) > 0 {
		privilege, n := rights[0].Privilege, 0
		var columns []string
		for n < len(rights) && rights[n].Privilege == privilege {
			if c := rights[n].Column; c != "" && !slices.Contains(columns, QuoteName(c)) {
				columns = append(columns, QuoteName(c))
			}
			n++
		}
		// Where the whole table is among them, that comes first.
		if whole := rights[0].Column == ""; !whole {
			privilege += " (" + strings.Join(columns, ", ") + ")"
		}
		list, rights = append(list, privilege), rights[n:]
	}
	return strings.Join(list, ", ")
}

// DeniedError says all that a role of Postgres may not do and must, before anything was done.
type DeniedError struct {
	Role   string
	For    string  // what `anthill rights -for` calls it; "" nothing
	Rights []Right // that are missing
	Leads  string  // the table to which the search path leads in a schema that the role may not use; "": none
	Path   []string
	Err    error
}

// Error ends with the statements to run.
func (e *DeniedError) Error() string {
	text := fmt.Sprintf("Postgres: check the rights of role %s: it lacks rights on %s.\nNothing was changed.", e.Role,
		strings.Join(subjects(e.Rights), ", "))
	if e.Leads != "" { // Postgres itself would pass over it in silence, to another table of the name
		text += fmt.Sprintf(" The search path (%s) leads to %s; where another schema has the tables, name it in DATABASE_URL "+
			"(search_path=NAME).", strings.Join(e.Path, ", "), e.Leads)
	}
	if slices.ContainsFunc(e.Rights, func(r Right) bool { return r.Column == "password_hash" }) { // in every naming
		text += " Only whether there is a password is read of it, never the password."
	}
	text += " As the owner, or as a superuser:\n\n    " + strings.Join(Grants(e.Role, e.Rights), "\n    ")
	if slices.ContainsFunc(e.Rights, func(r Right) bool { return r.On == OnOwner }) {
		text += "\n\nOnly its owner may change a table, or a member of the role that owns it."
	}
	if e.For != "" {
		text += "\n\nAll that such a role needs is printed by:\n\n    anthill rights -for " + e.For
		if plainName().MatchString(e.Role) {
			text += " -role " + e.Role
		}
	}
	return text
}

// subjects are what rights are about, each once.
func subjects(rights []Right) (list []string) {
	for _, r := range slices.SortedFunc(slices.Values(rights), CompareRights) {
		name := r.on()
		if kind, rest, has := strings.Cut(name, " "); has && r.On != OnTable && r.On != OnOwner {
			name = strings.ToLower(kind) + " " + rest
		}
		if r.On == OnOwner {
			name = "the structure of " + name
		}
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// Unwrap returns the driver's error; nil where the catalogue alone said that rights are missing.
func (e *DeniedError) Unwrap() error { return e.Err }

var plainName = regex.Lazy(`^[a-z_][a-z0-9_]*$`)

// QuoteName quotes a name for SQL where that is needed, as quote_ident does. What cannot be seen on a screen is escaped.
func QuoteName(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		var b strings.Builder
		for _, r := range name {
			switch {
			case !unicode.IsPrint(r):
				fmt.Fprintf(&b, `\+%06x`, r)
			case r == '\\' || r == '"':
				b.WriteString(string(r) + string(r))
			default:
				b.WriteRune(r)
			}
		}
		return `U&"` + b.String() + `"`
	}
	if plainName().MatchString(name) && !slices.Contains(strings.Split(keywords, ","), name) {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// keywords are the words of Postgres that are no names unless they are quoted, those of versions 14 to 18 together.
const keywords = "all,analyse,analyze,and,any,array,as,asc,asymmetric,authorization,between,bigint,binary,bit,boolean,both," +
	"case,cast,char,character,check,coalesce,collate,collation,column,concurrently,constraint,create,cross," +
	"current_catalog,current_date,current_role,current_schema,current_time,current_timestamp,current_user,dec," +
	"decimal,default,deferrable,desc,distinct,do,else,end,except,exists,extract,false,fetch,float,for,foreign," +
	"freeze,from,full,grant,greatest,group,grouping,having,ilike,in,initially,inner,inout,int,integer,intersect," +
	"interval,into,is,isnull,join,json,json_array,json_arrayagg,json_exists,json_object,json_objectagg," +
	"json_query,json_scalar,json_serialize,json_table,json_value,lateral,leading,least,left,like,limit,localtime," +
	"localtimestamp,merge_action,national,natural,nchar,none,normalize,not,notnull,null,nullif,numeric,offset,on," +
	"only,or,order,out,outer,overlaps,overlay,placing,position,precision,primary,real,references,returning,right," +
	"row,select,session_user,setof,similar,smallint,some,substring,symmetric,system_user,table,tablesample,then," +
	"time,timestamp,to,trailing,treat,trim,true,union,unique,user,using,values,varchar,variadic,verbose,when," +
	"where,window,with,xmlattributes,xmlconcat,xmlelement,xmlexists,xmlforest,xmlnamespaces,xmlparse,xmlpi," +
	"xmlroot,xmlserialize,xmltable"
