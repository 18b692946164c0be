package main

import (
	"context"
	"encoding/json"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

// readCompose reads a compose file as Compose does, by its schema and with .env beside it, and
// prints what it has understood as JSON.
func readCompose(args []string) error {
	options, err := cli.NewProjectOptions(args[:1], cli.WithEnvFiles(), cli.WithDotEnv)
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(project)
}
