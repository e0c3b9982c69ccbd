package planner

// HazardCodes are the codes that -allow takes, sorted.
func HazardCodes() []HazardCode {
	return []HazardCode{AdoptsPerson, DeletesData, EndsSessions, LocksOut, LoginGap, OverLimit}
}
