package action

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"larder/digest"
	"larder/digest/wire"
)

// keyVersion changes when the meaning of a key does, so that old results are
// never read with new rules.
const keyVersion = "1"

// Property is one platform property of the REAPI messages: what the result
// depends on beyond argv, environment and inputs.
type Property struct{ Name, Value string }

// Key is the digest of the REAPI Action of a, over the input tree at root and
// what the action sees of the machine, with the two messages that it covers.
type Key struct {
	Digest     digest.Digest
	Action     []byte
	Command    []byte
	Properties []Property
}

// Key builds the key. Declarations of caches are part of it, their contents
// never are; neither are the paths of the root or anything that changes only
// what happens to the caches afterwards.
func (a *Action) Key(root digest.Digest, surroundings []Property) Key {
	properties := append(a.properties(), surroundings...)
	slices.SortFunc(properties, func(x, y Property) int {
		return cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(x.Value, y.Value))
	})
	platform := encodePlatform(properties)
	command := a.encodeCommand(platform)
	message := a.encodeAction(digest.Of(root.Function(), command), root, platform)
	return Key{digest.Of(root.Function(), message), message, command, properties}
}

func (a *Action) properties() []Property {
	properties := []Property{{"larder-key", keyVersion}, {"larder-network", string(a.Network)}}
	for _, cache := range a.Caches {
		declaration := fmt.Sprintf("%s %s %s %q", cache.Mode, cache.Name, cache.Path, cache.Key)
		if cache.Live {
			declaration += " live"
		}
		properties = append(properties, Property{"larder-cache", declaration})
	}
	if a.Host == HostNone {
		properties = append(properties, Property{"larder-host-view", string(a.Host)})
	}
	if a.Userns {
		properties = append(properties, Property{"larder-userns", "allowed"})
	}
	if a.Setup != "" {
		properties = append(properties, Property{"larder-setup", a.Setup})
	}
	if a.Teardown != "" {
		properties = append(properties, Property{"larder-teardown", a.Teardown})
	}
	properties = append(properties, a.Limits.properties()...)
	if a.Strict {
		properties = append(properties, Property{"larder-strict", "true"})
	}
	return properties
}

// Field numbers of build.bazel.remote.execution.v2.
const (
	commandArguments   = 1
	commandEnvironment = 2
	commandPlatform    = 5
	commandOutputPaths = 7

	actionCommand  = 1
	actionInput    = 2
	actionTimeout  = 6
	actionPlatform = 10

	digestHash = 1
	digestSize = 2

	platformProperties = 1
	pairName           = 1 // of Property and of EnvironmentVariable
	pairValue          = 2

	durationSeconds = 1
	durationNanos   = 2
)

// room is more than most messages have.
const room = 512

func (a *Action) encodeCommand(platform []byte) []byte {
	message := make([]byte, 0, room)
	for _, argument := range a.Argv {
		message = wire.AppendBytes(message, commandArguments, argument)
	}
	for _, variable := range a.Env {
		message = wire.AppendBytes(message, commandEnvironment, encodePair(variable.Name, variable.Value))
	}
	message = wire.AppendBytes(message, commandPlatform, platform)
	for _, output := range a.Outputs {
		message = wire.AppendBytes(message, commandOutputPaths, output.text)
	}
	return message
}

func (a *Action) encodeAction(command, input digest.Digest, platform []byte) []byte {
	message := wire.AppendBytes(make([]byte, 0, room), actionCommand, encodeDigest(command))
	message = wire.AppendBytes(message, actionInput, encodeDigest(input))
	if a.Timeout > 0 {
		message = wire.AppendBytes(message, actionTimeout, encodeDuration(a.Timeout))
	}
	return wire.AppendBytes(message, actionPlatform, platform)
}

func encodePlatform(properties []Property) []byte {
	message, pair := make([]byte, 0, room), make([]byte, 0, room)
	for _, property := range properties {
		pair = appendPair(pair[:0], property.Name, property.Value)
		message = wire.AppendBytes(message, platformProperties, pair)
	}
	return message
}

func encodePair(name, value string) []byte { return appendPair(nil, name, value) }

func appendPair(message []byte, name, value string) []byte {
	return appendText(appendText(message, pairName, name), pairValue, value)
}

func encodeDigest(d digest.Digest) []byte {
	return appendNumber(appendText(nil, digestHash, d.Hash()), digestSize, d.Size())
}

func encodeDuration(d time.Duration) []byte {
	message := appendNumber(nil, durationSeconds, int64(d/time.Second))
	return appendNumber(message, durationNanos, int64(d%time.Second))
}

// appendText leaves the empty string out, as proto3 does for single fields.
func appendText(message []byte, number int, text string) []byte {
	if text == "" {
		return message
	}
	return wire.AppendBytes(message, number, text)
}

// appendNumber leaves zero out, as proto3 does.
func appendNumber(message []byte, number int, value int64) []byte {
	if value == 0 {
		return message
	}
	return wire.AppendVarint(message, number, uint64(value))
}
