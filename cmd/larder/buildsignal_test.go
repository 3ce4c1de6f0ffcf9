package main

import (
	"os"
	"slices"
	"syscall"
	"testing"
	"time"
)

// TestSignalsOfABuild: what each of two actions hears, of which the second begins
// after all signals have come, and which signal ended the build.
func TestSignalsOfABuild(t *testing.T) {
	const first, second, usr, kill, term = syscall.SIGINT, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGKILL, syscall.SIGTERM
	for name, c := range map[string]struct {
		come, early, late []os.Signal
		ended             syscall.Signal
	}{
		"none":                 {},
		"one for the commands": {[]os.Signal{usr}, []os.Signal{usr}, nil, 0},
		"Ctrl-C":               {[]os.Signal{first}, []os.Signal{first}, []os.Signal{first}, first},
		"Ctrl-C twice":         {[]os.Signal{first, second}, []os.Signal{first, kill}, []os.Signal{first, kill}, first},
		"with another between": {[]os.Signal{first, usr, second}, []os.Signal{first, usr, kill}, []os.Signal{first, kill}, first},
		"after an end":         {[]os.Signal{term, second}, []os.Signal{term, kill}, []os.Signal{term, kill}, term},
		"an end twice":         {[]os.Signal{term, term}, []os.Signal{term, term}, []os.Signal{term}, term},
		"after Ctrl-C an end":  {[]os.Signal{first, term}, []os.Signal{first, term}, []os.Signal{first}, first},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFanOut()
			clock := time.Now()
			f.now = func() time.Time { return clock }
			early := f.add(1)
			for _, s := range c.come {
				f.pass(s)
				clock = clock.Add(sameOne)
			}
			if got := heard(early); !slices.Equal(got, c.early) {
				t.Errorf("who ran heard %v, want %v", got, c.early)
			}
			if got := heard(f.add(2)); !slices.Equal(got, c.late) {
				t.Errorf("who began then heard %v, want %v", got, c.late)
			}
			if got := f.first(); got != c.ended {
				t.Errorf("ended by %v, want %v", got, c.ended)
			}
		})
	}
}

// A Ctrl-C that comes by two ways is one.
func TestTheSameCtrlCTwice(t *testing.T) {
	f := newFanOut()
	clock := time.Now()
	f.now = func() time.Time { return clock }
	action := f.add(1)
	f.pass(syscall.SIGINT)
	clock = clock.Add(sameOne - 1)
	f.pass(syscall.SIGINT)
	clock = clock.Add(1)
	f.pass(syscall.SIGINT)
	if got := heard(action); !slices.Equal(got, []os.Signal{syscall.SIGINT, syscall.SIGINT, syscall.SIGKILL}) {
		t.Errorf("the action heard %v", got)
	}
}

// heard takes what is there.
func heard(from <-chan os.Signal) (all []os.Signal) {
	for {
		select {
		case s := <-from:
			all = append(all, s)
		default:
			return all
		}
	}
}
