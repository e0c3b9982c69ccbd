package main

import (
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"anthill/internal/sandbox"
)

// TestPlansAreValid: what plan -json and show -json write of the examples, and of what comes after them, is valid by the
// published schema.
func TestPlansAreValid(t *testing.T) {
	t.Parallel()
	schema, err := jsonschema.NewCompiler().Compile("../../docs/plan.schema.json")
	must(t, err)
	valid := func(what, text string) {
		t.Helper()
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err == nil {
			err = schema.Validate(value)
		}
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, example := range []string{"quickstart", "login"} {
		t.Run(example, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{}, emulator(t))
			must(t, os.CopyFS(w.dir, os.DirFS("../../examples/"+example)))
			out, _ := w.run(exitDone, "plan", "-json", "-out", "p")
			valid("plan", out)
			w.try("apply", "p")
			w.exec("update users set role = 'user' where role = 'admin'")
			w.exec("update users set status = 'suspended' where user_id in (select user_id from users order by user_id limit 40)")
			_, out, _ = w.try("plan", "-json", "-diff", "p")
			valid("what follows", out)
			w.run(exitDone, "rollback", "-out", "back", "-allow", "LOCKS_OUT_USERS=1")
			out, _ = w.run(exitDone, "show", "-json", "back")
			valid("rollback", out)
		})
	}
}
