// Package postgres reads and writes the application's tables: tenants, users, sessions, the mapping rows, and the
// schema's step from the baseline to dual.
//
// Its rules, in order: password_hash is never read, only whether it is null; a row is written only while its logical
// columns have the digest that the plan relies on; values are parameters and identifiers are quoted, through the
// naming; no statement keeps the application's writers waiting for longer than a moment.
//
// Tables are looked for in the schema public. Names without a schema are never used: what a connection's search path
// finds first is not ours to know. The path itself is left alone, as the application's triggers rely on it.
package postgres
