package local

import (
	"slices"
	"sync"

	"larder/executor/action"
	"larder/sandbox"
)

// ready has sandboxes that wait for actions to come, one pool for each kind of
// sandbox that an action may ask for.
type ready struct {
	most  int // that wait, of each kind; 0 for none
	mu    sync.Mutex
	pools map[kind]*sandbox.Pool
}

// kind is what an action says of its sandbox that has to be known to begin it.
type kind struct {
	network sandbox.Network
	host    action.Host
	userns  bool
}

// of gives the pool for an action; nil when none is kept. One that shares a folder with
// others while it runs has a sandbox of its own: by a socket there they can give each
// other an open file of /proc, and that of a namespace would show who has it next.
func (r *ready) of(a *action.Action) *sandbox.Pool {
	isLive := func(c action.Cache) bool { return c.Live }
	if r.most == 0 || slices.ContainsFunc(a.Caches, isLive) {
		return nil
	}
	k := kind{networkOf(a.Network), a.Host, a.Userns}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pools == nil {
		r.pools = map[kind]*sandbox.Pool{}
	}
	if r.pools[k] == nil {
		r.pools[k] = sandbox.NewPool(sandbox.Config{Network: k.network, AllowUserns: k.userns}, viewOf(k.host), r.most)
	}
	return r.pools[k]
}

// close ends all that wait.
func (r *ready) close() {
	r.mu.Lock()
	pools := r.pools
	r.pools = nil
	r.mu.Unlock()
	for _, pool := range pools {
		pool.Close()
	}
}
