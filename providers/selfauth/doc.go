// Package selfauth is the client of the Self-auth server: it implements providers.Directory for the planner and
// providers.Accounts for apply, over HTTPS with net/http. It is the only package of the product that talks to the
// server; everything it knows of the server's API is listed in docs/selfauth-facts.md.
//
// Rules, in order of importance:
//   - A list of members is never removed with an empty body: the server would remove everybody (F23).
//   - Writes go one at a time, each in one transaction of the server. A write whose answer was lost is not sent
//     again: it is reported as state.ErrorUnreachable, and the caller looks up what happened.
//   - The token leaves this package in the Authorization header of requests to Options.URL and nowhere else: no
//     redirect is followed, no error carries it. Names and addresses of users are taken out of errors too.
//   - The server's certificate is always verified; plain HTTP is for loopback alone.
//   - Listings are decoded while they arrive and one entry at a time, so memory does not grow with the directory.
//     Every other answer has a limit in bytes.
//   - Errors are told by the body of the answer, since the server says 500 to many a client's fault.
//   - A one-time code is handed to the caller and stands nowhere else: in no error, no recorded call, no journal.
//
// It is not for logins or credentials.
package selfauth
