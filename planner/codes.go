package planner

// HazardCodes are the codes that -allow takes, sorted.
func HazardCodes() []HazardCode { return []HazardCode{DeletesData, OverLimit} }
