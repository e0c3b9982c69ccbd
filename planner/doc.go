// Package planner compares what is desired (a config.Config) with what is recorded (package state) and observed
// (the reading interfaces of package providers) and makes a Plan. It is pure: the same input gives the same plan,
// it changes nothing, it knows no concrete provider and no HCL syntax.
//
// Make walks three ordered streams once (rows, recorded users, and the directory's index) into a spool of compact
// records while it gathers hashes of names and addresses; then it decides user by user from the spool. Memory
// grows with tenants and groups, by 16 bytes a user and 20 a linked row, never with the content of rows.
package planner
