// Package survey works out how far an application's users have come: totals, phases, waves with their gates, tenants, days and the
// key figures of the plan. It is what `anthill status` shows.
//
// It is pure. It sees users only as counts of those who are alike (providers.UserCount), so its work does not grow with their
// number; what is recorded; the configuration, if that can be used; and a time. internal/session asks both servers for it, and
// internal/report puts it into words.
//
// Its rules, in order of importance: the figures are those of the plan that would be made now, and where a plan looks at what no row
// tells (names and addresses that are taken, isolation), those of the last apply; nothing is guessed: what is not known is left out or said to
// be unknown; figures of different meaning (linked, invited, enrolled, completed) are never added up.
//
// It is not for deciding: no plan and no apply goes by it.
package survey
