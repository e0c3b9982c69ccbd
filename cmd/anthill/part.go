package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"anthill/internal/report"
	"anthill/planner/plan"
	"anthill/planner/planfile"
)

// The flags that narrow a plan.
const (
	flagTarget  = "target"
	flagWave    = "wave"
	flagExclude = "exclude"
	flagDrift   = "refresh-only"
)

// partFlags narrow a plan to a part of the configuration.
func partFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: flagTarget,
			Usage: "plan only `ADDRESS` (an object, or all of a block) or tenant=SLUG, and what it needs (again for more)"},
		&cli.StringSliceFlag{Name: flagWave, Usage: "plan only users of this `WAVE`, and what they need (again for more)"},
		&cli.StringSliceFlag{Name: flagExclude, Usage: "leave out `ADDRESS`, tenant=SLUG or wave=NAME (again for more)"},
	}
}

// partFlag is the flag of partFlags that was given; "": none.
func partFlag(c *cli.Context) string {
	for _, name := range []string{flagTarget, flagWave, flagExclude} {
		if c.IsSet(name) {
			return name
		}
	}
	return ""
}

// partOf is the part of the configuration that the flags narrow a plan to. Of commands that have no such flags it is all; those
// that have their own of the name wave have no others.
func partOf(c *cli.Context) (targets, exclude []plan.Target, err error) {
	if !hasFlag(c, flagExclude) {
		return nil, nil, nil
	}
	if targets, err = parseTargets(c, flagTarget); err != nil {
		return nil, nil, err
	}
	for _, name := range c.StringSlice(flagWave) {
		targets = append(targets, plan.Target{Kind: plan.TargetWave, Name: name})
	}
	exclude, err = parseTargets(c, flagExclude)
	return targets, exclude, err
}

// checkDrift refuses flags that have no meaning where nothing is planned but what is recorded.
func checkDrift(c *cli.Context) error {
	if !c.Bool(flagDrift) {
		return nil
	}
	for _, name := range []string{flagTarget, flagWave, flagExclude, "allow", "as-of", "diff"} {
		if c.IsSet(name) {
			return misused(c, "-"+flagDrift+" looks at all that is recorded, as it is now, and changes nothing else: -"+name+" does not go with it")
		}
	}
	return nil
}

func hasFlag(c *cli.Context, name string) bool {
	for _, f := range c.Command.Flags {
		if f.Names()[0] == name {
			return true
		}
	}
	return false
}

func parseTargets(c *cli.Context, flag string) (list []plan.Target, err error) {
	for _, text := range c.StringSlice(flag) {
		t, ok := plan.ParseTarget(text)
		if !ok {
			return nil, &usageError{fmt.Sprintf("-%s wants an address such as 'group.admins[\"acme\"]' or group.admins, tenant=SLUG, "+
				"wave=NAME or schema; got %q", flag, text)}
		}
		list = append(list, t)
	}
	return list, nil
}

// heldError says that waves which were named cannot be moved; nil: none is held. Why has been shown with the plan.
func heldError(file *planfile.File) error {
	var names []string
	for _, w := range file.Context().HeldWaves() {
		names = append(names, fmt.Sprintf("wave %s is %s", report.Escape(w.Name), report.Escape(string(w.State))))
	}
	if len(names) == 0 {
		return nil
	}
	return &statusError{exitHeld, fmt.Errorf("%s: nothing was changed. Why is shown with the plan", strings.Join(names, ", "))}
}
