package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"
)

// version of this program. Plans and runs record it.
const version = "0.1.0"

// The formats that this version writes: of plan files, and of the recorded state.
const (
	planFormat  = 3
	stateFormat = 7
)

const versionName = "version"

// versionFlag is -version, which is the command version wherever it stands.
func versionFlag() cli.Flag {
	return &cli.BoolFlag{Name: versionName, Aliases: []string{"v"}, Usage: "show the version"}
}

// build is what this program was made from.
type build struct {
	Version     string `json:"version"`
	Commit      string `json:"commit,omitempty"`   // "" where it was built outside a repository
	Modified    bool   `json:"modified,omitempty"` // the files differed from the commit
	Go          string `json:"go_version"`
	Platform    string `json:"platform"` // as linux_amd64
	PlanFormat  int    `json:"plan_format"`
	StateFormat int    `json:"state_format"`
}

func thisBuild() build {
	b := build{
		Version:     version,
		Go:          strings.TrimPrefix(runtime.Version(), "go"),
		Platform:    runtime.GOOS + "_" + runtime.GOARCH,
		PlanFormat:  planFormat,
		StateFormat: stateFormat,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (p *program) versionCommand() *cli.Command {
	return &cli.Command{
		Name:        versionName,
		Usage:       "show the version, and the formats that it writes",
		ArgsUsage:   " ",
		Description: "   anthill version\n   anthill version -json      for programs",
		Flags:       []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if _, err := words(c, 0, 0, "no arguments"); err != nil {
				return err
			}
			b := thisBuild()
			if c.Bool("json") {
				e := json.NewEncoder(p.stdout)
				e.SetIndent("", "  ")
				return e.Encode(b)
			}
			fmt.Fprintf(p.stdout, "anthill %s\non %s, Go %s\n", b.Version, b.Platform, b.Go)
			if b.Commit != "" {
				fmt.Fprintf(p.stdout, "commit %s%s\n", b.Commit, map[bool]string{true: ", modified"}[b.Modified])
			}
			fmt.Fprintf(p.stdout, "plan format %d, state format %d\n", b.PlanFormat, b.StateFormat)
			return nil
		},
	}
}
