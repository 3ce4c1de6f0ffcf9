package main

import (
	"fmt"
	"os"

	"larder/caches"
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

// refuseLessIsolation: a repository that somebody cloned may ask for the better
// sandbox, and does not take it away.
func (s settings) refuseLessIsolation(path string) error {
	if s.Sandbox == "" || s.Sandbox == string(local.KindNamespaces) {
		return nil
	}
	return fmt.Errorf("%s: %w setting sandbox = %q in a file of a folder, where only namespaces counts; put it into your own file (%s), or use --sandbox or LARDER_SANDBOX", path, caches.ErrInvalid, s.Sandbox, ownConfig())
}
