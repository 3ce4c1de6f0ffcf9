package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"larder/caches/archive"
)

// piped is a program between two pipes. A goroutine serves one of them, whoever
// uses it the other one.
type piped struct {
	ctx     context.Context
	giveUp  context.CancelFunc
	command *exec.Cmd
	in      io.WriteCloser // what it reads
	out     io.ReadCloser  // what it writes
	said    bytes.Buffer   // its standard error, to be read when it has ended
	served  chan struct{}  // closed when the goroutine is through
	failed  error          // why that was not at the end, to be read then
	end     func() error   // waits for the end of the program, as often as it is called
}

// startPiped starts a program, which is killed when ctx ends.
func startPiped(ctx context.Context, path string, args ...string) (*piped, error) {
	own, giveUp := context.WithCancel(ctx)
	p := &piped{ctx: ctx, giveUp: giveUp, command: exec.CommandContext(own, path, args...), served: make(chan struct{})}
	p.end = sync.OnceValue(p.wait)
	p.command.Stderr = &p.said
	p.command.WaitDelay = time.Second // for a child of its own that keeps standard error open
	// Ctrl-C is for larder, which ends the program: one of the two should say why.
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var inErr, outErr error
	p.in, inErr = p.command.StdinPipe()
	p.out, outErr = p.command.StdoutPipe()
	err := errors.Join(inErr, outErr)
	if err == nil {
		err = p.command.Start()
	}
	if err != nil {
		giveUp()
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return p, nil
}

// serve copies to or from one of the pipes, and closes it: so the program notices,
// whether that was the end or a failure.
func (p *piped) serve(to io.Writer, from io.Reader, pipe io.Closer) {
	_, err := io.Copy(to, from)
	if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, os.ErrClosed) {
		p.failed = err // else the program has ended, and its end says why
	}
	close(p.served)
	_ = pipe.Close()
}

// wait waits for a program that is about to end, and says why that was no good
// end: what it was asked for, what its streams met with, what it says itself, in
// this order.
func (p *piped) wait() error {
	err := p.command.Wait()
	p.giveUp()
	if p.ctx.Err() != nil {
		return fmt.Errorf("%w: %w", archive.ErrBrokenOff, context.Cause(p.ctx))
	}
	select {
	case <-p.served:
		if p.failed != nil {
			return p.failed
		}
	default:
		if err == nil {
			err = errors.New("it did not wait for the end of its input")
		}
	}
	if err == nil {
		return nil
	}
	said := strings.TrimPrefix(strings.TrimSpace(p.said.String()), compressorName+": ")
	if p.command.ProcessState.ExitCode() == compressorDamaged {
		return errors.New(said)
	}
	return fmt.Errorf("%w: %s: %w: %s", archive.ErrBrokenOff, p.command.Path, err, said)
}
