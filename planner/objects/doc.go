// Package objects plans declared objects: tenants, groups, account policies and OAuth2 clients. Forward compares what
// is declared with what is recorded and what is there; Fold gathers from the journal what runs did, and Folded.Plan
// takes that back. It stands between planner/world, which holds both sides indexed, and planner, which calls it once
// all users are joined; planner/users then moves users into the groups as they will be.
//
// Its rules, in the order of their weight. What isolation of tenants forbids is not done, and the tenant is left
// alone (L40). What was there before us is never deleted. What is ours is known by its id, not by its name, and so a
// name that somebody else has is never taken. What is gone from data alone is kept (L31). Of what an object holds
// only the attributes that are declared are compared, by the table of kinds (state.Kinds), whatever they are called.
package objects
