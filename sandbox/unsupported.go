//go:build !linux || !(amd64 || arm64)

package sandbox

import (
	"context"
	"time"
)

// Run returns ErrUnsupported for all but a [Directory]. There it runs the set-up,
// the command and the tear-down of cfg, and ends the process group of each.
func Run(ctx context.Context, cfg Config) (Status, error) {
	if cfg.Isolation == Directory {
		return runPortable(ctx, cfg)
	}
	return Status{}, ErrUnsupported
}

// SystemView returns an empty View.
func SystemView() View { return View{} }

// Probe reports that nothing is possible here.
func Probe() Capabilities { return Capabilities{Namespaces: ErrUnsupported} }

// Namespaced returns ErrUnsupported.
func Namespaced() error { return ErrUnsupported }

// OverlayWorks returns ErrUnsupported.
func OverlayWorks(string) error { return ErrUnsupported }

// Ahead is never there.
type Ahead struct{}

// Start returns ErrUnsupported.
func Start(Config, func() View) (*Ahead, error) { return nil, ErrUnsupported }

// Run returns ErrUnsupported.
func (*Ahead) Run(context.Context, Config) (Status, error) { return Status{}, ErrUnsupported }

// Close does nothing.
func (*Ahead) Close() {}

// Pool is always empty.
type Pool struct{}

// PoolIdle is as on other systems.
const PoolIdle = time.Second

// NewPool returns an empty pool.
func NewPool(Config, func() View, int) *Pool { return &Pool{} }

// Start returns ErrUnsupported.
func (*Pool) Start(Limits) (*Ahead, error) { return nil, ErrUnsupported }

// Close does nothing.
func (*Pool) Close() {}
