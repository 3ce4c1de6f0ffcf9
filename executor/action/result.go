package action

// Result is the record of one run, in the published form (schema 1). Digests
// are HASH/SIZE texts, so that a reader needs nothing of larder to use them.
type Result struct {
	Schema         int              `json:"schema"`
	Status         Status           `json:"status"`
	ExitCode       int              `json:"exit_code"`
	Signal         int              `json:"signal"`
	Cached         string           `json:"cached"` // "no", "local", "memcached", "remote"
	Key            string           `json:"key"`
	InputDigest    string           `json:"input_digest"`
	OutputDigest   string           `json:"output_digest"`
	StdoutDigest   string           `json:"stdout_digest"`
	StderrDigest   string           `json:"stderr_digest"`
	DigestFunction string           `json:"digest_function"`
	Runner         string           `json:"runner"`  // "local", "remote"
	Sandbox        string           `json:"sandbox"` // "namespaces", "directory"
	Caches         []CacheResult    `json:"caches"`
	Payloads       []PayloadResult  `json:"payloads,omitempty"`
	Outputs        []Output         `json:"outputs"`
	NotKept        string           `json:"-"`                      // why the result will not be used again
	KeptSandbox    string           `json:"kept_sandbox,omitempty"` // absolute host path
	LimitsHit      []string         `json:"limits_hit"`
	Warnings       []string         `json:"warnings"`
	TimingsMS      map[Step]float64 `json:"timings_ms"`
	Resources      Resources        `json:"resources"`
}

// Status is how a run ended.
type Status string

// The ways a run ends.
const (
	StatusOK      Status = "ok"      // the command ended with code 0
	StatusFailed  Status = "failed"  // the command ended with another code
	StatusTimeout Status = "timeout" // the time limit struck
	StatusKilled  Status = "killed"  // a signal ended the command
	StatusLimit   Status = "limit"   // another limit struck
	StatusError   Status = "error"   // larder could not run the action
)

// CacheResult is what became of one named cache.
type CacheResult struct {
	Name             string      `json:"name"`
	Mode             string      `json:"mode"`
	Scope            string      `json:"scope"`
	Path             string      `json:"path"`
	Outcome          string      `json:"outcome"`
	GenerationBefore string      `json:"generation_before"`
	GenerationAfter  string      `json:"generation_after"`
	Added            int         `json:"added"`
	Changed          int         `json:"changed"`
	Removed          int         `json:"removed"`
	Duplicates       int         `json:"duplicates"`
	Violations       []Violation `json:"violations"`
	Conflicts        []string    `json:"conflicts"`
}

// PayloadResult says where the command found one payload: in its local copy when
// the status is "cached", and in the original otherwise.
type PayloadResult struct {
	Host   string `json:"host"`
	Path   string `json:"path"`
	State  string `json:"state"`  // a digest
	Status string `json:"status"` // of the copy, when the run began
}

// Violation is one thing that a process did to an append-only cache and may
// not: dropped, and reported by path and kind.
type Violation struct {
	Path string `json:"path"`
	Kind string `json:"kind"`
}

// Output is one declared output that the action made.
type Output struct {
	Path       string `json:"path"`
	Digest     string `json:"digest"` // of the file, or of the root directory; empty for a symlink
	Kind       string `json:"kind"`   // "file", "directory", "symlink"
	Executable bool   `json:"executable"`
	Target     string `json:"target,omitempty"` // of a symlink
}

// Kinds of outputs.
const (
	KindFile      = "file"
	KindDirectory = "directory"
	KindSymlink   = "symlink"
)

// Resources is what the command used, its children included.
type Resources struct {
	MaxRSSBytes int64 `json:"max_rss_bytes"`
	UserMS      int64 `json:"user_ms"`
	SystemMS    int64 `json:"system_ms"`
}

// Step names one step on the path of an action, in events and timings.
type Step string

// The steps, in the order in which a local run takes them.
const (
	StepScan     Step = "scan"          // look at the tools, read the inputs into a tree
	StepLookup   Step = "lookup"        // look the key up in the results
	StepCheckout Step = "checkout"      // lease the caches, stack the input tree
	StepSandbox  Step = "setup_sandbox" // namespaces, mounts, set-up command
	StepRun      Step = "run"           // the command
	StepCapture  Step = "capture"       // outputs and logs into the store
	StepPublish  Step = "publish"       // publish or discard each cache
	StepTotal    Step = "total"
)

// Steps lists every step, the total last.
func Steps() []Step {
	return []Step{StepScan, StepLookup, StepCheckout, StepSandbox, StepRun, StepCapture, StepPublish, StepTotal}
}

// NewResult returns a result with every list present, so that the record never
// holds null where readers expect a list.
func NewResult() *Result {
	timings := map[Step]float64{}
	for _, step := range Steps() {
		timings[step] = 0
	}
	return &Result{
		Schema: 1, Cached: "no", Runner: "local", Sandbox: "namespaces",
		Caches: []CacheResult{}, Outputs: []Output{}, LimitsHit: []string{}, Warnings: []string{},
		TimingsMS: timings,
	}
}
