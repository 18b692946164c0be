package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/killtest"
)

// kills kills both halves again and again while people change, and prints what came of it.
func kills(ctx context.Context, s settings, dir string) error {
	seed := s.seed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano()) // #nosec G115 -- any number will do
	}
	program, err := filepath.Abs(s.program)
	if err != nil {
		return err
	}
	fmt.Printf("The halves are killed %d times while people and groups change.\n", s.kills)
	figures, err := killtest.Run(ctx, killtest.Config{
		Program: program,
		Folder:  filepath.Join(dir, "kills"),
		Kills:   s.kills,
		Seed:    seed,
		Log:     func(format string, args ...any) { fmt.Printf("  "+format+"\n", args...) },
	})
	fmt.Println(figures)
	if err != nil {
		return err
	}
	return figures.Missed()
}
