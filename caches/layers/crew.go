package layers

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// crew shares work among goroutines, as many as there are processors, for all
// that is done with it together.
type crew struct{ more chan struct{} }

// mostHands bounds the descriptors that are open at a time.
const mostHands = 8

func newCrew() *crew { return &crew{make(chan struct{}, min(runtime.GOMAXPROCS(0), mostHands)-1)} }

// spread calls work for 0 to n-1, in parts of so many each, of which who is done
// with one takes the next. It returns the first error by number; after an error a
// part is left, and the others are done.
func (c *crew) spread(n, each int, work func(int) error) error {
	parts := (n + each - 1) / each
	failed := make([]error, parts)
	var next atomic.Int64
	var wait sync.WaitGroup
	var take func()
	take = func() {
		for part := int(next.Add(1)) - 1; part < parts; part = int(next.Add(1)) - 1 {
			if part < parts-1 {
				c.lend(&wait, take)
			}
			for i := part * each; i < min(n, (part+1)*each) && failed[part] == nil; i++ {
				failed[part] = work(i)
			}
		}
	}
	take()
	wait.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// lend gives work to another goroutine if there may be one more.
func (c *crew) lend(wait *sync.WaitGroup, work func()) {
	select {
	case c.more <- struct{}{}:
		wait.Go(func() {
			defer func() { <-c.more }()
			work()
		})
	default:
	}
}
