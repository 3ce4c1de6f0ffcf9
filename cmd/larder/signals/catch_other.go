//go:build !linux || !(amd64 || arm64)

package signals

import (
	"os"
	"os/signal"
	"syscall"
)

// catch asks os/signal. A channel that nobody reads keeps the closed pipe from ending the
// process.
func catch(to chan<- os.Signal, all []os.Signal) error {
	if len(all) > 0 { // none would mean all
		signal.Notify(to, all...)
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return nil
}
