package telemetry

import "time"

// Watched runs a transaction and counts it. run is given what is to be called whenever the
// transaction begins, and failed says which of its errors are the database's.
func (h *Half) Watched(kind string, failed func(error) bool, run func(began func()) error) error {
	start, runs := time.Now(), 0
	err := run(func() { runs++ })
	h.Transaction(kind, time.Since(start), runs, err != nil && failed(err))
	return err
}
