package layers

import (
	"errors"
	"sync/atomic"
	"testing"
)

func TestSpreadDoesAllOnceAndReportsTheFirstError(t *testing.T) {
	for _, hands := range []int{0, 1, 7} {
		c := &crew{make(chan struct{}, hands)}
		for _, n := range []int{0, 1, 9, 10, 11, 100} {
			calls := make([]atomic.Int32, n)
			err := c.spread(n, 10, func(i int) error {
				// Inside, the same hands are used.
				return c.spread(3, 1, func(int) error { calls[i].Add(1); return nil })
			})
			for i := range calls {
				if calls[i].Load() != 3 || err != nil {
					t.Errorf("%d hands, %d parts: %d was done %d times, error %v", hands, n, i, calls[i].Load(), err)
				}
			}
		}
		first, second := errors.New("first"), errors.New("second")
		err := c.spread(50, 5, func(i int) error {
			switch i {
			case 17:
				return first
			case 42:
				return second
			}
			return nil
		})
		if !errors.Is(err, first) {
			t.Errorf("%d hands: got %v, want the error of the lowest number", hands, err)
		}
	}
}
