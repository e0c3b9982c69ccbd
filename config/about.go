package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"anthill/state"
)

// About is the Extra of a diagnostic that is made after the files were read, by the planner: what it is about. Locate
// turns it into a place in the files.
type About struct {
	Address state.Address // of a block, or of an instance of one: group.admins["acme"], wave.pilot
	Path    cty.Path      // of an argument in it; nil: the block as a whole
}

// Problem makes an error that the user can mend in a file. It names no place: that is found from what it is about.
func Problem(about About, summary, format string, args ...any) *hcl.Diagnostic {
	d := problem(hcl.Range{}, summary, format, args...)
	d.Extra = about
	return d
}

// Locate gives each diagnostic whose Extra is an About the place of what it is about as its Subject: that of the
// argument that Path names, else of the block, as near as the files have it. Where a moved block says how an address
// came about, and no block has it, that is the place. The others come back as they are; no text changes.
func (m *Module) Locate(diags hcl.Diagnostics) hcl.Diagnostics {
	located := make(hcl.Diagnostics, len(diags))
	for i, d := range diags {
		located[i] = d
		about, ok := d.Extra.(About)
		if !ok {
			continue
		}
		if at := m.locate(about); at.Filename != "" {
			c := *d
			c.Subject = &at
			located[i] = &c
		}
	}
	return located
}

// locate is where something stands; the zero range where no file has it.
func (m *Module) locate(about About) hcl.Range {
	n := m.index[about.Address.Block()]
	if n == nil {
		n = m.movedBlock(about.Address)
	}
	if n == nil {
		return hcl.Range{}
	}
	return n.locate(about.Path)
}

// movedBlock is the moved block that names an address, or its block; nil: there is none.
func (m *Module) movedBlock(address state.Address) *node {
	e := newEvaluator(m, nil)
	for _, n := range m.all("moved") {
		r := e.reader(n, scope{static: true})
		for _, a := range []state.Address{r.address("from"), r.address("to")} {
			if a != "" && (a == address || a == state.Address(address.Block())) {
				return n
			}
		}
	}
	return nil
}

// locate follows a path through nested blocks, among which an index chooses, to an argument. Steps behind that lead
// into its value. Values that may be secrets are not pointed at.
func (n *node) locate(path cty.Path) hcl.Range {
	if len(path) == 0 {
		return n.at
	}
	step, ok := path[0].(cty.GetAttrStep)
	if !ok {
		return n.at
	}
	if a, given := n.args[step.Name]; given {
		if spec := n.spec.argument(step.Name); spec != nil && spec.Secret {
			return n.at
		}
		return a.Range
	}
	path = path[1:]
	which := 0
	if len(path) > 0 {
		if index, ok := path[0].(cty.IndexStep); ok && index.Key.Type() == cty.Number {
			k, _ := index.Key.AsBigFloat().Int64()
			which, path = int(k), path[1:]
		}
	}
	for _, b := range n.blocks {
		if b.spec.Type != step.Name {
			continue
		}
		if which == 0 {
			return b.locate(path)
		}
		which--
	}
	return n.at
}
