// Package selfauthd is a Self-auth server in memory that speaks the real one's API over TLS on loopback: for
// `anthill dev`, `anthill demo` and tests.
//
// It is faithful in what plans, runs, their tests and logins rely on: statuses and bodies, the order of checks,
// uniqueness, name and mail rules, references, rights and absence in place of refusal, account policies, OAuth2 clients
// and their tokens, credentials and their sessions, the recycle bin that keeps ids blocked, one writer, and the limits
// of requests. All recordings of a real server are replayed in its tests. What it does not know (posix attributes, SSH
// keys, RADIUS, synchronisation, passkeys of a device) answers "Route not found" or refuses.
//
// It has pages at the paths of the real server's, without script, for enrolling with a one-time code and for logging in to
// a client. Its passkeys are made up: the browser keeps a secret. No page looks like the real server's.
//
// Options add what a real server has and tests want at will: faults, costs, and a folder that keeps the directory.
//
// The files, from the outside in: server (TLS, routes), request (bodies, errors), faults and cost (what goes wrong, how
// long it takes), pages and pagetexts (what browsers see), auth and token (who asks), rights (who may see and change
// what); crud, raw, scim, recycle, account, client, intent, update, passkey, oidc, authorise and grant (the calls);
// change (drafts, checks, commit), filter, schema, values, quality and policy (their rules); entry, credential, keys and
// store (what there is), journal (what is kept of it).
package selfauthd
