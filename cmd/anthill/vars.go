package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"anthill/config"
)

// varFlags are -var and -var-file. The last one of the line that gives a value to a variable counts, so both write into
// one list.
func varFlags() []cli.Flag {
	list := &[]config.Given{}
	return []cli.Flag{
		&cli.GenericFlag{Name: "var", Value: &varFlag{list: list},
			Usage: "set a variable: `NAME=VALUE` (again for more)"},
		&cli.GenericFlag{Name: "var-file", Value: &varFlag{list: list, file: true}, TakesFile: true,
			Usage: "read variables from `FILE` (again for more)"},
	}
}

// varFlag is the value of one of the two.
type varFlag struct {
	list *[]config.Given
	file bool
}

// Set appends what the line says.
func (f *varFlag) Set(text string) error {
	if f.file {
		*f.list = append(*f.list, config.Given{File: text})
		return nil
	}
	// What is none is refused by given: an error from here would be told with the text, which may be a secret.
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		name = ""
	}
	*f.list = append(*f.list, config.Given{Name: name, Value: value})
	return nil
}

// String is "": the help shows no default.
func (f *varFlag) String() string { return "" }

// given are the variables and files of the line, in its order.
func given(c *cli.Context) ([]config.Given, error) {
	f, ok := c.Generic("var").(*varFlag)
	if !ok {
		return nil, nil
	}
	for _, g := range *f.list {
		if g.File == "" && g.Name == "" {
			return nil, &usageError{"-var wants NAME=VALUE, and -var-file the name of a file"}
		}
	}
	return *f.list, nil
}
