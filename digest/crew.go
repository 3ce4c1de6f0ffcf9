package digest

import (
	"runtime"
	"sync"
)

// crew runs jobs, which may add further jobs, on as many goroutines as there
// are processors to use. The newest job runs first, so that a walk goes deep
// before it goes wide and holds few directories open.
type crew struct {
	mu   sync.Mutex
	wake *sync.Cond
	jobs []func()
	busy int
}

func newCrew() *crew {
	c := &crew{}
	c.wake = sync.NewCond(&c.mu)
	return c
}

// add hands a job over. It may be called from a job.
func (c *crew) add(job func()) {
	c.mu.Lock()
	c.jobs = append(c.jobs, job)
	c.mu.Unlock()
	c.wake.Signal()
}

// run works until no job is left and none is running.
func (c *crew) run() {
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(c.work)
	}
	all.Wait()
}

func (c *crew) work() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for len(c.jobs) == 0 {
			if c.busy == 0 {
				c.wake.Broadcast()
				return
			}
			c.wake.Wait()
		}
		job := c.jobs[len(c.jobs)-1]
		c.jobs[len(c.jobs)-1] = nil
		c.jobs = c.jobs[:len(c.jobs)-1]
		c.busy++
		c.mu.Unlock()
		job()
		c.mu.Lock()
		c.busy--
	}
}
