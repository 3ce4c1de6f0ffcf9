package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"larder/digest"
	"larder/executor"
	"larder/executor/action"
	"larder/executor/local"
	"larder/executor/preset"
	"larder/sandbox"
)

// applyPreset puts the preset of the flags under the spec. Without --preset it
// does nothing, and reads nothing.
func (w *workshop) applyPreset(ctx context.Context, options *runOptions, spec *action.Spec) error {
	if options.preset == "" {
		return nil
	}
	chosen := options.chosen
	if len(spec.Argv) == 0 {
		return fmt.Errorf("preset %s: no command; name one after --, such as larder run --preset %s -- %s", options.preset, options.preset, chosen.Command)
	}
	if err := (versions{w, w.runner()}).put(ctx, chosen, spec); err != nil {
		return fmt.Errorf("preset %s: %w", options.preset, err)
	}
	return nil
}

// versions knows the versions of tools.
type versions struct {
	*workshop
	runner *local.Runner
}

// put puts a preset under a spec whose root is absolute, with the version of the
// tool where it belongs.
func (v versions) put(ctx context.Context, chosen preset.Preset, spec *action.Spec) error {
	chosen.Under(spec, spec.Root)
	if !preset.NeedsVersion(*spec) {
		return nil
	}
	version, err := v.of(ctx, chosen, *spec)
	if err != nil {
		return missedBy(chosen, spec.Root, spec.Argv, err)
	}
	preset.Expand(spec, version)
	return nil
}

// missedBy says where a preset has looked for a program that was not found.
func missedBy(chosen preset.Preset, root string, argv []string, err error) error {
	var notStarted *sandbox.ExecError
	missed := chosen.Missed(root, argv)
	if len(missed) == 0 || !errors.As(err, &notStarted) || !notStarted.NotFound() {
		return err
	}
	return fmt.Errorf("%w; the preset looked in %s first, and there is none: make that environment, or name another folder with --tool DIR", err, strings.Join(missed, " and "))
}

// choosePreset finds the preset of the flags. Its caches become what a flag that
// names one of them starts from, below what larder.toml says of that cache.
func (w *workshop) choosePreset(options *runOptions) error {
	if options.preset == "" {
		return nil
	}
	chosen, err := w.findPreset(options.preset)
	if err != nil {
		return fmt.Errorf("--preset: %w", err)
	}
	for name, cache := range chosen.Caches {
		w.settings.Caches[name] = cache.Options
	}
	options.chosen = chosen
	return nil
}

// findPreset finds a preset, with what larder.toml says of its caches.
func (w *workshop) findPreset(name string) (preset.Preset, error) {
	chosen, err := preset.Find(name, w.settings.Presets)
	if err != nil {
		return chosen, fmt.Errorf("%w; larder help presets shows them", err)
	}
	chosen.Caches = maps.Clone(chosen.Caches)
	for name, cache := range chosen.Caches {
		cache.Options = cache.Over(w.settings.Caches[name])
		chosen.Caches[name] = cache
	}
	return chosen, nil
}

// of finds the version of the preset's tool. What its version command
// said is kept in the store under the state of the program, so that the command
// runs only when the program has changed.
func (v versions) of(ctx context.Context, chosen preset.Preset, spec action.Spec) (string, error) {
	if chosen.VersionFile != "" {
		return chosen.FileVersion(spec.Root)
	}
	probe, err := chosen.Probe(spec)
	if err != nil {
		return "", err
	}
	wanted, err := probe.Validate(spec.Root)
	if err != nil {
		return "", err
	}
	return v.kept(ctx, wanted)
}

// kept answers a version command from the store, or runs it.
func (v versions) kept(ctx context.Context, wanted *action.Action) (string, error) {
	state, err := v.runner.ProgramState(wanted)
	if err != nil {
		return "", err
	}
	file := v.versionFile(state, wanted)
	if known, err := os.ReadFile(file); err == nil && state != "" {
		if version, err := preset.VersionIn(string(known)); err == nil {
			return version, nil
		}
	}
	said, err := v.ask(ctx, wanted)
	if err != nil {
		return "", err
	}
	version, err := preset.VersionIn(said)
	if err == nil && state != "" {
		// It is advice: when it cannot be written the next run asks again.
		_ = v.layout.WriteFile(file, []byte(version+"\n"), 0o644)
	}
	return version, err
}

// versionFile names the kept version of a program in one state, as one command
// with its variables says it.
func (w *workshop) versionFile(state string, probe *action.Action) string {
	asked := fmt.Sprintf("%s\n%q\n%q", state, probe.Argv, probe.Env)
	return filepath.Join(w.layout.Index(), "version-"+digest.Of(digest.BLAKE3, []byte(asked)).Hash()[:32])
}

// ask runs the version command in a sandbox and returns what it printed.
func (v versions) ask(ctx context.Context, probe *action.Action) (string, error) {
	var out, errs strings.Builder
	result, err := v.executor(v.runner).Run(ctx, executor.Request{Action: probe, Streams: executor.Streams{Stdout: &out, Stderr: &errs}})
	command := strings.Join(probe.Argv, " ")
	if err != nil {
		return "", fmt.Errorf("ask %q for the version: %w", command, err)
	}
	if result.Status != action.StatusOK {
		return "", fmt.Errorf("%w: %q ended with code %d and said %q; mend the tool, or give the cache a key= of your own", preset.ErrNoVersion, command, result.ExitCode, strings.TrimSpace(tail(cmp.Or(errs.String(), out.String()))))
	}
	return out.String(), nil
}
