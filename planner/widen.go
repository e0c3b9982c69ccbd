package planner

import (
	"anthill/planner/objects"
	"anthill/planner/plan"
	"anthill/planner/rollout"
	"anthill/planner/users"
	"anthill/planner/world"
)

// widened are the waves that an edit of their selection adds users to, who wait until the wave's gates are open again
// (L20). What gates go by is known only when all users have been looked at, so that where there may be such a wave
// they are looked at twice.
func (in Input) widened(j *world.Joined) (held map[string]bool, err error) {
	w := rollout.NewWidening(in.Config.Waves, in.State, nil)
	edited := false
	for i, wave := range in.Config.Waves {
		edited = edited || w.Edited(i) && len(wave.Gates) > 0
	}
	if !edited {
		return nil, nil
	}
	declared, diags := objects.Forward(j, nil)
	if diags.HasErrors() {
		return nil, nil // they are told when it is done in earnest
	}
	var (
		table plan.Table
		to    counting
	)
	decided, _, err := users.Decide(j, declared, users.Scope{}, &table, &to)
	if err != nil {
		return nil, err
	}
	m := maker{Input: in, world: j, declared: declared, decided: decided, sink: &to}
	waves := m.rollout()
	held = map[string]bool{}
	for i, wave := range waves.Waves {
		if waves.Tallies[i].Added > 0 && len(waves.Again(i)) > 0 {
			held[wave.Name] = true
		}
	}
	return held, nil
}
