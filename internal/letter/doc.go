// Package letter makes letters of templates: a subject, a plain text and HTML.
//
// A template is Markdown with fields, {{.Name}}, and conditions, {{if .Code}} ... {{else}} ... {{end}}, as Go's
// text/template writes them. It can do no more than that: no loop, no variable, no function that reaches out of the
// letter, no image and no HTML of its own. All of this is said when it is parsed, with line and column.
//
// Values never go through Markdown. They are put into the parsed text, so that a name stays a name in both parts,
// whatever signs it is made of. Into the address of a link only a field that is one goes, and a one-time code never:
// there is nothing to fetch for what scans mails.
package letter
