package aws

import "github.com/gatehouse-id/gatehouse/connect/assist"

// Guide leads a person through what has no API.
type Guide = assist.Guide

// Task is something that a person does at the console.
type Task = assist.Task

// File is one that a person hands over.
type File = assist.File

// Want is a value that a person brings back.
type Want = assist.Want
