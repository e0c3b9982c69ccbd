package mail

import (
	"fmt"
	"hash/fnv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"anthill/internal/mailtest"
	"anthill/providers"
)

// TestManyFaults: through a server that goes wrong in every way, by several connections, each mail's verdict agrees with what the
// server has: taken is once, later and refused are never, doubtful is either. Trying again what is to be tried again, and nothing
// else, nobody gets two and only who is doubtful may have none.
func TestManyFaults(t *testing.T) {
	t.Parallel()
	const all = 2000
	faults := []mailtest.Answer{
		{Reply: mailtest.Reply{Code: 451, Status: [3]int{4, 2, 1}, Text: "later"}},
		{Reply: mailtest.Reply{Code: 550, Status: [3]int{5, 1, 1}, Text: "gone"}},
		{Reply: mailtest.Reply{Code: 421, Text: "enough", HangUp: true}},
		{Reply: mailtest.Reply{HangUp: true}},
		{Last: mailtest.Reply{Code: 452, Status: [3]int{4, 3, 1}, Text: "full"}},
		{Last: mailtest.Reply{Code: 554, Status: [3]int{5, 6, 0}, Text: "not this"}},
		{Last: mailtest.Reply{Code: 421, Text: "enough"}},
		{Last: mailtest.Reply{Code: 399, Text: "what?"}},
		{End: mailtest.AfterTaking},
		{End: mailtest.AfterLosing},
	}
	s := mailtest.Start(t, mailtest.Options{Answer: func(m mailtest.Mail) mailtest.Answer {
		h := fnv.New32a()
		fmt.Fprintf(h, "%s %d", m.Sender, m.Tries)
		if n := int(h.Sum32() % 40); n < len(faults) {
			return faults[n]
		}
		return mailtest.Accept
	}})
	p := openTo(t, s, Settings{Connections: 3})
	var mu sync.Mutex
	verdicts := map[string]providers.MailVerdict{}
	left := make(chan int, 100*all)
	var waiting sync.WaitGroup
	waiting.Add(all)
	for i := range all {
		left <- i
	}
	var workers sync.WaitGroup
	for range 6 {
		workers.Go(func() {
			for i := range left {
				m := invitation(fmt.Sprintf("m%d", i))
				h, err := p.Send(t.Context(), m)
				if err != nil {
					t.Errorf("%s: %v", m.ID, err)
				}
				if err == nil && h.Verdict == providers.MailLater {
					left <- i
					continue
				}
				mu.Lock()
				verdicts[m.ID] = h.Verdict
				mu.Unlock()
				waiting.Done()
			}
		})
	}
	waiting.Wait()
	close(left)
	workers.Wait()
	counts, ends := s.Counts(), map[providers.MailVerdict]int{}
	for i := range all {
		id := invitation(fmt.Sprintf("m%d", i)).ID
		ends[verdicts[id]]++
		n := counts[id]
		switch verdicts[id] {
		case providers.MailTaken:
			if n != 1 {
				t.Errorf("%s is taken, and the server has it %d times", id, n)
			}
		case providers.MailRefused:
			if n != 0 {
				t.Errorf("%s is refused, and the server has it %d times", id, n)
			}
		case providers.MailDoubtful:
			if n > 1 {
				t.Errorf("%s is doubtful, and the server has it %d times", id, n)
			}
		default:
			t.Errorf("%s: %q", id, verdicts[id])
		}
	}
	if ends[providers.MailDoubtful] < 20 || ends[providers.MailRefused] < 20 || len(counts) < all/2 {
		t.Errorf("too little happened: %v, %d at the server", ends, len(counts))
	}
	got := 0
	for _, n := range counts {
		got += n
	}
	if diff := cmp.Diff(len(counts), got); diff != "" {
		t.Errorf("somebody got two (-want +got):\n%s", diff)
	}
}
