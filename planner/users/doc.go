// Package users decides about users, one by one from the spool of the world: who is moved under which wave and how,
// what follows for those who were moved before, and, for a rollback, how each is taken back. What it decides goes to
// the plan's sink as shapes and rows; what it has to say besides are figures and findings.
//
// It stands beside planner/objects, from whose plan it learns which groups there will be, and above planner/world and
// planner/rollout.
package users
