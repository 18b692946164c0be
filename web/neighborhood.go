package web

import "github.com/gatehouse-id/gatehouse/audit"

// Neighborhood is the key under which a Limiter counts an address: see audit.Neighborhood.
func Neighborhood(address string) string { return audit.Neighborhood(address) }
