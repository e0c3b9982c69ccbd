package selfauthd

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"
)

const (
	journalName  = "directory.jsonl"
	entriesALine = 500
)

// journal keeps the directory in a file to which each write transaction adds a line before it is answered.
type journal struct {
	file  *os.File
	dirty map[*entry]bool // entries that the transaction under way has changed
	ops   []op
}

// line is one write transaction: the entries that it left behind otherwise than it found them, and then what it did to
// memberships and to the recycle bin, in order. The first line of a file holds the keys.
type line struct {
	Domain   string   `json:"domain,omitempty"`
	Keys     *keyFile `json:"keys,omitempty"`
	Operator []string `json:"operator,omitempty"`
	Put      []record `json:"put,omitempty"`
	Ops      []op     `json:"ops,omitempty"`
}

type keyFile struct {
	ID      string    `json:"id"`
	Key     []byte    `json:"key"`
	Session clientKey `json:"session"`
	Seal    clientKey `json:"seal"`
}

// op is a step that is told by what was done, not by its result.
type op struct {
	Do      opKind      `json:"do"`
	ID      uuid.UUID   `json:"id"`
	Others  []uuid.UUID `json:"others,omitempty"`  // members; of a binned entry the groups that it was in
	At      int64       `json:"at,omitempty"`      // unix nanoseconds
	Recycle *record     `json:"recycle,omitempty"` // of a binned entry
}

type opKind string

const (
	opJoin   opKind = "join"
	opLeave  opKind = "leave"
	opBin    opKind = "bin"    // a live entry is deleted
	opRevive opKind = "revive" // and comes back
	opBinned opKind = "binned" // a deleted entry, in a compacted file
	opHeld   opKind = "held"   // in a compacted file: members of a deleted group, or of one that they do not know of
	opWake   opKind = "wake"   // an entry has changed while groups were there that were revived
	opGrave  opKind = "grave"  // an id that stays blocked
)

// record is an entry in the file, without its memberships.
type record struct {
	ID          uuid.UUID              `json:"id"`
	Kind        kind                   `json:"kind"`
	Builtin     bool                   `json:"builtin,omitempty"`
	Dynamic     bool                   `json:"dynamic,omitempty"`
	WasMember   bool                   `json:"was_member,omitempty"`
	Policy      bool                   `json:"policy,omitempty"`
	Seq         uint64                 `json:"seq"`
	Changed     int64                  `json:"changed"`
	Name        string                 `json:"name"`
	Display     string                 `json:"display,omitempty"`
	Legal       string                 `json:"legal,omitempty"`
	Description string                 `json:"description,omitempty"`
	Mails       []string               `json:"mails,omitempty"`
	Expire      time.Time              `json:"expire,omitzero"`
	Valid       time.Time              `json:"valid,omitzero"`
	ManagedBy   uuid.UUID              `json:"managed_by,omitzero"`
	More        map[string][]string    `json:"more,omitempty"`
	Tokens      map[uuid.UUID]apiToken `json:"tokens,omitempty"`
	Client      *clientRecord          `json:"client,omitempty"`
	Cred        *credRecord            `json:"cred,omitempty"`
}

type clientRecord struct {
	Public bool                   `json:"public,omitempty"`
	Secret string                 `json:"secret,omitempty"`
	Keys   []clientKey            `json:"keys"`
	Scopes map[uuid.UUID][]string `json:"scopes,omitempty"`
	Sup    map[uuid.UUID][]string `json:"sup,omitempty"`
	Claims map[string]claim       `json:"claims,omitempty"`
}

type credRecord struct {
	Primary  *primary              `json:"primary,omitempty"`
	Passkeys map[uuid.UUID]passkey `json:"passkeys,omitempty"`
	Plain    string                `json:"plain,omitempty"`
	Intents  map[string]*intent    `json:"intents,omitempty"`
	Sessions map[uuid.UUID]*uses   `json:"sessions,omitempty"`
	Grants   map[uuid.UUID]*grant  `json:"grants,omitempty"`
	Consents map[uuid.UUID]consent `json:"consents,omitempty"`
}

func recordOf(e *entry) record {
	r := record{ID: e.id, Kind: e.kind, Builtin: e.builtin, Dynamic: e.dynamic, WasMember: e.wasMember,
		Policy: e.policy, Seq: e.seq, Changed: e.changed, Name: e.name,
		Display: e.display, Legal: e.legal, Description: e.description, Mails: e.mails, Expire: e.expire,
		Valid: e.valid, ManagedBy: e.managedBy, More: e.more}
	if e.account != nil {
		r.Tokens = e.account.tokens
	}
	if c := e.client; c != nil {
		r.Client = &clientRecord{c.public, c.secret, c.keys, c.scopes, c.sup, c.claims}
	}
	if c := e.cred; c != nil {
		r.Cred = &credRecord{c.primary, c.passkeys, c.plain, c.intents, c.sessions, c.grants, c.consents}
	}
	return r
}

// fill gives an entry what a record says.
func (r *record) fill(e *entry) {
	e.id, e.kind, e.builtin, e.dynamic = r.ID, r.Kind, r.Builtin, r.Dynamic
	e.policy, e.seq, e.changed = r.Policy, r.Seq, r.Changed
	e.wasMember = e.wasMember || r.WasMember
	e.name, e.display, e.legal, e.description = r.Name, r.Display, r.Legal, r.Description
	e.mails, e.expire, e.valid = r.Mails, r.Expire, r.Valid
	e.managedBy, e.more = r.ManagedBy, r.More
	switch {
	case e.kind == group && e.group == nil:
		e.group = &groupPart{members: map[uuid.UUID]*entry{}}
	case e.kind == serviceAccount || e.kind == builtinAccount:
		e.account = &accountPart{tokens: cloneMap(r.Tokens)}
	}
	if c := r.Client; c != nil {
		for i := range c.Keys {
			c.Keys[i].signer = &keySigner{}
		}
		e.client = &clientPart{c.Public, c.Secret, c.Keys, c.Scopes, c.Sup, c.Claims}
	}
	if c := r.Cred; c != nil {
		e.cred = &credPart{c.Primary, c.Passkeys, c.Plain, c.Intents, c.Sessions, c.Grants, c.Consents}
	}
}

// note adds a step to the transaction under way. Steps of one group that follow each other are one.
func (s *store) note(o op) {
	j := s.journal
	if j == nil {
		return
	}
	if n := len(j.ops); n > 0 && len(o.Others) > 0 && j.ops[n-1].Do == o.Do && j.ops[n-1].ID == o.ID {
		j.ops[n-1].Others = append(j.ops[n-1].Others, o.Others...)
		return
	}
	j.ops = append(j.ops, o)
}

// commit writes the transaction under way. When it cannot, the request that made it ends without an answer.
func (s *store) commit(extra line) {
	j := s.journal
	if j == nil {
		return
	}
	l := extra
	for _, e := range slices.SortedFunc(maps.Keys(j.dirty), func(a, b *entry) int { return int(a.seq) - int(b.seq) }) {
		if s.byID[e.id] == e {
			l.Put = append(l.Put, recordOf(e))
		}
	}
	l.Ops = j.ops
	s.abort()
	if len(l.Put)+len(l.Ops)+len(l.Operator) == 0 {
		return
	}
	if err := writeLine(j.file, l); err != nil {
		panic(fmt.Errorf("keep the directory: %w", err))
	}
}

// abort forgets the transaction under way: it failed, and changed nothing.
func (s *store) abort() {
	if j := s.journal; j != nil {
		j.ops = nil
		clear(j.dirty)
	}
}

func writeLine(w io.Writer, l line) error {
	_, err := w.Write(append(mustMarshal(l), '\n'))
	return err
}

// keep takes the directory from a folder if it is there, and puts it there in either case, compacted. found says which.
func (s *Server) keep(dir string) (found bool, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return false, err
	}
	name := filepath.Join(dir, journalName)
	b, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return false, err
	default:
		if err := s.load(b); err != nil {
			return false, fmt.Errorf("read %s: %w", name, err)
		}
		found = true
	}
	return found, s.compact(name)
}

// load reads a file. What stands behind the last end of a line was being written when the server died; it was never
// answered.
func (s *Server) load(b []byte) error {
	fresh := &store{domain: s.o.Domain, now: s.o.Now}
	fresh.clear()
	b = b[:bytes.LastIndexByte(b, '\n')+1]
	for n := 1; len(b) > 0; n++ {
		text, rest, _ := bytes.Cut(b, []byte("\n"))
		b = rest
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if n == 1 && l.Keys == nil {
			return errors.New("line 1: no keys")
		}
		if err := s.replay(fresh, &l); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	fresh.allPersons, fresh.allAccounts = fresh.byID[system(0x35)], fresh.byID[system(0x36)]
	if fresh.allPersons == nil || fresh.allAccounts == nil {
		return errors.New("the built-in groups are missing")
	}
	s.store = fresh
	return nil
}

func (s *Server) replay(to *store, l *line) error {
	if k := l.Keys; k != nil {
		if l.Domain != s.o.Domain {
			return fmt.Errorf("it is of the domain %s", l.Domain)
		}
		k.Session.signer = &keySigner{}
		s.keys = keyring{signer{id: k.ID, key: [32]byte(k.Key)}, k.Session, k.Seal}
	}
	if len(l.Operator) == 2 {
		s.tokens = [2]string(l.Operator)
	}
	for i := range l.Put {
		to.put(&l.Put[i])
	}
	for i := range l.Ops {
		if err := to.redo(&l.Ops[i]); err != nil {
			return err
		}
	}
	return nil
}

// put makes an entry as a record says, new or not.
func (s *store) put(r *record) {
	e := s.byID[r.ID]
	if e == nil {
		e = &entry{}
		s.byID[r.ID] = e
	} else {
		s.unindex(e)
	}
	r.fill(e)
	s.index(e)
	s.seq = max(s.seq, e.seq)
}

func (s *store) redo(o *op) error {
	e := s.byID[o.ID]
	switch o.Do {
	case opBinned:
		made := &entry{recycled: true}
		o.Recycle.fill(made)
		s.throw(&binned{e: made, at: time.Unix(0, o.At), parents: o.Others})
		s.indexIntents(made)
		s.seq = max(s.seq, made.seq)
		return nil
	case opHeld:
		return s.held(o)
	case opRevive:
		if s.bin[o.ID] == nil {
			return fmt.Errorf("%s is not in the recycle bin", o.ID)
		}
		s.restore(s.bin[o.ID])
		return nil
	case opGrave:
		s.graves[o.ID] = time.Unix(0, o.At)
		return nil
	}
	if e == nil {
		return fmt.Errorf("%s is not there", o.ID)
	}
	switch o.Do {
	case opBin:
		s.discard(e, time.Unix(0, o.At))
		return nil
	case opWake:
		s.wake(e, false)
		return nil
	}
	for _, id := range o.Others {
		m := s.byID[id]
		switch {
		case m == nil || e.group == nil:
			return fmt.Errorf("%s cannot be in %s", id, o.ID)
		case o.Do == opJoin:
			s.link(e, m)
		case o.Do == opLeave:
			s.unlink(e, m)
		}
	}
	return nil
}

// held gives a group members that do not know of it: it is deleted, and they may be as well, or it was revived.
func (s *store) held(o *op) error {
	g := s.byID[o.ID]
	if b := s.bin[o.ID]; b != nil {
		g = b.e
	} else {
		s.revived[o.ID] = true
	}
	if g == nil || g.group == nil {
		return fmt.Errorf("%s is no group", o.ID)
	}
	for _, id := range o.Others {
		if m := s.byID[id]; m != nil {
			g.group.members[id] = m
		} else if m := s.bin[id]; m != nil {
			g.group.members[id] = m.e
		}
	}
	return nil
}

// compact writes the directory into a new file that then takes the place of the old one, and goes on writing there.
func (s *Server) compact(name string) error {
	file, err := os.OpenFile(name+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(file, 1<<16)
	err = s.snapshot(func(l line) error { return writeLine(w, l) })
	if err = errors.Join(err, w.Flush()); err == nil {
		err = os.Rename(name+".new", name)
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	s.store.journal = &journal{file: file, dirty: map[*entry]bool{}}
	return nil
}

// snapshot tells the whole directory in few lines.
func (s *Server) snapshot(write func(line) error) error {
	st, k := s.store, s.keys
	l := line{Domain: s.o.Domain, Keys: &keyFile{k.id, k.key[:], k.session, k.seal}}
	if s.tokens[0] != "" {
		l.Operator = s.tokens[:]
	}
	entries := st.live(func(*entry) bool { return true })
	for part := range slices.Chunk(entries, entriesALine) {
		for _, e := range part {
			l.Put = append(l.Put, recordOf(e))
		}
		if err := write(l); err != nil {
			return err
		}
		l = line{}
	}
	for _, e := range entries {
		if e.group == nil || len(e.group.members) == 0 {
			continue
		}
		know, not := e.knowing()
		// Once all have joined: who joins a group wakes.
		if len(not) > 0 {
			l.Ops = append(l.Ops, op{Do: opHeld, ID: e.id, Others: idsOf(not)})
		}
		if err := write(line{Ops: []op{{Do: opJoin, ID: e.id, Others: idsOf(know)}}}); err != nil {
			return err
		}
	}
	for _, id := range sortedIDs(st.bin) {
		b := st.bin[id]
		l.Ops = append(l.Ops, op{Do: opBinned, ID: id, At: b.at.UnixNano(), Others: b.parents, Recycle: new(recordOf(b.e))})
	}
	for _, id := range sortedIDs(st.bin) {
		if b := st.bin[id]; b.e.group != nil {
			l.Ops = append(l.Ops, op{Do: opHeld, ID: id, Others: idsOf(b.e.members())})
		}
	}
	for _, id := range sortedIDs(st.graves) {
		l.Ops = append(l.Ops, op{Do: opGrave, ID: id, At: st.graves[id].UnixNano()})
	}
	return write(l)
}

func idsOf(list []*entry) []uuid.UUID {
	out := make([]uuid.UUID, len(list))
	for i, e := range list {
		out[i] = e.id
	}
	return out
}
