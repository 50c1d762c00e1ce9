package fleet

import "fmt"

// counted is "1 path", "2 paths".
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
