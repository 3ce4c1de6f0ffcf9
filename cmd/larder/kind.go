package main

import (
	"fmt"
	"os"

	"larder/executor/local"
)

// sandboxKind reads --sandbox, LARDER_SANDBOX or the configuration.
func sandboxKind(flag string, configured settings) (local.Kind, error) {
	for _, choice := range [][2]string{{flag, "--sandbox"}, {os.Getenv("LARDER_SANDBOX"), "LARDER_SANDBOX"}, {configured.Sandbox, "sandbox in larder.toml"}} {
		if choice[0] == "" {
			continue
		}
		kind, err := local.ParseKind(choice[0])
		if err != nil {
			return "", fmt.Errorf("%s: %w", choice[1], err)
		}
		return kind, nil
	}
	return local.KindAuto, nil
}
