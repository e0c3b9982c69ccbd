// Package session is Anthill at work without a command line: it opens a configuration and both servers, plans, rolls
// back, carries out, confirms and resumes waves, and says how far everything is.
//
// It stands between internal/apply, planner, config, state and the providers, which it joins, and cmd/anthill, which
// turns flags into Settings and results into screens. Its rules: nothing is printed and nobody is asked; clock,
// environment and name of the caller come in as values; what a command has to tell leaves as a value, as a call of one
// of the functions in Settings, or as an error whose type says what happened; whatever changes the recorded state or
// the servers holds the lock of the target while it does.
package session
