package report

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"anthill/state"
)

// TestOfEachKind: where a list is cut, each kind of finding keeps a place, and the order stays.
func TestOfEachKind(t *testing.T) {
	t.Parallel()
	var list []state.Finding
	for i := range 10 {
		list = append(list, state.About(state.CodeLetInNowhere, state.OfTenant(fmt.Sprint(i))).Times(4))
	}
	list = append(list, state.Found(state.CodeGroupless).Times(1), state.Found(state.CodeUnverified).Times(2))
	want := []state.Finding{list[0], list[1], list[10], list[11]}
	if diff := cmp.Diff(want, ofEachKind(list, 4)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(list, ofEachKind(list, 50)); diff != "" {
		t.Errorf("all of them (-want +got):\n%s", diff)
	}
}
