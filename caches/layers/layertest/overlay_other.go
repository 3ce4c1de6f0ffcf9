//go:build !linux

package layertest

import (
	"errors"
	"syscall"
)

// OwnNamespaces does nothing here.
func OwnNamespaces() *syscall.SysProcAttr { return nil }

func (plan) mount(string) error { return errors.ErrUnsupported }
