package plan

import (
	"cmp"

	"github.com/google/uuid"

	"anthill/state"
)

// PauseSaid is what is said of a pause where its wave is shown; slug is that of its tenant.
func PauseSaid(p state.Pause, slug string) state.Finding {
	if p.Tenant == uuid.Nil {
		return state.About(state.CodeWavePaused, state.OfWave(p.Wave), pausedBy(p)...)
	}
	return state.About(state.CodeTenantPaused, state.OfTenant(slug), append([]state.Arg{state.Text(state.KeyWave, p.Wave)}, pausedBy(p)...)...)
}

// PauseMet is what is said of a pause that a run meets on its way. slugs are of those tenants that are known.
func PauseMet(p state.Pause, slugs map[uuid.UUID]string) state.Finding {
	return pauseOf(state.CodePauseMet, p, cmp.Or(slugs[p.Tenant], p.Tenant.String()))
}

// PauseUndeclared is what is said of a pause of a wave that is no longer declared.
func PauseUndeclared(p state.Pause, slug string) state.Finding {
	return pauseOf(state.CodePauseUndeclared, p, slug)
}

func pauseOf(code state.Code, p state.Pause, slug string) state.Finding {
	args := pausedBy(p)
	if p.Tenant != uuid.Nil {
		args = append(args, state.Text(state.KeyTenant, slug))
	}
	return state.About(code, state.OfWave(p.Wave), args...)
}

// pausedBy says whose a pause is: a rollback's, whose run says more, or a person's, with when and why.
func pausedBy(p state.Pause) []state.Arg {
	if p.Run != "" {
		return []state.Arg{state.Text(state.KeyRun, p.Run)}
	}
	args := []state.Arg{state.Text(state.KeyBy, p.By), state.At(state.KeyAt, p.At)}
	if p.Reason != "" {
		args = append(args, state.Text(state.KeyReason, p.Reason))
	}
	return args
}
