package postgres

import (
	"testing"

	"anthill/internal/sandbox"
	"anthill/providers"
)

// TestStepsByHand: the statements for psql make the same of a baseline as the steps do, under either naming.
func TestStepsByHand(t *testing.T) {
	t.Parallel()
	for _, naming := range Namings() {
		t.Run(naming, func(t *testing.T) {
			t.Parallel()
			p, c, _ := opened(t, sandbox.Options{Naming: naming})
			for _, name := range providers.SchemaSteps() {
				statements, known := p.ByHand().Step(name)
				if !known {
					t.Fatalf("step %s is not known", name)
				}
				for _, s := range statements {
					if _, err := c.Exec(t.Context(), s); err != nil {
						t.Fatalf("%s: %v", s, err)
					}
				}
			}
			is, err := p.Inspect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if is.Level != providers.LevelDual || len(is.Absent)+len(is.Steps)+len(is.Lacks) > 0 {
				t.Errorf("%s, absent %v, steps %v, lacks %v", is.Level, is.Absent, is.Steps, is.Lacks)
			}
		})
	}
	p, _, _ := opened(t, sandbox.Options{})
	if _, known := p.ByHand().Step("users.nothing"); known {
		t.Error("a step that there is not")
	}
}
