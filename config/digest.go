package config

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/json"

	"anthill/state"
)

// FilesDigest is the SHA-256 of the configuration's files: base name and bytes of each, in the order of names. Files of
// variables are none of them.
func (m *Module) FilesDigest() state.Hash { return m.whole }

// VariablesDigest is the SHA-256 of the values of all variables, in the order of names. It does not matter where a
// value came from, or how it was written.
func (m *Module) VariablesDigest() state.Hash {
	var p parts
	for _, name := range slices.Sorted(maps.Keys(m.vars)) {
		v := m.vars[name]
		text, err := json.Marshal(v, cty.DynamicPseudoType) // the type among it
		if err != nil {
			panic("config: value of the variable " + name + " is none of a literal") // without err, which may quote it
		}
		p.add([]byte(name), text)
	}
	return p.hash()
}

// parts are what a digest is made of, each behind its length, so that no two lists of parts have one spelling.
type parts []byte

func (p *parts) add(list ...[]byte) {
	for _, b := range list {
		*p = append(binary.BigEndian.AppendUint64(*p, uint64(len(b))), b...)
	}
}

func (p parts) hash() state.Hash { return sha256.Sum256(p) }
