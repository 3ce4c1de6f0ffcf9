package local

import (
	"errors"
	"io"
	"syscall"
)

// mostUnread is how many bytes of one output are kept after its reader went away, as
// head(1) does. A compiler or a linter is through with less; what prints for ever would
// fill the disk.
const mostUnread = 64 << 20

// errUnread says that an output is not kept, since it did not end.
var errUnread = errors.New("its reader went away, and it went on for more than 64 MiB; let the reader take all of it, or let the command end")

// tee writes to the store first: what the user saw is kept. Neither end can hold up the
// other by failing; when both have, the command is to meet what it would meet without
// larder, a pipe that is closed. What is over the quota goes to neither, and is read all
// the same: nobody should wait for a pipe.
type tee struct {
	kept, user faint
	quota      *quota
	unread     int64 // bytes that a reader who went away did not see
}

// Write fails, with why the output is not kept, when nobody takes it any more.
func (t *tee) Write(p []byte) (int, error) {
	admitted := p[:t.quota.admit(len(p))]
	t.kept.write(admitted)
	t.user.write(admitted)
	if t.user.failure == nil {
		return len(p), nil
	}
	if t.unread += int64(len(admitted)); t.kept.failure == nil && t.unread > mostUnread && errors.Is(t.user.failure, syscall.EPIPE) {
		t.kept.fail(errUnread)
	}
	if t.kept.failure != nil {
		return 0, t.kept.failure
	}
	return len(p), nil
}

// faint stops writing after the first error. When the user's end is closed, as
// by head(1), the output is still kept; when the disk of the store is
// full, the user still sees it.
type faint struct {
	w       io.Writer
	drop    func() // gives up what was written, once, or nil
	failure error
}

func (f *faint) write(p []byte) {
	if f.failure != nil {
		return
	}
	if _, err := f.w.Write(p); err != nil {
		f.fail(err)
	}
}

// fail ends the writing. What was written is no use then, and the command may go on for
// long: a full disk gets it back at once.
func (f *faint) fail(why error) {
	f.failure = why
	if f.drop != nil {
		f.drop()
	}
}
