//go:build !linux

package layers

import "errors"

// waiting: nothing is known of what else a directory can have here, so none waits.
func waiting(string) ([]string, error) { return nil, errors.ErrUnsupported }
