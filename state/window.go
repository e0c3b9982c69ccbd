package state

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a machine without zones knows them all the same
)

// Window is when a wave may move users: on some days, between two times of the clock on the wall in a zone. It is
// plain data, as it is declared, recorded and planned. A nil Window is always open.
//
// It goes by what that clock shows. So where the clock is put forward, a time that it skips does not come, and where
// it is put back, what it shows twice counts twice. A span over midnight belongs to the day on which it begins.
type Window struct {
	Days   []string `json:"days,omitempty"` // of Weekdays, in their order; none: all
	From   string   `json:"from"`           // "22:00"
	To     string   `json:"to"`             // "04:00"; "24:00" is the end of a day
	Zone   string   `json:"zone"`           // of the IANA database: "Europe/Berlin"
	Except []Freeze `json:"except,omitempty"`
}

// Freeze is a time in which a window stays shut. Each end is a day of the window's zone, both of which belong to it,
// or a time as in RFC 3339, where it begins and is over.
type Freeze struct {
	From   string `json:"from"`
	To     string `json:"to"`
	Reason string `json:"reason,omitempty"`
}

// WindowState is how a window stands at a moment.
type WindowState struct {
	Open    bool
	Changes time.Time // when it is shut, or opens; zero: not within WindowAhead
	Frozen  string    // the reason of the freeze in which it is shut; "": none is given, or it is no freeze
}

// WindowAhead is how far ahead it is looked for when a window opens or is shut.
const WindowAhead = 5 * 366 * 24 * time.Hour

// Weekdays are the days of a week as a window names them.
func Weekdays() []string { return []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} }

// Equal reports whether two windows are the same.
func (w *Window) Equal(o *Window) bool {
	if w == nil || o == nil {
		return w == o
	}
	return slices.Equal(w.Days, o.Days) && w.From == o.From && w.To == o.To && w.Zone == o.Zone && slices.Equal(w.Except, o.Except)
}

// Check says what is wrong with a window as a whole; its parts are checked by ParseClock, LoadZone and Freeze.Check.
func (w *Window) Check() error {
	_, err := w.hours()
	return err
}

// At says how a window stands at a moment. One that Check finds wrong is shut and never opens: it is one of another
// version.
func (w *Window) At(t time.Time) WindowState {
	if w == nil {
		return WindowState{Open: true}
	}
	h, err := w.hours()
	if err != nil {
		return WindowState{}
	}
	s := WindowState{Open: h.open(t)}
	if f := h.frozen(t.In(h.zone)); f != nil {
		s.Frozen = f.Reason
	}
	for at, end := t, t.Add(WindowAhead); at.Before(end); {
		if at = h.next(at); h.open(at) != s.Open {
			s.Changes = at
			break
		}
	}
	return s
}

// longestDay is how much of a day's opening counts at most for a working day.
const longestDay = 8 * time.Hour

// WorkingDay reports whether a working day of the window lies in the time from t on that lasts for life: it is open then for as long
// as on one whole day of it, of which eight hours count, but for an eighth, in one piece or in two. The eighth is for whoever begins as it
// opens, and is not through at once. Where this hour of the day gives that on no day of the week, freezes aside, the most that it gives is
// enough: who asks once a day, at the same time, does not ask in vain for ever. A nil window has one always; one that Check finds wrong
// never.
func (w *Window) WorkingDay(t time.Time, life time.Duration) bool {
	if w == nil {
		return true
	}
	h, err := w.hours()
	if err != nil {
		return false
	}
	has, day := h.opened(t, t.Add(life)), min(h.length(), longestDay)
	day -= day / 8
	if has == 0 || has >= day {
		return has > 0
	}
	most, unfrozen := time.Duration(0), *h
	unfrozen.freezes = nil
	for i := range 7 {
		at := t.In(h.zone).AddDate(0, 0, i)
		most = max(most, unfrozen.opened(at, at.Add(life)))
	}
	return has >= min(most, day)
}

// Beyond is the first moment from t on, and before end, at which w is open and was is shut; zero: there is none.
func (w *Window) Beyond(was *Window, t, end time.Time) time.Time {
	if was == nil || w.Equal(was) {
		return time.Time{}
	}
	before, err := was.hours()
	if err != nil {
		return t // shut, as nobody can say when it was open
	}
	var now *hours
	if w != nil {
		if now, err = w.hours(); err != nil {
			return time.Time{}
		}
	}
	for at := t; at.Before(end); {
		if !before.open(at) && (now == nil || now.open(at)) {
			return at
		}
		next := before.next(at)
		if now != nil {
			next = earlier(next, now.next(at))
		}
		at = next
	}
	return time.Time{}
}

// hours is a window that was parsed.
type hours struct {
	zone     *time.Location
	from, to time.Duration // since midnight, by the clock on the wall
	days     [7]bool       // by time.Weekday
	freezes  []freeze
}

type freeze struct {
	from, to bound
	*Freeze
}

// bound is an end of a freeze: a day as in DateOnly, or a time.
type bound struct {
	day  string // "": it is a time
	time time.Time
}

func (w *Window) hours() (*hours, error) {
	zone, err := LoadZone(w.Zone)
	if err != nil {
		return nil, err
	}
	h := &hours{zone: zone}
	if h.from, err = ParseClock(w.From); err != nil {
		return nil, err
	}
	if h.to, err = ParseClock(w.To); err != nil {
		return nil, err
	}
	if h.from == h.to || h.from == 24*time.Hour {
		return nil, errors.New("a window must begin on a day, and end at another time")
	}
	for i, d := range Weekdays() {
		h.days[(i+1)%7] = len(w.Days) == 0 || slices.Contains(w.Days, d)
	}
	for _, d := range w.Days {
		if !slices.Contains(Weekdays(), d) {
			return nil, fmt.Errorf("%q is no day", d)
		}
	}
	for i := range w.Except {
		f := freeze{Freeze: &w.Except[i]}
		if f.from, f.to, err = w.Except[i].bounds(); err != nil {
			return nil, err
		}
		h.freezes = append(h.freezes, f)
	}
	return h, nil
}

// length is how long the window is open on one of its days.
func (h *hours) length() time.Duration {
	if h.from < h.to {
		return h.to - h.from
	}
	return h.to - h.from + 24*time.Hour
}

// opened is for how long the window is open between two moments.
func (h *hours) opened(t, end time.Time) (d time.Duration) {
	for t.Before(end) {
		next := earlier(h.next(t), end)
		if h.open(t) {
			d += next.Sub(t)
		}
		t = next
	}
	return d
}

// ParseClock reads a time of a day: "00:00" to "24:00", since midnight.
func ParseClock(s string) (time.Duration, error) {
	if s == "24:00" {
		return 24 * time.Hour, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != len("15:04") {
		return 0, fmt.Errorf("%q is no time of a day", s)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

// LoadZone finds a zone by its IANA name. "Local" and "" are none, as they are another one on each machine.
func LoadZone(name string) (*time.Location, error) {
	if name == "" || strings.EqualFold(name, "local") {
		return nil, fmt.Errorf("%q is no zone", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is no zone", name)
	}
	return zone, nil
}

// Check says what is wrong with a freeze.
func (f Freeze) Check() error {
	_, _, err := f.bounds()
	return err
}

func (f Freeze) bounds() (from, to bound, err error) {
	for _, end := range []struct {
		text string
		is   *bound
	}{{f.From, &from}, {f.To, &to}} {
		if _, err := time.Parse(time.DateOnly, end.text); err == nil {
			end.is.day = end.text
			continue
		}
		if end.is.time, err = time.Parse(time.RFC3339, end.text); err != nil {
			return from, to, fmt.Errorf("%q is neither a day nor a time", end.text)
		}
	}
	sameForm := (from.day == "") == (to.day == "")
	if sameForm && (from.day > to.day || from.day == "" && !from.time.Before(to.time)) {
		return from, to, errors.New("it ends before it begins")
	}
	return from, to, nil
}

// open reports whether the window is open at a moment.
func (h *hours) open(t time.Time) bool {
	l := t.In(h.zone)
	clock, day := sinceMidnight(l), l.Weekday()
	is := h.days[day] && h.from <= clock && clock < h.to
	if h.from > h.to {
		is = h.days[day] && clock >= h.from || h.days[(day+6)%7] && clock < h.to
	}
	return is && h.frozen(l) == nil
}

// frozen is the freeze that a moment, in the zone, lies in; nil: none.
func (h *hours) frozen(l time.Time) *Freeze {
	for _, f := range h.freezes {
		if f.from.begun(l) && !f.to.over(l) {
			return f.Freeze
		}
	}
	return nil
}

func (b bound) begun(l time.Time) bool {
	if b.day != "" {
		return l.Format(time.DateOnly) >= b.day
	}
	return !l.Before(b.time)
}

func (b bound) over(l time.Time) bool {
	if b.day != "" {
		return l.Format(time.DateOnly) > b.day
	}
	return !l.Before(b.time)
}

// next is the next moment after t at which the window may open or be shut. While the zone keeps one offset, the clock
// on the wall goes as time does; where it does not, is looked at as well.
func (h *hours) next(t time.Time) time.Time {
	const day = 24 * time.Hour
	l := t.In(h.zone)
	clock := sinceMidnight(l)
	next := t.Add(day - clock)
	for _, at := range []time.Duration{h.from, h.to} {
		wait := at - clock
		if wait <= 0 {
			wait += day
		}
		next = earlier(next, t.Add(wait))
	}
	if _, end := l.ZoneBounds(); !end.IsZero() {
		next = earlier(next, end)
	}
	for _, f := range h.freezes {
		for _, b := range []bound{f.from, f.to} {
			if b.day == "" && b.time.After(t) {
				next = earlier(next, b.time)
			}
		}
	}
	return next.UTC()
}

func sinceMidnight(l time.Time) time.Duration {
	return time.Duration(l.Hour())*time.Hour + time.Duration(l.Minute())*time.Minute + time.Duration(l.Second())*time.Second +
		time.Duration(l.Nanosecond())
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
