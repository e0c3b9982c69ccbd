package sandbox

// Options say what a sandbox holds; the zero value is the sample at the baseline.
type Options struct {
	Tenants, Users int    // both 0: the sample; else exactly so many are generated
	Seed           int64  // of the data
	Naming         string // "self_auth" (the default) or "kanidm"
	Level          string // "baseline" (the default) or "dual", as shipped
	NoSelfAuth     bool   // no emulator; the SELF_AUTH_ variables are left alone
	Fresh          bool   // the bare schema without tenants, and a directory with built-in entries only
	Log            func(string)
}
