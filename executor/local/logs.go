package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"larder/caches/cas"
	"larder/digest"
	"larder/executor"
	"larder/executor/action"
)

// logs carries the output of the command to the user and into the store at the
// same time, and keeps what set-up and tear-down say in a file.
type logs struct {
	stdout, stderr stream
	quota          *quota   // of both together
	steps          *os.File // output of set-up and tear-down
}

// stream is one output of the command.
type stream struct {
	write   *os.File // the command's end; nil when all is carried
	blob    *cas.Writer
	done    chan error
	failure error // why the output could not be kept
	stuck   bool  // something still holds the blob, and always may
	digest  digest.Digest
}

// open makes the pipes and begins to carry. With direct, the command gets the
// user's descriptor itself and nothing is kept.
func (l *logs) open(blobs *cas.Store, streams executor.Streams) error {
	if streams.Direct != nil {
		return nil
	}
	return errors.Join(l.stdout.open(blobs, streams.Stdout, l.quota), l.stderr.open(blobs, streams.Stderr, l.quota))
}

// openSteps makes the log of set-up and tear-down.
func (l *logs) openSteps(folder string) (err error) {
	l.steps, err = os.OpenFile(filepath.Join(folder, "steps.log"), os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("make the log of set-up and tear-down: %w", err)
	}
	return nil
}

func (s *stream) open(blobs *cas.Store, user io.Writer, quota *quota) error {
	blob := blobs.NewWriter()
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	s.write, s.blob, s.done = write, blob, make(chan error, 1)
	go func() {
		defer read.Close()
		both := &tee{kept: faint{w: blob, drop: blob.Abort}, user: faint{w: user}, quota: quota}
		_, err := io.CopyBuffer(both, onlyReader{read}, make([]byte, 64<<10))
		s.done <- cmp.Or(both.kept.failure, err)
	}()
	return nil
}

// onlyReader hides WriteTo, which would bypass the buffer.
type onlyReader struct{ io.Reader }

// errNotTaken says that whoever reads the output of larder stopped to, and that
// larder was asked to end.
var errNotTaken = errors.New("its reader did not take all of it before larder was asked to end")

// lastWords is how long the rest of an output is waited for once larder has been
// asked to end.
const lastWords = time.Second

// finish waits until everything that was written has been carried. The command
// and its descendants are gone, so the pipes end; a reader that takes nothing is
// waited for until ctx ends. An error says that the output was not kept; the
// user has seen it, or does not look.
func (l *logs) finish(ctx context.Context) error {
	if err := errors.Join(l.stdout.finish(ctx), l.stderr.finish(ctx)); err != nil {
		return fmt.Errorf("keep the output of the command: %w", err)
	}
	return nil
}

func (s *stream) finish(ctx context.Context) error {
	if s.write == nil {
		return s.failure
	}
	s.write.Close()
	s.write = nil
	select {
	case s.failure = <-s.done:
		return s.failure
	case <-ctx.Done():
	}
	select {
	case s.failure = <-s.done:
	case <-time.After(lastWords):
		s.failure, s.stuck = errNotTaken, true
	}
	return s.failure
}

// commit makes the carried output blobs and notes their digests; without an
// error both are in the store.
func (l *logs) commit(result *action.Result) error {
	if l.stdout.blob == nil {
		return nil
	}
	if err := l.finish(context.Background()); err != nil {
		return err
	}
	stdout, errOut := l.stdout.blob.Commit()
	stderr, errErr := l.stderr.blob.Commit()
	if err := errors.Join(errOut, errErr); err != nil {
		return fmt.Errorf("keep the output of the command: %w", err)
	}
	l.stdout.digest, l.stderr.digest = stdout, stderr
	result.StdoutDigest, result.StderrDigest = stdout.String(), stderr.String()
	return nil
}

// close releases what is still open, after an error.
func (l *logs) close() {
	_ = l.finish(context.Background())
	for _, s := range []*stream{&l.stdout, &l.stderr} {
		if s.blob != nil && !s.stuck {
			s.blob.Abort()
		}
	}
	if l.steps != nil {
		l.steps.Close()
	}
}

// said returns the end of what set-up or tear-down printed, for a message.
func (l *logs) said() string {
	const most = 2000
	size, err := l.steps.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	text := make([]byte, min(size, most))
	if _, err := l.steps.ReadAt(text, size-int64(len(text))); err != nil {
		return ""
	}
	return string(text)
}
