// Package config turns a directory of *.anthill.hcl and *.anthill.json files into a Config: plain values that the
// planner works from, with no expression left in them.
//
//	files -> Load -> Module -> Settings            (where the two sides are: needs no connection)
//	                        -> Validate            (all that can be checked without data)
//	                        -> Evaluate(Data)      -> Config
//
// Its rules, the important ones first:
//   - Names of files and the order of blocks mean nothing: everything in a Config is sorted, and only its Pos values
//     differ when blocks move.
//   - Evaluation is hermetic: no clock, no environment, no randomness, no file beyond the configuration's own.
//   - What the language has but this version does not is an error that says so; nothing is accepted and ignored.
//   - Whatever is wrong is an hcl.Diagnostic with the place, and says what to do. Values of the arguments that are
//     marked secret in Blocks, and passwords in source text, never appear in one.
//
// The blocks are decoded by one table, Blocks, from which documentation can be made as well. The package reads the
// live world only through Data, and knows nothing of the providers.
package config
