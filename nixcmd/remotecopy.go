package nixcmd

// RemoteCopyArgs are the arguments with which a nix of unknown version, on another machine,
// copies paths of its own store. SSHOpts and Progress are left to the caller; see CopyLog.
// Those that a shell would not take as they are need quoting. Without paths it is an error.
func RemoteCopyArgs(paths []StorePath, opt CopyOptions) ([]string, error) {
	argv, err := Config{}.copyArgs(paths, opt)
	if err != nil {
		return nil, err
	}
	return argv[1:], nil
}

// CopyLog reads what a copy prints on standard error. The zero value tells nobody.
type CopyLog struct{ log copyLog }

// NewCopyLog returns a log that tells each what it reads, one line at a time; see
// CopyOptions.Progress.
func NewCopyLog(each func(CopyEvent)) *CopyLog { return &CopyLog{copyLog{each: each}} }

// Line reads one line.
func (g *CopyLog) Line(line string) { g.log.line(line) }

// CopyMessage is what that text says besides that something is being copied, at most its last
// ten lines.
func CopyMessage(stderr string) string { return copyMessage(plain(stderr)) }
