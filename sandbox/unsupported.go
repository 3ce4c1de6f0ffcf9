//go:build !linux || !(amd64 || arm64)

package sandbox

import "context"

// Run returns ErrUnsupported.
func Run(context.Context, Config) (Status, error) { return Status{}, ErrUnsupported }

// SystemView returns an empty View.
func SystemView() View { return View{} }

// Probe reports that nothing is possible here.
func Probe() Capabilities { return Capabilities{Namespaces: ErrUnsupported} }

// OverlayWorks returns ErrUnsupported.
func OverlayWorks(string) error { return ErrUnsupported }
