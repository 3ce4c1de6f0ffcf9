package main

import (
	"github.com/urfave/cli/v3"
)

func cacheCommand() *cli.Command  { return &cli.Command{Name: "cache"} }
func doctorCommand() *cli.Command { return &cli.Command{Name: "doctor"} }
func demoCommand() *cli.Command   { return &cli.Command{Name: "demo"} }
