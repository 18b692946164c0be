package main

import (
	"errors"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/examine"
	"github.com/gatehouse-id/gatehouse/terminal"
)

const (
	stepsKept = "What is said to be done above is kept. The step that was under way may be done in part or whole. " +
		"Run the same command again: it goes on there."
	centerGoesOn = "The center goes on with what it has begun: gatehouse roles list shows how far it is."
)

// endings say what a command leaves that is told to end.
var endings = terminal.Endings{
	Serving:  "serve, tenant, demo, rehearse",
	Watching: "sync, audit search, doctor",
	Reading: "list, show, status, of, who, offers, explain, whoami, check, report, keys, verify, permissions, " +
		"sp-metadata, template, search, help",
	Answers: func(err error) bool {
		var unsound examine.Unsound
		return errors.Is(err, errChanges) || errors.As(err, &unsound)
	},
	After: map[string]string{
		"connect":            stepsKept,
		"connect repair":     stepsKept,
		"connect undo":       stepsKept,
		"connect export":     "The folder is as it was.",
		"rotate certificate": stepsKept,
		"rotate scim-token":  stepsKept,
		"rehearse":           "The original is as it was. Run the same command again: the copy goes on where it was.",
		"doctor":             "Nothing was changed but what is said above. Run it again to look anew.",
		"sync":               "What was written is kept. Run the same command again: it goes on.",
		"import": "What was imported is kept. Run the same command again with --update: it goes on with the rest, " +
			"also with the members of a group that was being written.",
		"tenant import":        "What was imported is kept. Run the same command again: it goes on with the rest.",
		"export":               "A file that was being written is not complete: run the same command again.",
		"backup":               "The backup did not end: run the same command again.",
		"tenant backup":        "The backup did not end: run the same command again.",
		"restore":              "The restore did not end: run the same command again before you start the center.",
		"tenant restore":       "The restore did not end: run the same command again before you start the tenant.",
		"accounts import":      "Accounts that were written stay. Run the same command again for the others.",
		"accounts sync":        "The center goes on to read: gatehouse accounts list shows the accounts.",
		"roles check":          centerGoesOn,
		"roles provision":      centerGoesOn,
		"leavers relink":       "What was moved is kept. Run the same command again: it moves the rest.",
		"leavers remove":       "What was removed is gone. Run the same command again: it removes the rest.",
		"access migrate":       "What was done is kept. Run the same command again for the rest.",
		"audit search":         "Nothing was changed. With --since the same command goes on from a moment.",
		"serve":                "The center did not start.",
		"tenant":               "The tenant did not start.",
		"demo":                 "The demo did not start.",
		"leavers":              "Nothing was changed.",
		"access review export": "Nothing was changed.",
		"profiles write":       "The file has the profiles that it had: run the same command again.",
		"revoke": "The center goes on to end access: gatehouse proof show USER tells what has ended. Run the same " +
			"command again if it says nothing.",
	},
}
