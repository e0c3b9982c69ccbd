package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// node is a block that fits its description: known arguments and blocks, the required ones present.
type node struct {
	spec   *Block
	label  string // the free label, "" where there is none
	args   map[string]*hcl.Attribute
	blocks []*node
	at     hcl.Range // of the header; zero for a block that was not written
	meant  []string  // names that were probably meant by what there is not: they are not missing
}

// address is how expressions name the block; that of a variable begins with "var".
func (n *node) address() string {
	parts := []string{n.spec.Type}
	if n.spec.Type == "variable" {
		parts[0] = "var"
	}
	if n.spec.Kind != "" {
		parts = append(parts, n.spec.Kind)
	}
	if n.label != "" {
		parts = append(parts, n.label)
	}
	return strings.Join(parts, ".")
}

// title names the kind of block for people.
func (b *Block) title() string {
	if b.Kind != "" {
		return fmt.Sprintf("%s %q", b.Type, b.Kind)
	}
	return b.Type
}

// written says whether the block stands in a file.
func (n *node) written() bool { return n.at.Filename != "" }

// title names the block for people: wave "pilot".
func (n *node) title() string {
	if n.label != "" {
		return fmt.Sprintf("%s %q", n.spec.title(), n.label)
	}
	return n.spec.title()
}

// child returns the nested block of a type, an empty one where there is none.
func (n *node) child(blockType string) *node {
	for _, b := range n.blocks {
		if b.spec.Type == blockType {
			return b
		}
	}
	for i := range n.spec.Blocks {
		if b := &n.spec.Blocks[i]; b.Type == blockType && !b.Later {
			return &node{spec: b}
		}
	}
	panic("config: no block " + blockType + " in " + n.spec.Type)
}

func (n *node) sortedArgs() []*hcl.Attribute {
	list := make([]*hcl.Attribute, 0, len(n.args))
	for _, a := range n.args {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b *hcl.Attribute) int { return compareRange(a.NameRange, b.NameRange) })
	return list
}

func compareRange(a, b hcl.Range) int {
	return cmp.Or(strings.Compare(a.Filename, b.Filename), cmp.Compare(a.Start.Byte, b.Start.Byte))
}

func (b *Block) argument(name string) *Argument {
	for i := range b.Arguments {
		if b.Arguments[i].Name == name {
			return &b.Arguments[i]
		}
	}
	return nil
}

// kinds returns the nested descriptions of a type.
func (b *Block) kinds(blockType string) (list []*Block) {
	for i := range b.Blocks {
		if b.Blocks[i].Type == blockType {
			list = append(list, &b.Blocks[i])
		}
	}
	return list
}

// argumentNames are the names of the arguments that this version builds.
func (b *Block) argumentNames() (names []string) {
	for _, a := range b.Arguments {
		if !a.Later {
			names = append(names, a.Name)
		}
	}
	return names
}

// blockNames are the types of the blocks that this version builds, each once.
func (b *Block) blockNames() (names []string) {
	for _, c := range b.Blocks {
		if !c.Later && !slices.Contains(names, c.Type) {
			names = append(names, c.Type)
		}
	}
	return names
}

// names are the names of arguments and the types of blocks.
func (b *Block) names() []string { return append(b.argumentNames(), b.blockNames()...) }

// offers lists what may stand in the block: a sentence with a blank before it, "" for a block of free names.
func (b *Block) offers() string {
	arguments, nested := strings.Join(b.argumentNames(), ", "), strings.Join(b.blockNames(), ", ")
	if b.Type == "" {
		return fmt.Sprintf(" The blocks at the top of a file are %s.", nested)
	}
	has := " The block has the "
	switch {
	case arguments != "" && nested != "":
		return has + "arguments " + arguments + " and the blocks " + nested + "."
	case arguments != "":
		return has + "arguments " + arguments + "."
	case nested != "":
		return has + "blocks " + nested + "."
	}
	return ""
}

// where names the block for a sentence: ` in a wave block`, "" at the top.
func (b *Block) where() string {
	if b.Type == "" {
		return ""
	}
	return " in " + withArticle(b.title()) + " block"
}

// readBody fills a node from a body. What does not fit the description is reported and left out.
func readBody(n *node, body hcl.Body) (*node, hcl.Diagnostics) {
	n.args = map[string]*hcl.Attribute{}
	var diags hcl.Diagnostics
	if native, ok := body.(*hclsyntax.Body); ok {
		diags = readNative(n, native)
	} else {
		diags = readJSON(n, body)
	}
	return n, append(diags, checkPresent(n)...)
}

// readNative fills a node from a body in HCL's native syntax.
func readNative(n *node, body *hclsyntax.Body) (diags hcl.Diagnostics) {
	for _, a := range body.Attributes {
		diags = append(diags, n.addArgument(a.AsHCLAttribute())...)
	}
	for _, b := range body.Blocks {
		spec, label, moreDiags := n.spec.choose(b.Type, b.Labels, b.DefRange(), b.LabelRanges)
		diags = append(diags, moreDiags...)
		if spec == nil {
			n.meant = append(n.meant, Nearest(b.Type, n.spec.names()))
			continue
		}
		child, moreDiags := readBody(&node{spec: spec, label: label, at: b.DefRange()}, b.Body)
		diags = append(diags, moreDiags...)
		diags = append(diags, n.addBlock(child)...)
	}
	return diags
}

// addArgument takes in an attribute, if the block has such an argument in this version.
func (n *node) addArgument(a *hcl.Attribute) (diags hcl.Diagnostics) {
	spec := n.spec.argument(a.Name)
	switch {
	case n.spec.Free:
		if !hclsyntax.ValidIdentifier(a.Name) {
			return diags.Append(badLabel(a.NameRange, a.Name))
		}
	case spec == nil && len(n.spec.kinds(a.Name)) > 0 && n.spec.kinds(a.Name)[0].Later:
		return diags.Append(notYet(a.NameRange, "The argument", a.Name, n.spec))
	case spec == nil && len(n.spec.kinds(a.Name)) > 0:
		n.meant = append(n.meant, a.Name)
		return diags.Append(problem(a.NameRange, "Not an argument",
			"%q is a block%s, so it is written without an equals sign: %s { ... }.", a.Name, n.spec.where(), a.Name))
	case spec == nil && n.spec.Type == "":
		return diags.Append(problem(a.NameRange, "Unknown argument",
			"There are only blocks at the top of a file, no argument %q. Values to be named go into a locals "+
				"block.%s%s", a.Name, didYouMean(a.Name, n.spec.blockNames()), n.spec.offers()))
	case spec == nil:
		n.meant = append(n.meant, Nearest(a.Name, n.spec.names()))
		return diags.Append(problem(a.NameRange, "Unknown argument", "There is no argument %q%s.%s%s", a.Name,
			n.spec.where(), didYouMean(a.Name, n.spec.names()), n.spec.offers()))
	case spec.Later:
		return diags.Append(notYet(a.NameRange, "The argument", a.Name, n.spec))
	}
	n.args[a.Name] = a
	return diags
}

// notYet is about something of the language that this version does not build.
func notYet(at hcl.Range, what, name string, in *Block) *hcl.Diagnostic {
	return problem(at, "Not in this version", "%s %q%s belongs to the language, but this version of Anthill does "+
		"not build it yet. Remove it.", what, name, in.where())
}

// choose finds the description of a block by its type and labels, and its free label; nil with diagnostics where there
// is no such block.
func (b *Block) choose(
	blockType string, labels []string, at hcl.Range, labelAt []hcl.Range,
) (*Block, string, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	kinds := b.kinds(blockType)
	// What belongs to the language but is not built yet gets an answer of its own, as nobody should look for a typing
	// mistake in it.
	switch {
	case len(kinds) == 0 && b.argument(blockType) != nil && b.argument(blockType).Later:
		return nil, "", diags.Append(notYet(at, "The block", blockType, b))
	case len(kinds) == 0 && b.argument(blockType) != nil:
		return nil, "", diags.Append(problem(at, "Not a block",
			"%q is an argument%s, so it is written with an equals sign: %s = ...", blockType, b.where(), blockType))
	case len(kinds) == 0:
		return nil, "", diags.Append(problem(at, "Unknown block", "There is no block %q%s.%s%s", blockType, b.where(),
			didYouMean(blockType, b.names()), b.offers()))
	case kinds[0].Kind == "" && kinds[0].Later:
		return nil, "", diags.Append(notYet(at, "The block", blockType, b))
	}
	spec := kinds[0]
	if spec.Kind != "" {
		var names []string
		for _, k := range kinds {
			names = append(names, k.Kind)
		}
		if len(labels) == 0 {
			return nil, "", diags.Append(problem(at, "Missing label", "A %s block says which kind it is: %s.", blockType,
				quoteList(names)))
		}
		i := slices.Index(names, labels[0])
		if i < 0 {
			return nil, "", diags.Append(problem(labelAt[0], "Unknown block", "There is no %s %q, only %s.%s", blockType,
				labels[0], quoteList(names), didYouMean(labels[0], names)))
		}
		if spec = kinds[i]; spec.Later {
			return nil, "", diags.Append(problem(at, "Not in this version",
				"The block %s%s belongs to the language, but this version of Anthill does not build it yet. "+
					"Remove it.", spec.title(), b.where()))
		}
		labels, labelAt = labels[1:], labelAt[1:]
	}
	label, d := spec.checkLabel(labels, at, labelAt)
	if d != nil {
		return nil, "", diags.Append(d)
	}
	return spec, label, nil
}

func (b *Block) checkLabel(labels []string, at hcl.Range, labelAt []hcl.Range) (string, *hcl.Diagnostic) {
	want := 0
	if b.Label != "" {
		want = 1
	}
	switch {
	case len(labels) > want && want == 0:
		return "", problem(labelAt[0], "Extra label", "A block like %s has no name, so remove %q.", b.title(), labels[0])
	case len(labels) > want:
		return "", problem(labelAt[want], "Extra label", "A block like %s has one name, so remove %q.", b.title(),
			labels[want])
	case len(labels) < want:
		return "", problem(at, "Missing label", "%s needs a name: %s \"NAME\" { ... }.", b.title(), b.title())
	case want == 0:
		return "", nil
	case !hclsyntax.ValidIdentifier(labels[0]):
		return "", badLabel(labelAt[0], labels[0])
	}
	return labels[0], nil
}

func badLabel(at hcl.Range, label string) *hcl.Diagnostic {
	return problem(at, "Invalid name", "%q cannot be a name here: a letter first, then letters, digits, \"_\" and "+
		"\"-\".", label)
}

func (n *node) addBlock(child *node) (diags hcl.Diagnostics) {
	if n.spec.Type != "" && child.spec.Once {
		for _, b := range n.blocks {
			if b.spec.Type == child.spec.Type {
				return diags.Append(problem(child.at, "Duplicate block",
					"There is one %s block in %s. Another stands in %s: make "+
						"them one.", child.spec.title(), withArticle(n.spec.title()), place(b.at)))
			}
		}
	}
	n.blocks = append(n.blocks, child)
	return nil
}

func withArticle(title string) string {
	// "user" and most words with u begin with the sound of "you".
	if strings.ContainsRune("aeio", rune(title[0])) {
		return "an " + title
	}
	return "a " + title
}

// checkPresent reports what a block must have and does not. A name that is only misspelt, or stands in another form,
// was reported already.
func checkPresent(n *node) (diags hcl.Diagnostics) {
	for i := range n.spec.Arguments {
		a := &n.spec.Arguments[i]
		if a.Required && n.args[a.Name] == nil && !slices.Contains(n.meant, a.Name) {
			diags = diags.Append(problem(n.at, "Missing argument", "%s needs the argument %q: %s", n.title(), a.Name, a.Text))
		}
	}
	for i := range n.spec.Blocks {
		b := &n.spec.Blocks[i]
		there := slices.ContainsFunc(n.blocks, func(c *node) bool { return c.spec.Type == b.Type })
		if b.Required && !there && !slices.Contains(n.meant, b.Type) {
			diags = diags.Append(problem(n.at, "Missing block", "%s needs at least one %s block: %s", n.title(), b.Type, b.Text))
		}
	}
	return diags
}

// readJSON does for a JSON object what readNative does for a body of the native syntax. JSON does not tell blocks and
// arguments apart, the description does.
func readJSON(n *node, body hcl.Body) (diags hcl.Diagnostics) {
	all, moreDiags := body.JustAttributes()
	if moreDiags.HasErrors() {
		return moreDiags
	}
	schema := &hcl.BodySchema{}
	var args []*hcl.Attribute
	for _, a := range all {
		kinds := n.spec.kinds(a.Name)
		if len(kinds) == 0 || (kinds[0].Later && kinds[0].Kind == "") || n.spec.Free {
			args = append(args, a)
			continue
		}
		header := hcl.BlockHeaderSchema{Type: a.Name}
		if kinds[0].Kind != "" {
			header.LabelNames = append(header.LabelNames, "kind")
		}
		if kinds[0].Label != "" {
			header.LabelNames = append(header.LabelNames, "name")
		}
		schema.Blocks = append(schema.Blocks, header)
	}
	for _, a := range args {
		diags = append(diags, n.addJSON(a)...)
	}
	content, _, moreDiags := body.PartialContent(schema)
	diags = append(diags, moreDiags...)
	for _, b := range content.Blocks {
		spec, label, moreDiags := n.spec.choose(b.Type, b.Labels, b.DefRange, b.LabelRanges)
		diags = append(diags, moreDiags...)
		if spec == nil {
			continue
		}
		child, moreDiags := readBody(&node{spec: spec, label: label, at: b.DefRange}, b.Body)
		diags = append(diags, moreDiags...)
		diags = append(diags, n.addBlock(child)...)
	}
	return diags
}

// addJSON is addArgument for a member of an object, which may have been meant as a block.
func (n *node) addJSON(a *hcl.Attribute) (diags hcl.Diagnostics) {
	if n.spec.Type != "" || n.spec.Free {
		return n.addArgument(a)
	}
	_, _, diags = n.spec.choose(a.Name, nil, a.NameRange, nil)
	return diags
}
