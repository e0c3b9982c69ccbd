// Package planfile is a planner.Plan on disk: Writer is the sink of a plan in the making, Open reads and verifies
// what it wrote.
package planfile
