package selfauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"anthill/providers"
)

// entry is an entry as /v1 and raw calls write it: every attribute a list of strings.
type entry struct {
	Attrs map[string][]string `json:"attrs"`
}

func (e entry) first(attribute string) string {
	if v := e.Attrs[attribute]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func (e entry) person(now time.Time) (providers.Person, error) {
	id, err := uuid.Parse(e.first("uuid"))
	if err != nil {
		return providers.Person{}, errors.New("an entry has no valid id")
	}
	expired, closed, err := isExpired(e.first("account_expire"), now)
	if err != nil {
		return providers.Person{}, err
	}
	valid, err := isValid(e.first("account_valid_from"), now)
	if err != nil {
		return providers.Person{}, err
	}
	return providers.Person{
		ID:      id,
		Name:    e.first("name"),
		Display: e.first("displayname"),
		Mails:   e.Attrs["mail"],
		Expired: expired,
		Closed:  closed,
		Early:   !valid,
	}, nil
}

// isValid reads account_valid_from: whether the account may log in already.
func isValid(text string, now time.Time) (bool, error) {
	if text == "" {
		return true, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return false, errors.New("the time from which an account is valid is none")
	}
	return !t.After(now), nil
}

// isExpired reads account_expire. closed: it is the moment that Expire writes.
func isExpired(text string, now time.Time) (expired, closed bool, err error) {
	if text == "" {
		return false, false, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return false, false, errors.New("an account's expiry is not a time")
	}
	return !t.After(now), t.Unix() == 0, nil
}

// listing is the path of a query of /scim/v1/Entry.
func listing(class, attributes string) string {
	return query(`class eq "`+class+`"`, attributes)
}

// decodeWhole decodes an answer that is one value.
func decodeWhole(in *body, v any) error {
	dec := json.NewDecoder(in)
	return dec.Decode(v)
}

// decodeList decodes the answer of a listing and calls element for each entry, with the decoder before it. The
// number of entries must be the one that the server announced, if it did, and at most so many.
func decodeList(in *body, most int64, element func(*json.Decoder) error) error {
	// An answer that was cut at the right place would look like a smaller directory, and persons that are missing from it
	// like persons who are gone. So the number is checked where the server says it.
	dec := json.NewDecoder(in)
	total, n := int64(-1), int64(0)
	found := false
	err := decodeObject(dec, func(key string) error {
		in.grant(maxEntry)
		switch key {
		case "totalResults":
			return dec.Decode(&total)
		case "resources":
			found = true
			return decodeArray(dec, func() error {
				in.grant(maxEntry)
				switch n++; {
				case total >= 0 && n > total:
					return errors.New("more entries came than were announced")
				case n > most:
					return fmt.Errorf("more than %d entries came, which no directory has", most)
				}
				return element(dec)
			})
		}
		return skip(dec)
	})
	switch {
	case err != nil:
		return err
	case !found:
		return errors.New("it holds no list of entries")
	case total >= 0 && total != n:
		return fmt.Errorf("%w: %d entries were announced, %d came", errCut, total, n)
	}
	return nil
}

// decodeObject calls member for each key of an object, with the decoder before the value.
func decodeObject(dec *json.Decoder, member func(key string) error) error {
	if err := expect(dec, '{'); err != nil {
		return err
	}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		key, ok := t.(string)
		if !ok {
			return errors.New("an object's key is not a string")
		}
		if err := member(key); err != nil {
			return err
		}
	}
	return expect(dec, '}')
}

// decodeArray calls element for each element of an array, with the decoder before it.
func decodeArray(dec *json.Decoder, element func() error) error {
	if err := expect(dec, '['); err != nil {
		return err
	}
	for dec.More() {
		if err := element(); err != nil {
			return err
		}
	}
	return expect(dec, ']')
}

func expect(dec *json.Decoder, want json.Delim) error {
	t, err := dec.Token()
	switch {
	case err == io.EOF:
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	case t != want:
		return fmt.Errorf("there is no %q where one must be", want.String())
	}
	return nil
}

func skip(dec *json.Decoder) error {
	var v json.RawMessage
	return dec.Decode(&v)
}

// printable is text of the server without control characters.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
}

func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		// Plain maps and strings always encode.
		panic("selfauth: encode a request: " + err.Error())
	}
	return text
}
