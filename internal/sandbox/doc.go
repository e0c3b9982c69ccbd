// Package sandbox is the application's world for demos, tests and first steps: a throw-away Postgres with the
// application's schema and sample or generated tenants and users, and a Self-auth server in memory beside it.
//
// The data is the same for the same seed: no clock, no randomness of its own. The sample holds every trap that real
// user tables are known for; those that stop a tenant sit on tenants other than anthill, acme and globex.
package sandbox
