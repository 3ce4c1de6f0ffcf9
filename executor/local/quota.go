package local

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"larder/executor/action"
	"larder/sandbox"
)

// quota bounds what a command prints and what it leaves on the disk, each for
// itself. It may be used by many goroutines.
type quota struct {
	most    int64        // bytes; 0 is no limit
	folders []string     // that the command writes to
	before  int64        // what was in them
	root    atomic.Int64 // process 1 of the sandbox, once it is there
	printed atomic.Int64
	struck  chan sandbox.Limit // holds one word, which is enough to end the command
}

func newQuota(most int64) *quota { return &quota{most: most, struck: make(chan sandbox.Limit, 1)} }

// begin looks at the folders that the command will write to. Private copies, as
// there are without overlays, have something in them already; the places where
// something is mounted get directories that are not the command's.
func (q *quota) begin(folders []string, mounts []action.Path) {
	if q.folders = folders; q.most == 0 {
		return
	}
	q.before = q.sum(math.MaxInt64)
	for _, path := range mounts {
		q.before += block * int64(1+strings.Count(path.String(), "/"))
	}
}

// strike tells the sandbox. Without a reader it does nothing more than once.
func (q *quota) strike() {
	select {
	case q.struck <- sandbox.LimitOutput:
	default:
	}
}

// admit says how many of n more bytes may still be printed.
func (q *quota) admit(n int) int {
	if q == nil || q.most == 0 {
		return n
	}
	total := q.printed.Add(int64(n))
	if total <= q.most {
		return n
	}
	q.strike()
	return int(max(0, int64(n)-(total-q.most)))
}

// broken reports whether more was printed or lies on the disk than may.
func (q *quota) broken() bool { return q.most > 0 && (q.printed.Load() > q.most || q.full()) }

// Looks at the disk: the first after a moment, and then so seldom that they take a
// twentieth of one processor.
const (
	firstLook = 50 * time.Millisecond
	lookShare = 20
)

// watch adds up the folders until ctx ends. A command that it finds over the
// limit is ended.
func (q *quota) watch(ctx context.Context) {
	if q.most == 0 {
		return
	}
	pause := firstLook
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		began := time.Now()
		if q.full() {
			q.strike()
			return
		}
		pause = max(firstLook, lookShare*time.Since(began))
	}
}

// full reports whether the command has put more into the folders than it may.
func (q *quota) full() bool {
	named := q.sum(q.before+q.most) - q.before
	return named > q.most || named+unnamed(int(q.root.Load())) > q.most
}

// sum adds up the folders, and stops counting above enough.
func (q *quota) sum(enough int64) int64 {
	m := meter{enough: enough}
	for _, folder := range q.folders {
		m.add(folder)
	}
	return m.total
}

// written lists the folders that the command can write to, and what is mounted
// below them.
func (a *attempt) written(private string) (folders []string, mounts []action.Path) {
	folders = []string{a.work.upper, filepath.Join(private, "tmp"), filepath.Join(private, "home")}
	for _, c := range a.checkouts {
		folders, mounts = append(folders, c.Upper()), append(mounts, c.cache.Path)
	}
	for _, payload := range a.job.Action.Payloads {
		mounts = append(mounts, payload.Path)
	}
	return folders, mounts
}
