package state

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Finding is what a package that computes has to say: a fact by its code, never a sentence. internal/report puts it
// into words, in whichever form is wanted. The zero Finding says nothing. Args are shared and not to be changed.
type Finding struct {
	Code    Code    `json:"code"`
	Subject Subject `json:"subject,omitzero"`
	Count   int64   `json:"count,omitempty"`
	Args    []Arg   `json:"args,omitempty"`
}

// Code names a kind of finding. It is stable: files, journals and JSON hold it. It is made of small letters, digits and
// underscores, so that nobody can write a sentence where a code is shown.
type Code string

// UnmarshalText reads a code; a text that is none is an error.
func (c *Code) UnmarshalText(text []byte) error {
	for _, b := range text {
		if (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '_' {
			return fmt.Errorf("%q is no code of a finding", text)
		}
	}
	*c = Code(text)
	return nil
}

// Subject is what a finding is about.
type Subject struct {
	Kind SubjectKind `json:"kind"`
	Name string      `json:"name"` // an address, a wave's label, a tenant's slug, a user's id, ...
}

// SubjectKind says what sort of thing a Subject is.
type SubjectKind string

// The kinds of subjects. A finding about nothing in particular has none.
const (
	SubjectAddress SubjectKind = "address"
	SubjectWave    SubjectKind = "wave"
	SubjectTenant  SubjectKind = "tenant"

	SubjectUser   SubjectKind = "user"
	SubjectGroup  SubjectKind = "group"  // by its name in Self-auth
	SubjectClient SubjectKind = "client" // by its name in Self-auth
)

// Arg is one argument of a finding: a key, and its value in one of the other fields. Texts come from outside and must
// be escaped wherever they are shown.
type Arg struct {
	Key      Key           `json:"key"`
	Text     string        `json:"text,omitempty"`
	Number   int64         `json:"number,omitempty"`
	Real     float64       `json:"real,omitempty"`
	Time     time.Time     `json:"time,omitzero"`
	Span     time.Duration `json:"span_ns,omitempty"`
	List     []string      `json:"list,omitempty"`
	Value    *Value        `json:"value,omitempty"`
	Findings []Finding     `json:"findings,omitempty"`
}

// Key names an argument of a finding.
type Key string

// About returns a finding of a code about a subject.
func About(code Code, subject Subject, args ...Arg) Finding {
	return Finding{Code: code, Subject: subject, Args: args}
}

// Found returns a finding about nothing in particular.
func Found(code Code, args ...Arg) Finding { return Finding{Code: code, Args: args} }

// Times returns the finding with a count.
func (f Finding) Times(n int64) Finding {
	f.Count = n
	return f
}

// IsZero reports whether the finding says nothing.
func (f Finding) IsZero() bool { return f.Code == "" }

// Of is a declared object, by its address, as a subject.
func Of(a Address) Subject { return Subject{SubjectAddress, string(a)} }

// OfWave is a wave as a subject.
func OfWave(name string) Subject { return Subject{SubjectWave, name} }

// OfTenant is a tenant, by its slug, as a subject.
func OfTenant(slug string) Subject { return Subject{SubjectTenant, slug} }

// OfUser is a user as a subject.
func OfUser(id uuid.UUID) Subject { return Subject{SubjectUser, id.String()} }

// OfGroup is a group, by its name in Self-auth, as a subject.
func OfGroup(name string) Subject { return Subject{SubjectGroup, name} }

// OfClient is a client, by its name in Self-auth, as a subject.
func OfClient(name string) Subject { return Subject{SubjectClient, name} }

// Text is an argument that is a text from outside.
func Text(key Key, v string) Arg { return Arg{Key: key, Text: v} }

// Number is an argument that counts.
func Number(key Key, n int64) Arg { return Arg{Key: key, Number: n} }

// Real is an argument that measures.
func Real(key Key, v float64) Arg { return Arg{Key: key, Real: v} }

// At is an argument that is a moment.
func At(key Key, t time.Time) Arg { return Arg{Key: key, Time: t.UTC()} }

// Span is an argument that is a length of time.
func Span(key Key, d time.Duration) Arg { return Arg{Key: key, Span: d} }

// List is an argument that is a list of texts from outside.
func List(key Key, list ...string) Arg { return Arg{Key: key, List: list} }

// Holds is an argument that is the value of an attribute.
func Holds(key Key, v Value) Arg { return Arg{Key: key, Value: &v} }

// Because is an argument that is made of findings.
func Because(key Key, list ...Finding) Arg { return Arg{Key: key, Findings: list} }

// Arg returns the argument of a key; the zero Arg where there is none.
func (f Finding) Arg(key Key) Arg {
	for _, a := range f.Args {
		if a.Key == key {
			return a
		}
	}
	return Arg{}
}

// Text returns a text argument; "" where there is none.
func (f Finding) Text(key Key) string { return f.Arg(key).Text }
