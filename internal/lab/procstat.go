package lab

import (
	"errors"
	"strconv"
	"strings"
)

// startTicks reads field 22 of proc_pid_stat(5), the time a process started
// after this machine's boot, in clock ticks. The second field, a name in
// brackets, may hold anything.
func startTicks(stat string) (uint64, error) {
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, errors.New("not a process's stat: no name")
	}
	fields := strings.Fields(stat[end+1:]) // from field 3 on
	if len(fields) < 20 {
		return 0, errors.New("not a process's stat: too few fields")
	}
	return strconv.ParseUint(fields[19], 10, 64)
}
