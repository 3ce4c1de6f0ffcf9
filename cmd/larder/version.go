package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v3"
)

// release is the version of the command-line contract's implementation.
const release = "0.1.0"

func versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "print the version",
		OnUsageError: usageError,
		Action: func(_ context.Context, command *cli.Command) error {
			if err := needArgs(command, 0, 0); err != nil {
				return err
			}
			return printVersion()
		},
	}
}

func printVersion() error {
	_, err := fmt.Printf("larder %s%s (%s, %s/%s)\n", release, revision(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && len(setting.Value) >= 12 {
			return " " + setting.Value[:12]
		}
	}
	return ""
}
