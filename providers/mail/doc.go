// Package mail hands mails over to one SMTP server, or writes them to a directory. It knows what a mail is and what
// the server said of it; whom to write to, when, and what, is decided above.
//
// Rules, the most important first:
//
//   - What became of a mail is known exactly. Nobody has it until the last byte of it, the final dot's, was given to
//     the system: whatever ends the connection before that leaves it unsent, and a connection that had been lying idle
//     is then replaced once. After that only the server's answer tells; without one the mail is doubtful, and is never
//     sent again here.
//   - A password goes through TLS with a verified certificate, or to this machine. Encryption is never tried and then
//     done without.
//   - No field of a mail makes a header line of its own. Addresses that hold a control character are refused; in texts
//     it is a blank.
//   - No text of the server about a mail leaves this package: it may hold addresses. Code and enhanced status do.
//
// It also makes and reads addresses for bounces (bounceaddress.go), reads bounces (bounce.go), and looks up what
// receivers will ask about a sender's domain (sender.go).
package mail
