// Package postgres reads and writes the application's tables: tenants, users, sessions, the mapping rows, and the
// schema's step from the baseline to dual.
//
// Its rules, in order: password_hash is never read, only whether it is null or could be one of bcrypt; a row is written only while
// its logical columns have the digest that the plan relies on; values are parameters and identifiers are quoted, through the
// naming; no statement keeps the application's writers waiting for longer than a moment.
//
// A row that cannot be seen is not taken for one that is gone. Tables are found once, as the search path of the first
// connection finds them (place.go), and named with their schema from then on; the path itself is left alone, as the
// application's triggers rely on it. Every connection sets what could mislead us (session.go), row_security = off first
// of all: Postgres then refuses to leave rows out. A table that shows no row is not believed where the catalogue says
// otherwise (sight.go).
package postgres
