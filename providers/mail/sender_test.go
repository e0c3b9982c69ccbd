package mail

import (
	"context"
	"errors"
	"net"
	"net/mail"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// zone answers for DNS; a name that it does not know does not exist.
type zone map[string][]string

var errDNS = errors.New("no answer")

func (z zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	list, has := z[name]
	switch {
	case !has:
		return nil, &net.DNSError{Name: name, IsNotFound: true}
	case len(list) == 1 && list[0] == "!":
		return nil, errDNS
	}
	return list, nil
}

func TestCheckSender(t *testing.T) {
	t.Parallel()
	const d, q = "anthill.example", "_dmarc.anthill.example"
	for name, c := range map[string]struct {
		from string
		zone zone
		want []SenderFact
	}{
		"both": {"a@" + d, zone{d: {"other=1", "v=spf1 mx -all"}, q: {"v=DMARC1; p=reject; rua=mailto:x@y.example"}}, []SenderFact{
			{SPFFound, d, "v=spf1 mx -all"}, {DMARCReject, q, "v=DMARC1; p=reject; rua=mailto:x@y.example"}}},
		"none": {"a@" + d, zone{d: {"v=spf10 mx", "spf1"}}, []SenderFact{{SPFMissing, d, ""}, {DMARCMissing, q, ""}}},
		"two of each": {"a@" + d, zone{d: {"v=spf1 a -all", "v=spf1 -all"}, q: {"v=DMARC1; p=none", "v=DMARC1;p=reject"}}, []SenderFact{
			{SPFSeveral, d, "v=spf1 a -all"}, {DMARCSeveral, q, "v=DMARC1; p=none"}}},
		"open, asks for nothing": {"a@" + d, zone{d: {"v=spf1 +ALL"}, q: {"v=DMARC1; p=none"}}, []SenderFact{
			{SPFOpen, d, "v=spf1 +ALL"}, {DMARCNone, q, "v=DMARC1; p=none"}}},
		"no answer": {"a@" + d, zone{d: {"!"}, q: {"!"}}, []SenderFact{{SPFUnknown, d, ""}, {DMARCUnknown, q, ""}}},
		"of the domain above": {"a@mail." + d, zone{"mail." + d: {"v=spf1 -all"}, q: {"v=DMARC1; p=reject; sp=quarantine"}}, []SenderFact{
			{SPFFound, "mail." + d, "v=spf1 -all"}, {DMARCQuarantine, q, "v=DMARC1; p=reject; sp=quarantine"}}},
		"in other letters": {"a@bücher.example", zone{"xn--bcher-kva.example": {"v=spf1"}}, []SenderFact{
			{SPFFound, "xn--bcher-kva.example", "v=spf1"}, {DMARCMissing, "_dmarc.xn--bcher-kva.example", ""}}},
		"no address": {"anthill", zone{}, []SenderFact{{SenderInvalid, "anthill", ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := CheckSender(t.Context(), c.zone, mail.Address{Address: c.from})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
