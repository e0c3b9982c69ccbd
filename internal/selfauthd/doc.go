// Package selfauthd is a Self-auth server in memory that speaks the real one's API over TLS on loopback: for
// `anthill dev`, `anthill demo` and tests.
//
// It is faithful in what plans, runs and their tests rely on: statuses and bodies, the order of checks, uniqueness, name
// and mail rules, references, absence in place of refusal, the recycle bin that keeps ids blocked, one writer, and the
// limits of requests. Recordings of a real server are replayed in its tests. What it does not know yet (OAuth2 clients,
// intents, logins of persons) answers "Route not found".
//
// The files: server (TLS, routes), request (bodies, errors), auth and token (who asks), entry and store (what there is),
// rights (who may see and change what), change (drafts, checks, commit), person, group, account, raw, scim, recycle (the
// calls), filter and values (their languages).
package selfauthd
