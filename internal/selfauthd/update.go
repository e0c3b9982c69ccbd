package selfauthd

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/google/uuid"
)

const updateFor = 15 * time.Minute

// update is a session in which somebody changes the credentials of a person. What it changes is a draft until the
// commit.
type update struct {
	person   uuid.UUID
	intent   string // ""; it was opened by an administrator or by the person itself
	until    time.Time
	policy   policy // as it was at the start
	spn      string
	display  string
	words    []string // that make bad passwords of this person
	primary  *primary
	passkeys map[uuid.UUID]passkey
	totp     *totp  // being registered
	label    string // of it
	state    any    // of that registration
}

var (
	invalidState   = internal("invalidstate")
	invalidRequest = internal("invalidrequeststate")
)

type updateToken struct {
	Token string `json:"token"`
}

// open starts a session. The person's credentials are as a policy lets them be: those that it forbids are left out.
func (q *request) open(e *entry, token string) (uuid.UUID, any) {
	u := &update{person: e.id, intent: token, until: q.s.o.Now().Add(updateFor), policy: q.store.policyOf(e),
		spn: q.store.spn(e), display: e.display, state: "None",
		words: append([]string{e.name, q.store.spn(e), e.display, e.legal}, e.mails...)}
	if e.cred != nil && u.policy.credentials < credentialsPasskey {
		u.primary = e.cred.primary
	}
	if e.cred != nil && u.policy.credentials < credentialsAttest {
		u.passkeys = e.cred.passkeys
	}
	now := q.s.o.Now()
	maps.DeleteFunc(q.s.updates, func(_ uuid.UUID, old *update) bool { return now.Sub(old.until) > updateFor })
	id := uuid.New()
	q.s.updates[id] = u
	return id, []any{updateToken{q.s.keys.seal.seal(id)}, u.status()}
}

// openUpdate opens a session without an intent.
func (q *request) openUpdate() (any, *fault) {
	e, err := q.resettable()
	if err != nil {
		return nil, err
	}
	_, answer := q.open(e, "")
	return answer, nil
}

func (u *update) allows() bool { return u.policy.credentials < credentialsPasskey }

func (u *update) warnings() []string {
	switch {
	case u.policy.credentials == credentialsNone:
		return []string{"Unsatisfiable"}
	case u.primary == nil && len(u.passkeys) == 0:
		return []string{"NoValidCredentials"}
	case u.policy.credentials > credentialsAny && u.primary != nil && len(u.primary.TOTP) == 0:
		return []string{"MfaRequired"}
	}
	return []string{}
}

func (u *update) status() map[string]any {
	state := func(modifiable bool, otherwise string) string {
		if modifiable {
			return "Modifiable"
		}
		return otherwise
	}
	attested := "DeleteOnly"
	if u.policy.credentials >= credentialsKey {
		attested = "PolicyDeny"
	}
	warnings := u.warnings()
	return map[string]any{"spn": u.spn, "displayname": u.display, "ext_cred_portal": "None", "mfaregstate": u.state,
		"can_commit": len(warnings) == 0, "warnings": warnings,
		"primary": u.primary.detail(), "primary_state": state(u.allows(), "PolicyDeny"),
		"passkeys": passkeyDetails(u.passkeys), "passkeys_state": state(u.policy.credentials < credentialsAttest, "PolicyDeny"),
		"attested_passkeys": []any{}, "attested_passkeys_state": attested, "attested_passkeys_allowed_devices": []any{},
		"unixcred": nil, "unixcred_state": "PolicyDeny", "sshkeys": map[string]any{}, "sshkeys_state": "AccessDeny"}
}

// updateOf finds the session of a token.
func (q *request) updateOf(t updateToken) (uuid.UUID, *update, *fault) {
	var id uuid.UUID
	if !q.s.keys.seal.open(t.Token, &id) {
		return id, nil, invalidRequest
	}
	u := q.s.updates[id]
	if u == nil {
		return id, nil, invalidState
	}
	if q.s.o.Now().After(u.until) {
		return id, nil, sessionExpired
	}
	return id, u, nil
}

// bodyUpdate finds the session of a body {"token":"..."}.
func (q *request) bodyUpdate() (uuid.UUID, *update, *fault) {
	var in struct {
		Token *string `json:"token"`
	}
	err := q.decode(&in, func() string {
		if in.Token == nil {
			return "token"
		}
		return ""
	})
	if err != nil {
		return uuid.UUID{}, nil, err
	}
	return q.updateOf(updateToken{Token: *in.Token})
}

func (q *request) updateStatus() (any, *fault) {
	_, u, err := q.bodyUpdate()
	if err != nil {
		return nil, err
	}
	return u.status(), nil
}

// commitUpdate makes a session's changes the person's credentials.
func (q *request) commitUpdate() (any, *fault) {
	id, u, err := q.bodyUpdate()
	if err != nil {
		return nil, err
	}
	if len(u.warnings()) > 0 {
		return nil, internal("cu0004sessioninconsistent")
	}
	e := q.store.byID[u.person]
	if e == nil {
		return nil, noMatching
	}
	if u.intent != "" {
		i := e.cred.intents[u.intent]
		switch {
		case i == nil || i.Used:
			return nil, internal("cu0006intenttokeninvalidated")
		case i.Session != id:
			return nil, internal("cu0005intenttokenconflict")
		}
		i.Used = true
	}
	delete(q.s.updates, id)
	if c := e.part(); c.primary != u.primary {
		c.setPrimary(u.primary)
	}
	if c := e.part(); !maps.EqualFunc(c.passkeys, u.passkeys, func(a, b passkey) bool { return a.Tag == b.Tag && string(a.Sum) == string(b.Sum) }) {
		c.setPasskeys(u.passkeys)
	}
	q.store.touch(e)
	return nil, nil
}

// cancelUpdate throws a session away; its intent may be used again.
func (q *request) cancelUpdate() (any, *fault) {
	id, u, err := q.bodyUpdate()
	if err != nil {
		return nil, err
	}
	if e := q.store.byID[u.person]; e != nil && u.intent != "" {
		i := e.cred.intents[u.intent]
		if i == nil || i.Session != id {
			// Another session has taken its place.
			return nil, invalidState
		}
		i.Session = uuid.Nil
		q.store.touch(e)
	}
	delete(q.s.updates, id)
	return nil, nil
}

// updateCall is [REQUEST, {"token":"..."}].
func (q *request) updateCall() (any, *fault) {
	var in []json.RawMessage
	if err := q.decode(&in, nil); err != nil {
		return nil, err
	}
	refuse := func(text string) *fault {
		return &fault{status: http.StatusInternalServerError, text: "Failed to deserialize CURequest: " + text}
	}
	if len(in) != 2 {
		return nil, refuse("Array must contain 2 values.")
	}
	var t updateToken
	if json.Unmarshal(in[1], &t) != nil {
		return nil, refuse("no token")
	}
	name, argument, ok := variant(in[0])
	do, there := updateRequests[name]
	if !ok || !there {
		return nil, refuse(fmt.Sprintf("Error(%q, line: 0, column: 0)", "unknown variant `"+name+"`"))
	}
	_, u, err := q.updateOf(t)
	if err != nil {
		return nil, err
	}
	if err := do(q, u, argument); err != nil {
		return nil, err
	}
	return u.status(), nil
}

// variant takes "name" or {"name":argument} apart.
func variant(in json.RawMessage) (name string, argument json.RawMessage, ok bool) {
	if json.Unmarshal(in, &name) == nil {
		return name, nil, true
	}
	var one map[string]json.RawMessage
	if json.Unmarshal(in, &one) != nil || len(one) != 1 {
		return "", nil, false
	}
	for name, argument = range one {
	}
	return name, argument, true
}

// updateRequests are what a session can be asked for. Passkeys of a device want one, which nobody has here.
var updateRequests = map[string]func(q *request, u *update, argument json.RawMessage) *fault{
	"primaryremove": onPrimary(func(_ *request, u *update,
		_ json.RawMessage) *fault {
		u.primary = nil
		return nil
	}),
	"password": onPrimary((*request).updatePassword),
	"passwordqualitycheck": onPrimary(func(_ *request, u *update, in json.RawMessage) *fault {
		_,
			err := u.password(in)
		return err
	}),
	"totpgenerate":   onPrimary((*request).totpGenerate),
	"totpverify":     onPrimary((*request).totpVerify),
	"totpacceptsha1": onPrimary((*request).totpAccept),
	"totpremove":     onPrimary((*request).totpRemove),
	"cancelmfareg": func(_ *request, u *update, _ json.RawMessage) *fault {
		u.totp, u.state = nil,
			"None"
		return nil
	},
	"backupcodegenerate":  onPrimary(func(*request, *update, json.RawMessage) *fault { return invalidState }),
	"backupcoderemove":    onPrimary(func(*request, *update, json.RawMessage) *fault { return invalidState }),
	"passkeyinit":         func(*request, *update, json.RawMessage) *fault { return invalidState },
	"passkeyfinish":       func(*request, *update, json.RawMessage) *fault { return invalidRequest },
	"passkeyremove":       (*request).removePasskey,
	"passkeymadeup":       (*request).addPasskey,
	"attestedpasskeyinit": denied, "attestedpasskeyfinish": denied, "attestedpasskeyremove": denied,
	"unixpassword": denied, "unixpasswordremove": denied, "sshpublickey": denied, "sshpublickeyremove": denied,
}

func denied(*request, *update, json.RawMessage) *fault { return accessDenied }

// onPrimary guards what changes the password, where a policy wants none.
func onPrimary(do func(*request, *update, json.RawMessage) *fault) func(*request, *update, json.RawMessage) *fault {
	return func(q *request, u *update, in json.RawMessage) *fault {
		if !u.allows() {
			return accessDenied
		}
		return do(q, u, in)
	}
}

// password reads a password and refuses a bad one.
func (u *update) password(in json.RawMessage) (string, *fault) {
	var password string
	if json.Unmarshal(in, &password) != nil {
		return "", wrongShape("expected a string")
	}
	if feedback := quality(password, u.policy.passwordLength, u.words); len(feedback) > 0 {
		return "", &fault{status: http.StatusBadRequest, body: map[string]any{"passwordquality": feedback}}
	}
	return password, nil
}

func (q *request) updatePassword(u *update, in json.RawMessage) *fault {
	password, err := u.password(in)
	if err != nil {
		return err
	}
	p := newPrimary(password, false)
	if u.primary != nil {
		p.TOTP = u.primary.TOTP
	}
	u.primary = p
	return nil
}

func (q *request) totpGenerate(u *update, _ json.RawMessage) *fault {
	u.totp = &totp{Secret: make([]byte, 32)}
	rand.Read(u.totp.Secret)
	numbers := make([]int, len(u.totp.Secret))
	for i, b := range u.totp.Secret {
		numbers[i] = int(b)
	}
	u.state = map[string]any{"TotpCheck": map[string]any{"accountname": u.spn, "issuer": "Kanidm " + q.s.o.Domain,
		"secret": numbers, "algo": "sha256", "step": totpStep, "digits": 6}}
	return nil
}

func (q *request) totpVerify(u *update, in json.RawMessage) *fault {
	var pair []json.RawMessage
	var code uint32
	var label string
	if json.Unmarshal(in, &pair) != nil || len(pair) != 2 || json.Unmarshal(pair[0], &code) != nil ||
		json.Unmarshal(pair[1], &label) != nil {
		return wrongShape("expected a code and a label")
	}
	if u.totp == nil {
		return invalidRequest
	}
	now := q.s.o.Now()
	switch {
	case u.primary != nil && u.primary.TOTP[label].Secret != nil:
		u.state = map[string]string{"TotpNameTryAgain": label}
	case u.totp.check(code, now):
		return u.addTOTP(label)
	case totp{u.totp.Secret, true}.check(code, now):
		u.totp.SHA1, u.label, u.state = true, label, "TotpInvalidSha1"
	default:
		u.state = "TotpTryAgain"
	}
	return nil
}

func (q *request) totpAccept(u *update, _ json.RawMessage) *fault {
	if u.totp == nil || !u.totp.SHA1 {
		return invalidRequest
	}
	return u.addTOTP(u.label)
}

// addTOTP puts the codes being registered beside the password, without which there are none.
func (u *update) addTOTP(label string) *fault {
	if u.primary == nil {
		return invalidState
	}
	p := *u.primary
	p.ID, p.TOTP = uuid.New(), cloneMap(p.TOTP)
	p.TOTP[label] = *u.totp
	u.primary, u.totp, u.state = &p, nil, "None"
	return nil
}

func (q *request) totpRemove(u *update, in json.RawMessage) *fault {
	var label string
	if json.Unmarshal(in, &label) != nil {
		return wrongShape("expected a string")
	}
	if u.primary == nil || u.primary.TOTP[label].Secret == nil {
		return nil
	}
	p := *u.primary
	p.ID, p.TOTP = uuid.New(), cloneMap(p.TOTP)
	delete(p.TOTP, label)
	u.primary = &p
	return nil
}
