package compare

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"larder/digest"
	"larder/digest/wire"
	"larder/executor/action"
)

// ErrMessage marks messages that are no Action and no Command.
var ErrMessage = errors.New("not the messages of an action")

// Action is an action as it is compared.
type Action struct {
	// Input is the digest of the input tree.
	Input digest.Digest
	parts []part // sorted
}

// part is one component, or one of several of a kind, by its name.
type part struct {
	component Component
	name      string
	value     string
}

// Field numbers of build.bazel.remote.execution.v2.
const (
	commandArguments   = 1
	commandEnvironment = 2
	commandFiles       = 3 // outputs, as they were declared before API 2.1
	commandDirectories = 4
	commandPlatform    = 5
	commandWorkDir     = 6
	commandOutputPaths = 7

	actionCommand  = 1
	actionInput    = 2
	actionTimeout  = 6
	actionPlatform = 10

	firstField  = 1 // of Platform, of a pair, of a digest and of a duration
	secondField = 2
)

// Decode takes the two messages apart; digests in them are of fn. It refuses
// broken encoding, and digests that are malformed, with an error that wraps
// [ErrMessage]. Fields that it does not know are components too.
func Decode(fn digest.Function, message, command []byte) (Action, error) {
	d := decoder{parts: []part{{Function, "", fn.String()}}}
	err := d.command(command)
	if err == nil {
		err = d.action(fn, message)
	}
	if err != nil {
		return Action{}, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	platform := d.actionPlatform
	if platform == nil {
		platform = d.commandPlatform
	}
	for _, pair := range platform {
		d.parts = append(d.parts, partOf(pair))
	}
	return Action{d.input, sorted(d.parts)}, nil
}

type decoder struct {
	parts                           []part
	input                           digest.Digest
	actionPlatform, commandPlatform []action.Property
}

func (d *decoder) add(component Component, name, value string) {
	d.parts = append(d.parts, part{component, name, value})
}

func (d *decoder) command(message []byte) error {
	var argv, outputs []string
	err := wire.Each(message, func(f wire.Field) (err error) {
		switch f.Number {
		case commandArguments:
			argv, err = appendText(argv, f)
		case commandEnvironment:
			var pair action.Property
			pair, err = action.ReadPair(f)
			d.add(Env, pair.Name, pair.Value)
		case commandFiles, commandDirectories, commandOutputPaths:
			outputs, err = appendText(outputs, f)
		case commandPlatform:
			d.commandPlatform, err = decodePlatform(d.commandPlatform, f)
		case commandWorkDir:
			var folder string
			folder, err = f.Text()
			d.add(WorkDir, "", folder)
		default:
			d.add(OtherPart, fmt.Sprintf("%d of the command", f.Number), strconv.QuoteToASCII(string(f.Raw())))
		}
		return err
	})
	d.add(Argv, "", quoteAll(argv))
	if len(outputs) > 0 {
		slices.Sort(outputs)
		d.add(Outputs, "", quoteAll(outputs))
	}
	return err
}

func appendText(list []string, f wire.Field) ([]string, error) {
	text, err := f.Text()
	return append(list, text), err
}

func (d *decoder) action(fn digest.Function, message []byte) error {
	return wire.Each(message, func(f wire.Field) (err error) {
		switch f.Number {
		case actionCommand: // all that it stands for is compared
		case actionInput:
			d.input, err = decodeDigest(fn, f)
		case actionTimeout:
			var limit time.Duration
			limit, err = decodeDuration(f)
			d.add(Limit, action.LimitTimeout, limit.String())
		case actionPlatform:
			d.actionPlatform, err = decodePlatform(d.actionPlatform, f)
		default:
			d.add(OtherPart, fmt.Sprintf("%d of the action", f.Number), strconv.QuoteToASCII(string(f.Raw())))
		}
		return err
	})
}

// partOf says which component a platform property is. Those that larder writes
// have names of their own; all others are what they say.
func partOf(pair action.Property) part {
	single := map[string]Component{
		"larder-network": Network, "larder-host-view": HostView, "larder-userns": Userns, "larder-setup": Setup, "larder-teardown": Teardown,
		"larder-strict": Strict, "larder-sandbox": Sandbox, "larder-program": Program, "larder-path": Path, "larder-host": Host, "larder-key": Version,
	}
	if component, ok := single[pair.Name]; ok {
		return part{component, "", pair.Value}
	}
	switch pair.Name {
	case "larder-tool":
		path, state, _ := strings.Cut(pair.Value, " ")
		return part{Tool, path, state}
	case "larder-payload":
		path, state, _ := cutLast(pair.Value)
		return part{Payload, path, state}
	case "larder-cache":
		mode, rest, _ := strings.Cut(pair.Value, " ")
		name, rest, _ := strings.Cut(rest, " ")
		return part{Cache, name, mode + " at " + rest}
	}
	if limit, ok := strings.CutPrefix(pair.Name, "larder-limit-"); ok {
		return part{Limit, limit, pair.Value}
	}
	return part{Platform, pair.Name, pair.Value}
}

func cutLast(text string) (before, after string, found bool) {
	i := strings.LastIndexByte(text, ' ')
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+1:], true
}

// sorted puts parts into the order in which they are compared. Those of one name
// become one: a set, whatever their order was, but of variables, where order may
// matter.
func sorted(parts []part) []part {
	rank := map[Component]int{}
	for i, component := range Components() {
		rank[component] = i
	}
	slices.SortStableFunc(parts, func(a, b part) int {
		order := cmp.Or(cmp.Compare(rank[a.component], rank[b.component]), strings.Compare(a.name, b.name))
		if order == 0 && a.component != Env {
			return strings.Compare(a.value, b.value)
		}
		return order
	})
	var single []part
	for start := 0; start < len(parts); {
		end := start + 1
		values := []string{parts[start].value}
		for ; end < len(parts) && parts[end].component == parts[start].component && parts[end].name == parts[start].name; end++ {
			values = append(values, parts[end].value)
		}
		one := parts[start]
		if len(values) > 1 {
			one.value = quoteAll(values)
		}
		single, start = append(single, one), end
	}
	return single
}
