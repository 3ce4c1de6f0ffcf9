package local

import (
	"sync"
	"time"
)

// programs remembers for a moment where PATH leads to: thousands of actions run the
// same few programs, and to find one means a look into each folder before its own.
// The program itself is looked at for every action. It may be used by many
// goroutines, and a nil *programs remembers nothing.
type programs struct {
	fresh time.Duration
	mu    sync.Mutex
	paths map[string]string // by name
	since time.Time         // of the first of them
}

// of returns what was noted for a name a moment ago, or nothing.
func (p *programs) of(name string) string {
	if p == nil {
		return ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.since) > p.fresh {
		p.paths = nil
	}
	return p.paths[name]
}

// note remembers where a name leads to.
func (p *programs) note(name, path string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paths == nil {
		p.paths, p.since = map[string]string{}, time.Now()
	}
	p.paths[name] = path
}
