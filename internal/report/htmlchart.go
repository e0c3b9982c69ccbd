package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"anthill/internal/survey"
)

// hyperChart is areas one above the other and a line over them, by day.
type hyperChart struct {
	Title  string
	Says   string // what it shows, for who cannot see it; the figures are in the table behind it
	Legend []chartKey
	Marks  []chartMark // of the values
	Days   []chartMark // of some days
	Areas  []chartArea // the lowest first
	Line   string
}

// chartKey says what an area means, or the line.
type chartKey struct {
	Class, Label string
	Line         bool
}

// chartMark is a text at a place.
type chartMark struct{ At, Text, Class string }

// chartArea is an area with its outline.
type chartArea struct{ Class, Path string }

// Where the chart lies within its picture.
const (
	chartLeft, chartRight = 56.0, 712.0
	chartTop, chartBottom = 12.0, 230.0
)

func place(x float64) string { return strconv.FormatFloat(math.Round(10*x)/10, 'f', -1, 64) }

// adoptionChart draws how users came to log in through Self-auth.
func adoptionChart(points []survey.Point) hyperChart {
	c := hyperChart{
		Title: "Adoption over time, by method",
		Legend: []chartKey{{"self", "Self-auth alone", false}, {"dual", "dual", false}, {"password", "password alone", false},
			{"line", "completed: have logged in through Self-auth", true}},
	}
	first, last := points[0], points[len(points)-1]
	all := max(1, last.Password+last.Dual+last.SelfAuth)
	c.Says = fmt.Sprintf("From %s to %s: of %s, %s log in by Self-auth alone, %s are dual, %s by password alone; %s have completed.",
		first.Date, last.Date, users(all), count(last.SelfAuth), count(last.Dual), count(last.Password), count(last.Completed))
	x := func(i int) float64 {
		if len(points) == 1 {
			return chartRight
		}
		return chartLeft + (chartRight-chartLeft)*float64(i)/float64(len(points)-1)
	}
	y := func(n int64) float64 { return chartBottom - (chartBottom-chartTop)*float64(n)/float64(all) }
	path := func(value func(survey.Point) int64) (steps []string) {
		for i, p := range points {
			steps = append(steps, place(x(i))+" "+place(y(value(p))))
		}
		return steps
	}
	area := func(class string, low, high func(survey.Point) int64) {
		up, down := path(high), path(low)
		for i, j := 0, len(down)-1; i < j; i, j = i+1, j-1 {
			down[i], down[j] = down[j], down[i]
		}
		c.Areas = append(c.Areas, chartArea{class, "M" + strings.Join(append(up, down...), "L") + "Z"})
	}
	none := func(survey.Point) int64 { return 0 }
	self := func(p survey.Point) int64 { return p.SelfAuth }
	both := func(p survey.Point) int64 { return p.SelfAuth + p.Dual }
	whole := func(p survey.Point) int64 { return p.SelfAuth + p.Dual + p.Password }
	area("self", none, self)
	area("dual", self, both)
	area("password", both, whole)
	c.Line = "M" + strings.Join(path(func(p survey.Point) int64 { return p.Completed }), "L")
	for _, part := range []int64{0, 25, 50, 75, 100} {
		c.Marks = append(c.Marks, chartMark{At: place(y(all) + (chartBottom-chartTop)*float64(100-part)/100), Text: fmt.Sprintf("%d %%", part)})
	}
	c.Days = []chartMark{{place(chartLeft), first.Date, "start"}, {place(chartRight), last.Date, "end"}}
	if n := len(points); n > 2 {
		c.Days = append(c.Days, chartMark{place(x(n / 2)), points[n/2].Date, "middle"})
	}
	return c
}
