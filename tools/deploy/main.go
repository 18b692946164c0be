// Deploy checks what is in deploy/ by the libraries of those who run it: the chart by Helm's and
// Kubernetes' own, the compose file by Compose's. It is for the tests of deploy/, and a module of
// its own.
//
// It imports nothing of ours.
package main

import (
	"fmt"
	"os"
)

func main() {
	commands := map[string]func(args []string) error{"chart": renderChart, "compose": readCompose}
	if len(os.Args) < 3 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "use: deploy chart CHART [VALUES.yaml], or deploy compose FILE")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
