// Package migration reads the application's own migrations, the files of a folder, for what a plan has to know of them: which
// columns, constraints and indexes a file makes without looking whether they are there, and which it takes away before. It
// stands under config, which reads the folder, and planner, which compares with what steps of the schema make; it runs nothing.
//
// SQL is read by its words, with comments, quotes and dollar quotes taken for what they are. What a file does within a string,
// as in a DO block or by EXECUTE, is not looked into.
package migration
