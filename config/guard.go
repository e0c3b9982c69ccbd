package config

// KeepAdmins is guard.keep_admins for a rollback, which evaluates nothing else of the configuration. Where it is wrong,
// or needs live data, it is the default: no mistake in a brake may stand in the way back.
func (m *Module) KeepAdmins() int64 {
	e := newEvaluator(m, nil)
	n := e.reader(e.m.single("guard", ""), scope{static: true}).count("keep_admins")
	if e.diags.HasErrors() {
		return 1
	}
	return n
}

func (e *evaluator) guard() (g Guard) {
	r := e.reader(e.m.single("guard", ""), scope{})
	g.MaxUsersChangedPercent, _ = r.percent("max_users_changed_percent")
	g.MaxRemovedPercent, _ = r.percent("max_removed_percent")
	g.MinPopulation, g.KeepAdmins = r.count("min_population"), r.count("keep_admins")
	return g
}
