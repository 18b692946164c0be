// Package examples has examples of how Gatehouse is run and used, each in a folder of its own, and
// the tests that run them. It is a module of its own.
package examples
