package local

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"larder/executor"
)

// feed gives a command its standard input and finds out afterwards whether it
// read any of it. An answer that depends on the input must not be kept under a
// key that does not hold the input.
type feed struct {
	given  *os.File // what the command gets; nil for /dev/null
	unused func() executor.InputUse
	close  func()
}

func newFeed(input executor.Input) (feed, error) {
	switch input.Kind {
	case executor.InputFile:
		return fileFeed(input.File)
	case executor.InputPipe:
		return pipeFeed(input.File)
	case executor.InputTerminal:
		return terminalFeed(input.File)
	}
	return feed{unused: func() executor.InputUse { return executor.InputEmpty }, close: func() {}}, nil
}

// fileFeed gives the content of a regular file through a pipe, and afterwards
// sets its offset as if the command had read from the file itself. The file
// itself would be a way out: through /proc/self/fd a process opens it again, for
// writing, or for reading at an offset that this one does not show.
func fileFeed(file *os.File) (feed, error) {
	before, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return feed{}, fmt.Errorf("standard input: %w", err)
	}
	piped, pump, err := newPump(file)
	if err != nil {
		return feed{}, err
	}
	given := pump.feed(piped)
	inner := given.unused
	given.unused = func() executor.InputUse {
		use := inner()
		if _, err := file.Seek(before+pump.taken(piped), io.SeekStart); err != nil {
			return executor.InputRead
		}
		return use
	}
	return given, nil
}

// pipeFeed puts a pipe of ours between: what went in and did not stay in it was
// read by the command.
func pipeFeed(from *os.File) (feed, error) {
	read, pump, err := newPump(from)
	if err != nil {
		return feed{}, err
	}
	return pump.feed(read), nil
}

// newPump starts to carry from into a new pipe, and returns its other end.
func newPump(from *os.File) (*os.File, *pump, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("standard input: %w", err)
	}
	stopped, stop, err := os.Pipe()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("standard input: %w", err), read.Close(), write.Close())
	}
	p := &pump{from: from, to: write, stopped: stopped, stop: stop, done: make(chan struct{})}
	go p.run()
	return read, p, nil
}

// feed is what the command gets: the end of the pipe that it reads from.
func (p *pump) feed(read *os.File) feed {
	halt := sync.OnceFunc(p.halt)
	return feed{read, func() executor.InputUse {
		halt()
		return p.use(read)
	}, func() {
		halt()
		read.Close()
	}}
}

// pump copies until the end of its source, until the command has closed its
// end, or until it is stopped.
type pump struct {
	from, to *os.File
	sent     int64
	ended    bool
	// stop is closed to end the pump; a poll of stopped notices it at once.
	stopped, stop *os.File
	done          chan struct{}
}

func (p *pump) run() {
	defer close(p.done)
	defer p.to.Close()
	buffer := make([]byte, 32<<10)
	for p.wait(p.from, unix.POLLIN) {
		n, err := p.from.Read(buffer)
		if n == 0 || err != nil {
			p.ended = true
			return
		}
		if !p.send(buffer[:n]) {
			return
		}
	}
}

// send writes in pieces that fit, so that a command that reads nothing cannot
// hold the pump in a write.
func (p *pump) send(data []byte) bool {
	for len(data) > 0 {
		if !p.wait(p.to, unix.POLLOUT) {
			return false
		}
		n, err := p.to.Write(data[:min(len(data), 4096)])
		p.sent += int64(n)
		if err != nil {
			return false
		}
		data = data[n:]
	}
	return true
}

// wait polls one descriptor, and whether the run has ended.
func (p *pump) wait(file *os.File, events int16) bool {
	for {
		poll := []unix.PollFd{{Fd: int32(file.Fd()), Events: events}, {Fd: int32(p.stopped.Fd())}}
		_, err := unix.Poll(poll, -1)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil || poll[1].Revents != 0:
			return false
		}
		return poll[0].Revents&(events|unix.POLLHUP) != 0 && poll[0].Revents&unix.POLLERR == 0
	}
}

// halt ends the pump and waits for it.
func (p *pump) halt() {
	p.stop.Close()
	<-p.done
	p.stopped.Close()
}

// taken is how much of what was sent is not in the pipe any more. A command can
// also write into its own pipe, so that more may be there than was sent.
func (p *pump) taken(read *os.File) int64 {
	left, err := unix.IoctlGetInt(int(read.Fd()), bytesWaiting)
	if err != nil {
		return p.sent
	}
	return max(p.sent-int64(left), 0)
}

// use says what became of what was sent, once the command has ended.
func (p *pump) use(read *os.File) executor.InputUse {
	left, err := unix.IoctlGetInt(int(read.Fd()), bytesWaiting)
	switch {
	case err != nil || int64(left) != p.sent:
		return executor.InputRead
	case p.sent == 0 && p.ended:
		return executor.InputEmpty
	}
	return executor.InputUnread
}
