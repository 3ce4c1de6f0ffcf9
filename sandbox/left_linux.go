//go:build amd64 || arm64

package sandbox

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// left lists the children of process 1, which are all that a stage has left: the
// kernel gives it the orphans. Only what lies in /proc is read that waits for nobody.
func (b *box) left() (list []Remnant) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", b.pid, b.pid))
	for _, field := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			continue
		}
		read := func(name string) string {
			data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
			return strings.TrimSpace(string(data))
		}
		one := Remnant{PID: pid, Command: read("comm"), Waits: read("wchan")}
		if one.Waits == "0" {
			one.Waits = ""
		}
		if one.Command != "" {
			list = append(list, one)
		}
	}
	return list
}
