// Package gatehouse only has the tests of the repository's own rules; the program is cmd/gatehouse.
package gatehouse
