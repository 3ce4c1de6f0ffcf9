package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"larder/cmd/larder/console"
	"larder/digest"
	"larder/executor"
	"larder/executor/action"
	"larder/executor/local"
	"larder/executor/preset"
	"larder/executor/worker"
)

// workerOptions are the flags of worker; of runOptions those that both have.
type workerOptions struct {
	runOptions
	jobs, queue int
}

// atOnce is how many requests are served at one time.
func (o *workerOptions) atOnce() int { return cmp.Or(o.jobs, runtime.NumCPU()) }

// What a worker does when no flag says otherwise.
const (
	defaultQueue = 64      // requests that wait
	longestLine  = 1 << 20 // bytes
)

func workerCommand() *cli.Command {
	o := &workerOptions{}
	return &cli.Command{
		Name: "worker", Usage: "run actions for a build tool: a request a line in, an answer a line out, as JSON",
		Description: "A line on standard input is {\"id\": \"1\", \"spec\": {...}}, the spec as for larder run --spec, or\n" +
			"{\"cancel\": \"1\"}. The answer, a line on standard output, is {\"id\": \"1\", \"result\": {...}}, the result as\n" +
			"of larder run --json; see docs/worker.md. Answers come as actions end.\n\n" +
			"The worker ends with standard input, when all is answered, with exit code 0. A signal cancels\n" +
			"everything (128+N), and so does the end of whoever reads standard output (125).",
		Flags: []cli.Flag{
			textFlag("root", &o.root, "host `DIR` that roots in requests are relative to (default: the current directory)", "C"),
			&cli.IntFlag{Name: "jobs", Aliases: []string{"j"}, Destination: &o.jobs, HideDefault: true, Usage: "most actions at one time, `N` (default: the number of processors)", Action: someJobs},
			&cli.IntFlag{Name: "queue", Destination: &o.queue, Value: defaultQueue, Usage: "read at most `N` requests ahead", Action: someQueue},
			textFlag("results", &o.results, "`USE` of kept results, unless a request says: off, read, write or read-write (the default)"),
			&cli.BoolFlag{Name: "no-cache", Destination: &o.noCache, Usage: "the same as --results off"},
			textFlag("sandbox", &o.sandbox, "`KIND` of sandbox: namespaces, directory or auto (the default)"),
		},
		DisableSliceFlagSeparator: true,
		OnUsageError:              usageError,
		Action: func(ctx context.Context, command *cli.Command) error {
			return serveLines(ctx, command, o)
		},
	}
}

func someQueue(_ context.Context, _ *cli.Command, n int) error {
	if n < 1 {
		return fmt.Errorf("--queue %d: give a number of requests above zero", n)
	}
	return nil
}

// serveLines is larder worker, from flags to exit code.
func serveLines(ctx context.Context, command *cli.Command, o *workerOptions) error {
	if err := needArgs(command, 0, 0); err != nil {
		return err
	}
	s, err := newServing(command, o)
	if err != nil {
		return err
	}
	ctx, passed, stop := relaySignals(ctx)
	defer stop()
	w := worker.New(worker.Config{
		Jobs: o.atOnce(), Queue: o.queue, Line: longestLine, Grace: grace / 2, Do: s.do, Idle: s.rest,
	}, os.Stdout)
	ended := make(chan syscall.Signal, 1) // by the first of them
	go func() {
		for signal := range passed {
			number, ok := signal.(syscall.Signal)
			if !ok || number == syscall.SIGUSR1 || number == syscall.SIGUSR2 {
				continue
			}
			select {
			case ended <- number:
			default:
			}
			w.Stop(number)
		}
	}()
	go whenUnread(os.Stdout, func() { w.Stop(syscall.SIGTERM) })
	err = w.Serve(ctx, os.Stdin)
	s.runner.Close()
	s.shop.saveIndexes()
	select {
	case number := <-ended:
		return exitCode(128 + int(number))
	default:
		return err
	}
}

// serving is a worker's side of the store. Its do is called by many goroutines.
type serving struct {
	shop   *workshop
	runner *local.Runner
	line   *executor.Executor
	policy executor.ResultPolicy
	base   string       // absolute
	using  sync.RWMutex // read: an action is under way
	rested time.Time
}

func newServing(command *cli.Command, o *workerOptions) (*serving, error) {
	here, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("find the current directory: %w", err)
	}
	s := &serving{base: absolute(here, cmp.Or(o.root, here)), rested: time.Now()}
	if err := checkRoot(s.base); err != nil {
		return nil, err
	}
	if s.shop, err = openForRun(command, s.base); err != nil {
		return nil, err
	}
	if s.shop.sandbox, err = sandboxKind(o.sandbox, s.shop.settings); err != nil {
		return nil, err
	}
	if s.policy, err = resultPolicy(&o.runOptions, s.shop.settings); err != nil {
		return nil, err
	}
	s.shop.indexes = digest.NewIndexes()
	s.shop.ahead = o.atOnce()
	s.runner = s.shop.runner()
	s.line = s.shop.executor(s.runner)
	return s, nil
}

// do is [perform] for one of many.
func (s *serving) do(ctx context.Context, task worker.Task) (*action.Result, error) {
	s.using.RLock()
	defer s.using.RUnlock()
	chosen, err := s.preset(task)
	if err != nil {
		return refused(), err
	}
	request, err := s.request(ctx, task, chosen)
	if err != nil {
		return refused(), err
	}
	result, err := s.line.Run(ctx, request)
	err = missedBy(chosen, request.Action.Root, request.Action.Argv, brokenOff(ctx, err))
	result.ExitCode = exitCodeOf(result, err)
	s.shop.writeDown(result, err)
	if published(result) || keptAnswer(request, result) && s.shop.untended() {
		s.shop.leaveWork()
	}
	return result, err
}

// restEvery is how often a worker that has nothing to do does what is due in a long
// life.
const restEvery = time.Minute

// rest saves what was learnt of files, and lets go of what was used. It does
// nothing while an action is under way.
func (s *serving) rest() {
	if time.Since(s.rested) < restEvery || !s.using.TryLock() {
		return
	}
	defer s.using.Unlock()
	s.rested = time.Now()
	s.shop.saveIndexes()
	s.shop.layout.Renew()
}

// preset finds the preset that a request names; without one it is the zero value.
func (s *serving) preset(task worker.Task) (preset.Preset, error) {
	if task.Preset == "" {
		return preset.Preset{}, nil
	}
	chosen, err := s.shop.findPreset(task.Preset)
	if err != nil {
		return chosen, fmt.Errorf("preset: %w", err)
	}
	return chosen, nil
}

// request checks what was asked for.
func (s *serving) request(ctx context.Context, task worker.Task, chosen preset.Preset) (executor.Request, error) {
	request := executor.Request{
		Results: s.policy, WithKey: true, OutputTo: task.OutputTo, Signals: task.Signals,
		Streams: executor.Streams{Stdout: task.Stdout, Stderr: task.Stderr},
		Say:     func(text string) { tell("%s: %s", console.Clean(task.ID), text) },
	}
	var err error
	if task.Results != "" {
		if request.Results, err = executor.ParseResultPolicy(task.Results); err != nil {
			return request, fmt.Errorf("results: %w", err)
		}
	}
	if to := request.OutputTo; to != "" && to != executor.OutputNone {
		request.OutputTo = absolute(s.base, to)
	}
	spec := *task.Spec
	spec.Root = absolute(s.base, spec.Root)
	if err := checkRoot(spec.Root); err != nil {
		return request, err
	}
	if task.Preset != "" && len(spec.Argv) > 0 {
		if err := (versions{s.shop, s.runner}).put(ctx, chosen, &spec); err != nil {
			return request, fmt.Errorf("preset %s: %w", task.Preset, err)
		}
	}
	if request.Action, err = spec.Validate(s.base); err != nil {
		return request, err
	}
	home, _ := os.UserHomeDir()
	return request, request.Action.RefuseSecrets(home, func(path string) (string, error) { return resolvePayload(ctx, path) })
}
