// Package planner compares what is desired (a config.Config) with what is recorded (package state) and observed
// (the reading interfaces of package providers) and makes a plan. It is pure: the same input gives the same plan,
// it changes nothing, it knows no concrete provider and no HCL syntax.
//
// Make and Undo are lists of steps, each of which takes the value that the step before gives:
//
//	world.Observe -> Observed.Join -> objects.Forward -> users.Decide -> rollout.Judge -> plan.Plan
//	chooseRuns -> world.Observe -> objects.Fold -> users.TakeBack -> Folded.Plan -> plan.Plan
//
// One value is completed by a later step: who is a stranger in a group is known once all users are decided, so Make hands
// the strangers that users.Decide found to Plan.Expel of package objects before it counts anything.
//
// Users are streamed: rows and recorded users are joined once, by the index of the directory, into a spool of compact
// entries while hashes of names and addresses are gathered; then each user is decided from the spool.
package planner
