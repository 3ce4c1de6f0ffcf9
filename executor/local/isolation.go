package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"larder/caches"
	"larder/executor/action"
	"larder/sandbox"
)

// Kind says which kind of sandbox a runner uses.
type Kind string

// The kinds. The empty Kind is KindAuto.
const (
	KindAuto       Kind = "auto"       // namespaces, or a directory where they are not to be had
	KindNamespaces Kind = "namespaces" // nothing else
	KindDirectory  Kind = "directory"  // a directory, without any isolation
)

// ParseKind reads the name of a kind. The error wraps [caches.ErrInvalid].
func ParseKind(text string) (Kind, error) {
	switch kind := Kind(text); kind {
	case "", KindAuto:
		return KindAuto, nil
	case KindNamespaces, KindDirectory:
		return kind, nil
	}
	return "", fmt.Errorf("%w kind of sandbox %q; use auto, namespaces or directory", caches.ErrInvalid, text)
}

// ErrGuarantee says that an action asks for isolation that a directory cannot
// give.
var ErrGuarantee = errors.New("cannot be had in a sandbox that is only a directory")

// isolation is the sandbox of one action.
type isolation struct {
	kind  sandbox.Isolation
	cause error // why it is a directory, when nobody asked for one
}

// choose decides before anything is run, since the kind is part of the key. Where
// namespaces were to be had the last time they are taken to be there: finding out
// costs as much as a sandbox does. Execute sees when they are not.
func (r *Runner) choose(a *action.Action) (isolation, error) {
	var chosen isolation
	switch r.config.Sandbox {
	case KindNamespaces:
		return chosen, nil
	case KindDirectory:
		chosen.kind = sandbox.Directory
	default:
		if modeOf(r.unavailable()) == 0 {
			return chosen, nil
		}
		if chosen.cause = sandbox.Namespaced(); chosen.cause == nil {
			_ = os.Remove(r.unavailable()) // else the next run looks again
			return chosen, nil
		}
		chosen.kind = sandbox.Directory
	}
	return chosen, refuseGuarantees(a, chosen.cause)
}

// unavailable is a file that is there when a run could have no namespaces.
func (r *Runner) unavailable() string {
	return filepath.Join(r.config.Layout.Index(), "no-namespaces"+r.config.Layout.Owner())
}

// fallBack reports whether an action whose sandbox could not be made is to have a
// directory, and notes it for runs to come.
func (r *Runner) fallBack(a *action.Action, err error) (isolation, bool) {
	var setup *sandbox.SetupError
	isMissing := errors.Is(err, sandbox.ErrUnsupported) || errors.As(err, &setup) && setup.Unavailable()
	if !isMissing || r.config.Sandbox == KindNamespaces || r.config.Sandbox == KindDirectory || len(a.Guarantees) > 0 {
		return isolation{}, false
	}
	// It is advice: when it cannot be written the next run finds out by itself.
	_ = r.config.Layout.WriteFile(r.unavailable(), []byte(err.Error()+"\n"), 0o644)
	return isolation{sandbox.Directory, err}, true
}

// refuseGuarantees: what was asked for by name is not left out in silence.
func refuseGuarantees(a *action.Action, cause error) error {
	if len(a.Guarantees) == 0 {
		return nil
	}
	wanted := strings.Join(a.Guarantees, ", ")
	if cause == nil {
		return fmt.Errorf("%s %w; leave out either that or --sandbox directory", wanted, ErrGuarantee)
	}
	return fmt.Errorf("%s %w, and this machine gives no other (%w); leave it out, or see larder doctor", wanted, ErrGuarantee, cause)
}

// properties are what the key holds of it: a directory shows another machine to
// a command, so its answers are not those of namespaces.
func (i isolation) properties() []action.Property {
	if i.kind == sandbox.Namespaces {
		return nil
	}
	return []action.Property{{Name: "larder-sandbox", Value: string(KindDirectory)}}
}

// name is that of the result record.
func (i isolation) name() string {
	if i.kind == sandbox.Directory {
		return string(KindDirectory)
	}
	return string(KindNamespaces)
}

// tell says what the user did not ask for.
func (i isolation) tell(a *attempt) {
	if i.cause != nil {
		a.warn("the command ran in a directory without isolation, since no other sandbox can be made here: the files and the network of this machine were within its reach (%v); larder doctor says what is missing, and --sandbox directory accepts it", i.cause)
	}
}
