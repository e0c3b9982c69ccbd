package postgres

import "context"

// stream is rows that are read while their consumer works.
type stream[T any] struct {
	batches chan []T
	stop    context.CancelFunc
	done    chan struct{}
	err     error // why there are no more rows; to be read when batches is closed
}

const (
	readBatch = 500
	reading   = "read users"
)

// newStream begins to read. The consumer closes the stream.
func newStream[T any](ctx context.Context, read func(context.Context, *stream[T]) error) *stream[T] {
	s := &stream[T]{batches: make(chan []T, 2), done: make(chan struct{})}
	ctx, s.stop = context.WithCancel(ctx)
	go func() {
		defer close(s.done)
		defer close(s.batches)
		s.err = fail(reading, read(ctx, s))
	}()
	return s
}

// close ends the reading and waits for it: the transaction is the reader's until then.
func (s *stream[T]) close() { s.stop(); <-s.done }

// each yields all rows, and then the error that came after them.
func (s *stream[T]) each(yield func(T, error) bool) {
	for rows := range s.batches {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
	if s.err != nil {
		var none T
		yield(none, s.err)
	}
}

// send hands rows over. An error says that nobody wants more, so that rows left out are never taken for the end of them.
func (s *stream[T]) send(ctx context.Context, rows []T) error {
	select {
	case s.batches <- rows:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// readAhead reads in batches, as handing over each row by itself would cost more than reading it.
func readAhead[T any](ctx context.Context, p *Provider, q querier, sql string, read func(raw [][]byte) (T, error), to *stream[T],
	args ...any,
) error {
	rows, err := queryUsers(ctx, q, sql, args...)
	if err != nil {
		return p.unread(ctx, reading, "users", err)
	}
	defer rows.Close()
	some := make([]T, 0, readBatch)
	for rows.Next() {
		row, err := read(rows.RawValues())
		if err != nil {
			return err
		}
		if some = append(some, row); len(some) == readBatch {
			if err := to.send(ctx, some); err != nil {
				return err
			}
			some = make([]T, 0, readBatch)
		}
	}
	if err := rows.Err(); err != nil {
		return p.unread(ctx, reading, "users", err)
	}
	return to.send(ctx, some)
}
