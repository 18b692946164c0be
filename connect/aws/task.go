package aws

import "github.com/gatehouse-id/gatehouse/connect/assist"

// What a person is led by, and through.
type (
	Guide = assist.Guide
	Task  = assist.Task
	File  = assist.File
	Want  = assist.Want
)
