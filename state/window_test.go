package state_test

import (
	"testing"
	"time"

	"anthill/state"
)

// TestWindow: whether a window is open at a moment, and when that changes. Berlin puts its clock forward on
// 2026-03-29, from 02:00 to 03:00 at 01:00 UTC, and back on 2026-10-25, from 03:00 to 02:00 at 01:00 UTC.
func TestWindow(t *testing.T) {
	t.Parallel()
	berlin := func(from, to string, days ...string) state.Window {
		return state.Window{Days: days, From: from, To: to, Zone: "Europe/Berlin"}
	}
	utc := func(from, to string, days ...string) state.Window {
		return state.Window{Days: days, From: from, To: to, Zone: "UTC"}
	}
	except := func(w state.Window, list ...state.Freeze) state.Window {
		w.Except = list
		return w
	}
	const never = ""
	for name, c := range map[string]struct {
		window  state.Window
		at      string
		open    bool
		changes string
	}{
		"before it opens":                {utc("09:00", "17:00"), "2026-12-07T08:59:59Z", false, "2026-12-07T09:00:00Z"},
		"as it opens":                    {utc("09:00", "17:00"), "2026-12-07T09:00:00Z", true, "2026-12-07T17:00:00Z"},
		"a moment before it is shut":     {utc("09:00", "17:00"), "2026-12-07T16:59:59.999Z", true, "2026-12-07T17:00:00Z"},
		"as it is shut":                  {utc("09:00", "17:00"), "2026-12-07T17:00:00Z", false, "2026-12-08T09:00:00Z"},
		"whole days":                     {utc("00:00", "24:00", "mon", "tue"), "2026-12-07T12:00:00Z", true, "2026-12-09T00:00:00Z"},
		"always":                         {utc("00:00", "24:00"), "2026-12-07T12:00:00Z", true, never},
		"a weekend between":              {utc("09:00", "17:00", "mon", "tue", "wed", "thu", "fri"), "2026-12-11T17:00:00Z", false, "2026-12-14T09:00:00Z"},
		"over midnight, in the evening":  {utc("22:00", "04:00", "fri"), "2026-12-11T23:00:00Z", true, "2026-12-12T04:00:00Z"},
		"over midnight, the day after":   {utc("22:00", "04:00", "fri"), "2026-12-12T03:59:00Z", true, "2026-12-12T04:00:00Z"},
		"over midnight, not that day's":  {utc("22:00", "04:00", "fri"), "2026-12-11T03:00:00Z", false, "2026-12-11T22:00:00Z"},
		"over midnight, the week after":  {utc("22:00", "04:00", "fri"), "2026-12-12T04:00:00Z", false, "2026-12-18T22:00:00Z"},
		"to midnight":                    {utc("22:00", "00:00", "fri"), "2026-12-11T23:00:00Z", true, "2026-12-12T00:00:00Z"},
		"to midnight, which is over":     {utc("22:00", "00:00", "fri"), "2026-12-12T00:00:00Z", false, "2026-12-18T22:00:00Z"},
		"sunday to monday":               {utc("22:00", "04:00", "sun"), "2026-12-14T01:00:00Z", true, "2026-12-14T04:00:00Z"},
		"over the end of a year":         {utc("22:00", "04:00", "thu"), "2027-01-01T01:00:00Z", true, "2027-01-01T04:00:00Z"},
		"a zone, in winter":              {berlin("09:00", "17:00"), "2026-12-07T07:59:00Z", false, "2026-12-07T08:00:00Z"},
		"a zone, in summer":              {berlin("09:00", "17:00"), "2026-07-06T07:00:00Z", true, "2026-07-06T15:00:00Z"},
		"the day is the zone's":          {berlin("00:00", "24:00", "tue"), "2026-12-07T23:30:00Z", true, "2026-12-08T23:00:00Z"},
		"over the hour that is skipped":  {berlin("22:00", "04:00", "sat"), "2026-03-28T22:00:00Z", true, "2026-03-29T02:00:00Z"},
		"begins in that hour":            {berlin("02:30", "05:00"), "2026-03-29T00:59:00Z", false, "2026-03-29T01:00:00Z"},
		"ends in that hour":              {berlin("01:00", "02:30"), "2026-03-29T00:30:00Z", true, "2026-03-29T01:00:00Z"},
		"lies in that hour":              {berlin("02:15", "02:45"), "2026-03-28T02:00:00Z", false, "2026-03-30T00:15:00Z"},
		"over the hour that comes twice": {berlin("22:00", "04:00", "sat"), "2026-10-24T20:00:00Z", true, "2026-10-25T03:00:00Z"},
		"ends in it, the first time":     {berlin("01:00", "02:30"), "2026-10-24T23:30:00Z", true, "2026-10-25T00:30:00Z"},
		"ends in it, and opens again":    {berlin("01:00", "02:30"), "2026-10-25T00:30:00Z", false, "2026-10-25T01:00:00Z"},
		"ends in it, the second time":    {berlin("01:00", "02:30"), "2026-10-25T01:00:00Z", true, "2026-10-25T01:30:00Z"},
		"begins in it":                   {berlin("02:30", "05:00"), "2026-10-25T00:29:00Z", false, "2026-10-25T00:30:00Z"},
		"begins in it, and is back":      {berlin("02:30", "05:00"), "2026-10-25T00:59:00Z", true, "2026-10-25T01:00:00Z"},
		"half an hour":                   {state.Window{From: "01:30", To: "03:00", Zone: "Australia/Lord_Howe"}, "2026-04-04T14:59:00Z", true, "2026-04-04T16:30:00Z"},
		"midnight that does not come":    {state.Window{Days: []string{"sun"}, From: "00:00", To: "06:00", Zone: "America/Santiago"}, "2026-09-06T03:59:00Z", false, "2026-09-06T04:00:00Z"},
		"leap day":                       {utc("00:00", "24:00", "tue"), "2028-02-28T12:00:00Z", false, "2028-02-29T00:00:00Z"},
		"over midnight into it":          {utc("22:00", "04:00", "mon"), "2028-02-29T03:00:00Z", true, "2028-02-29T04:00:00Z"},
		"a freeze of days, from the first": {except(utc("22:00", "04:00"), state.Freeze{From: "2026-12-24", To: "2026-12-26", Reason: "x"}),
			"2026-12-23T23:00:00Z", true, "2026-12-24T00:00:00Z"},
		"a freeze of days, to the last": {except(utc("22:00", "04:00"), state.Freeze{From: "2026-12-24", To: "2026-12-26", Reason: "x"}),
			"2026-12-24T01:00:00Z", false, "2026-12-27T00:00:00Z"},
		"a freeze of one day, of the zone": {except(berlin("00:00", "24:00"), state.Freeze{From: "2026-12-24", To: "2026-12-24", Reason: "x"}),
			"2026-12-23T23:00:00Z", false, "2026-12-24T23:00:00Z"},
		"leap day is frozen": {except(utc("09:00", "17:00"), state.Freeze{From: "2028-02-29", To: "2028-02-29", Reason: "x"}),
			"2028-02-28T17:00:00Z", false, "2028-03-01T09:00:00Z"},
		"a freeze of times": {except(utc("09:00", "17:00"), state.Freeze{From: "2026-12-07T10:00:00Z", To: "2026-12-07T12:00:00+01:00", Reason: "x"}),
			"2026-12-07T09:30:00Z", true, "2026-12-07T10:00:00Z"},
		"a freeze of times, over": {except(utc("09:00", "17:00"), state.Freeze{From: "2026-12-07T10:00:00Z", To: "2026-12-07T12:00:00+01:00", Reason: "x"}),
			"2026-12-07T10:00:00Z", false, "2026-12-07T11:00:00Z"},
		"two freezes that touch": {except(utc("00:00", "24:00"), state.Freeze{From: "2026-12-07", To: "2026-12-08", Reason: "x"},
			state.Freeze{From: "2026-12-09", To: "2026-12-09", Reason: "y"}), "2026-12-07T10:00:00Z", false, "2026-12-10T00:00:00Z"},
		"frozen for good": {except(utc("09:00", "17:00"), state.Freeze{From: "2026-01-01", To: "9999-12-31", Reason: "x"}),
			"2026-12-07T10:00:00Z", false, never},
		"frozen later, for good": {except(utc("00:00", "24:00"), state.Freeze{From: "2027-01-01", To: "9999-12-31", Reason: "x"}),
			"2026-12-07T10:00:00Z", true, "2027-01-01T00:00:00Z"},
		"of another version": {state.Window{From: "09:00", To: "17:00", Zone: "Mars/Olympus"}, "2026-12-07T10:00:00Z", false, never},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := moment(t, c.at)
			got := c.window.At(at)
			if got.Open != c.open || !got.Changes.Equal(moment(t, c.changes)) {
				t.Errorf("at %s it is open: %v until %s; want %v until %s", c.at, got.Open, got.Changes, c.open, c.changes)
			}
			// The clock goes back: how it stands follows from the moment alone.
			if again := c.window.At(at.Add(-time.Hour).Add(time.Hour)); again != got {
				t.Errorf("asked again: %+v, before: %+v", again, got)
			}
		})
	}
	if is := (*state.Window)(nil).At(time.Now()); !is.Open || !is.Changes.IsZero() {
		t.Errorf("without a window: %+v", is)
	}
	if is := except(utc("00:00", "24:00"), state.Freeze{From: "2026-12-07", To: "2026-12-08", Reason: "audit"}); is.At(moment(t, "2026-12-07T10:00:00Z")).Frozen != "audit" {
		t.Error("the reason of the freeze is not told")
	}
}

// TestWindowStepByStep: where the search for the next change jumps, nothing lies between that a look at each minute
// would find.
func TestWindowStepByStep(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu"} {
		w := state.Window{
			Days: []string{"mon", "sat", "sun"}, From: "22:30", To: "02:30", Zone: zone,
			Except: []state.Freeze{{From: "2026-03-30", To: "2026-03-30"}, {From: "2026-04-05T10:00:00Z", To: "2026-04-05"}},
		}
		for _, day := range []string{"2026-03-27T00:00:00Z", "2026-04-03T00:00:00Z", "2026-09-04T00:00:00Z", "2026-10-02T00:00:00Z", "2026-10-23T00:00:00Z"} {
			at := moment(t, day)
			is := w.At(at)
			for end := at.Add(5 * 24 * time.Hour); at.Before(end); at = at.Add(time.Minute) {
				next := w.At(at)
				if next.Open != is.Open && !at.Equal(is.Changes) || at.Equal(is.Changes) && next.Open == is.Open {
					t.Fatalf("%s at %s: %+v, which was to be until %s", zone, at, next, is.Changes)
				}
				is = next
			}
		}
	}
}

// TestWindowBeyond: the first moment at which a window is open and another one, that was before, is shut.
func TestWindowBeyond(t *testing.T) {
	t.Parallel()
	night := &state.Window{From: "22:00", To: "04:00", Zone: "UTC"}
	longer := &state.Window{From: "21:00", To: "04:00", Zone: "UTC"}
	weekly := &state.Window{Days: []string{"tue"}, From: "22:00", To: "04:00", Zone: "UTC"}
	frozen := &state.Window{From: "22:00", To: "04:00", Zone: "UTC", Except: []state.Freeze{{From: "2026-12-09", To: "2026-12-10"}}}
	broken := &state.Window{From: "22:00", To: "04:00", Zone: "Mars/Olympus"}
	at := "2026-12-07T12:00:00Z"
	for name, c := range map[string]struct {
		now, was *state.Window
		want     string
	}{
		"none, and none before":      {nil, nil, ""},
		"the first":                  {night, nil, ""},
		"the same":                   {night, &state.Window{From: "22:00", To: "04:00", Zone: "UTC"}, ""},
		"it is gone":                 {nil, night, at},
		"longer":                     {longer, night, "2026-12-07T21:00:00Z"},
		"shorter":                    {night, longer, ""},
		"on more days":               {night, weekly, "2026-12-07T22:00:00Z"},
		"on fewer days":              {weekly, night, ""},
		"a freeze is taken away":     {night, frozen, "2026-12-09T00:00:00Z"},
		"a freeze comes":             {frozen, night, ""},
		"another zone":               {&state.Window{From: "22:00", To: "04:00", Zone: "Europe/Berlin"}, night, "2026-12-07T21:00:00Z"},
		"before: of another version": {night, broken, at},
		"now: of another version":    {broken, night, ""},
	} {
		from := moment(t, at)
		if got := c.now.Beyond(c.was, from, from.Add(7*24*time.Hour)); !got.Equal(moment(t, c.want)) {
			t.Errorf("%s: %s instead of %s", name, got, c.want)
		}
	}
}

func moment(t *testing.T, s string) (at time.Time) {
	t.Helper()
	if s == "" {
		return at
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestWorkingDay: whether a working day of a window lies in the 24 hours for which a code is good.
func TestWorkingDay(t *testing.T) {
	t.Parallel()
	in := func(zone, from, to string, days ...string) *state.Window {
		return &state.Window{Days: days, From: from, To: to, Zone: zone}
	}
	week := []string{"mon", "tue", "wed", "thu", "fri"}
	office, short := in("UTC", "08:00", "17:00", week...), in("UTC", "08:00", "09:00", week...)
	night, fridays := in("UTC", "22:00", "04:00", week...), in("UTC", "08:00", "17:00", "fri")
	whole, berlin := in("UTC", "00:00", "24:00", week...), in("Europe/Berlin", "01:00", "05:00", "sat", "sun")
	frozen := in("UTC", "08:00", "17:00", week...)
	frozen.Except = []state.Freeze{{From: "2026-12-19", To: "2027-01-06"}, {From: "2026-12-08T09:00:00Z", To: "2026-12-08T16:00:00Z"}}
	for name, c := range map[string]struct {
		window *state.Window
		at     string
		want   bool
	}{
		"no window":           {nil, "2026-12-12T03:00:00Z", true},
		"one that is wrong":   {in("Nowhere", "08:00", "17:00"), "2026-12-07T08:00:00Z", false},
		"Monday, as it opens": {office, "2026-12-07T08:00:00Z", true},
		"Monday, in the middle: the rest is tomorrow": {office, "2026-12-07T12:00:00Z", true},
		"Thursday, as it shuts":                       {office, "2026-12-10T17:00:00Z", true},
		"Thursday night":                              {office, "2026-12-10T23:00:00Z", true},
		"Friday, as it opens":                         {office, "2026-12-11T08:00:00Z", true},
		"Friday, seven hours are left":                {office, "2026-12-11T10:00:00Z", true},
		"Friday, less than that":                      {office, "2026-12-11T10:00:01Z", false},
		"Friday, ten minutes before it shuts":         {office, "2026-12-11T16:50:00Z", false},
		"Saturday":                                    {office, "2026-12-12T12:00:00Z", false},
		"Sunday at noon: half of Monday":              {office, "2026-12-13T12:00:00Z", false},
		"Sunday, seven hours of Monday":               {office, "2026-12-13T15:00:00Z", true},
		"Sunday, a moment less":                       {office, "2026-12-13T14:59:59Z", false},
		"the Monday after":                            {office, "2026-12-14T08:00:00Z", true},

		"the last day, some minutes after it has opened":   {in("UTC", "09:00", "17:00", "mon", "tue"), "2026-12-08T09:05:00Z", true},
		"one hour a day, some minutes after it has opened": {short, "2026-12-11T08:05:00Z", true},
		"one hour a day, as it opens":                      {short, "2026-12-11T08:00:00Z", true},
		"one hour a day, before that":                      {short, "2026-12-11T06:00:00Z", true},
		"one hour a day, in its middle":                    {short, "2026-12-10T08:30:00Z", true},
		"one hour a day, in the middle of the last":        {short, "2026-12-11T08:30:00Z", false},
		"one hour a day, on Friday evening":                {short, "2026-12-11T20:00:00Z", false},
		"one hour a day, on Sunday at nine":                {short, "2026-12-13T09:00:00Z", true},
		"one day a week, as it opens":                      {fridays, "2026-12-11T08:00:00Z", true},
		"one day a week, at half past ten":                 {fridays, "2026-12-11T10:30:00Z", true}, // no day gives more at this hour
		"one day a week, at half past ten, the day before": {fridays, "2026-12-10T10:30:00Z", false},
		"one day a week, at three: Thursday gives more":    {fridays, "2026-12-11T15:00:00Z", false},
		"one day a week, that Thursday":                    {fridays, "2026-12-10T15:00:00Z", true},
		"one day a week, on Monday":                        {fridays, "2026-12-07T10:30:00Z", false},

		"over midnight, as it opens":             {night, "2026-12-07T22:00:00Z", true},
		"over midnight, at midnight":             {night, "2026-12-08T00:00:00Z", true},
		"over midnight, on Saturday at one":      {night, "2026-12-12T01:00:00Z", false},
		"over midnight, on Sunday at eleven":     {night, "2026-12-13T23:00:00Z", false},
		"over midnight, on Monday in the middle": {night, "2026-12-07T03:00:00Z", false},
		"over midnight, on Monday at four":       {night, "2026-12-07T04:00:00Z", true},

		"whole days":                                 {whole, "2026-12-07T03:00:00Z", true},
		"whole days, the last with seven hours":      {whole, "2026-12-11T17:00:00Z", true},
		"whole days, the last with less":             {whole, "2026-12-11T17:10:00Z", false},
		"whole days, before the first":               {whole, "2026-12-13T07:00:00Z", true},
		"always":                                     {in("UTC", "00:00", "24:00"), "2026-12-12T16:50:00Z", true},
		"an hour that is skipped: three of four":     {berlin, "2026-03-29T00:00:00Z", false},
		"the night before that":                      {berlin, "2026-03-28T00:00:00Z", true},
		"an hour that comes twice":                   {berlin, "2026-10-24T23:00:00Z", true},
		"an hour that comes twice, one of five over": {berlin, "2026-10-25T00:30:00Z", true},
		"a zone: its Friday is over":                 {in("Pacific/Auckland", "08:00", "17:00", week...), "2026-12-11T03:50:00Z", false},
		"a zone: its Friday has just begun":          {in("Pacific/Auckland", "08:00", "17:00", week...), "2026-12-10T19:00:00Z", true},

		"before a freeze, ten minutes of its last day": {frozen, "2026-12-18T16:50:00Z", false},
		"in a freeze":    {frozen, "2026-12-22T09:00:00Z", false},
		"after a freeze": {frozen, "2027-01-07T08:00:00Z", true},
		"a day of which a freeze leaves two hours": {frozen, "2026-12-08T08:00:00Z", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, err := time.Parse(time.RFC3339, c.at)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.window.WorkingDay(at, 24*time.Hour); got != c.want {
				t.Errorf("%t, want %t", got, c.want)
			}
		})
	}
}

// TestWorkingDayComes: whoever asks once a day, at whatever minute, is let through within a week and a day, whatever the window; and so
// is whoever asks as the window opens, at once.
func TestWorkingDayComes(t *testing.T) {
	t.Parallel()
	days := [][]string{nil, {"mon"}, {"fri", "sat"}, {"mon", "wed", "sun"}, {"mon", "tue", "wed", "thu", "fri"}}
	for _, span := range [][2]string{{"08:00", "17:00"}, {"08:00", "09:00"}, {"23:59", "00:01"}, {"22:00", "04:00"}, {"00:00", "24:00"}, {"09:00", "08:59"}, {"02:15", "02:45"}} {
		for _, d := range days {
			for _, zone := range []string{"UTC", "Europe/Berlin", "Australia/Lord_Howe"} {
				w := &state.Window{Days: d, From: span[0], To: span[1], Zone: zone}
				start := time.Date(2026, 12, 6, 0, 0, 0, 0, time.UTC)
				for minute := 0; minute < 24*60; minute += 47 {
					let := false
					for day := range 8 {
						let = let || w.WorkingDay(start.Add(time.Duration(minute)*time.Minute).AddDate(0, 0, day), 24*time.Hour)
					}
					if !let {
						t.Fatalf("%v: asked each day at minute %d, in vain", w, minute)
					}
				}
				opens := w.At(start).Changes
				if w.At(start).Open && !opens.IsZero() {
					opens = w.At(opens).Changes
				}
				if opens.IsZero() {
					opens = start
				}
				if !w.WorkingDay(opens, 24*time.Hour) {
					t.Errorf("%v: not as it opens, at %s", w, opens)
				}
			}
		}
	}
}
