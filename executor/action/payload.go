package action

import (
	"fmt"
	"slices"
	"strings"

	"larder/caches"
)

// PayloadSpec puts a host directory at a path. Copy is "remote" (the default:
// what is on another machine is copied to local disk), "always" or "never".
type PayloadSpec struct {
	Host string `json:"host"`
	Path string `json:"path"`
	Copy string `json:"copy,omitempty"`
}

// Payload is a checked declaration of a large host directory that is meant not
// to change. Its place and its state are in the key; where it is on the host and
// when it is copied are not.
type Payload struct {
	Host string // absolute
	Path Path
	Copy caches.CopyPolicy
}

// ParsePayloadFlag reads HOSTPATH=PATH[,copy=POLICY], the text of --payload.
// Paths that hold '=' or a comma with '=' behind it can be given in a spec.
func ParsePayloadFlag(text string) (PayloadSpec, error) {
	parts := splitOptions(text)
	host, path, ok := strings.Cut(parts[0], "=")
	if !ok || host == "" || path == "" {
		return PayloadSpec{}, fmt.Errorf("%w payload %q: write HOSTPATH=PATH, such as /mnt/sdk=sdk", caches.ErrInvalid, text)
	}
	spec := PayloadSpec{Host: host, Path: path}
	for _, option := range parts[1:] {
		policy, ok := strings.CutPrefix(option, "copy=")
		if !ok {
			return PayloadSpec{}, fmt.Errorf("%w payload %s: there is no option %q; there is copy=remote, always or never", caches.ErrInvalid, host, option)
		}
		spec.Copy = policy
	}
	return spec, nil
}

func (v *validator) payloads(specs []PayloadSpec) []Payload {
	var payloads []Payload
	for _, spec := range specs {
		if spec.Host == "" {
			v.refuse("payload for %s: it names no directory of the host", spec.Path)
			continue
		}
		one := Payload{Host: v.host(spec.Host)}
		var err error
		one.Path, err = ParsePath("payload "+spec.Host, spec.Path)
		v.keep(err)
		if spec.Copy != "" {
			one.Copy, err = caches.ParseCopy(spec.Copy)
			v.keep(err)
		}
		payloads = append(payloads, one)
	}
	slices.SortStableFunc(payloads, func(a, b Payload) int { return strings.Compare(a.Path.text, b.Path.text) })
	return payloads
}

// coverings: a payload is mounted over what else would be at its path, and what
// an action cannot write to cannot hold its outputs and caches.
func (v *validator) coverings(action *Action) {
	for i, payload := range action.Payloads {
		others := map[string][]Path{"output": action.Outputs}
		for _, other := range action.Payloads[i+1:] {
			others["payload"] = append(others["payload"], other.Path)
		}
		for _, cache := range action.Caches {
			others["cache"] = append(others["cache"], cache.Path)
		}
		for _, tree := range action.Trees {
			others["tree"] = append(others["tree"], tree.Path)
		}
		for _, kind := range []string{"payload", "tree", "cache", "output"} {
			for _, path := range others[kind] {
				if payload.Path.Overlaps(path) && payload.Path.text != "" && path.text != "" {
					v.refuse("payload %s at %s and %s at %s: a payload shares its path with nothing; move one", payload.Host, payload.Path, kind, path)
				}
			}
		}
	}
}
