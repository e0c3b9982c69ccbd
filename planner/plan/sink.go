package plan

// Sink takes the user changes of a plan while it is made. planfile.Writer is one.
type Sink interface {
	// Segment opens a segment; the returned index is used by Add, Drop and Shapes.
	Segment(kind SegmentKind, wave string) int
	// Add appends a user to a segment; users come in the order of tenant id, user id. c.Shape does not count: the sink
	// numbers the shapes.
	Add(segment int, shape Shape, c UserChange) error
	// Drop forgets the changes of a segment (a wave that turned out to be held).
	Drop(segment int) error
	// Shapes are those of a segment so far, with their users.
	Shapes(segment int) []Counted
	// Skip lists a user who is not moved; those of a tenant come one after the other.
	Skip(SkippedUser) error
}
