package local

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"

	"larder/caches"
	"larder/caches/payload"
	"larder/executor/action"
	"larder/sandbox"
)

// payloadSource is a payload of an action. Its state is taken once for the key
// and the copy, and once more when somebody asks whether it has changed.
type payloadSource struct {
	wanted action.Payload
	look   func(context.Context) (payload.Source, error) // the state as it is now
	first  func() (payload.Source, error)
}

// payloads finds the payloads of an action. Taking their state costs a look at
// every name, so it waits until somebody asks.
func (r *Runner) payloads(ctx context.Context, a *action.Action) ([]payloadSource, error) {
	var sources []payloadSource
	for _, wanted := range a.Payloads {
		if payload.Afar(wanted.Host) == "" {
			if _, err := payload.Resolve(wanted.Host); err != nil {
				return nil, fmt.Errorf("%w; check the --payload flag", err)
			}
		}
		look := func(ctx context.Context) (payload.Source, error) { return r.lookPayload(ctx, wanted.Host) }
		first := sync.OnceValues(func() (payload.Source, error) { return look(ctx) })
		sources = append(sources, payloadSource{wanted, look, first})
	}
	return sources, nil
}

func (r *Runner) lookPayload(ctx context.Context, path string) (payload.Source, error) {
	if r.config.LookPayload != nil {
		return r.config.LookPayload(ctx, path)
	}
	return payload.Look(ctx, path)
}

// payloadProperties are the part of the key that payloads have: where each is
// seen, and its state.
func payloadProperties(ctx context.Context, sources []payloadSource, look func(payloadSource, context.Context) (payload.Source, error)) ([]action.Property, error) {
	var properties []action.Property
	for _, one := range sources {
		source, err := look(one, ctx)
		if err != nil {
			return nil, err
		}
		value := one.wanted.Path.String() + " " + source.State.Digest.String()
		properties = append(properties, action.Property{Name: "larder-payload", Value: value})
	}
	return properties, nil
}

// view is a payload as a run sees it.
type view struct {
	*payload.View
	target string // in the sandbox
}

// viewPayloads decides for each payload whether the run sees its local copy or
// the directory itself, and has copies begun that are wanted.
func (a *attempt) viewPayloads(ctx context.Context) error {
	for _, one := range a.job.Surroundings.Handle.(scene).payloads {
		source, err := one.first()
		if err != nil {
			return err
		}
		used := a.usePayload(ctx, source, one.wanted.Copy)
		a.views = append(a.views, view{used, filepath.Join(sandbox.WorkDir, one.wanted.Path.String())})
		a.result.Payloads = append(a.result.Payloads, action.PayloadResult{
			Host: one.wanted.Host, Path: one.wanted.Path.String(), State: source.State.Digest.String(), Status: string(used.Status),
		})
		problem := used.Problem
		if used.Begin && a.runner.config.CopyPayload != nil {
			if err := a.runner.config.CopyPayload(source.ID()); err != nil {
				problem = fmt.Errorf("no process for the copy could be started: %w", err)
			}
		}
		if source.State.IsEmpty() {
			a.warn("payload %s is an empty directory; if it is a share, see whether it is mounted", one.wanted.Host)
		}
		if problem != nil {
			a.warn("payload %s has no local copy, so the command works on the original: %v", one.wanted.Host, problem)
		}
	}
	return nil
}

// usePayload asks for no copy when the store has no room or is broken: that was
// said once already. In a directory the command could change a copy that others
// trust.
func (a *attempt) usePayload(ctx context.Context, source payload.Source, policy caches.CopyPolicy) *payload.View {
	if a.uncached || a.kind == sandbox.Directory {
		policy = caches.CopyNever
	}
	return a.runner.config.Payloads.Use(ctx, source, policy)
}

// payloadBinds shows each payload, read-only.
func (a *attempt) payloadBinds() []sandbox.Bind {
	var binds []sandbox.Bind
	for _, v := range a.views {
		binds = append(binds, sandbox.Bind{Source: v.Dir, Target: v.target})
	}
	return binds
}
