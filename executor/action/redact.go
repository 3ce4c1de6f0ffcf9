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
	hid := false
	err := wire.Each(k.Command, func(f wire.Field) error {
		if f.Number == commandEnvironment {
			variable, err := ReadPair(f)
			if err != nil {
				return err
			}
			if IsSecretName(variable.Name) {
				hid = true
				clean = wire.AppendBytes(clean, commandEnvironment, encodePair(variable.Name, sameness(variable)))
				return nil
			}
		}
		clean = append(clean, f.Whole...)
		return nil
	})
	switch {
	case err != nil: // it is not of our making
		return k.Action, nil
	case !hid:
		return k.Action, k.Command
	}
	return k.Action, clean
}

// sameness tells whether two values are the same, and nothing else to those who
// cannot guess them.
func sameness(variable Property) string {
	return "digest " + digest.Of(digest.BLAKE3, []byte(variable.Name+"\x00"+variable.Value)).Hash()
}

// ReadPair reads a field that holds a name and a value: a Property of a platform, or
// an EnvironmentVariable of a Command. It refuses what breaks the encoding.
func ReadPair(field wire.Field) (Property, error) {
	var pair Property
	err := field.Each(func(f wire.Field) (err error) {
		switch f.Number {
		case pairName:
			pair.Name, err = f.Text()
		case pairValue:
			pair.Value, err = f.Text()
		}
		return err
	})
	return pair, err
}
