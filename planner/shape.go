package planner

import "slices"

// Equal says whether two shapes do the same.
func (s *Shape) Equal(o *Shape) bool {
	return s.Tenant == o.Tenant && s.Relies == o.Relies && s.RowGone == o.RowGone && s.Person == o.Person && s.Found == o.Found && s.Exists == o.Exists && s.Slug == o.Slug &&
		s.Act == o.Act && s.Generation == o.Generation && s.Suffix == o.Suffix && s.Link == o.Link &&
		s.Method == o.Method && s.Complete == o.Complete && s.Wave == o.Wave && s.Policy == o.Policy &&
		s.Ours == o.Ours && s.LinkOurs == o.LinkOurs && s.Standing == o.Standing && s.Restore == o.Restore && s.Mail == o.Mail && s.Away == o.Away &&
		slices.Equal(s.Join, o.Join) && slices.Equal(s.Leave, o.Leave) && slices.Equal(s.Keep, o.Keep)
}
