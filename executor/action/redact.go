package action

import (
	"strings"

	"larder/digest"
	"larder/digest/wire"
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
		field, after, err := wire.Next(rest)
		if err != nil {
			return k.Action, nil // it is not of our making
		}
		kept := rest[:len(rest)-len(after)]
		if field.Number == commandEnvironment {
			if name, secret := splitPair(field.Bytes()); IsSecretName(name) {
				hid = true
				kept = appendField(nil, commandEnvironment, encodePair(name, sameness(name, secret)))
			}
		}
		clean, rest = append(clean, kept...), after
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
		field, rest, err := wire.Next(pair)
		if err != nil || field.Kind != wire.Bytes {
			return name, value
		}
		if field.Number == pairName {
			name = string(field.Bytes())
		} else {
			value = string(field.Bytes())
		}
		pair = rest
	}
	return name, value
}
