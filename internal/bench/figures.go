package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
)

// sitting is one run of the benchmark: the parts that it measured, the others nil. It is a line of a -json file.
type sitting struct {
	setting

	Naive *naiveFigures `json:"naive,omitempty"`
	Bulk  *bulkFigures  `json:"bulk,omitempty"`
	Job   *jobFigures   `json:"anthill,omitempty"`

	Company *jobFigures `json:"company,omitempty"`
}

// setting is what must be the same for figures to be put together.
type setting struct {
	Server     string `json:"server"` // such as "real 1.10.5"
	Tenants    int    `json:"tenants"`
	Users      int    `json:"users"`
	NaiveUsers int    `json:"naive_users"`
}

type naiveFigures struct {
	Users   int     `json:"users"`
	Seconds float64 `json:"seconds"`
}

type bulkFigures struct {
	Users         int     `json:"users"`
	Seconds       float64 `json:"seconds"`
	GroupSeconds  float64 `json:"group_seconds"` // of them, for making the groups
	Writes        int     `json:"writes"`
	LongestMS     float64 `json:"longest_write_ms"`
	ExpireSeconds float64 `json:"expire_seconds"`
}

type jobFigures struct {
	Users           int          `json:"users"`
	PlanSeconds     float64      `json:"plan_seconds"`
	ApplySeconds    float64      `json:"apply_seconds"`
	AgainSeconds    float64      `json:"plan_again_seconds"`
	RollbackSeconds float64      `json:"rollback_seconds"`
	Writes          int          `json:"apply_writes"`
	RollbackWrites  int          `json:"rollback_writes"`
	LongestMS       float64      `json:"longest_write_ms"` // of apply, after the first few
	Other           otherFigures `json:"other_administrator"`
}

type otherFigures struct {
	Writes    int     `json:"writes"`
	Failed    int     `json:"failed"`
	LongestMS float64 `json:"longest_wait_ms"`
	err       error   // of cleaning up
}

// appendTo adds a line to a file.
func (s sitting) appendTo(file string) error {
	line, err := json.Marshal(s)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

// readSittings reads the lines of -json files. Those of another server or size do not belong together.
func readSittings(files []string) (list []sitting, err error) {
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		some, err := decodeSittings(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		list = append(list, some...)
	}
	for _, s := range list {
		if s.setting != list[0].setting {
			return nil, fmt.Errorf("these figures are of different things: %s, and %s", list[0].setting, s.setting)
		}
	}
	if len(list) == 0 {
		return nil, errors.New("there are no figures in these files")
	}
	return list, nil
}

func decodeSittings(r io.Reader) (list []sitting, err error) {
	for d := json.NewDecoder(bufio.NewReader(r)); ; {
		var s sitting
		switch err := d.Decode(&s); {
		case errors.Is(err, io.EOF):
			return list, nil
		case err != nil:
			return nil, err
		}
		list = append(list, s)
	}
}

func (s setting) String() string {
	return fmt.Sprintf("Self-auth %s, %d users in %d tenants, naive %d", s.Server, s.Users, s.Tenants, s.NaiveUsers)
}

// gather collects one figure of all sittings that have its part.
func gather[P any](list []sitting, part func(sitting) *P, figure func(*P) float64) (values []float64) {
	for _, s := range list {
		if p := part(s); p != nil {
			values = append(values, figure(p))
		}
	}
	return values
}

func naivePart(s sitting) *naiveFigures { return s.Naive }
func bulkPart(s sitting) *bulkFigures   { return s.Bulk }
func jobPart(s sitting) *jobFigures     { return s.Job }
func companyPart(s sitting) *jobFigures { return s.Company }

// middle is the median, zero of nothing.
func middle(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return median(values)
}

// report prints a table of medians, then what is wanted of them. What was not measured is left out. Of waits and
// failures the worst counts, not the median.
func report(out io.Writer, list []sitting) error {
	n := middle(gather(list, naivePart, func(f *naiveFigures) float64 { return float64(f.Users) / f.Seconds }))
	b := middle(gather(list, bulkPart, func(f *bulkFigures) float64 { return float64(f.Users) / f.Seconds }))
	a := middle(gather(list, jobPart, func(f *jobFigures) float64 { return float64(f.Users) / f.ApplySeconds }))
	fmt.Fprintf(out, "%s; medians\n\n", list[0].setting)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\truns\tusers\tseconds\tusers/s\tratio\t")
	row := func(name string, runs, users int, rate float64) {
		if runs == 0 {
			return
		}
		ratio := "-"
		if n > 0 {
			ratio = fmt.Sprintf("%.1f", rate/n)
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%.2f\t%.1f\t%s\t\n", name, runs, users, float64(users)/rate, rate, ratio)
	}
	s := list[0]
	row("naive", len(gather(list, naivePart, func(*naiveFigures) float64 { return 0 })), s.NaiveUsers, n)
	row("bulk", len(gather(list, bulkPart, func(*bulkFigures) float64 { return 0 })), s.Users, b)
	row("Anthill", len(gather(list, jobPart, func(*jobFigures) float64 { return 0 })), s.Users, a)
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	reportBulk(out, list)
	reportJob(out, list, a, n, b)
	reportCompany(out, list)
	return nil
}

func reportBulk(out io.Writer, list []sitting) {
	of := func(figure func(*bulkFigures) float64) []float64 { return gather(list, bulkPart, figure) }
	if len(of(func(*bulkFigures) float64 { return 0 })) == 0 {
		return
	}
	fmt.Fprintf(out, "bulk: groups %.2f s of it, %.0f write calls, longest %.0f ms; bare expire %.2f s\n",
		middle(of(func(f *bulkFigures) float64 { return f.GroupSeconds })),
		middle(of(func(f *bulkFigures) float64 { return float64(f.Writes) })),
		worst(of(func(f *bulkFigures) float64 { return f.LongestMS })),
		middle(of(func(f *bulkFigures) float64 { return f.ExpireSeconds })))
}

func reportJob(out io.Writer, list []sitting, rate, naive, bulk float64) {
	of := func(figure func(*jobFigures) float64) []float64 { return gather(list, jobPart, figure) }
	writes := middle(of(func(f *jobFigures) float64 { return float64(f.Writes) }))
	if rate == 0 {
		return
	}
	rollback := middle(of(func(f *jobFigures) float64 { return f.RollbackSeconds }))
	fmt.Fprintf(out, "Anthill: plan %.2f s, apply %.2f s, plan again %.2f s (nothing to do), "+
		"rollback %.2f s in %.0f write calls\n",
		middle(of(func(f *jobFigures) float64 { return f.PlanSeconds })),
		middle(of(func(f *jobFigures) float64 { return f.ApplySeconds })),
		middle(of(func(f *jobFigures) float64 { return f.AgainSeconds })), rollback,
		middle(of(func(f *jobFigures) float64 { return float64(f.RollbackWrites) })))
	if naive > 0 {
		fmt.Fprintf(out, "apply is %.1f times naive (want >= 10)\n", rate/naive)
	}
	if bulk > 0 {
		expire := middle(gather(list, bulkPart, func(f *bulkFigures) float64 { return f.ExpireSeconds }))
		fmt.Fprintf(out, "%.2f of bulk (want >= 0.8)\n", rate/bulk)
		fmt.Fprintf(out, "rollback %.1f of the bare expire (want <= 1.5)\n", rollback/expire)
	}
	fmt.Fprintf(out, "longest write after the first ten: %.0f ms (want <= 1500)\n",
		worst(of(func(f *jobFigures) float64 { return f.LongestMS })))
	if writes > 0 {
		fmt.Fprintf(out, "write calls: %.0f, one per %.1f users\n", writes, float64(list[0].Users)/writes)
	}
}

// reportCompany is what another administrator meets while Anthill works.
func reportCompany(out io.Writer, list []sitting) {
	of := func(figure func(*jobFigures) float64) []float64 { return gather(list, companyPart, figure) }
	if len(of(func(*jobFigures) float64 { return 0 })) == 0 {
		return
	}
	fmt.Fprintf(out, "in company: apply %.2f s, longest write after the first ten: %.0f ms (want <= 1500)\n",
		middle(of(func(f *jobFigures) float64 { return f.ApplySeconds })),
		worst(of(func(f *jobFigures) float64 { return f.LongestMS })))
	fmt.Fprintf(out, "other administrator: %.0f writes, %.0f failed, longest wait %.0f ms (want 0, <= 2000)\n",
		sum(of(func(f *jobFigures) float64 { return float64(f.Other.Writes) })),
		sum(of(func(f *jobFigures) float64 { return float64(f.Other.Failed) })),
		worst(of(func(f *jobFigures) float64 { return f.Other.LongestMS })))
}

func worst(values []float64) (w float64) {
	for _, v := range values {
		w = max(w, v)
	}
	return w
}

func sum(values []float64) (s float64) {
	for _, v := range values {
		s += v
	}
	return s
}
