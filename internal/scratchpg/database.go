package scratchpg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// CreateDatabase makes a database as a copy of template, in tens of milliseconds for a small one. "" means template1.
// Nobody may be connected to the template. The error wraps a *pgconn.PgError where the server refused.
func (s *Server) CreateDatabase(ctx context.Context, name, template string) error {
	if template == "" {
		template = "template1"
	}
	statement := "CREATE DATABASE " + pgx.Identifier{name}.Sanitize() + " TEMPLATE " + pgx.Identifier{template}.Sanitize()
	if err := s.exec(ctx, statement); err != nil {
		return fmt.Errorf("create database %q from %q: %w", name, template, err)
	}
	return nil
}

// DropDatabase removes a database and ends the connections to it. A missing one is an error.
func (s *Server) DropDatabase(ctx context.Context, name string) error {
	if err := s.exec(ctx, "DROP DATABASE "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop database %q: %w", name, err)
	}
	return nil
}

// HasDatabase says whether there is one of the name.
func (s *Server) HasDatabase(ctx context.Context, name string) (there bool, err error) {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&there)
	return there, err
}

// RenameDatabase gives a database to which nobody is connected another name.
func (s *Server) RenameDatabase(ctx context.Context, name, to string) error {
	rename := "ALTER DATABASE " + pgx.Identifier{name}.Sanitize() + " RENAME TO " + pgx.Identifier{to}.Sanitize()
	if err := s.exec(ctx, rename); err != nil {
		return fmt.Errorf("rename database %q: %w", name, err)
	}
	return nil
}

// exec runs one statement in a database that nobody copies or drops.
func (s *Server) exec(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	// The statement is through when this is reached; a close that fails changes nothing.
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	_, err = conn.Exec(ctx, statement)
	return err
}
