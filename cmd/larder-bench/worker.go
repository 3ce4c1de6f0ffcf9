package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// throughWorker compares 1,000 actions that do nothing through one larder worker,
// each asked for when the one before is answered, with a larder run for each and
// with the bare command. They take turns, some at a time.
func throughWorker(ctx context.Context, b *bench) ([]row, error) {
	const rounds, each = 10, 100
	w, err := b.startWorker(ctx)
	if err != nil {
		return nil, err
	}
	ways := []func() error{
		w.empty,
		func() error { _, err := b.empty().once(ctx); return err },
		func() error { _, err := program{argv: []string{"/bin/true"}, dir: b.dir}.once(ctx); return err },
	}
	took := make([][]time.Duration, len(ways))
	for range rounds {
		for i, way := range ways {
			begin := time.Now()
			for range each {
				if err := way(); err != nil {
					return nil, errors.Join(err, w.end())
				}
			}
			took[i] = append(took[i], time.Since(begin)/each)
		}
	}
	ours, run, bare := median(took[0]), median(took[1]), median(took[2])
	what := fmt.Sprintf("%d actions that do nothing, results off, through one `larder worker`, one after the other, each against ", rounds*each)
	return []row{
		{what + "a `larder run`", ms(ours), ms(run), fmt.Sprintf("%.2f times", float64(ours)/float64(run)), "not slower", ours <= run},
		{what + "the bare command", ms(ours), ms(bare), fmt.Sprintf("%.2f ms more", (ours-bare).Seconds()*1000), "", true},
	}, w.end()
}

// askedWorker is a larder worker and its two pipes.
type askedWorker struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

func (b *bench) startWorker(ctx context.Context) (*askedWorker, error) {
	w := &askedWorker{command: exec.CommandContext(ctx, b.larder, "worker", "--results", "off")}
	w.command.Dir, w.command.Env = b.dir, append(os.Environ(), "LARDER_STORE="+b.path("store-true"))
	w.command.Stderr = os.Stderr
	in, inErr := w.command.StdinPipe()
	out, outErr := w.command.StdoutPipe()
	if err := errors.Join(inErr, outErr, w.command.Start()); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	w.in, w.out = in, bufio.NewReader(out)
	return w, nil
}

// empty has one action run.
func (w *askedWorker) empty() error {
	_, err := io.WriteString(w.in, `{"id":"1","spec":{"argv":["true"]}}`+"\n")
	if err != nil {
		return fmt.Errorf("ask a worker: %w", err)
	}
	answer, err := w.out.ReadString('\n')
	if err != nil || !strings.Contains(answer, `"status":"ok"`) {
		return errors.Join(err, fmt.Errorf("a worker answered %.2000s", answer))
	}
	return nil
}

func (w *askedWorker) end() error {
	if err := errors.Join(w.in.Close(), w.command.Wait()); err != nil {
		return fmt.Errorf("end a worker: %w", err)
	}
	return nil
}
