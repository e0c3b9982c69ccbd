package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"anthill/internal/apply"
	"anthill/planner/plan"
)

const (
	lineEvery  = 10 * time.Second       // off a terminal
	frameEvery = 100 * time.Millisecond // on one
	barCells   = 24
)

// Progress shows how far long work is: one line that is rewritten on a terminal, a line every ten seconds and at the
// end of each stage elsewhere. Safe for concurrent use.
type Progress struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	o        Options
	now      func() time.Time
	stage    string
	began    time.Time
	first    int64 // done when the stage began to be seen
	shown    time.Time
	line     bool // a line is on the terminal that is not ended yet
	ended    bool
	ahead    map[segment]string // what is to come behind a segment of the plan, in words
	then     string             // of the stage that is shown
}

// segment is one of the users of a plan.
type segment struct{ kind, wave string }

// NewProgress returns one that writes to w.
func NewProgress(w io.Writer, terminal bool, now func() time.Time, o Options) *Progress {
	return &Progress{w: w, terminal: terminal, o: o, now: now}
}

const (
	mostAhead     = 3 // waves that are named
	mostWaitedFor = 3 // sessions that are named
)

// Of says which plan is carried out: behind each wave stand those to come.
func (p *Progress) Of(e *plan.Effects) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ahead = map[segment]string{}
	var waves []string
	for _, i := range slices.Backward(e.InOrder()) {
		s := e.Segments[i]
		if len(waves) > 0 {
			p.ahead[segment{string(s.Kind), s.Wave}] = "  then " + strings.Join((&voice{most: mostAhead}).fewOf(waves), ", ")
		}
		if s.Wave != "" && (s.Kind == plan.SegmentMove || s.Kind == plan.SegmentRestore) {
			waves = slices.Insert(waves, 0, Escape(s.Wave)+" "+count(s.Users))
		}
	}
}

// Event shows what a run tells.
func (p *Progress) Event(e apply.Event) {
	switch e.Kind {
	case apply.Progress:
		p.mu.Lock()
		p.then = p.ahead[segment{e.Stage, e.Wave}]
		p.mu.Unlock()
		p.Stage(stage(e), e.Done, e.Total)
	case apply.Note:
		p.mu.Lock()
		defer p.mu.Unlock()
		p.end()
		page := newPage(p.w, p.o)
		page.line("%s", page.voice().say(e.Note))
		page.flush()
	case apply.Waiting:
		// Not as a line of its page, which may be cut: it is read in logs, by what stands at its end.
		p.Say((&voice{escape: Escape, most: mostWaitedFor}).say(e.Note))
	}
}

// Say writes a line of its own.
func (p *Progress) Say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end()
	fmt.Fprintln(p.w, text)
}

// Stage shows how far one stage is; total 0 means that nobody knows.
func (p *Progress) Stage(name string, done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	// A stage that goes on where a stopped run had come says its rate by what it does itself (first).
	if name != p.stage {
		p.end()
		p.stage, p.began, p.shown, p.first, p.ended = name, now, now, done, false
		if done < total {
			p.first = 0
		}
		if p.terminal {
			p.shown = time.Time{}
		}
	}
	every := lineEvery
	if p.terminal {
		every = frameEvery
	}
	last := total > 0 && done >= total
	if p.ended || !last && now.Sub(p.shown) < every {
		return
	}
	p.shown = now
	p.ended = last
	if p.terminal {
		text := []rune(p.text(done, total, now))
		if p.o.Width > 0 { // a line that is broken could not be rewritten
			text = text[:min(len(text), p.o.Width-1)]
		}
		fmt.Fprintf(p.w, "\r\x1b[K%s", string(text))
		p.line = true
		if last {
			p.end()
		}
		return
	}
	fmt.Fprintln(p.w, p.text(done, total, now))
}

func (p *Progress) text(done, total int64, now time.Time) string {
	rate := ""
	if took := now.Sub(p.began).Seconds(); took >= 0.5 && done > p.first {
		perSecond := float64(done-p.first) / took
		rate = fmt.Sprintf("  %s/s", count(int64(perSecond)))
		if total > done && p.terminal {
			left := time.Duration(float64(total-done) / perSecond * float64(time.Second))
			rate += fmt.Sprintf("  %d:%02d left", int(left.Minutes()), int(left.Seconds())%60)
		}
	}
	rate += p.then
	switch {
	case total <= 0:
		return fmt.Sprintf("  %s  %s%s", p.stage, count(done), rate)
	case !p.terminal:
		return fmt.Sprintf("%s %s/%s%s", p.stage, count(done), count(total), rate)
	}
	return fmt.Sprintf("  %-18s %s  %s of %s%s", p.stage, p.bar(done, total), count(done), count(total), rate)
}

func (p *Progress) bar(done, total int64) string {
	full := int(int64(barCells) * min(done, total) / total)
	on, off := "#", "-"
	if p.o.Unicode {
		on, off = "█", "░"
	}
	return strings.Repeat(on, full) + strings.Repeat(off, barCells-full)
}

// end ends the line on a terminal.
func (p *Progress) end() {
	if p.line {
		fmt.Fprintln(p.w)
		p.line = false
	}
}

// Close ends the line that stands, if any. It is safe to call twice.
func (p *Progress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end()
	p.stage = ""
}
