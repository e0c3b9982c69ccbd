package state

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Kind is what sort of thing an object is: the type of its block.
type Kind string

// The kinds.
const (
	KindTenant Kind = "tenant"
	KindGroup  Kind = "group"
	KindPolicy Kind = "account_policy"
	KindClient Kind = "oauth2_client"
)

// Attribute names a value of an object. Those of policies are spelled as Self-auth's API spells them.
type Attribute string

// The attributes.
const (
	AttrSlug     Attribute = "slug"
	AttrName     Attribute = "name"
	AttrPlan     Attribute = "plan"
	AttrStatus   Attribute = "status"
	AttrSettings Attribute = "settings"
	AttrDeleted  Attribute = "deleted" // "true": the row is marked as deleted

	AttrDescription Attribute = "description"
	AttrMapping     Attribute = "mapping"
	AttrStrangers   Attribute = "strangers" // members who do not belong (L33): they leave; undoing lets them back in

	AttrPrimaryFallback    Attribute = "allow_primary_cred_fallback"
	AttrPasswordMinimum    Attribute = "auth_password_minimum_length"
	AttrSessionExpiry      Attribute = "authsession_expiry"
	AttrCredentialMinimum  Attribute = "credential_type_minimum"
	AttrSearchMaxFilter    Attribute = "limit_search_max_filter_test"
	AttrSearchMaxResults   Attribute = "limit_search_max_results"
	AttrPrivilegeExpiry    Attribute = "privilege_expiry"
	AttrAttestationCAList  Attribute = "webauthn_attestation_ca_list"
	AttrType               Attribute = "type"
	AttrDisplayName        Attribute = "display_name"
	AttrLandingURL         Attribute = "landing_url"
	AttrRedirectURLs       Attribute = "redirect_urls"
	AttrPKCE               Attribute = "pkce"
	AttrPreferShortNames   Attribute = "prefer_short_names"
	AttrLegacyCrypto       Attribute = "legacy_crypto"
	AttrStrictRedirects    Attribute = "strict_redirects"
	AttrScopeMaps          Attribute = "scope_maps"
	AttrSupplementalScopes Attribute = "sup_scope_maps"
	AttrClaimMaps          Attribute = "claim_maps"
)

// Form says which field of a Value an attribute uses.
type Form uint8

// FormText: one text. FormJSON: a text that is canonical JSON. FormList: a sorted list of texts. FormGrants: what the
// members of groups get, by group. FormMapping: a mapping row. FormMembers: members, which are counted and not shown.
const (
	FormInvalid Form = iota
	FormText
	FormJSON
	FormList
	FormGrants
	FormMapping
	FormMembers
)

// AttributeSpec is a row of the table of kinds.
type AttributeSpec struct {
	Name Attribute
	Form Form
	// Unreadable values cannot be read back as they were written: what is recorded or planned of them counts as what
	// is there, as long as anything is.
	Unreadable bool
}

// KindSpec is the row of a kind in the table of kinds.
type KindSpec struct {
	Kind       Kind
	Place      int // in the order of apply: what others are made of comes first
	Attributes []AttributeSpec
}

// Kinds is the table of kinds, in the order of apply. It is not to be changed.
func Kinds() []KindSpec { return kinds }

var kinds = tableOfKinds()

func tableOfKinds() []KindSpec {
	of := func(form Form, names ...Attribute) (list []AttributeSpec) {
		for _, n := range names {
			list = append(list, AttributeSpec{Name: n, Form: form})
		}
		return list
	}
	return []KindSpec{
		{KindTenant, 0, append(
			of(FormText, AttrSlug, AttrName, AttrPlan, AttrStatus, AttrDeleted),
			of(FormJSON, AttrSettings)...)},
		{KindGroup, 1, append(
			of(FormText, AttrName, AttrDescription),
			AttributeSpec{Name: AttrMapping, Form: FormMapping},
			// The members of a group are not read for every change: what a plan found of them is what counts.
			AttributeSpec{Name: AttrStrangers, Form: FormMembers, Unreadable: true})},
		{KindPolicy, 2, append(
			of(FormText, AttrPrimaryFallback, AttrPasswordMinimum, AttrSessionExpiry, AttrCredentialMinimum,
				AttrSearchMaxFilter, AttrSearchMaxResults, AttrPrivilegeExpiry),
			// Self-auth shows its list of authorities only by the names of devices.
			AttributeSpec{Name: AttrAttestationCAList, Form: FormJSON, Unreadable: true})},
		{KindClient, 3, slices.Concat(
			of(FormText, AttrName, AttrType, AttrDisplayName, AttrLandingURL, AttrPKCE, AttrPreferShortNames,
				AttrLegacyCrypto, AttrStrictRedirects),
			of(FormList, AttrRedirectURLs),
			of(FormGrants, AttrScopeMaps, AttrSupplementalScopes, AttrClaimMaps))},
	}
}

// Spec is the row of a kind in the table; the zero KindSpec for a kind that is not known.
func (k Kind) Spec() KindSpec {
	for _, s := range Kinds() {
		if s.Kind == k {
			return s
		}
	}
	return KindSpec{}
}

// Names are the names of all attributes of a kind, in the table's order.
func (k KindSpec) Names() []Attribute {
	names := make([]Attribute, len(k.Attributes))
	for i, a := range k.Attributes {
		names[i] = a.Name
	}
	return names
}

// Attribute is the row of an attribute; the zero AttributeSpec where the kind has none of the name.
func (k KindSpec) Attribute(name Attribute) AttributeSpec {
	for _, a := range k.Attributes {
		if a.Name == name {
			return a
		}
	}
	return AttributeSpec{}
}

// Value is what an attribute holds. The zero Value is not set. Values are shared and never changed in place.
type Value struct {
	Text  string // also a JSON text
	other any    // of the other forms: []string, []Grant, Mapping or []uuid.UUID; never an empty one
}

// List is what the value lists, sorted; nil for one of another form.
func (v Value) List() []string { list, _ := v.other.([]string); return list }

// Grants are what the value grants, sorted by claim, group; nil for one of another form.
func (v Value) Grants() []Grant { list, _ := v.other.([]Grant); return list }

// Mapping is what a mapping row says of the object's group; zero for a value of another form.
func (v Value) Mapping() Mapping { m, _ := v.other.(Mapping); return m }

// Members are the members that the value names, sorted; nil for one of another form.
func (v Value) Members() []uuid.UUID { list, _ := v.other.([]uuid.UUID); return list }

// Grant is what the members of a group get: scopes, or values of a claim.
type Grant struct {
	Group  uuid.UUID `json:"group"`
	Claim  string    `json:"claim,omitempty"`
	Join   string    `json:"join,omitempty"` // of a claim: array, csv or ssv
	Values []string  `json:"values"`         // sorted
}

// Mapping is what a mapping row says of a group: the role that its members have for the application, and the name by
// which that finds it.
type Mapping struct {
	Role Role   `json:"role,omitempty"`
	Name string `json:"name,omitempty"`
}

// valueJSON is a value that is neither a text nor a list.
type valueJSON struct {
	Mapping
	Grants  []Grant     `json:"grants,omitempty"`
	Members []uuid.UUID `json:"members,omitempty"`
}

// MarshalJSON writes a text as a string and a list as an array; values of other forms are objects.
func (v Value) MarshalJSON() ([]byte, error) {
	switch o := v.other.(type) {
	case []string:
		return json.Marshal(o)
	case []Grant:
		return json.Marshal(valueJSON{Grants: o})
	case Mapping:
		return json.Marshal(valueJSON{Mapping: o})
	case []uuid.UUID:
		return json.Marshal(valueJSON{Members: o})
	}
	return json.Marshal(v.Text)
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (v *Value) UnmarshalJSON(b []byte) error {
	*v = Value{}
	switch {
	case len(b) > 1 && b[0] == '"' && bytes.IndexByte(b, '\\') < 0 && utf8.Valid(b):
		// Most are: a plan of many groups is mostly such texts.
		v.Text = string(b[1 : len(b)-1])
		return nil
	case len(b) > 0 && b[0] == '"':
		return json.Unmarshal(b, &v.Text)
	case len(b) > 0 && b[0] == '[':
		var list []string
		err := json.Unmarshal(b, &list)
		*v = ListValue(list)
		return err
	}
	var o valueJSON
	err := json.Unmarshal(b, &o)
	switch {
	case len(o.Grants) > 0:
		*v = GrantsValue(o.Grants)
	case len(o.Members) > 0:
		*v = MembersValue(o.Members)
	default:
		*v = MappingValue(o.Role, o.Name)
	}
	return err
}

// TextValue is a value of form text.
func TextValue(s string) Value { return Value{Text: s} }

// ListValue is a value of form list; it sorts the list, which is the value's from then on.
func ListValue(list []string) Value {
	slices.Sort(list)
	return listed(slices.Compact(list))
}

// GrantsValue is a value of form grants; it sorts the list, which is the value's from then on.
func GrantsValue(list []Grant) Value {
	slices.SortFunc(list, func(a, b Grant) int {
		return cmp.Or(strings.Compare(a.Claim, b.Claim), bytes.Compare(a.Group[:], b.Group[:]))
	})
	return listed(list)
}

// MappingValue is a value of form mapping.
func MappingValue(role Role, name string) Value {
	m := Mapping{role, name}
	if m == (Mapping{}) {
		return Value{}
	}
	return Value{other: m}
}

// MembersValue is a value of form members; it sorts the list, which is the value's from then on.
func MembersValue(list []uuid.UUID) Value {
	slices.SortFunc(list, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return listed(list)
}

// listed is a value with a list, or not set where that is empty.
func listed[T any](list []T) Value {
	if len(list) == 0 {
		return Value{}
	}
	return Value{other: list}
}

// IsSet reports whether the value is set.
func (v Value) IsSet() bool { return v.Text != "" || v.other != nil }

// Fits reports whether a value is one of a form; one that is not set fits any.
func (v Value) Fits(f Form) bool {
	switch v.other.(type) {
	case nil:
		return v.Text == "" || f == FormText || f == FormJSON
	case []string:
		return f == FormList
	case []Grant:
		return f == FormGrants
	case Mapping:
		return f == FormMapping
	case []uuid.UUID:
		return f == FormMembers
	}
	return false
}

// Equal reports whether two values are the same.
func (v Value) Equal(o Value) bool {
	return v.Text == o.Text && v.Mapping() == o.Mapping() && slices.Equal(v.List(), o.List()) &&
		slices.Equal(v.Members(), o.Members()) &&
		slices.EqualFunc(v.Grants(), o.Grants(), func(a, b Grant) bool {
			return a.Group == b.Group && a.Claim == b.Claim && a.Join == b.Join && slices.Equal(a.Values, b.Values)
		})
}

// Groups are the groups that the value names, sorted, each once.
func (v Value) Groups() (ids []uuid.UUID) {
	for _, g := range v.Grants() {
		ids = append(ids, g.Group)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(ids)
}

// Renamed is the value with another id of a group in it.
func (v Value) Renamed(old, next uuid.UUID) Value {
	if !slices.ContainsFunc(v.Grants(), func(g Grant) bool { return g.Group == old }) {
		return v
	}
	list := slices.Clone(v.Grants())
	for i := range list {
		if list[i].Group == old {
			list[i].Group = next
		}
	}
	return GrantsValue(list)
}

// Attributes are the values of an object by name. A name that is not there, or whose value is zero, is not set. nil:
// there is no such object.
type Attributes map[Attribute]Value

// Text is the text of an attribute; "" where it is not set.
func (a Attributes) Text(name Attribute) string { return a[name].Text }

// Sorted are the names that are there, sorted.
func (a Attributes) Sorted() []Attribute { return slices.Sorted(maps.Keys(a)) }

// Set are the attributes without those that are not set.
func (a Attributes) Set() Attributes {
	out := make(Attributes, len(a))
	for k, v := range a {
		if v.IsSet() {
			out[k] = v
		}
	}
	return out
}

// Without are the attributes without some of them; a itself stays as it is.
func (a Attributes) Without(names ...Attribute) Attributes {
	out := maps.Clone(a)
	for _, n := range names {
		delete(out, n)
	}
	return out
}

// Equal says whether the same attributes are set to the same values.
func (a Attributes) Equal(b Attributes) bool {
	return (a == nil) == (b == nil) && maps.EqualFunc(a.Set(), b.Set(), Value.Equal)
}

// Diff returns what must be written so that an object has the wanted values: will are those that it does not have yet,
// was is what it has instead, where that is set.
func (a Attributes) Diff(want Attributes) (was, will Attributes) {
	was, will = Attributes{}, Attributes{}
	for k, v := range want {
		if a[k].Equal(v) {
			continue
		}
		will[k] = v
		if a[k].IsSet() {
			was[k] = a[k]
		}
	}
	return was, will
}

// Renamed are the attributes with another id of a group in them.
func (a Attributes) Renamed(old, next uuid.UUID) Attributes {
	out := maps.Clone(a)
	for k, v := range out {
		out[k] = v.Renamed(old, next)
	}
	return out
}

// Read is what an object holds, for comparing: a value that cannot be read back as it was written counts as written, as
// long as anything is there. live itself stays as it is.
func (k KindSpec) Read(live, written Attributes) Attributes {
	for _, spec := range k.Attributes {
		if spec.Unreadable && live[spec.Name].IsSet() && written[spec.Name].IsSet() {
			live = maps.Clone(live)
			live[spec.Name] = written[spec.Name]
		}
	}
	return live
}

// CanonicalJSON writes a JSON text with sorted keys and no blanks; ok is false where the text is no JSON.
func CanonicalJSON(text string) (canonical string, ok bool) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return "", false
	}
	b, err := json.Marshal(v)
	return string(b), err == nil
}

// Members says which moved users of its tenant belong in a group.
type Members struct {
	All   bool     `json:"all,omitempty"`
	Roles []string `json:"roles,omitempty"` // by users.role, sorted
	Full  bool     `json:"full,omitempty"`  // members who are no such users leave
}

// Has reports whether a moved user of the role belongs in the group.
func (m Members) Has(role string) bool { return m.All || slices.Contains(m.Roles, role) }

// Declared reports whether there is a rule at all: of a group without one nobody's membership is ours to judge.
func (m Members) Declared() bool { return m.All || len(m.Roles) > 0 }

// Equal reports whether two rules are the same.
func (m Members) Equal(o Members) bool {
	return m.All == o.All && m.Full == o.Full && slices.Equal(m.Roles, o.Roles)
}

// Object is a recorded object.
type Object struct {
	Address Address `json:"address,omitempty"`
	Kind    Kind    `json:"kind,omitempty"`
	// ID is of the entry of a group, of the group that a policy is on, of a tenant's row, or the one that the server
	// gave a client.
	ID         uuid.UUID  `json:"id"`
	Generation int        `json:"generation,omitempty"`
	Tenant     uuid.UUID  `json:"tenant,omitzero"` // of a group: whose
	TenantSlug string     `json:"tenant_slug,omitempty"`
	Attributes Attributes `json:"attributes,omitempty"` // as last written: what we own of it
	Members    Members    `json:"members,omitzero"`     // of a group: who belongs in it, as last applied
	Adopted    bool       `json:"adopted,omitempty"`    // it was there before us: never deleted
	Deleted    bool       `json:"deleted,omitempty"`    // taken back or deleted: Generation is the last one used
	// Paused, with Deleted: it is not made again until a wave of that rollback is resumed (Store.Resumed clears it).
	Paused bool   `json:"paused,omitempty"`
	Run    string `json:"run,omitempty"` // the run that made it, or with Deleted the one that took it back
}

// Equal reports whether two objects are recorded alike, attributes included.
func (o Object) Equal(p Object) bool {
	a, b := o, p
	a.Attributes, b.Attributes, a.Members, b.Members = nil, nil, Members{}, Members{}
	return maps.EqualFunc(o.Attributes, p.Attributes, Value.Equal) && o.Members.Equal(p.Members) && reflect.DeepEqual(a, b)
}

// Role is the role that a group is mapped as; RoleInvalid where it is not mapped.
func (o Object) Role() Role { return o.Attributes[AttrMapping].Mapping().Role }
