// Package gatehouse holds nothing but the tests of the house itself; the program is cmd/gatehouse.
package gatehouse
