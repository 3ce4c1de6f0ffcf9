package local

import (
	"os"
	"testing"

	"larder/digest"
	"larder/executor/action"
	"larder/sandbox"
)

func TestASandboxMadeEarlyIsUsedOnce(t *testing.T) {
	if err := sandbox.Probe().Namespaces; err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	e := aloneFor(&action.Action{})
	e.begin()
	for n := range 2 {
		if status, err := e.run(t.Context(), sandbox.Config{Args: []string{"true"}}); err != nil || status.ExitCode != 0 {
			t.Fatalf("run %d: %+v, %v", n, status, err)
		}
	}
	if e.take() != nil {
		t.Error("it is still there")
	}
	e.drop()
}

func TestASandboxThatIsNotWantedIsDropped(t *testing.T) {
	e := aloneFor(&action.Action{})
	e.drop() // nothing was begun
	e.begin()
	e.drop()
	if e.take() != nil {
		t.Error("it is still there")
	}
}

// Without an index that is kept the state of the host, which is part of a key, could
// be younger than a sandbox that waited.
func TestSandboxesWaitBesideAnIndexOnly(t *testing.T) {
	alone, shared := &action.Action{}, &action.Action{Network: action.NetworkHost}
	if New(Config{Ahead: 2}).ready.of(alone) != nil || New(Config{Indexes: digest.NewIndexes()}).ready.of(alone) != nil {
		t.Error("there is a pool that nobody asked for")
	}
	r := New(Config{Ahead: 2, Indexes: digest.NewIndexes()})
	defer r.Close()
	if pool := r.ready.of(alone); pool == nil || pool != r.ready.of(alone) || pool == r.ready.of(shared) {
		t.Error("each kind of sandbox has a pool of its own")
	}
	if live := (&action.Action{Caches: []action.Cache{{}, {Live: true}}}); r.ready.of(live) != nil {
		t.Error("actions that share a folder have sandboxes of a pool")
	}
}

// foreseeing begins a sandbox, and a runner whose namespaces are not looked for.
func foreseeing(t *testing.T) (*Runner, *Foreseen) {
	t.Helper()
	if err := sandbox.Probe().Namespaces; err != nil {
		t.Skip(err)
	}
	foreseen := Foresee(action.NetworkNone, action.HostSystem)
	t.Cleanup(foreseen.Drop)
	return New(Config{Sandbox: KindNamespaces}), foreseen
}

func TestAForeseenSandboxIsThatOfItsAction(t *testing.T) {
	runner, foreseen := foreseeing(t)
	began := foreseen.early.ahead
	wanted := &action.Action{Network: action.NetworkNone, Host: action.HostSystem}
	runner.Begin(wanted, foreseen)
	early := runner.early(wanted)
	defer early.drop()
	if began == nil || early.ahead != began || foreseen.early.ahead != nil {
		t.Error("another sandbox was begun for the action that was foreseen")
	}
	foreseen.Drop()
	if status, err := early.run(t.Context(), sandbox.Config{Args: []string{"true"}}); err != nil || status.ExitCode != 0 {
		t.Errorf("%+v, %v", status, err)
	}
}

// TestAForeseenSandboxServesNoOtherAction: what it lacks, or has too much of, is
// part of its namespaces.
func TestAForeseenSandboxServesNoOtherAction(t *testing.T) {
	for name, change := range map[string]func(*action.Action){
		"network": func(a *action.Action) { a.Network = action.NetworkHost },
		"host":    func(a *action.Action) { a.Host = action.HostNone },
		"userns":  func(a *action.Action) { a.Userns = true },
		"limits":  func(a *action.Action) { a.Limits.Pids = 7 },
	} {
		t.Run(name, func(t *testing.T) {
			runner, foreseen := foreseeing(t)
			began := foreseen.early.ahead
			wanted := &action.Action{Network: action.NetworkNone, Host: action.HostSystem}
			change(wanted)
			runner.Begin(wanted, foreseen)
			early := runner.early(wanted)
			defer early.drop()
			if early.ahead == nil || early.ahead == began || foreseen.early.ahead != nil {
				t.Error("the sandbox that was foreseen is that of another action, or is still there")
			}
		})
	}
}

func TestAForeseenSandboxIsGivenUpForADirectory(t *testing.T) {
	_, foreseen := foreseeing(t)
	wanted := &action.Action{Network: action.NetworkNone, Host: action.HostSystem}
	runner := New(Config{Sandbox: KindDirectory})
	runner.Begin(wanted, foreseen)
	if foreseen.early.ahead != nil || runner.begun.Load() != nil {
		t.Error("it is still there")
	}
	var none *Foreseen
	none.Drop()
}

// What was begun before the host changed does not run under its new state.
func TestSandboxesDoNotOutliveTheStateOfTheHost(t *testing.T) {
	r := New(Config{Ahead: 2, Indexes: digest.NewIndexes()})
	defer r.Close()
	index, pool := digest.NewIndex(digest.BLAKE3), r.ready.of(&action.Action{})
	for _, before := range []string{"", packageState(index)} {
		r.host = hostSeen{state: before}
		if r.hostState(index); r.ready.of(&action.Action{}) != pool {
			t.Fatalf("they are given up with a host that is as it was, %q", before)
		}
	}
	r.host = hostSeen{state: "another"}
	if r.hostState(index); r.ready.of(&action.Action{}) == pool {
		t.Error("they stay")
	}
}
