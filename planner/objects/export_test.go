package objects

// FoldInstances is foldInstances for the tests.
var FoldInstances = foldInstances
