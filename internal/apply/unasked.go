package apply

import (
	"context"

	"anthill/providers"
	"anthill/state"
)

// unasked stands for Self-auth in a run that neither asks nor changes it: there is nothing to wait for or to tidy up. A call
// of any other method is a bug, and panics.
type unasked struct{ providers.Accounts }

// Tidy has nothing to delete.
func (unasked) Tidy(context.Context) error { return nil }

// Drain has nothing to wait for.
func (unasked) Drain(context.Context) error { return nil }

// NextBatch is as many as one transaction of Postgres takes easily.
func (unasked) NextBatch(int) int { return leastBatch }

// Taken is no calls.
func (unasked) Taken() ([]state.Call, []state.Finding) { return nil, nil }

// Retries is none.
func (unasked) Retries() int64 { return 0 }
