package selfauthd

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// words is a list of texts as the server wants one: null is neither a list nor a text.
type words []string

func (w *words) UnmarshalJSON(b []byte) error {
	var list []*string
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	if list == nil {
		return &shapeError{"invalid type: null, expected a sequence"}
	}
	*w = make(words, len(list))
	for i, s := range list {
		if s == nil {
			return &shapeError{"invalid type: null, expected a string"}
		}
		(*w)[i] = *s
	}
	return nil
}

// twoWords reads ["a","b"].
func twoWords(in json.RawMessage) (first, second string, err error) {
	var list words
	if err := json.Unmarshal(in, &list); err != nil {
		return "", "", err
	}
	switch {
	case len(list) < 2:
		return "", "", &shapeError{"invalid length, expected a tuple of 2 elements"}
	case len(list) > 2:
		return "", "", errors.New("trailing characters")
	}
	return list[0], list[1], nil
}

// decodeStrictly reads JSON as the server does and Go does not: texts are valid Unicode, and the fields of an object
// are written exactly so, and once.
func decodeStrictly(body []byte, v any) error {
	if !utf8.Valid(body) || loneSurrogate(body) {
		return errors.New("invalid unicode code point")
	}
	var err error
	switch t := reflect.TypeOf(v).Elem(); {
	case t.Kind() == reflect.Struct:
		if body, err = exactFields(body, t); err != nil {
			return err
		}
	case t.Kind() == reflect.Slice && strings.ContainsAny(firstByte(body), `{"-0123456789`):
		return &shapeError{"invalid type, expected a sequence"} // said before the rest is read
	case t.Kind() == reflect.String && string(bytes.TrimSpace(body)) == "null":
		return &shapeError{"invalid type: null, expected a string"}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if err = d.Decode(v); err == nil && d.More() {
		err = errors.New("trailing characters")
	}
	return err
}

func firstByte(body []byte) string {
	body = bytes.TrimSpace(body)
	return string(body[:min(1, len(body))])
}

// loneSurrogate finds half of a pair among the escapes of a JSON text.
func loneSurrogate(body []byte) bool {
	const length = len(`\ud800`)
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		first, ok := escaped(body[i:])
		if !ok || !utf16.IsSurrogate(first) {
			i++ // what is escaped is no escape
			continue
		}
		second, ok := escaped(body[min(i+length, len(body)):])
		if !ok || utf16.DecodeRune(first, second) == utf8.RuneError {
			return true
		}
		i += 2*length - 1
	}
	return false
}

// escaped is the unit of UTF-16 that a text begins with, as an escape.
func escaped(text []byte) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(n), err == nil
}

// exactFields leaves out of an object what is no field of a struct, and refuses a field that comes twice.
func exactFields(body []byte, t reflect.Type) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	start, err := d.Token()
	if err != nil || start != json.Delim('{') {
		// Of another shape: the decoder says so.
		return body, err
	}
	known, fields := map[string]bool{}, map[string]json.RawMessage{}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		known[name] = true
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		name, _ := key.(string)
		if _, twice := fields[name]; twice && known[name] {
			return nil, &shapeError{"duplicate field `" + name + "`"}
		}
		if known[name] {
			fields[name] = value
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("trailing characters")
	}
	return json.Marshal(fields)
}
