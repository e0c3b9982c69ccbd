package mail

import (
	"context"
	"errors"
	"net"
	"net/mail"
	"slices"
	"strings"
)

// Resolver looks up records of DNS; *net.Resolver is one.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// SenderFact is one thing that receivers will find about a sender's domain.
type SenderFact struct {
	Code   SenderCode
	Name   string // what was asked for: "example.com", "_dmarc.example.com"
	Record string // as it stands; of more than one the first; "": none
}

// SenderCode is what a fact says.
type SenderCode string

// Of SPF (RFC 7208), which says from where mail of the domain comes: found, none, more than one (counts as an error),
// one that lets in the whole world (+all), or DNS gave no answer. Of DMARC (RFC 7489), which says what to do with the
// others: found with the policy reject, quarantine or none, none at all, more than one (counts as none), or DNS gave
// no answer.
//
// A record that was found may still not fit the server that sends: whether that is in it only a receiver can see.
const (
	SPFFound        SenderCode = "spf_found"
	SPFMissing      SenderCode = "spf_missing"
	SPFSeveral      SenderCode = "spf_several"
	SPFOpen         SenderCode = "spf_open"
	SPFUnknown      SenderCode = "spf_unknown"
	DMARCReject     SenderCode = "dmarc_reject"
	DMARCQuarantine SenderCode = "dmarc_quarantine"
	DMARCNone       SenderCode = "dmarc_none"
	DMARCMissing    SenderCode = "dmarc_missing"
	DMARCSeveral    SenderCode = "dmarc_several"
	DMARCUnknown    SenderCode = "dmarc_unknown"
	SenderInvalid   SenderCode = "sender_invalid" // the address is none; the only fact
)

// CheckSender looks up what receivers will find about the domain of from: a fact of SPF, then one of DMARC. The
// envelope's sender has the same domain (BounceAddress), so both are about the same one.
func CheckSender(ctx context.Context, r Resolver, from mail.Address) []SenderFact {
	a, ok := readAddress(from)
	if !ok {
		return []SenderFact{{Code: SenderInvalid, Name: from.Address}}
	}
	return []SenderFact{spf(ctx, r, a.domain), dmarc(ctx, r, a.domain)}
}

func spf(ctx context.Context, r Resolver, domain string) SenderFact {
	f := SenderFact{Name: domain}
	found, err := records(ctx, r, domain, "v=spf1", " ")
	if len(found) > 0 {
		f.Record = found[0]
	}
	switch {
	case err != nil:
		f.Code = SPFUnknown
	case len(found) == 0:
		f.Code = SPFMissing
	case len(found) > 1:
		f.Code = SPFSeveral
	case slices.ContainsFunc(strings.Fields(strings.ToLower(f.Record)), letsAllIn):
		f.Code = SPFOpen
	default:
		f.Code = SPFFound
	}
	return f
}

func letsAllIn(term string) bool { return term == "all" || term == "+all" }

// dmarc looks at the domain and then at those above it, as far as the last two labels.
func dmarc(ctx context.Context, r Resolver, domain string) SenderFact {
	policy := "p"
	for at := domain; ; {
		f := SenderFact{Name: "_dmarc." + at}
		found, err := records(ctx, r, f.Name, "v=DMARC1", "; ")
		_, above, _ := strings.Cut(at, ".")
		switch {
		case err != nil:
			f.Code = DMARCUnknown
			return f
		case len(found) > 1:
			f.Code, f.Record = DMARCSeveral, found[0]
			return f
		case len(found) == 1:
			f.Record = found[0]
			f.Code = policyOf(f.Record, policy)
			return f
		case !strings.Contains(above, "."):
			return SenderFact{Code: DMARCMissing, Name: "_dmarc." + domain}
		}
		at, policy = above, "sp"
	}
}

// policyOf is what a record asks for; of a domain above the sender's the policy for those below it comes first.
func policyOf(record, tag string) SenderCode {
	tags := map[string]string{}
	for _, t := range strings.Split(strings.ToLower(record), ";") {
		name, value, _ := strings.Cut(t, "=")
		tags[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	value, has := tags[tag]
	if !has {
		value = tags["p"]
	}
	switch value {
	case "reject":
		return DMARCReject
	case "quarantine":
		return DMARCQuarantine
	}
	return DMARCNone
}

// records are the texts of a name that begin with a version and then end, or go on with one of these signs.
func records(ctx context.Context, r Resolver, name, version, signs string) (found []string, err error) {
	all, err := r.LookupTXT(ctx, name)
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return nil, nil
	}
	for _, s := range all {
		s = strings.TrimSpace(s)
		if rest, has := strings.CutPrefix(s, version); has && (rest == "" || strings.ContainsRune(signs, rune(rest[0]))) {
			found = append(found, s)
		}
	}
	return found, err
}
