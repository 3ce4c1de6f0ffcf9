package action

import (
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"larder/digest"
)

// IsSecretName reports whether the name of a variable looks as if its value were
// a password, a key or a token. It errs on the side of secrets.
func IsSecretName(name string) bool {
	name = strings.ToUpper(name)
	for _, word := range []string{"SECRET", "TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "APIKEY", "API_KEY", "ACCESS_KEY", "PRIVATE_KEY", "AUTH", "COOKIE", "NETRC"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return strings.HasSuffix(name, "_KEY") || strings.HasSuffix(name, "_PASS") || strings.HasSuffix(name, "_PWD")
}

// Kept returns the two messages of the key as they may be written down: in the
// Command the value of each variable whose name is [IsSecretName] gives way to a
// digest of name and value, which tells only whether two are the same. So the
// digest of that Command is then not the one in the Action.
func (k Key) Kept() (message, command []byte) {
	var clean []byte
	rest, hid := k.Command, false
	for len(rest) > 0 {
		number, kind, n := protowire.ConsumeTag(rest)
		size := protowire.ConsumeFieldValue(number, kind, rest[max(n, 0):])
		if n < 0 || size < 0 {
			return k.Action, nil // it is not of our making
		}
		field := rest[:n+size]
		if number == commandEnvironment {
			value, _ := protowire.ConsumeBytes(rest[n:])
			if name, secret := splitPair(value); IsSecretName(name) {
				hid = true
				field = appendField(nil, commandEnvironment, encodePair(name, sameness(name, secret)))
			}
		}
		clean, rest = append(clean, field...), rest[n+size:]
	}
	if !hid {
		return k.Action, k.Command
	}
	return k.Action, clean
}

// sameness tells whether two values are the same, and nothing else to those who
// cannot guess them.
func sameness(name, value string) string {
	return "digest " + digest.Of(digest.BLAKE3, []byte(name+"\x00"+value)).Hash()
}

// splitPair reads what [encodePair] writes.
func splitPair(pair []byte) (name, value string) {
	for len(pair) > 0 {
		number, _, n := protowire.ConsumeTag(pair)
		text, size := protowire.ConsumeBytes(pair[max(n, 0):])
		if n < 0 || size < 0 {
			return name, value
		}
		if number == pairName {
			name = string(text)
		} else {
			value = string(text)
		}
		pair = pair[n+size:]
	}
	return name, value
}
