package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"larder/caches/upkeep"
)

func cacheVerifyCommand() *cli.Command {
	return &cli.Command{
		Name: "verify", Usage: "find what is missing or damaged",
		Description: "The exit code is 1 when something damaged is left. What cannot be read, now and by\n" +
			"this user, is named and is no damage.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "check-contents", Usage: "read every byte"},
			&cli.BoolFlag{Name: "repair", Usage: "remove what is damaged, or go back to what is whole"},
		},
		Action: cacheVerify,
	}
}

func cacheVerify(ctx context.Context, command *cli.Command) error {
	if err := needArgs(command, 0, 0); err != nil {
		return err
	}
	shop, err := openHere(command)
	if err != nil {
		return err
	}
	shop.layout.Leave()
	look := upkeep.Look{Contents: command.Bool("check-contents"), Repair: command.Bool("repair")}
	done, err := shop.upkeep().Verify(ctx, look, printFinding)
	if err != nil {
		return err
	}
	looked := done.Looked
	fmt.Printf("looked at %d blobs, %d results, %d named caches, %d input trees and %d payloads: %d damaged, %d repaired, %d unreadable\n",
		looked[upkeep.Blobs], looked[upkeep.Results], looked[upkeep.Caches], looked[upkeep.Trees], looked[upkeep.Payloads],
		done.Found[upkeep.Damaged], done.Found[upkeep.Repaired], done.Found[upkeep.Unreadable])
	if done.Found[upkeep.Damaged] == 0 {
		return nil
	}
	if !look.Repair {
		fmt.Println("larder cache verify --repair removes what is damaged; it is made again when it is needed")
	}
	return exitCode(1)
}

func printFinding(f upkeep.Finding) {
	fmt.Printf("%s %s %s: %s", f.State, f.Kind.One(), f.Path, f.Problem)
	switch {
	case f.Done != "":
		fmt.Printf("; %s", f.Done)
	case f.State == upkeep.Unreadable:
		fmt.Print("; look for errors of the disk in the kernel's log, and for who may read it")
	}
	fmt.Println()
}
