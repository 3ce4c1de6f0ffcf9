//go:build amd64 || arm64

package sandbox

import "context"

// Run runs the command of cfg in a sandbox.
func Run(context.Context, Config) (Status, error) { return Status{}, ErrUnsupported }

// SystemView shows the system directories of the host.
func SystemView() View { return View{} }

// Probe looks at what this machine offers.
func Probe() Capabilities { return Capabilities{Namespaces: ErrUnsupported} }

// OverlayWorks tries an overlay in dir.
func OverlayWorks(string) error { return ErrUnsupported }
