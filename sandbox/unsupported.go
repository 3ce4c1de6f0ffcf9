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

// Ahead is never there.
type Ahead struct{}

// Start returns ErrUnsupported.
func Start(Config) (*Ahead, error) { return nil, ErrUnsupported }

// Run returns ErrUnsupported.
func (*Ahead) Run(context.Context, Config) (Status, error) { return Status{}, ErrUnsupported }

// Close does nothing.
func (*Ahead) Close() {}
